//! What is sent: every combination of the plan's dimensions, rendered once before the load begins.

use std::collections::HashMap;
use std::sync::Arc;

use rand::RngCore as _;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use crate::event::run::Found;
use crate::scenario;
use crate::scenario::plan::Body;
use crate::scenario::plan::Dimension;
use crate::scenario::plan::Grpc;
use crate::scenario::plan::Plan;
use crate::scenario::plan::Request;
use crate::scenario::vary::BODY_BYTES_MAX;
use crate::scenario::vary::Sets;
use crate::scenario::vary::draw;

use super::EngineError;
use super::grpc;
use super::h2;
use super::http1;
use super::target::Target;

/// A body up to this length is written together with its head.
const TOGETHER_MAX: usize = 64 * 1024;
/// The same for all bodies that stand together with a head: each combination has its own copy.
const HEADS_MAX: usize = 16 * 1024 * 1024;

/// All requests that may be sent.
#[derive(Debug)]
pub(super) struct Requests {
    variants: Vec<Variant>,
    dimensions: Vec<Weights>,
    seed: u64,
    n_hosts: usize,
    /// The same for HTTP/2, if that is spoken.
    pub(super) sessions: Option<Sessions>,
    /// What is known of them if they are calls of gRPC.
    pub(super) call: Option<Grpc>,
    /// Where they go; each has connections of its own.
    pub(super) targets: Vec<Target>,
    /// The names of dimensions and choices, in the order of their slots.
    pub(super) slots: Vec<(String, String)>,
}

/// What a connection of HTTP/2 is made of.
#[derive(Debug)]
pub(super) struct Sessions {
    /// Variants in their order.
    pub(super) requests: Arc<[h2::Request]>,
    /// Requests that a connection carries at once.
    pub(super) n_streams: usize,
}

/// One combination.
#[derive(Debug)]
pub(super) struct Variant {
    /// The head, and a body that is not long.
    pub(super) head: Box<[u8]>,
    /// A long body.
    pub(super) rest: Option<Arc<[u8]>>,
    /// Index of its target.
    pub(super) target_idx: usize,
    /// A number for each pair of target and `Host`, from zero.
    pub(super) host_idx: usize,
}

/// The weights of a dimension's choices, and where its counters begin.
#[derive(Debug)]
struct Weights {
    each: Vec<u32>,
    sum: u64,
    /// How far the variants of two neighbouring choices lie apart.
    stride: usize,
    first_slot: usize,
}

/// A request as it will be rendered.
struct Draft<'a> {
    request: Request,
    url: &'a str,
    host: Option<&'a str>,
    body: Option<Arc<[u8]>>,
}

impl Requests {
    /// Renders everything. Files are read here.
    pub(super) fn new(plan: &Plan, found: &Found) -> Result<Self, EngineError> {
        let matrix = &plan.request.matrix;
        let mut bodies = Bodies::new(plan);
        let mut targets: Vec<(String, Target)> = Vec::new();
        let mut hosts: HashMap<(usize, String), usize> = HashMap::new();
        let n_variants = matrix.iter().map(|dimension| dimension.choices.len()).product();
        let together_max = TOGETHER_MAX.min(HEADS_MAX / usize::max(n_variants, 1));
        let mut variants = Vec::with_capacity(n_variants);
        let mut parts = Vec::new();
        for variant_idx in 0..n_variants {
            let draft = Draft::new(plan, found, &choices(matrix, variant_idx), &mut bodies)?;
            let host = draft.host.map(str::to_owned);
            let url = draft.url.to_owned();
            let key = format!("{url} {}", host.as_deref().unwrap_or_default());
            let known = targets.iter().position(|(known, _)| match url.starts_with("https:") {
                // A secured connection is to one name.
                true => *known == key,
                false => known.split(' ').next() == Some(&url),
            });
            let target_idx = if let Some(target_idx) = known {
                target_idx
            } else {
                let found = Found { url: url.clone(), host: host.clone(), ..found.clone() };
                targets.push((key, Target::new(plan, &found)?));
                targets.len() - 1
            };
            let target = &targets[target_idx].1;
            let authority = host.unwrap_or_else(|| target.authority.clone());
            let n_hosts = hosts.len();
            let host_idx = *hosts.entry((target_idx, authority.clone())).or_insert(n_hosts);
            let path = format!("{}{}", target.path, draft.request.path);
            if plan.target.streams.is_some() {
                parts.push(draft.parts(target, authority, path));
                variants.push(Variant { head: Box::new([]), rest: None, target_idx, host_idx });
                continue;
            }
            let mut head = http1::render(&draft.request, &authority, &path, draft.body.as_deref());
            let rest = draft.body.filter(|body| together_max < body.len());
            if rest.is_some() {
                let n_head = head.len() - rest.as_ref().map_or(0, |rest| rest.len());
                head.truncate(n_head);
            }
            variants.push(Variant { head: head.into(), rest, target_idx, host_idx });
        }
        Ok(Self {
            variants,
            dimensions: weights(matrix),
            seed: plan.load.seed,
            n_hosts: hosts.len(),
            sessions: plan.target.streams.map(|n_streams| Sessions {
                requests: h2::render(&parts).into(),
                n_streams: n_streams as usize,
            }),
            call: plan.request.grpc,
            targets: targets.into_iter().map(|(_, target)| target).collect(),
            slots: matrix
                .iter()
                .flat_map(|it| it.choices.iter().map(|to| (it.name.clone(), to.name.clone())))
                .collect(),
        })
    }

