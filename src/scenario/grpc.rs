//! A call of gRPC as a scenario names it: its method, and its message as bytes or as JSON.

use prost_reflect::DescriptorPool;
use prost_reflect::DynamicMessage;
use prost_reflect::MethodDescriptor;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::DescriptorProto;
use prost_reflect::prost_types::FieldDescriptorProto;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::prost_types::FileDescriptorSet;
use prost_reflect::prost_types::MethodDescriptorProto;
use prost_reflect::prost_types::ServiceDescriptorProto;
use prost_reflect::prost_types::field_descriptor_proto::Label;
use prost_reflect::prost_types::field_descriptor_proto::Type;

use super::plan::Body;
use super::plan::Grpc;
use crate::units::clean;

/// Methods that are named when one is not found.
const METHODS_SHOWN: usize = 5;

/// What a person says of a call.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    /// `package.Service/Method`, with or without a slash before it.
    pub(super) method: &'a str,
    /// The message; a text is hexadecimal digits.
    pub(super) message: Option<Body>,
    /// The message as JSON.
    pub(super) json: Option<&'a str>,
    /// A `FileDescriptorSet`.
    pub(super) descriptors: Option<&'a [u8]>,
    pub(super) is_streaming: Option<bool>,
}

/// A call as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) path: String,
    pub(super) message: Body,
    pub(super) grpc: Grpc,
}

/// A message, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Encoded {
    bytes: Vec<u8>,
    /// Whether the server answers with many messages.
    is_streaming: bool,
}

/// What is wrong, and with which key.
type Wrong = (&'static str, String);

// === impl Wish ===

impl Wish<'_> {
    /// The call, or the key that is wrong and why.
    pub(super) fn call(self) -> Result<Call, Wrong> {
        let path = path(self.method).map_err(|text| ("method", text))?;
        let (message, streams) = match (self.json, self.message) {
            (Some(_), Some(_)) => {
                return Err(("json", "stands beside `message`; keep one of them".to_owned()));
            }
            (Some(json), None) => {
                let encoded =
                    from_json(&path, json, self.descriptors).map_err(|text| ("json", text))?;
                (Body::Bytes(encoded.bytes), encoded.is_streaming)
            }
            (None, Some(Body::Text(hex))) => {
                (Body::Bytes(from_hex(&hex).map_err(|text| ("message", text))?), false)
            }
            (None, Some(message)) => (message, false),
            (None, None) => (Body::Bytes(Vec::new()), false),
        };
        let is_streaming = self.is_streaming.unwrap_or(streams);
        Ok(Call { path, message, grpc: Grpc { is_streaming } })
    }
}

/// `/package.Service/Method`, with or without its first slash.
fn path(method: &str) -> Result<String, String> {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match method.trim_start_matches('/').split_once('/') {
        Some((service, name)) if service.split('.').all(is_word) && is_word(name) => {
            Ok(format!("/{service}/{name}"))
        }
        _ => Err(format!(
            "{:?} is not a method of gRPC; write it as package.Service/Method",
            clean(method, 80)
        )),
    }
}

/// The message's bytes from hexadecimal digits; blanks between them do not matter.
fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2));
    let bytes = |digits: Vec<u8>| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    digits.map(bytes).ok_or_else(|| {
        "is not made of pairs of hexadecimal digits, as 0864; for JSON write `json`".to_owned()
    })
}

/// The message's bytes from JSON, by the type that `descriptors` (a `FileDescriptorSet`, as
/// `protoc -o` writes it) say the method takes. Without them only the load worker is known.
fn from_json(path: &str, json: &str, descriptors: Option<&[u8]>) -> Result<Encoded, String> {
    let pool = match descriptors {
        Some(bytes) => DescriptorPool::decode(bytes).map_err(|error| {
            format!(
                "descriptors cannot be used ({}); make them with protoc --include_imports -o FILE",
                clean(&error.to_string(), 120)
            )
        })?,
        None => DescriptorPool::from_file_descriptor_set(load_worker())
            .map_err(|error| error.to_string())?,
    };
    let method = method(&pool, path).ok_or_else(|| {
        let known: Vec<String> = pool
            .services()
            .flat_map(|service| service.methods().map(|it| name(&it)).collect::<Vec<_>>())
            .take(METHODS_SHOWN)
            .collect();
        let remedy = match descriptors {
            Some(_) => format!("they describe {}", clean(&known.join(", "), 200)),
            None => "name a file of descriptors, made with protoc -o FILE".to_owned(),
        };
        format!("{path} is not described; {remedy}")
    })?;
    if method.is_client_streaming() {
        return Err(format!("{path} takes a stream of messages; one message is sent"));
    }
    let wrong = |error: serde_json::Error| {
        let name = method.input().full_name().to_owned();
        format!("is no {name}: {}", clean(&error.to_string(), 160))
    };
    let mut text = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(method.input(), &mut text).map_err(wrong)?;
    text.end().map_err(wrong)?;
    Ok(Encoded { bytes: message.encode_to_vec(), is_streaming: method.is_server_streaming() })
}

