//! HPACK (RFC 7541): how heads are pressed together.
//!
//! Of an answer only a few fields are wanted, so the decoder keeps the dynamic table's sizes and
//! those fields' values, and no text. Of a request everything is known beforehand: see
//! [`super::request`].

use std::collections::VecDeque;

use super::Fault;
use super::huffman;

/// Most bytes of a dynamic table, as both sides have it unless one says otherwise.
pub(crate) const TABLE_MAX: usize = 4096;
/// What an entry of a dynamic table costs beside its text (RFC 7541, section 4.1).
pub(crate) const ENTRY_COST: usize = 32;
/// Longest of the names and values that are understood.
const SCRATCH: usize = 24;

/// RFC 7541, appendix A.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"),
    (":path", "/index.html"), (":scheme", "http"), (":scheme", "https"), (":status", "200"),
    (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"),
    (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""),
    ("accept", ""), ("access-control-allow-origin", ""), ("age", ""), ("allow", ""),
    ("authorization", ""), ("cache-control", ""), ("content-disposition", ""),
    ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""),
    ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""),
    ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
    ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""),
    ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""),
    ("via", ""), ("www-authenticate", ""),
];

/// What is wanted of an answer's head or trailers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// `:status`; `None` also if it is no number.
    pub(crate) status: Option<u16>,
    /// `grpc-status`; `None` also if it is no number.
    pub(crate) grpc_status: Option<u32>,
    /// Whether `content-type` begins with `application/grpc`.
    pub(crate) is_grpc: bool,
}

/// Undoes what the server's encoder did, whose state it shares.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// Newest first.
    table: VecDeque<Entry>,
    /// Bytes of the table, as RFC 7541 counts them.
    n_table: usize,
    /// Most bytes of the table, as the server chose.
    most: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Status,
    ContentType,
    GrpcStatus,
    Other,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    name: Name,
    /// What it means: see [`Fields::take`].
    value: Option<u32>,
    n_name: usize,
    n_value: usize,
}

/// A name or value as it stands in a block.
#[derive(Debug, Clone, Copy)]
struct Text<'a> {
    bytes: &'a [u8],
    is_huffman: bool,
}

/// The rest of a block.
struct Block<'a>(&'a [u8]);

// === the encoder's half ===

/// The place in the static table of name and value, or of the name alone.
pub(crate) fn static_index(name: &str, value: &str) -> (Option<usize>, Option<usize>) {
    let place = |found: Option<usize>| found.map(|entry_idx| entry_idx + 1);
    let both = STATIC.iter().position(|entry| *entry == (name, value) && !value.is_empty());
    (place(both), place(STATIC.iter().position(|(known, _)| *known == name)))
}