    /// The variant that the `number`th request is.
    pub(super) fn draw(&self, number: u64) -> u32 {
        let mut variant_idx = 0;
        for (dimension, salt) in self.dimensions.iter().zip(0..) {
            let mut at = draw(self.seed, number, salt) % dimension.sum;
            let chosen = dimension.each.iter().position(|weight| {
                let is_it = at < u64::from(*weight);
                at = at.saturating_sub(u64::from(*weight));
                is_it
            });
            variant_idx += chosen.unwrap_or(0) * dimension.stride;
        }
        // There are at most `COMBINATIONS_MAX`.
        u32::try_from(variant_idx).unwrap_or(0)
    }

    pub(super) fn variant(&self, variant: u32) -> &Variant {
        // Numbers come from `draw` alone.
        &self.variants[variant as usize]
    }

    /// The counters of a variant, one of each dimension.
    pub(super) fn slots_of(&self, variant: u32) -> impl Iterator<Item = usize> {
        self.dimensions
            .iter()
            .map(move |it| it.first_slot + variant as usize / it.stride % it.each.len())
    }

    /// How many pairs of target and `Host` there are.
    pub(super) fn n_hosts(&self) -> usize {
        self.n_hosts
    }
}

impl Variant {
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    /// What is still to be written after `n_written` bytes, as far as it lies together.
    pub(super) fn after(&self, n_written: usize) -> &[u8] {
        match (self.head.get(n_written..), &self.rest) {
            (Some(head), _) if !head.is_empty() => head,
            (_, Some(rest)) => rest.get(n_written - self.head.len()..).unwrap_or_default(),
            _ => &[],
        }
    }
}

