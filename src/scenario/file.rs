//! The scenario file, field by field, nothing derived.
//!
//! Every field that may be left out is an `Option`: what it then means is decided in `resolve`,
//! in one place. Units are read here, so that an error names the line.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de;

use super::amount::Amount;
use super::amount::AmountError;
use super::amount::Size;
use super::amount::Span;
use super::plan::Think;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys target and load")]
pub(super) struct File {
    pub(super) name: Option<String>,
    pub(super) about: Option<String>,
    pub(super) target: Target,
    pub(super) request: Option<Request>,
    pub(super) load: Load,
    pub(super) checks: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the key service or url")]
pub(super) struct Target {
    pub(super) service: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) create: Option<Create>,
    pub(super) url: Option<String>,
    pub(super) host: Option<String>,
    pub(super) connections: Option<u32>,
    pub(super) max_in_flight: Option<u32>,
    pub(super) max_rate: Option<Amount>,
    pub(super) insecure: Option<bool>,
    pub(super) http2: Option<bool>,
    pub(super) streams: Option<u32>,
    pub(super) threads: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the key image")]
pub(super) struct Create {
    pub(super) image: String,
    pub(super) annotations: Option<Pairs>,
    pub(super) container_concurrency: Option<u32>,
    pub(super) env: Option<Pairs>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with keys such as method and path")]
pub(super) struct Request {
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    pub(super) headers: Option<Pairs>,
    pub(super) body: Option<Body>,
    pub(super) timeout: Option<Span>,
    pub(super) keep_alive: Option<bool>,
    pub(super) grpc: Option<Grpc>,
    pub(super) matrix: Option<Vec<Dimension>>,
}

/// A call of gRPC. Its message is given as JSON, in hexadecimal digits, or as a body may be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the key method")]
pub(super) struct Grpc {
    pub(super) method: String,
    pub(super) json: Option<String>,
    pub(super) message: Option<Body>,
    pub(super) descriptors: Option<String>,
    pub(super) deadline: Option<Span>,
    pub(super) streaming: Option<bool>,
}

/// What differs from request to request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map such as {vary: query sleep, of: ['0', '100']}")]
pub(super) struct Dimension {
    pub(super) name: Option<String>,
    pub(super) vary: String,
    pub(super) of: Vec<String>,
    pub(super) weights: Option<Vec<u32>>,
}

/// `1s`, `0s..2s` or `~1s`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ThinkTime(pub(super) Think);

impl TryFrom<String> for ThinkTime {
    type Error = AmountError;

    fn try_from(text: String) -> Result<Self, AmountError> {
        text.parse().map(Self)
    }
}

/// A text, or `{file: …}`, or `{random: 10KiB}`.
#[derive(Debug)]
pub(super) enum Body {
    Text(String),
    File(String),
    Random(Size),
}

/// `{of: 15, parallel: 20, per_host: 6}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map such as {of: 15, parallel: 20, per_host: 6}")]
pub(super) struct Batch {
    pub(super) of: u32,
    pub(super) parallel: Option<u32>,
    pub(super) per_host: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the key stages")]
pub(super) struct Load {
    pub(super) arrivals: Option<Arrivals>,
    pub(super) think: Option<ThinkTime>,
    pub(super) batch: Option<Batch>,
    pub(super) seed: Option<u64>,
    pub(super) stages: Option<Vec<Stage>>,
    pub(super) trace: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Arrivals {
    Poisson,
    Even,
    Closed,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map such as {for: 20s, at: 40/s}")]
pub(super) struct Stage {
    pub(super) name: Option<String>,
    #[serde(rename = "for")]
    pub(super) lasts: Span,
    pub(super) at: Option<Amount>,
    pub(super) from: Option<Amount>,
    pub(super) to: Option<Amount>,
    pub(super) steps: Option<u32>,
    pub(super) peak: Option<Amount>,
    pub(super) amplitude: Option<Amount>,
    pub(super) period: Option<Span>,
}

/// A map of text to text, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> de::Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map such as {name: value}")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BodyVisitor;

        impl<'de> de::Visitor<'de> for BodyVisitor {
            type Value = Body;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, {file: NAME} or {random: 10KiB}")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Body, E> {
                Ok(Body::Text(text.to_owned()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
                let body = match map.next_key::<String>()?.as_deref() {
                    Some("file") => Body::File(map.next_value()?),
                    Some("random") => Body::Random(map.next_value()?),
                    Some(key) => return Err(de::Error::unknown_field(key, &["file", "random"])),
                    None => return Err(de::Error::invalid_length(0, &self)),
                };
                match map.next_key::<String>()? {
                    None => Ok(body),
                    Some(_) => Err(de::Error::invalid_length(2, &self)),
                }
            }
        }

        deserializer.deserialize_any(BodyVisitor)
    }
}
