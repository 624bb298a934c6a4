//! The file: a header, then frames of length, checksum and one event as JSON.
//!
//! JSON, so that a file of years ago stays readable when fields were added; framed and checked, so
//! that a file that was cut off in mid-write is good up to its last whole frame. Whatever the
//! bytes, reading ends with what could be read and a word on what could not.
//!
//! ```text
//! header  "rampscope\n"  major u16  minor u16  00 00
//! frame   length u32  crc32 u32 over length and payload  payload
//! ```
//!
//! Numbers are little-endian.

use std::fmt;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;

use thiserror::Error;

use crate::event::Stamped;
use crate::units::At;

/// The longest payload of a frame in bytes: room for the largest `ConfigMap` several times over.
pub const FRAME_MAX: usize = 8 << 20;

const MAGIC: &[u8; 10] = b"rampscope\n";
/// A reader refuses another major version; a minor one only adds words that it may not know.
const MAJOR: u16 = 1;
const MINOR: u16 = 0;
const HEADER_LEN: usize = 16;
const FRAME_HEAD_LEN: usize = 8;

/// Why a file cannot be read at all, or an event not be written.
#[derive(Debug, Error)]
pub enum FormatError {
    /// The file does not begin as a journal does.
    #[error("not a journal of rampscope")]
    NotAJournal,
    /// A version that this program does not know.
    #[error(
        "the journal has format {major}.{minor}, and this program reads {MAJOR}.x; use the rampscope that wrote it, or a newer one"
    )]
    Version {
        /// The major version found.
        major: u16,
        /// The minor version found.
        minor: u16,
    },
    /// The file could not be read.
    #[error("the journal cannot be read")]
    Io(#[from] io::Error),
    /// An event does not fit into a frame.
    #[error("an event of {len} bytes does not fit into a frame of {FRAME_MAX}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// An event has no JSON form.
    #[error("an event cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// What is wrong with the end of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It ends within a frame: the writer was killed, or the disk was full.
    CutOff,
    /// A checksum does not fit, or a length cannot be.
    Corrupt,
    /// An event stands before one that came earlier.
    OutOfOrder,
    /// The disk could not be read any further.
    Unreadable,
}

/// What could not be read, and how far the rest goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loss {
    /// What is wrong with the end; `None` if it is whole.
    pub damage: Option<Damage>,
    /// Bytes after the last good frame.
    pub bytes: u64,
    /// Good frames with an event that this program does not know.
    pub n_unknown: u64,
    /// The last good stamp; `None` if there is none.
    pub last: Option<(u64, At)>,
}

/// Reads events one by one; ends at the end or at the first damage.
#[derive(Debug)]
pub struct Reader<R> {
    input: BufReader<R>,
    payload: Vec<u8>,
    loss: Loss,
    is_over: bool,
}

/// What a journal begins with.
pub fn header() -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..10].copy_from_slice(MAGIC);
    header[10..12].copy_from_slice(&MAJOR.to_le_bytes());
    header[12..14].copy_from_slice(&MINOR.to_le_bytes());
    header
}

