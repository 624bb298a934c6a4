//! A request as it goes on the wire, rendered before the load begins.
//!
//! Fields that all requests share are put into the server's dynamic table by the first request of
//! a connection; from the second on each of them is one byte. So a block has three forms, and a
//! connection need only know whether it has sent one before.

use std::sync::Arc;

use super::hpack::ENTRY_COST;
use super::hpack::TABLE_MAX;
use super::hpack::static_index;
use super::hpack::write_number;
use super::hpack::write_text;

/// Entries of the static table.
const N_STATIC: usize = 61;
/// Fields that concern one connection of HTTP/1 and may not be sent (RFC 9113, section 8.2.2).
const FORBIDDEN: [&str; 6] =
    ["connection", "host", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
/// Fields that must not enter any table.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// What a request is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) method: String,
    pub(crate) scheme: &'static str,
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) path: String,
    /// Names in any case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Arc<[u8]>,
}

/// A request as it goes on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The header block that is a connection's first.
    pub(super) first: Box<[u8]>,
    /// The header block of all others.
    pub(super) next: Box<[u8]>,
    /// The header block where the server keeps no table.
    pub(super) plain: Box<[u8]>,
    pub(super) body: Arc<[u8]>,
}

type Field = (String, String);

/// Renders requests that share their connections.
pub(crate) fn render(all: &[Parts]) -> Vec<Request> {
    let fields: Vec<Vec<Field>> = all.iter().map(fields).collect();
    let shared = shared(&fields);
    let rendered = |(parts, fields): (&Parts, &Vec<Field>)| {
        // Those that are kept come in one order, whatever the request's own.
        let place_of = |field: &Field| shared.iter().position(|known| known == field);
        let (mut ordered, rest): (Vec<_>, Vec<_>) =
            fields.iter().partition(|field| field.0.starts_with(':'));
        let (mut common, own): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|field| shared.contains(field));
        common.sort_by_key(|field| place_of(field));
        ordered.extend(common.into_iter().chain(own));
        let (mut first, mut next, mut plain) = (Vec::new(), Vec::new(), Vec::new());
        let mut n_inserted = 0;
        for field in ordered {
            write_literal(&mut plain, field);
            let place = place_of(field);
            match place {
                Some(place) if place == n_inserted => {
                    write_kept(&mut first, field);
                    n_inserted += 1;
                }
                _ => write_literal(&mut first, field),
            }
            match place {
                // The newest entry comes first.
                Some(place) => {
                    write_number(&mut next, 0x80, 7, N_STATIC + shared.len() - place);
                }
                None => write_literal(&mut next, field),
            }
        }
        Request {
            first: first.into(),
            next: next.into(),
            plain: plain.into(),
            body: Arc::clone(&parts.body),
        }
    };
    all.iter().zip(&fields).map(rendered).collect()
}

/// All fields of a request, names in small letters, those of the protocol first.
fn fields(parts: &Parts) -> Vec<Field> {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut fields = vec![
        field(":method", &parts.method),
        field(":scheme", parts.scheme),
        field(":authority", &parts.authority),
        field(":path", &parts.path),
    ];
    for (name, value) in &parts.headers {
        let name = name.to_ascii_lowercase();
        if !FORBIDDEN.contains(&name.as_str()) {
            fields.push((name, value.clone()));
        }
    }
    fields
}

/// What all requests have in common and is worth a place in the table, in one order for all.
fn shared(all: &[Vec<Field>]) -> Vec<Field> {
    let Some((first, others)) = all.split_first() else { return Vec::new() };
    let mut room = TABLE_MAX;
    let mut shared: Vec<Field> = Vec::new();
    for field in first {
        let (name, value) = field;
        let size = name.len() + value.len() + ENTRY_COST;
        let is_wanted = static_index(name, value).0.is_none()
            && !SECRET.contains(&name.as_str())
            && !shared.contains(field)
            && others.iter().all(|fields| fields.contains(field));
        if is_wanted && size <= room {
            room -= size;
            shared.push(field.clone());
        }
    }
    shared
}

/// A field that leaves no trace in the server's table.
fn write_literal(out: &mut Vec<u8>, (name, value): &Field) {
    let (both, alone) = static_index(name, value);
    if let Some(index) = both {
        write_number(out, 0x80, 7, index);
        return;
    }
    let never = if SECRET.contains(&name.as_str()) { 0x10 } else { 0x00 };
    write_named(out, never, 4, (alone, name, value));
}

/// A field that the server is to keep.
fn write_kept(out: &mut Vec<u8>, (name, value): &Field) {
    write_named(out, 0x40, 6, (static_index(name, value).1, name, value));
}

fn write_named(
    out: &mut Vec<u8>,
    pattern: u8,
    n_bits: u32,
    (index, name, value): (Option<usize>, &str, &str),
) {
    write_number(out, pattern, n_bits, index.unwrap_or(0));
    if index.is_none() {
        write_text(out, name);
    }
    write_text(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str, headers: &[(&str, &str)]) -> Parts {
        Parts {
            method: "GET".to_owned(),
            scheme: "http",
            authority: "a.example".to_owned(),
            path: path.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: Arc::new([]),
        }
    }

    #[test]
    fn from_the_second_request_on_a_shared_field_is_one_byte() {
        let [one] = render(&[parts("/x", &[("Accept", "*/*"), ("Host", "b")])]).try_into().unwrap();
        assert_eq!(
            one.first.as_ref(),
            b"\x82\x86\x41\x09a.example\x44\x02/x\x53\x03*/*",
            "method and scheme by the static table, the rest kept"
        );
        assert_eq!(*one.next, [0x82, 0x86, 0xc0, 0xbf, 0xbe]);
        assert_eq!(one.plain.as_ref(), b"\x82\x86\x01\x09a.example\x04\x02/x\x0f\x04\x03*/*");
    }

    #[test]
    fn what_differs_or_is_secret_enters_no_table() {
        let both = [
            parts("/one", &[("X-Own", "1"), ("Accept", "*/*"), ("Authorization", "hush")]),
            parts("/two", &[("Accept", "*/*"), ("Authorization", "hush")]),
        ];
        let [one, two] = render(&both).try_into().unwrap();
        let own = b"\x00\x05x-own\x011";
        let hush = b"\x1f\x08\x04hush";
        assert_eq!(
            *one.next,
            [b"\x82\x86\xbf\x04\x04/one\xbe".as_slice(), own, hush].concat(),
            "the order of the tables is that of the shared fields"
        );
        assert_eq!(*two.next, [b"\x82\x86\xbf\x04\x04/two\xbe".as_slice(), hush].concat());
        assert_eq!(
            *two.first,
            [b"\x82\x86\x41\x09a.example\x04\x04/two\x53\x03*/*".as_slice(), hush].concat()
        );
    }

    #[test]
    fn no_more_is_shared_than_the_table_holds() {
        let large = "x".repeat(2500);
        let headers = [("a", large.as_str()), ("b", large.as_str()), ("c", "d")];
        let [one] = render(&[parts("/", &headers)]).try_into().unwrap();
        // Authority, a and c are shared; b is written out each time.
        assert_eq!(&one.next[..5], [0x82, 0x86, 0xc0, 0x84, 0xbf]);
        assert!(2500 < one.next.len() && one.next.len() < 2520, "{}", one.next.len());
    }
}
