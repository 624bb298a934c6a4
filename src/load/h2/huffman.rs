//! HPACK's Huffman code (RFC 7541, section 5.2 and appendix B).
//!
//! The code is canonical: shorter codes come first, and codes of one length are in the order of
//! their symbols. So the lengths say everything, and the tables are made of them at compile time.

/// Length of each byte's code, in bits.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];
const SHORTEST: usize = 5;
const LONGEST: usize = 30;
/// What is left when 256 bytes have their codes: the longest, all ones, which must not occur.
const END: usize = 256;

/// Where the codes of each length lie.
struct Tables {
    /// Just beyond the last code of this length or less, in the upper bits of 32.
    limits: [u64; LONGEST + 1],
    /// What to add to a code of this length to have its place among the symbols.
    offsets: [i64; LONGEST + 1],
    /// Bytes by length of their code, then by value.
    symbols: [u8; 256],
}

static TABLES: Tables = tables();

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a constant function has no other way, and all numbers are small and positive"
)]
const fn tables() -> Tables {
    let mut tables =
        Tables { limits: [0; LONGEST + 1], offsets: [0; LONGEST + 1], symbols: [0; 256] };
    let (mut code, mut n_placed, mut length) = (0_i64, 0, 1);
    while length <= LONGEST {
        code <<= 1;
        tables.offsets[length] = n_placed as i64 - code;
        let mut byte = 0;
        while byte < 256 {
            if LENGTHS[byte] as usize == length {
                tables.symbols[n_placed] = byte as u8;
                n_placed += 1;
                code += 1;
            }
            byte += 1;
        }
        if length == LONGEST {
            // The end's own code.
            code += 1;
        }
        tables.limits[length] = (code as u64) << (32 - length);
        length += 1;
    }
    tables
}

/// Decodes into `into` as much as it holds. How long the whole is; `None` if it is no such code.
pub(crate) fn decode(coded: &[u8], into: &mut [u8]) -> Option<usize> {
    let (mut bits, mut n_bits) = (0_u64, 0);
    let mut coded = coded.iter();
    let mut n_decoded = 0;
    loop {
        while n_bits <= 56 {
            let Some(byte) = coded.next() else { break };
            bits |= u64::from(*byte) << (56 - n_bits);
            n_bits += 8;
        }
        // What lacks is taken for ones, as padding is.
        let window = (bits | u64::MAX.checked_shr(n_bits).unwrap_or(0)) >> 32;
        let length = (SHORTEST..=LONGEST).find(|length| window < TABLES.limits[*length])?;
        let n_code = u32::try_from(length).ok()?;
        if n_bits < n_code {
            // The rest is padding: less than a byte, all ones.
            let is_padding = n_bits < 8 && bits == !u64::MAX.checked_shr(n_bits).unwrap_or(0);
            return is_padding.then_some(n_decoded);
        }
        let code = i64::try_from(window >> (32 - length)).ok()?;
        let symbol = usize::try_from(code + TABLES.offsets[length]).ok()?;
        if END <= symbol {
            return None;
        }
        if let Some(place) = into.get_mut(n_decoded) {
            *place = TABLES.symbols[symbol];
        }
        n_decoded += 1;
        bits <<= n_code;
        n_bits -= n_code;
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// Encodes by the same tables.
    fn encode(text: &[u8]) -> Vec<u8> {
        let mut bits = String::new();
        for byte in text {
            let length = usize::from(LENGTHS[usize::from(*byte)]);
            let place = TABLES.symbols.iter().position(|symbol| symbol == byte).unwrap();
            let code = i64::try_from(place).unwrap() - TABLES.offsets[length];
            let _ = write!(bits, "{code:0length$b}");
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        bits.as_bytes()
            .chunks(8)
            .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
            .collect()
    }

    #[test]
    fn the_code_is_whole_and_stands_where_the_standard_has_it() {
        assert_eq!(TABLES.limits[LONGEST], 1 << 32, "every pattern of bits is a code");
        // First and last of some lengths in appendix B.
        for (byte, coded) in [
            (b'0', "00000"),
            (b't', "01001"),
            (b' ', "010100"),
            (b'z', "1111011"),
            (b'X', "11111100"),
            (b'<', "111111111111100"),
            (249, "1111111111111111111111111110"),
            (22, "111111111111111111111111111110"),
        ] {
            let length = usize::from(LENGTHS[usize::from(byte)]);
            let place = TABLES.symbols.iter().position(|symbol| *symbol == byte).unwrap();
            let code = i64::try_from(place).unwrap() - TABLES.offsets[length];
            assert_eq!(format!("{code:0length$b}"), coded, "{byte}");
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for (coded, why) in [
            (&[0xff_u8, 0xff, 0xff, 0xff][..], "the end's code"),
            (&[0x07, 0xff][..], "a byte and more of padding"),
            (&[0x00][..], "padding of zeros"),
        ] {
            assert_eq!(decode(coded, &mut [0; 8]), None, "{why}");
        }
        assert_eq!(decode(&[], &mut []), Some(0));
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(text in prop::collection::vec(any::<u8>(), 0..60)) {
            let coded = encode(&text);
            let mut decoded = [0; 60];
            prop_assert_eq!(decode(&coded, &mut decoded), Some(text.len()));
            prop_assert_eq!(&decoded[..text.len()], text.as_slice());
            prop_assert_eq!(decode(&coded, &mut []), Some(text.len()), "the length needs no room");
        }

        #[test]
        fn anything_is_survived(coded in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(n) = decode(&coded, &mut [0; 4]) {
                prop_assert!(n <= coded.len() * 8 / 5);
            }
        }
    }
}
