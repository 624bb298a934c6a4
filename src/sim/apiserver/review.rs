//! May I? Yes, unless a fault forbids it.

use http::Response;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::sim::apiserver::answer;
use crate::sim::apiserver::patch;
use crate::sim::backstage::LocalBody;
use crate::sim::fault::Faulty;
use crate::sim::status::Status;

/// How bodies in protobuf begin; what follows is an envelope.
const PROTOBUF: &[u8] = b"k8s\0";

/// Field numbers of `ResourceAttributes`.
const ATTRIBUTES: [(u64, &str); 7] = [
    (1, "namespace"),
    (2, "verb"),
    (3, "group"),
    (4, "version"),
    (5, "resource"),
    (6, "subresource"),
    (7, "name"),
];

/// Answers a `SelfSubjectAccessReview`. `kubectl auth can-i` asks in protobuf.
pub(crate) fn access(faulty: &Faulty, body: &[u8]) -> Result<Response<LocalBody>, Status> {
    let mut review = match body.strip_prefix(PROTOBUF) {
        Some(envelope) => unpacked(envelope),
        None => patch::json(body)?,
    };
    if !review.is_object() {
        return Err(Status::BadRequest("the object is not a JSON object".to_owned()));
    }
    let attributes = &review["spec"]["resourceAttributes"];
    let verb = attributes["verb"].as_str().unwrap_or_default();
    let is_forbidden = faulty.forbids(verb, &asked(attributes));
    review["status"] = if is_forbidden {
        json!({ "allowed": false, "reason": "forbidden on demand" })
    } else {
        json!({ "allowed": true })
    };
    Ok(answer::json(StatusCode::CREATED, &review))
}

/// Answers a `SelfSubjectReview`: who am I?
pub(crate) fn subject() -> Response<LocalBody> {
    let review = json!({
        "kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
        "metadata": { "creationTimestamp": null },
        "status": { "userInfo": { "username": "rampscope", "groups": ["system:authenticated"] } },
    });
    answer::json(StatusCode::CREATED, &review)
}

/// The resource in question as a fault names it.
fn asked(attributes: &Value) -> String {
    let text = |field: &str| attributes[field].as_str().unwrap_or_default();
    let mut asked = text("resource").to_owned();
    for (mark, field) in [('.', "group"), ('/', "subresource")] {
        if !text(field).is_empty() {
            asked.push(mark);
            asked.push_str(text(field));
        }
    }
    asked
}

/// The review in an envelope: `raw` is field 2 of that, `spec` field 2 of the review, and the
/// attributes field 1 of the spec.
fn unpacked(envelope: &[u8]) -> Value {
    let attributes = [2, 2, 1].iter().fold(envelope, |message, wanted| {
        fields(message).find(|(number, _)| number == wanted).map_or(&[], |(_, bytes)| bytes)
    });
    let mut review = json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
        "metadata": { "creationTimestamp": null }, "spec": { "resourceAttributes": {} },
    });
    for (number, bytes) in fields(attributes) {
        if let Some((_, field)) = ATTRIBUTES.iter().find(|(known, _)| *known == number) {
            let text = String::from_utf8_lossy(bytes).into_owned();
            review["spec"]["resourceAttributes"][*field] = text.into();
        }
    }
    review
}

/// The fields of a message that have a length; the messages here have no others that matter.
fn fields(message: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut left = message;
    std::iter::from_fn(move || {
        loop {
            let key = varint(&mut left)?;
            match key & 7 {
                0 => {
                    varint(&mut left)?;
                }
                2 => {
                    let n = usize::try_from(varint(&mut left)?).ok()?;
                    let (bytes, rest) = left.split_at_checked(n)?;
                    left = rest;
                    return Some((key >> 3, bytes));
                }
                _ => return None,
            }
        }
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field with a length.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut field = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        field.extend_from_slice(bytes);
        field
    }

    #[test]
    fn a_question_in_protobuf_is_understood() {
        let attributes =
            [field(2, b"watch"), field(3, b"apps"), field(5, b"deployments"), field(6, b"status")];
        let review = field(2, &field(1, &attributes.concat()));
        let envelope = [field(1, &field(1, b"v1")), field(2, &review)].concat();
        let review = unpacked(&envelope);
        assert_eq!(asked(&review["spec"]["resourceAttributes"]), "deployments.apps/status");
        assert_eq!(review["spec"]["resourceAttributes"]["verb"], "watch");
        for end in 0..envelope.len() {
            let _ = unpacked(&envelope[..end]);
        }
    }
}
