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

/// Answers a `SelfSubjectAccessReview`.
pub(crate) fn answer(faulty: &Faulty, body: &[u8]) -> Result<Response<LocalBody>, Status> {
    let mut review = patch::json(body)?;
    if !review.is_object() {
        return Err(Status::BadRequest("the object is not a JSON object".to_owned()));
    }
    let is_forbidden = faulty.forbidden.contains(&asked(&review["spec"]["resourceAttributes"]));
    review["status"] = if is_forbidden {
        json!({ "allowed": false, "reason": "forbidden on demand" })
    } else {
        json!({ "allowed": true })
    };
    Ok(answer::json(StatusCode::CREATED, &review))
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
