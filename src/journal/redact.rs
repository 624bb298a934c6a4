//! What must not enter a file: secrets in headers, in addresses, and request bodies.

use serde_json::Value;

use crate::units::is_secret;

const HIDDEN: &str = "(hidden)";

/// Hides the values of secret headers, wherever they stand as `[name, value]` or under their name;
/// user and password in addresses; and every `body`, of which the length stays.
#[must_use]
pub(super) fn redact(value: Value) -> Value {
    match value {
        Value::Array(items) => match items.as_slice() {
            [Value::String(name), Value::String(_)] if is_secret(name) => {
                Value::Array(vec![name.as_str().into(), HIDDEN.into()])
            }
            _ => Value::Array(items.into_iter().map(redact).collect()),
        },
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| {
                    let value = match value {
                        Value::String(body) if name == "body" => {
                            format!("({} bytes, not kept)", body.len()).into()
                        }
                        Value::String(_) if is_secret(&name) => HIDDEN.into(),
                        value => redact(value),
                    };
                    (name, value)
                })
                .collect(),
        ),
        Value::String(text) => Value::String(without_user(text)),
        value => value,
    }
}

/// `http://user:password@host/` without `user:password`; other text as it is.
fn without_user(text: String) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    match authority.rsplit_once('@') {
        Some((user, _)) => format!("{scheme}://{HIDDEN}{}", &rest[user.len()..]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_do_not_pass() {
        let plan = json!({
            "request": {
                "headers": [["Authorization", "Bearer x1"], ["COOKIE", "x2"], ["Accept", "*/*"]],
                "body": "x3x3",
                "path": "/?at=me@home",
            },
            "proxy-authorization": "x4",
            "target": {"url": "https://me:x5@host:8080/a?b=c@d"},
            "n": [1, null, true],
        });
        let text = redact(plan).to_string();
        for secret in ["x1", "x2", "x3", "x4", "x5"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        for kept in [
            r#"["Accept","*/*"]"#,
            r#""path":"/?at=me@home""#,
            r#""body":"(4 bytes, not kept)""#,
            r#""url":"https://(hidden)@host:8080/a?b=c@d""#,
            "[1,null,true]",
        ] {
            assert!(text.contains(kept), "{kept} not in {text}");
        }
    }
}
