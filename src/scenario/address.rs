//! What may be sent and where: names, addresses, methods, paths and headers, as the protocols
//! allow them. What is wrong is refused here, before a byte is sent.

use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Uri;

use crate::units::clean;

/// Longest path and query, in bytes: what common gateways still take.
const PATH_BYTES_MAX: usize = 8000;

/// Headers that concern one connection of HTTP/1 and may not be sent in HTTP/2 (RFC 9113, section
/// 8.2.2).
pub(super) const FORBIDDEN_IN_HTTP2: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// Splits an address into `scheme://authority` and, if it has more than `/`, path and query.
pub(super) fn split_url(url: &str) -> Result<(String, Option<String>), String> {
    let quoted = clean(url, 80);
    let example = "write it as http://127.0.0.1:8080";
    let without_fragment = url.split('#').next().unwrap_or_default();
    let uri: Uri = without_fragment
        .parse()
        .map_err(|error| format!("{quoted:?} is not an address ({error}); {example}"))?;
    let parts = uri.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return Err(format!("{quoted:?} has no http:// or https:// before it; {example}"));
    };
    if !["http", "https"].contains(&scheme.as_str()) {
        return Err(format!("{quoted:?} is neither http:// nor https://; {example}"));
    }
    if authority.as_str().contains('@') {
        return Err("has a user or password in it; send a header Authorization".to_owned());
    }
    let host = authority.host();
    if host.is_empty() || host.len() < authority.as_str().len() && authority.port_u16().is_none() {
        return Err(format!("{quoted:?} names no host, or no possible port; {example}"));
    }
    let path = parts.path_and_query.map(|path| path.to_string());
    let path = path.filter(|path| !path.is_empty() && path != "/");
    Ok((format!("{scheme}://{authority}"), path))
}

/// A name as Kubernetes gives to services and namespaces (RFC 1123 label).
pub(super) fn check_label(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty()
        || 63 < name.len()
        || !name.chars().all(is_plain)
        || name.starts_with('-')
        || name.ends_with('-')
    {
        return Err(format!(
            "{:?} is not a name of Kubernetes: lower-case letters, digits and -, at most 63",
            clean(name, 80)
        ));
    }
    Ok(())
}

pub(super) fn check_host(host: &str) -> Result<(), String> {
    match host.parse::<http::uri::Authority>() {
        Ok(authority) if !authority.as_str().contains('@') => Ok(()),
        _ => Err(format!("{:?} is not a host, as hello.default.example.com", clean(host, 80))),
    }
}

pub(super) fn check_method(method: &str) -> Result<(), String> {
    match Method::from_bytes(method.as_bytes()) {
        Ok(Method::CONNECT) => Err("CONNECT opens a tunnel; write another method".to_owned()),
        Ok(_) if method.len() <= 32 => Ok(()),
        _ => Err(format!("{:?} is not a method, as GET or POST", clean(method, 40))),
    }
}

pub(super) fn check_path(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err(format!("{:?} does not begin with /", clean(path, 80)));
    }
    if PATH_BYTES_MAX < path.len() {
        return Err(format!("is longer than {PATH_BYTES_MAX} bytes"));
    }
    if path.contains('#') || path.parse::<http::uri::PathAndQuery>().is_err() {
        return Err(format!(
            "{:?} has characters that a path cannot have; write them as %20 and the like",
            clean(path, 80)
        ));
    }
    Ok(())
}

pub(super) fn check_header(name: &str, value: &str) -> Result<(), String> {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err("is not the name of a header".to_owned());
    }
    if HeaderValue::from_str(value).is_err() {
        return Err("has a line break or control character in its value".to_owned());
    }
    match name.to_ascii_lowercase().as_str() {
        "host" => Err("is set by target.host".to_owned()),
        "connection" | "keep-alive" => Err("is set by request.keep_alive".to_owned()),
        "content-length" | "transfer-encoding" => Err("is made from request.body".to_owned()),
        "te" | "trailer" | "upgrade" | "proxy-connection" => {
            Err("is not for the whole way; leave it out".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_split_or_refused() {
        let split = |url| split_url(url).unwrap();
        assert_eq!(split("http://a:8080"), ("http://a:8080".to_owned(), None));
        assert_eq!(split("https://a/"), ("https://a".to_owned(), None));
        assert_eq!(
            split("http://[::1]:80/b?c=d#e"),
            ("http://[::1]:80".to_owned(), Some("/b?c=d".to_owned()))
        );
        for url in ["", "a", "/a", "a:80", "ftp://a", "http://", "http://u:p@a", "http://a:99999"] {
            assert!(split_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn what_a_protocol_forbids_is_refused() {
        assert!(check_label("hello-2").is_ok());
        for name in ["", "Hello", "a.b", "-a", "a-", "a/b", &"a".repeat(64)] {
            assert!(check_label(name).is_err(), "{name}");
        }
        assert!(check_path("/?sleep=100&a=%20").is_ok());
        for path in ["", "a", "/a b", "/a#b", "/\r\nX: y"] {
            assert!(check_path(path).is_err(), "{path}");
        }
        assert!(check_header("X-A", "b c").is_ok());
        for (name, value) in [("Host", "a"), ("a b", "c"), ("a", "b\r\nc"), ("Connection", "close")]
        {
            assert!(check_header(name, value).is_err(), "{name}");
        }
        assert!(check_method("PROPFIND").is_ok());
        assert!(check_method("GE T").is_err());
        assert!(check_host("hello.default.example.com:80").is_ok());
        assert!(check_host("a b").is_err());
    }
}
