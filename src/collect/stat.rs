//! The protobuf message of a queue-proxy's port 9090.
//!
//! Six fields of a proto3 message do not need a code generator; the numbers stand in Knative's
//! `stat.proto`. Zero fields are not written.

use crate::event::scaler::Stat;

/// The longest body that can be a Stat: seven fields, the longest of them a pod's name.
const MAX_LEN: usize = 4096;

/// The message, or `None` if it is not one.
pub fn decode(mut rest: &[u8]) -> Option<Stat> {
    let mut stat = Stat::default();
    if MAX_LEN < rest.len() {
        return None;
    }
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let (field, wire_type) = (key >> 3, key & 7);
        if field == 0 {
            return None;
        }
        match wire_type {
            0 => {
                varint(&mut rest)?;
            }
            1 => {
                let value = f64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
                if let Some(place) = place(&mut stat, field) {
                    *place = value;
                }
            }
            2 => {
                let n = usize::try_from(varint(&mut rest)?).ok()?;
                take(&mut rest, n)?;
            }
            5 => {
                take(&mut rest, 4)?;
            }
            _ => return None,
        }
    }
    is_sane(&stat).then_some(stat)
}

fn place(stat: &mut Stat, field: u64) -> Option<&mut f64> {
    Some(match field {
        2 => &mut stat.average_concurrent_requests,
        3 => &mut stat.average_proxied_concurrent_requests,
        4 => &mut stat.request_count,
        5 => &mut stat.proxied_request_count,
        6 => &mut stat.process_uptime,
        _ => return None,
    })
}

/// A number that is not finite would spread through every sum.
fn is_sane(stat: &Stat) -> bool {
    [
        stat.average_concurrent_requests,
        stat.average_proxied_concurrent_requests,
        stat.request_count,
        stat.proxied_request_count,
        stat.process_uptime,
    ]
    .iter()
    .all(|value| value.is_finite())
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(n)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(stat: &Stat, name: &str) -> Vec<u8> {
        let mut bytes = vec![0x0a, u8::try_from(name.len()).unwrap()];
        bytes.extend(name.as_bytes());
        let mut stat = *stat;
        for field in 2..=6u8 {
            bytes.push(field << 3 | 1);
            bytes.extend(place(&mut stat, field.into()).unwrap().to_le_bytes());
        }
        bytes.extend([0x38, 0x80, 0x01]);
        bytes
    }

    #[test]
    fn an_idle_pod_says_little_more_than_its_name() {
        assert_eq!(decode(b"\x0a\x03abc"), Some(Stat::default()));
        assert_eq!(decode(b""), Some(Stat::default()));
        for bad in [&b"\x0a\x04abc"[..], b"\x11\0\0", b"\x0b", b"\x02\0", b"<html>", b"\xff"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
        let long_name = [&[0x0a, 0x80, 0x40][..], &[b'x'; 8192]].concat();
        assert_eq!(decode(&long_name), None, "longer than any Stat");
        let nan = Stat { request_count: f64::NAN, ..Stat::default() };
        assert_eq!(decode(&encode(&nan, "")), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(a in 0.0..1e6f64, b in 0.0..1e6f64, name in "[a-z-]{0,60}") {
            let stat = Stat {
                average_concurrent_requests: a,
                average_proxied_concurrent_requests: b,
                request_count: a + b,
                proxied_request_count: a - b,
                process_uptime: 1.0,
            };
            prop_assert_eq!(decode(&encode(&stat, &name)), Some(stat));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }
    }
}