fn method(pool: &DescriptorPool, path: &str) -> Option<MethodDescriptor> {
    pool.services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .find(|method| name(method) == path)
}

fn name(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// The worker that other people's experiments scale: it keeps a core busy for so long.
///
/// `service LoadWorker { rpc InvokeWorker(WorkRequest) returns (WorkResponse); }`, with
/// `WorkRequest { int64 duration_ms = 1; }` and `WorkResponse { string message = 1; }`.
fn load_worker() -> FileDescriptorSet {
    let message = |name: &str, field: &str, r#type: Type| DescriptorProto {
        name: Some(name.to_owned()),
        field: vec![FieldDescriptorProto {
            name: Some(field.to_owned()),
            number: Some(1),
            label: Some(Label::Optional.into()),
            r#type: Some(r#type.into()),
            ..FieldDescriptorProto::default()
        }],
        ..DescriptorProto::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("LoadWorker".to_owned()),
        method: vec![MethodDescriptorProto {
            name: Some("InvokeWorker".to_owned()),
            input_type: Some(".load_worker.WorkRequest".to_owned()),
            output_type: Some(".load_worker.WorkResponse".to_owned()),
            ..MethodDescriptorProto::default()
        }],
        ..ServiceDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("load_worker.proto".to_owned()),
        package: Some("load_worker".to_owned()),
        message_type: vec![
            message("WorkRequest", "duration_ms", Type::Int64),
            message("WorkResponse", "message", Type::String),
        ],
        service: vec![service],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: &str = "/load_worker.LoadWorker/InvokeWorker";

    #[test]
    fn a_method_is_written_with_or_without_its_slash() {
        assert_eq!(path("load_worker.LoadWorker/InvokeWorker").as_deref(), Ok(WORKER));
        assert_eq!(path(WORKER).as_deref(), Ok(WORKER));
        for wrong in ["", "/", "Service", "a.b/", "/a..b/C", "a/b/c", "a b/c", "a/b?c"] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_are_read_from_digits() {
        assert_eq!(from_hex(" 08 64\n"), Ok(vec![8, 100]));
        assert_eq!(from_hex(""), Ok(vec![]));
        assert!(from_hex("086").is_err() && from_hex("0g").is_err() && from_hex("{}").is_err());
    }

    #[test]
    fn the_load_worker_needs_no_descriptors() {
        for (json, bytes) in [
            (r#"{"duration_ms": 100}"#, &[8, 100][..]),
            (r#"{"durationMs": "300"}"#, &[8, 0xac, 2]),
            ("{}", &[]),
        ] {
            let expected = Encoded { bytes: bytes.to_vec(), is_streaming: false };
            assert_eq!(from_json(WORKER, json, None), Ok(expected), "{json}");
        }
        for (path, json, part) in [
            (WORKER, r#"{"duration": 1}"#, "is no load_worker.WorkRequest"),
            (WORKER, "{} {}", "is no load_worker.WorkRequest"),
            (WORKER, r#"{"duration_ms": "long"}"#, "is no load_worker.WorkRequest"),
            ("/a.B/C", "{}", "name a file of descriptors"),
        ] {
            let error = from_json(path, json, None).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn descriptors_say_what_a_method_takes_and_whether_it_streams() {
        let mut set = load_worker();
        set.file[0].service[0].method[0].server_streaming = Some(true);
        let bytes = set.encode_to_vec();
        let encoded = from_json(WORKER, r#"{"duration_ms": 1}"#, Some(&bytes)).unwrap();
        assert_eq!(encoded, Encoded { bytes: vec![8, 1], is_streaming: true });
        let error = from_json("/a.B/C", "{}", Some(&bytes)).unwrap_err();
        assert!(error.contains("they describe /load_worker.LoadWorker/InvokeWorker"), "{error}");
        set.file[0].service[0].method[0].client_streaming = Some(true);
        let error = from_json(WORKER, "{}", Some(&set.encode_to_vec())).unwrap_err();
        assert!(error.contains("takes a stream of messages"), "{error}");
        let error = from_json(WORKER, "{}", Some(b"\xff\xff nonsense")).unwrap_err();
        assert!(error.contains("protoc"), "{error}");
    }
}