impl<'a> Draft<'a> {
    fn new(
        plan: &'a Plan,
        found: &'a Found,
        choices: &[&'a Sets],
        bodies: &mut Bodies,
    ) -> Result<Self, EngineError> {
        let mut request = Request { matrix: Vec::new(), ..plan.request.clone() };
        let (mut url, mut host) = (found.url.as_str(), found.host.as_deref());
        let mut body = plan.request.body.as_ref();
        let mut query = String::new();
        for sets in choices {
            match sets {
                Sets::Path(path) => request.path.clone_from(path),
                Sets::Query { name, value } => query = format!("{query}&{name}={value}"),
                Sets::Header { name, value } => {
                    request.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                    request.headers.push((name.clone(), value.clone()));
                }
                Sets::Body(choice) => body = choice.as_ref(),
                Sets::Host(choice) => host = Some(choice),
                Sets::Url(choice) => url = choice,
            }
        }
        if !query.is_empty() {
            let sign = if request.path.contains('?') { "&" } else { "?" };
            request.path = format!("{}{sign}{}", request.path, &query[1..]);
        }
        let body = body.map(|body| bodies.bytes(body)).transpose()?;
        Ok(Self { request, url, host, body })
    }

    /// The same for HTTP/2.
    fn parts(self, target: &Target, authority: String, path: String) -> h2::Parts {
        let mut headers = Vec::new();
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
        let has = |name: &str| {
            self.request.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        if !has("user-agent") {
            add("user-agent", format!("rampscope/{}", env!("CARGO_PKG_VERSION")));
        }
        let body = match (self.request.grpc, self.body) {
            (Some(_), body) => {
                if !has("content-type") {
                    add("content-type", grpc::CONTENT_TYPE.to_owned());
                }
                add("te", "trailers".to_owned());
                if !has("grpc-timeout") {
                    add("grpc-timeout", grpc::timeout(self.request.timeout));
                }
                body.unwrap_or_else(|| grpc::framed(&[]).into())
            }
            (None, Some(body)) => {
                add("content-length", body.len().to_string());
                body
            }
            (None, None) => Arc::from([]),
        };
        if self.request.grpc.is_none() && !has("accept") {
            add("accept", "*/*".to_owned());
        }
        headers.extend(self.request.headers);
        let scheme = if target.tls.is_some() { "https" } else { "http" };
        h2::Parts { method: self.request.method, scheme, authority, path, headers, body }
    }
}

/// Bodies that were made; each is kept once.
struct Bodies {
    seed: u64,
    /// Whether they are messages of gRPC, with their prefix.
    are_messages: bool,
    made: Vec<(Body, Arc<[u8]>)>,
}

impl Bodies {
    fn new(plan: &Plan) -> Self {
        let are_messages = plan.request.grpc.is_some();
        Self { seed: plan.load.seed, are_messages, made: Vec::new() }
    }

    fn bytes(&mut self, body: &Body) -> Result<Arc<[u8]>, EngineError> {
        if let Some((_, bytes)) = self.made.iter().find(|(known, _)| known == body) {
            return Ok(Arc::clone(bytes));
        }
        let bytes: Arc<[u8]> = match body {
            Body::Text(text) => text.as_bytes().into(),
            Body::File(path) => scenario::read_bytes(path, BODY_BYTES_MAX / 1024)
                .map_err(|error| EngineError::Body { path: path.clone(), source: error })?
                .into(),
            Body::Bytes(bytes) => bytes.as_slice().into(),
            Body::Random(n) => {
                let mut bytes = vec![0; usize::try_from(*n).unwrap_or(0)];
                SmallRng::seed_from_u64(self.seed).fill_bytes(&mut bytes);
                bytes.into()
            }
        };
        let bytes = if self.are_messages { grpc::framed(&bytes).into() } else { bytes };
        self.made.push((body.clone(), Arc::clone(&bytes)));
        Ok(bytes)
    }
}

/// What the combination sets, one of each dimension.
fn choices(matrix: &[Dimension], variant_idx: usize) -> Vec<&Sets> {
    let mut rest = variant_idx;
    let chosen = matrix.iter().rev().map(|dimension| {
        let choice_idx = rest % dimension.choices.len();
        rest /= dimension.choices.len();
        &dimension.choices[choice_idx].sets
    });
    let mut chosen: Vec<&Sets> = chosen.collect();
    chosen.reverse();
    chosen
}

fn weights(matrix: &[Dimension]) -> Vec<Weights> {
    let mut first_slot = 0;
    let mut stride: usize = matrix.iter().map(|dimension| dimension.choices.len()).product();
    matrix
        .iter()
        .map(|dimension| {
            let n_choices = dimension.choices.len();
            stride /= n_choices;
            let weights = Weights {
                each: dimension.choices.iter().map(|choice| choice.weight).collect(),
                sum: dimension.weight(),
                stride,
                first_slot,
            };
            first_slot += n_choices;
            weights
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::path::PathBuf;

    use super::*;

    fn plan(request: &str) -> Plan {
        let text = format!(
            "target: {{url: 'http://a'}}\nrequest: {{{request}}}\nload: {{stages: [{{for: 1s, at: 1/s}}]}}\n"
        );
        scenario::parse(&text, "t").unwrap()
    }

    fn found() -> Found {
        Found { url: "http://a".to_owned(), host: None, via: String::new() }
    }

    #[test]
    fn a_body_is_kept_once_however_many_carry_it() {
        let of = "of: [a, b, c, d, e, f, g, h, i, j]";
        let matrix = ["x", "y", "z"].map(|name| format!("{{vary: query {name}, {of}}}")).join(", ");
        let plan = plan(&format!("method: POST, body: {{random: 64KiB}}, matrix: [{matrix}]"));
        let requests = Requests::new(&plan, &found()).unwrap();
        let n_heads: usize = requests.variants.iter().map(|it| it.head.len()).sum();
        assert!(n_heads <= HEADS_MAX + 1000 * 1024, "{n_heads}");
        assert!(requests.variants.iter().all(|it| 64 * 1024 < it.len()));
    }

    #[test]
    fn calls_share_their_message_and_a_header_of_ones_own_stands_alone() {
        let grpc = "grpc: {method: a.B/C, message: {random: 1KiB}}";
        let plan = plan(&format!("{grpc}, headers: {{Content-Type: application/grpc+proto}}"));
        let (found, mut bodies) = (found(), Bodies::new(&plan));
        let target = Target::new(&plan, &found).unwrap();
        let [one, two] = [(); 2].map(|()| {
            let draft = Draft::new(&plan, &found, &[], &mut bodies).unwrap();
            draft.parts(&target, "a".to_owned(), "/a.B/C".to_owned())
        });
        assert!(Arc::ptr_eq(&one.body, &two.body));
        assert_eq!(one.body[..5], [0, 0, 0, 4, 0], "with its prefix");
        let types =
            one.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let types: Vec<&str> = types.map(|(_, value)| value.as_str()).collect();
        assert_eq!(types, ["application/grpc+proto"]);
    }

    #[test]
    fn a_body_without_an_end_is_refused_and_the_reason_told() {
        for (path, why) in [("/dev/zero", "larger than"), ("\x1b[2J", "No such file")] {
            let mut plan = plan("method: POST");
            plan.request.body = Some(Body::File(PathBuf::from(path)));
            let error = Requests::new(&plan, &found()).unwrap_err();
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
            assert!(error.source().unwrap().to_string().contains(why), "{error:?}");
        }
    }
}
