//! `HdrHistogram`'s V2 encoding, uncompressed, of histograms with our bounds.
//!
//! Big-endian: cookie, length of the counts, normalising offset (0), digits, lowest and highest
//! value, ratio (1.0); then the counts from the first bucket on as zigzag varints, where a
//! negative number is a run of zeros. It is read with distrust: a journal may come from anywhere.

use thiserror::Error;

use super::latency::LatencyHistogram;
use super::latency::bucket_of;

/// Base `0x1c849303`; `0x10` says that counts are of varying length.
const COOKIE: u32 = 0x1c84_9313;
const HEADER_LEN: usize = 40;

/// Counts beyond are not believed: a million requests a second for a year.
const COUNT_MAX: u64 = 1 << 45;

/// Why bytes are not a histogram that we can add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// It ends before its time.
    #[error("it is cut off")]
    Cut,
    /// The first bytes are not those of the V2 encoding without compression.
    #[error("it is not in HdrHistogram's V2 encoding")]
    NotV2,
    /// Its buckets are not ours.
    #[error("it does not count from 1 µs with 3 digits")]
    OtherBounds,
    /// It counts past the last bucket, or more than can be.
    #[error("its counts cannot be right")]
    Counts,
}

/// Writes buckets, ascending and none of them empty.
pub(super) fn encode(buckets: &[(u16, u64)]) -> Vec<u8> {
    let mut counts = Vec::with_capacity(buckets.len() * 3);
    let mut next = 0;
    for (bucket, n) in buckets {
        let n_zeros = i64::from(*bucket) - next;
        if 0 < n_zeros {
            put_varint(&mut counts, zigzag(if n_zeros == 1 { 0 } else { -n_zeros }));
        }
        put_varint(&mut counts, zigzag(i64::try_from(*n).unwrap_or(i64::MAX)));
        next = i64::from(*bucket) + 1;
    }
    let n_counts = u32::try_from(counts.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER_LEN + counts.len());
    bytes.extend(COOKIE.to_be_bytes());
    bytes.extend(n_counts.to_be_bytes());
    bytes.extend(0u32.to_be_bytes());
    bytes.extend(u32::from(LatencyHistogram::DIGITS).to_be_bytes());
    bytes.extend(1u64.to_be_bytes());
    bytes.extend(LatencyHistogram::MAX_MICROS.to_be_bytes());
    bytes.extend(1.0f64.to_be_bytes());
    bytes.extend(counts);
    bytes
}

/// Reads buckets, ascending and none of them empty.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<(u16, u64)>, DecodeError> {
    let (header, counts) = bytes.split_at_checked(HEADER_LEN).ok_or(DecodeError::Cut)?;
    let u32_at = |idx: usize| {
        let field = header.get(idx..idx + 4).and_then(|field| field.try_into().ok());
        field.map_or(0, u32::from_be_bytes)
    };
    let u64_at = |idx: usize| u64::from(u32_at(idx)) << 32 | u64::from(u32_at(idx + 4));
    if u32_at(0) != COOKIE {
        return Err(DecodeError::NotV2);
    }
    let is_ours = u32_at(8) == 0
        && u32_at(12) == u32::from(LatencyHistogram::DIGITS)
        && u64_at(16) == 1
        && u64_at(32) == 1.0f64.to_bits();
    if !is_ours {
        return Err(DecodeError::OtherBounds);
    }
    let n_counts = usize::try_from(u32_at(4)).unwrap_or(usize::MAX);
    let mut counts = counts.get(..n_counts).ok_or(DecodeError::Cut)?;
    let last = u64::from(bucket_of(LatencyHistogram::MAX_MICROS));
    let mut buckets = Vec::new();
    let mut bucket = 0u64;
    let mut sum = 0u64;
    while !counts.is_empty() {
        let n = unzigzag(take_varint(&mut counts)?);
        if n < 0 {
            bucket = bucket.saturating_add(n.unsigned_abs());
            continue;
        }
        if n != 0 {
            sum = sum.saturating_add(n.unsigned_abs());
            if last < bucket || COUNT_MAX < sum {
                return Err(DecodeError::Counts);
            }
            buckets.push((u16::try_from(bucket).unwrap_or(u16::MAX), n.unsigned_abs()));
        }
        bucket = bucket.saturating_add(1);
    }
    buckets.shrink_to_fit();
    Ok(buckets)
}

const fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)).cast_unsigned()
}

const fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -(n & 1).cast_signed()
}

/// Seven bits a byte, the lowest first; the ninth byte is taken whole.
fn put_varint(bytes: &mut Vec<u8>, mut n: u64) {
    for _ in 0..8 {
        let [low, ..] = n.to_le_bytes();
        if n < 0x80 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
        n >>= 7;
    }
    let [low, ..] = n.to_le_bytes();
    bytes.push(low);
}

fn take_varint(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut n = 0;
    for idx in 0..9 {
        let (byte, rest) = bytes.split_first().ok_or(DecodeError::Cut)?;
        *bytes = rest;
        if idx == 8 || *byte < 0x80 {
            return Ok(n | u64::from(*byte) << (7 * idx));
        }
        n |= u64::from(byte & 0x7f) << (7 * idx);
    }
    Ok(n)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the crate hdrhistogram 7.6 (`V2Serializer`) gives for 3 × 1 µs, 1 × 100 µs,
    /// 2 × 5,000 µs, 1,000,000 × 6,000 µs, 1 × 6,008 µs in a histogram of our bounds.
    const BY_THE_CRATE: &str = "1c8493130000000f000000000000000300000000000000010000000023c34600\
        3ff00000000000000006c30102f93104f10380897a0002";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex
            .bytes()
            .filter(u8::is_ascii_hexdigit)
            .filter_map(|c| char::from(c).to_digit(16)?.try_into().ok())
            .collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_no_harm(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&noise);
            let mut after_a_good_header = encode(&[]);
            after_a_good_header[6..8].copy_from_slice(&[0, u8::try_from(noise.len()).unwrap()]);
            after_a_good_header.extend(&noise);
            if let Ok(buckets) = decode(&after_a_good_header) {
                prop_assert!(buckets.is_sorted_by(|a, b| a.0 < b.0));
                prop_assert!(buckets.iter().all(|(_, n)| 0 < *n && *n <= COUNT_MAX));
            }
        }

        #[test]
        fn varints_are_read_back(n in any::<u64>()) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, n);
            prop_assert_eq!(take_varint(&mut bytes.as_slice()), Ok(n));
            prop_assert_eq!(zigzag(unzigzag(n)), n);
        }
    }

    #[test]
    fn what_cannot_be_added_is_refused() {
        let good = encode(&[(1, 3), (100, 1)]);
        let with = |idx: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[idx] = byte;
            decode(&bytes)
        };
        assert_eq!(decode(&good), Ok(vec![(1, 3), (100, 1)]));
        assert_eq!(decode(&good[..good.len() - 1]), Err(DecodeError::Cut));
        assert_eq!(decode(&good[..39]), Err(DecodeError::Cut));
        assert_eq!(with(3, 0x14), Err(DecodeError::NotV2));
        assert_eq!(with(11, 1), Err(DecodeError::OtherBounds));
        assert_eq!(with(15, 2), Err(DecodeError::OtherBounds));
        assert_eq!(with(23, 2), Err(DecodeError::OtherBounds));
        assert_eq!(with(32, 0), Err(DecodeError::OtherBounds));
        assert_eq!(decode(&encode(&[(30_000, 1)])), Err(DecodeError::Counts));
        assert_eq!(decode(&encode(&[(1, COUNT_MAX + 1)])), Err(DecodeError::Counts));
    }

    #[test]
    fn the_bytes_are_those_of_hdrhistogram() {
        let buckets = [(1, 3), (100, 1), (5000, 2), (6000, 1_000_000), (6008, 1)]
            .map(|(micros, n)| (bucket_of(micros), n));
        assert_eq!(encode(&buckets), bytes(BY_THE_CRATE));
        assert_eq!(decode(&bytes(BY_THE_CRATE)), Ok(buckets.to_vec()));
    }
}