/// Writes a number that shares its first byte with a pattern (RFC 7541, section 5.1).
#[expect(clippy::cast_possible_truncation, reason = "each byte is below 256 by its mask")]
pub(crate) fn write_number(out: &mut Vec<u8>, pattern: u8, n_bits: u32, mut number: usize) {
    let most = (1_usize << n_bits) - 1;
    if number < most {
        out.push(pattern | number as u8);
        return;
    }
    out.push(pattern | most as u8);
    number -= most;
    while 0x80 <= number {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Writes a text as it is: coding it would cost the server more than the bytes.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    write_number(out, 0, 7, text.len());
    out.extend_from_slice(text.as_bytes());
}

// === impl Decoder ===

impl Decoder {
    /// A decoder for a new connection.
    pub(crate) fn new() -> Self {
        Self { table: VecDeque::with_capacity(TABLE_MAX / ENTRY_COST), n_table: 0, most: TABLE_MAX }
    }

    /// Decodes a whole block.
    pub(crate) fn decode(&mut self, block: &[u8]) -> Result<Fields, Fault> {
        let mut fields = Fields::default();
        let mut block = Block(block);
        let mut may_resize = true;
        while let Some(first) = block.0.first().copied() {
            match first {
                0x80.. => {
                    let index = block.number(7)?;
                    let entry = self.entry(index)?;
                    fields.take(entry.name, entry.value);
                }
                0x40..0x80 => {
                    let entry = self.literal(&mut block, 6, true)?;
                    fields.take(entry.name, entry.value);
                    self.insert(entry);
                }
                0x20..0x40 if may_resize => {
                    let most = block.number(5)?;
                    if TABLE_MAX < most {
                        return Err(Fault::Compression);
                    }
                    self.most = most;
                    self.evict(most);
                    continue;
                }
                0x20..0x40 => return Err(Fault::Compression),
                _ => {
                    let entry = self.literal(&mut block, 4, false)?;
                    fields.take(entry.name, entry.value);
                }
            }
            may_resize = false;
        }
        Ok(fields)
    }

    /// The entry at an index, which counts on from the static table into the dynamic one.
    fn entry(&self, index: usize) -> Result<Entry, Fault> {
        let Some(place) = index.checked_sub(1) else { return Err(Fault::Compression) };
        if let Some((name, value)) = STATIC.get(place) {
            let name_known = Name::of_static(index);
            let value_known = match name_known {
                Name::Status => value.parse().ok(),
                _ => None,
            };
            let (n_name, n_value) = (name.len(), value.len());
            return Ok(Entry { name: name_known, value: value_known, n_name, n_value });
        }
        self.table.get(place - STATIC.len()).copied().ok_or(Fault::Compression)
    }

    /// A field that is written out; `is_kept` if its size will matter.
    fn literal(&self, block: &mut Block<'_>, n_bits: u32, is_kept: bool) -> Result<Entry, Fault> {
        let index = block.number(n_bits)?;
        let (name, n_name) = if index == 0 {
            let text = block.text()?;
            let mut scratch = [0; SCRATCH];
            let n_name = text.decode(&mut scratch)?;
            (Name::of(scratch.get(..n_name).unwrap_or_default()), n_name)
        } else {
            let entry = self.entry(index)?;
            (entry.name, entry.n_name)
        };
        let text = block.text()?;
        let mut scratch = [0; SCRATCH];
        let (value, n_value) = match name {
            Name::Other if !is_kept => (None, 0),
            Name::Other => (None, text.decode(&mut [])?),
            Name::Status | Name::ContentType | Name::GrpcStatus => {
                let n_value = text.decode(&mut scratch)?;
                (name.understand(&scratch, n_value), n_value)
            }
        };
        Ok(Entry { name, value, n_name, n_value })
    }

    fn insert(&mut self, entry: Entry) {
        let size = entry.size();
        // What is larger than the table empties it.
        self.evict(self.most.saturating_sub(size));
        if size <= self.most {
            self.table.push_front(entry);
            self.n_table += size;
        }
    }

    /// Drops the oldest until no more than `most` bytes are left.
    fn evict(&mut self, most: usize) {
        while most < self.n_table {
            let Some(oldest) = self.table.pop_back() else { return };
            self.n_table -= oldest.size();
        }
    }
}

// === impl Entry ===

impl Entry {
    const fn size(&self) -> usize {
        self.n_name + self.n_value + ENTRY_COST
    }
}

// === impl Name ===

impl Name {
    const fn of_static(index: usize) -> Self {
        match index {
            8..=14 => Self::Status,
            31 => Self::ContentType,
            _ => Self::Other,
        }
    }

    fn of(name: &[u8]) -> Self {
        match name {
            b":status" => Self::Status,
            b"content-type" => Self::ContentType,
            b"grpc-status" => Self::GrpcStatus,
            _ => Self::Other,
        }
    }

    /// What a value of this name means.
    fn understand(self, scratch: &[u8; SCRATCH], n_value: usize) -> Option<u32> {
        let value = &scratch[..n_value.min(SCRATCH)];
        match self {
            Self::Status | Self::GrpcStatus => {
                let is_number =
                    n_value <= SCRATCH && !value.is_empty() && value.iter().all(u8::is_ascii_digit);
                is_number.then(|| std::str::from_utf8(value).ok()?.parse().ok())?
            }
            Self::ContentType => Some(u32::from(value.starts_with(b"application/grpc"))),
            Self::Other => None,
        }
    }
}

// === impl Fields ===

impl Fields {
    fn take(&mut self, name: Name, value: Option<u32>) {
        match name {
            Name::Status => self.status = value.and_then(|value| u16::try_from(value).ok()),
            Name::GrpcStatus => self.grpc_status = value,
            Name::ContentType => self.is_grpc = value == Some(1),
            Name::Other => {}
        }
    }
}

// === impl Text ===

impl Text<'_> {
    /// Writes as much as `into` holds; how long the whole is.
    fn decode(self, into: &mut [u8]) -> Result<usize, Fault> {
        if self.is_huffman {
            return huffman::decode(self.bytes, into).ok_or(Fault::Compression);
        }
        let n = self.bytes.len().min(into.len());
        into[..n].copy_from_slice(&self.bytes[..n]);
        Ok(self.bytes.len())
    }
}

// === impl Block ===