/// An event as a frame.
pub fn frame(stamped: &Stamped) -> Result<Vec<u8>, FormatError> {
    let mut frame = vec![0; FRAME_HEAD_LEN];
    serde_json::to_writer(&mut frame, stamped)?;
    let len = frame.len() - FRAME_HEAD_LEN;
    let length = u32::try_from(len).ok().filter(|_| len <= FRAME_MAX);
    let length = length.ok_or(FormatError::TooLong { len })?.to_le_bytes();
    let sum = checksum(length, &frame[FRAME_HEAD_LEN..]);
    frame[..4].copy_from_slice(&length);
    frame[4..8].copy_from_slice(&sum.to_le_bytes());
    // It may wait for the disk.
    frame.shrink_to_fit();
    Ok(frame)
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

// === impl Reader ===

impl<R: Read> Reader<R> {
    /// Reads the header.
    pub fn open(input: R) -> Result<Self, FormatError> {
        let mut input = BufReader::new(input);
        let mut header = Vec::with_capacity(HEADER_LEN);
        input.by_ref().take(HEADER_LEN as u64).read_to_end(&mut header)?;
        let rest = header.strip_prefix(MAGIC).ok_or(FormatError::NotAJournal)?;
        let [major_low, major_high, minor_low, minor_high, _, _] = *rest else {
            return Err(FormatError::NotAJournal);
        };
        let major = u16::from_le_bytes([major_low, major_high]);
        let minor = u16::from_le_bytes([minor_low, minor_high]);
        if major != MAJOR {
            return Err(FormatError::Version { major, minor });
        }
        Ok(Self { input, payload: Vec::new(), loss: Loss::default(), is_over: false })
    }

    /// What has been lost so far; complete once the iterator has ended.
    pub const fn loss(&self) -> Loss {
        self.loss
    }

    /// The next event; what is not known is counted and passed over.
    fn read(&mut self) -> Result<Option<Stamped>, (Damage, usize)> {
        loop {
            let mut head = [0; FRAME_HEAD_LEN];
            let head_len = self.fill(&mut head)?;
            if head_len == 0 {
                return Ok(None);
            }
            if head_len < FRAME_HEAD_LEN {
                return Err((Damage::CutOff, head_len));
            }
            let [l0, l1, l2, l3, c0, c1, c2, c3] = head;
            let length = [l0, l1, l2, l3];
            let len = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
            if FRAME_MAX < len {
                return Err((Damage::Corrupt, FRAME_HEAD_LEN));
            }
            // Grows with what is really there, whatever the length claims.
            self.payload.clear();
            let mut payload = std::mem::take(&mut self.payload);
            let read = self.input.by_ref().take(len as u64).read_to_end(&mut payload);
            self.payload = payload;
            let frame_len = FRAME_HEAD_LEN + self.payload.len();
            if read.is_err() {
                return Err((Damage::Unreadable, frame_len));
            }
            if self.payload.len() < len {
                return Err((Damage::CutOff, frame_len));
            }
            if checksum(length, &self.payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
                return Err((Damage::Corrupt, frame_len));
            }
            let Ok(stamped) = serde_json::from_slice::<Stamped>(&self.payload) else {
                self.loss.n_unknown += 1;
                continue;
            };
            let is_later = |(seq, at)| seq < stamped.seq && at <= stamped.at;
            if !self.loss.last.is_none_or(is_later) {
                return Err((Damage::OutOfOrder, frame_len));
            }
            self.loss.last = Some((stamped.seq, stamped.at));
            return Ok(Some(stamped));
        }
    }

    /// Reads until `bytes` is full or the input ends; says how many came.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, (Damage, usize)> {
        let mut n_read = 0;
        while n_read < bytes.len() {
            match self.input.read(&mut bytes[n_read..]) {
                Ok(0) => break,
                Ok(n) => n_read += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err((Damage::Unreadable, n_read)),
            }
        }
        Ok(n_read)
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Stamped;

    fn next(&mut self) -> Option<Stamped> {
        if self.is_over {
            return None;
        }
        match self.read() {
            Ok(Some(stamped)) => return Some(stamped),
            Ok(None) => {}
            Err((damage, n_read)) => {
                // What comes after a damaged frame cannot be trusted, but it can be counted.
                let rest = io::copy(&mut self.input, &mut io::sink()).unwrap_or(0);
                self.loss.damage = Some(damage);
                self.loss.bytes = n_read as u64 + rest;
            }
        }
        self.is_over = true;
        None
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Begins anew with the first event.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.input.seek(SeekFrom::Start(HEADER_LEN as u64))?;
        self.loss = Loss::default();
        self.is_over = false;
        Ok(())
    }
}

// === impl Loss ===

impl Loss {
    /// Whether everything could be read.
    pub const fn is_none(&self) -> bool {
        self.damage.is_none() && self.n_unknown == 0
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.damage {
            None => "the record is whole",
            Some(Damage::CutOff) => "the record was cut off",
            Some(Damage::Corrupt) => "the record is damaged",
            Some(Damage::OutOfOrder) => "the record goes back in time",
            Some(Damage::Unreadable) => "the disk could not be read",
        };
        f.write_str(what)?;
        if self.damage.is_some() {
            write!(f, ": the last {} bytes are lost, ", self.bytes)?;
            match self.last {
                Some((seq, at)) => write!(
                    f,
                    "it is good up to {:.3} s ({} events)",
                    at.as_secs_f64(),
                    seq.saturating_add(1)
                )?,
                None => f.write_str("and nothing is left")?,
            }
        }
        if 0 < self.n_unknown {
            write!(f, "; {} events are of a kind that this program does not know", self.n_unknown)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::event::Event;

    fn stamped(seq: u64) -> Stamped {
        Stamped { seq, at: At::from_millis(seq * 100), event: Event::Lost { n: seq } }
    }

    fn journal(n: u64) -> Vec<u8> {
        let mut bytes = header().to_vec();
        for seq in 0..n {
            bytes.extend(frame(&stamped(seq)).unwrap());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> (usize, Loss) {
        let mut reader = Reader::open(bytes).unwrap();
        let n = reader.by_ref().count();
        (n, reader.loss())
    }

    #[test]
    fn a_whole_journal_is_read_and_read_again() {
        let mut reader = Reader::open(Cursor::new(journal(3))).unwrap();
        assert_eq!(reader.by_ref().collect::<Vec<_>>(), [stamped(0), stamped(1), stamped(2)]);
        assert!(reader.loss().is_none());
        reader.rewind().unwrap();
        assert_eq!(reader.next(), Some(stamped(0)));
        assert_eq!(read(&journal(0)).0, 0);
    }

    #[test]
    fn a_journal_cut_anywhere_is_good_up_to_its_last_whole_frame() {
        let whole = journal(3);
        let two = journal(2).len();
        for len in two + 1..whole.len() {
            let (n, loss) = read(&whole[..len]);
            let last = Some((1, At::from_millis(100)));
            let bytes = (len - two) as u64;
            let expected = Loss { damage: Some(Damage::CutOff), bytes, n_unknown: 0, last };
            assert_eq!((n, loss), (2, expected), "cut at {len}");
        }
        let (_, loss) = read(&whole[..two + 3]);
        assert_eq!(
            loss.to_string(),
            "the record was cut off: the last 3 bytes are lost, it is good up to 0.100 s (2 events)"
        );
    }

    #[test]
    fn any_flipped_bit_is_seen() {
        let whole = journal(3);
        let two = journal(2).len();
        for idx in two..whole.len() {
            let mut bytes = whole.clone();
            bytes[idx] ^= 1;
            let (n, loss) = read(&bytes);
            assert_eq!(n, 2, "flipped at {idx}");
            assert!(loss.damage.is_some() && loss.bytes == (whole.len() - two) as u64);
        }
    }

    #[test]
    fn another_major_version_is_refused_and_an_unknown_event_passed_over() {
        let mut bytes = journal(1);
        bytes[10] = 2;
        let error = Reader::open(bytes.as_slice()).unwrap_err();
        assert!(error.to_string().contains("format 2.0"), "{error}");
        assert!(matches!(Reader::open(&b"{}"[..]), Err(FormatError::NotAJournal)));
        assert!(matches!(Reader::open(&bytes[..12]), Err(FormatError::NotAJournal)));

        let mut bytes = journal(1);
        let payload = br#"{"seq":1,"at":5,"event":{"from_the_future":{}}}"#;
        let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
        bytes.extend(length);
        bytes.extend(checksum(length, payload).to_le_bytes());
        bytes.extend(payload);
        bytes.extend(frame(&stamped(2)).unwrap());
        let (n, loss) = read(&bytes);
        assert_eq!((n, loss.n_unknown, loss.damage), (2, 1, None));
    }

    #[test]
    fn what_goes_back_in_time_ends_the_record() {
        let mut bytes = journal(2);
        bytes.extend(frame(&stamped(1)).unwrap());
        assert_eq!(read(&bytes).1.damage, Some(Damage::OutOfOrder));
    }

    #[test]
    fn an_event_that_no_frame_holds_is_refused() {
        let about = At::ZERO;
        let text = "x".repeat(FRAME_MAX);
        let event = Event::Note(crate::event::run::Note { about, text });
        let error = frame(&Stamped { seq: 0, at: At::ZERO, event }).unwrap_err();
        assert!(matches!(error, FormatError::TooLong { .. }));
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_no_harm(
            noise in proptest::collection::vec(any::<u8>(), 0..400), keep in 0usize..300,
        ) {
            let _ = Reader::open(noise.as_slice()).map(Iterator::count);
            let mut bytes = journal(5);
            bytes.truncate(HEADER_LEN + keep);
            bytes.extend(&noise);
            let mut reader = Reader::open(bytes.as_slice()).unwrap();
            let good: usize = reader.by_ref().map(|event| frame(&event).unwrap().len()).sum();
            if reader.loss().n_unknown == 0 {
                prop_assert_eq!((HEADER_LEN + good) as u64 + reader.loss().bytes, bytes.len() as u64);
            }
        }
    }
}