impl<'a> Block<'a> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let (first, rest) = self.0.split_first().ok_or(Fault::Compression)?;
        self.0 = rest;
        Ok(*first)
    }

    /// A number in the lower bits of a byte and, if it is larger, of those that follow.
    fn number(&mut self, n_bits: u32) -> Result<usize, Fault> {
        let most = (1_usize << n_bits) - 1;
        let mut number = usize::from(self.byte()?) & most;
        if number < most {
            return Ok(number);
        }
        // Four bytes more are a quarter of a gigabyte: nothing here is larger.
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            number += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Fault::Compression)
    }

    fn text(&mut self) -> Result<Text<'a>, Fault> {
        let is_huffman = self.0.first().is_some_and(|first| first & 0x80 != 0);
        let len = self.number(7)?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Fault::Compression)?;
        self.0 = rest;
        Ok(Text { bytes, is_huffman })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let hex: String = hex.split_whitespace().collect();
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    fn status(code: u16) -> Fields {
        Fields { status: Some(code), ..Fields::default() }
    }

    /// RFC 7541, appendix C: what is sent, and what the table weighs then.
    #[test]
    fn the_standards_own_examples_are_understood() {
        for (pattern, n_bits, number, coded) in
            [(0_u8, 5, 10, "0a"), (0, 5, 1337, "1f9a0a"), (0, 8, 42, "2a"), (0x80, 7, 127, "ff00")]
        {
            let mut out = Vec::new();
            write_number(&mut out, pattern, n_bits, number);
            assert_eq!(out, bytes(coded), "{number}");
            assert_eq!(Block(&out).number(n_bits), Ok(number));
        }
        // C.2: literals with indexing, without, never indexed, and an index.
        for (block, n_table) in [
            ("400a 637573746f6d2d6b6579 0d 637573746f6d2d686561646572", 55),
            ("040c 2f73616d706c652f70617468", 0),
            ("1008 70617373776f7264 06 736563726574", 0),
            ("82", 0),
        ] {
            let mut decoder = Decoder::new();
            assert_eq!(decoder.decode(&bytes(block)), Ok(Fields::default()), "{block}");
            assert_eq!(decoder.n_table, n_table, "{block}");
        }
    }

    /// RFC 7541, C.3 and C.4: three requests on one connection, without and with Huffman's code.
    #[test]
    fn requests_of_one_connection_share_the_table() {
        let plain = [
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ];
        let coded = [
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ];
        for blocks in [plain, coded] {
            let mut decoder = Decoder::new();
            let sizes = blocks.map(|block| {
                decoder.decode(&bytes(block)).unwrap();
                decoder.n_table
            });
            assert_eq!(sizes, [57, 110, 164]);
        }
    }

    /// RFC 7541, C.5 and C.6: three answers, and a table of 256 bytes that must forget.
    #[test]
    fn answers_are_understood_while_the_table_forgets() {
        let plain = [
            "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
            "4803333037c1c0bf",
            "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
        ];
        let coded = [
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
            "4883640effc1c0bf",
            "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        ];
        for blocks in [plain, coded] {
            let mut decoder = Decoder::new();
            decoder.most = 256;
            let seen = blocks.map(|block| {
                let fields = decoder.decode(&bytes(block)).unwrap();
                (fields, decoder.n_table, decoder.table.len())
            });
            let expected = [(status(302), 222, 4), (status(307), 222, 4), (status(200), 215, 3)];
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn fields_of_grpc_are_understood_in_every_form() {
        let mut decoder = Decoder::new();
        let mut block = vec![0x88, 0x40 | 31];
        write_text(&mut block, "application/grpc+proto");
        block.push(0x40);
        write_text(&mut block, "grpc-status");
        write_text(&mut block, "14");
        block.push(0x00);
        write_text(&mut block, "grpc-message");
        write_text(&mut block, &"no room ".repeat(100));
        let expected = Fields { status: Some(200), grpc_status: Some(14), is_grpc: true };
        assert_eq!(decoder.decode(&block), Ok(expected));
        // The newest entry is the status, the one before it the type.
        assert_eq!(decoder.decode(&[0x88, 0xbe, 0xbf]), Ok(expected));
        for (value, understood) in [("0", Some(0)), ("", None), ("-1", None), ("x", None)] {
            let mut block = vec![0x00];
            write_text(&mut block, "grpc-status");
            write_text(&mut block, value);
            assert_eq!(decoder.decode(&block).unwrap().grpc_status, understood, "{value:?}");
        }
    }

    #[test]
    fn what_is_broken_is_refused() {
        for (block, why) in [
            ("80", "index 0"),
            ("be", "an index beyond the table"),
            ("ffffffffff7f", "a number without an end"),
            ("4003", "a name that is cut off"),
            ("3fe21f", "a table larger than was allowed"),
            ("8820", "another size after a field"),
            ("0084ffffffff00", "a name that is no Huffman code"),
        ] {
            assert_eq!(Decoder::new().decode(&bytes(block)), Err(Fault::Compression), "{why}");
        }
        let mut decoder = Decoder::new();
        decoder.decode(&bytes("400a 637573746f6d2d6b6579 0d 637573746f6d2d686561646572")).unwrap();
        assert_eq!(decoder.decode(&[0x20, 0x88]), Ok(status(200)));
        assert_eq!(decoder.n_table, 0, "a table of size 0 holds nothing");
    }

    proptest! {
        #[test]
        fn anything_is_survived_in_little_room(
            blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)
        ) {
            let mut decoder = Decoder::new();
            for block in blocks {
                // After a fault a connection would be closed; here it goes on, to see more.
                let _ = decoder.decode(&block);
                prop_assert!(decoder.n_table <= TABLE_MAX);
                prop_assert!(decoder.table.len() <= TABLE_MAX / ENTRY_COST);
                let sum: usize = decoder.table.iter().map(Entry::size).sum();
                prop_assert_eq!(sum, decoder.n_table);
            }
        }
    }
}
