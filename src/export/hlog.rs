//! The latencies of a run as an interval log, which `HdrHistogram`'s own tools read.
//!
//! Each interval has a line for each kind of latency, by its tag; values are microseconds. Lines
//! of one tag add up to the run without loss.

use std::time::Duration;
use std::time::SystemTime;

use hdrhistogram::Histogram as Recorder;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;
use hdrhistogram::serialization::interval_log::Tag;

use crate::event::traffic::Histogram;
use crate::event::traffic::Interval;
use crate::series::LatencyHistogram;
use crate::units::Anchor;

/// Writes intervals as lines.
pub struct IntervalLog {
    serializer: V2DeflateSerializer,
    recorder: Recorder<u64>,
}

impl std::fmt::Debug for IntervalLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IntervalLog").finish_non_exhaustive()
    }
}

// === impl IntervalLog ===

impl IntervalLog {
    /// A log without lines. `None` only if the bounds of our histograms were wrong.
    pub fn new() -> Option<Self> {
        let bounds = (LatencyHistogram::MAX_MICROS, LatencyHistogram::DIGITS);
        let recorder = Recorder::new_with_bounds(1, bounds.0, bounds.1).ok()?;
        Some(Self { serializer: V2DeflateSerializer::new(), recorder })
    }

    /// What stands above all lines: `anchor` is the wall clock that their times count from.
    pub fn head(&mut self, anchor: Anchor) -> Vec<u8> {
        let micros = u64::try_from(anchor.0.0).unwrap_or(0);
        let began = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
        let mut bytes = Vec::new();
        // Writing to memory cannot fail.
        let _ = IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment("rampscope: microseconds; tags: response service failure send_lag")
            .with_start_time(began)
            .with_base_time(began)
            .begin_log_with(&mut bytes, &mut self.serializer);
        bytes.extend_from_slice(
            b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        );
        bytes
    }

    /// The lines of an interval: one for each kind of latency of which something was counted.
    pub fn lines(&mut self, interval: &Interval) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (tag, encoded) in [
            ("response", &interval.response_time),
            ("service", &interval.service_time),
            ("failure", &interval.failure_time),
            ("send_lag", &interval.send_lag),
        ] {
            if let Some(encoded) = encoded {
                self.line(&mut bytes, (tag, encoded), interval);
            }
        }
        bytes
    }

    fn line(&mut self, bytes: &mut Vec<u8>, (tag, encoded): (&str, &Histogram), of: &Interval) {
        // What cannot be read is left out, as in the model.
        let Ok(latencies) = LatencyHistogram::decode(encoded) else { return };
        if latencies.is_empty() {
            return;
        }
        self.recorder.reset();
        for (micros, n) in latencies.values() {
            if self.recorder.record_n(micros, n).is_err() {
                return;
            }
        }
        let whole = bytes.len();
        let since = Duration::from_micros(of.began.as_micros());
        let written = IntervalLogWriterBuilder::new()
            .begin_log_with(bytes, &mut self.serializer)
            .map(|mut log| log.write_histogram(&self.recorder, since, of.lasted, Tag::new(tag)));
        if !matches!(written, Ok(Ok(()))) {
            bytes.truncate(whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::IntervalLogIterator;
    use hdrhistogram::serialization::interval_log::LogEntry;

    use super::*;
    use crate::units::At;
    use crate::units::UnixMicros;

    /// RFC 4648, without tolerance.
    fn base64(text: &str) -> Vec<u8> {
        const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let letters = text.trim_end_matches('=').chars();
        let (mut bytes, mut bits, mut n_bits) = (Vec::new(), 0u32, 0);
        for value in letters.map(|letter| LETTERS.find(letter).unwrap()) {
            bits = bits << 6 | u32::try_from(value).unwrap();
            n_bits += 6;
            if 8 <= n_bits {
                n_bits -= 8;
                bytes.push(u8::try_from(bits >> n_bits & 0xff).unwrap());
            }
        }
        bytes
    }

    fn latencies(micros: &[u64]) -> LatencyHistogram {
        let mut latencies = LatencyHistogram::default();
        for micros in micros {
            latencies.record(Duration::from_micros(*micros));
        }
        latencies
    }

    #[test]
    fn its_reader_reads_what_was_measured() {
        let slow: Vec<u64> = (1..2000).map(|n| n * 137).chain([600_000_000]).collect();
        let (response, service) = (latencies(&slow), latencies(&[1, 40, 40, 2048]));
        let interval = |secs: u64, response: &LatencyHistogram| Interval {
            began: At::from_millis(secs * 1000 + 250),
            lasted: Duration::from_millis(500),
            response_time: Some(response.encode()),
            service_time: Some(service.encode()),
            failure_time: Some(LatencyHistogram::default().encode()),
            send_lag: None,
            ..Interval::default()
        };
        let mut log = IntervalLog::new().unwrap();
        let mut bytes = log.head(Anchor(UnixMicros(1_795_331_941_500_000)));
        bytes.extend(log.lines(&interval(3, &response)));
        bytes.extend(log.lines(&interval(4, &latencies(&[7]))));

        let mut heard = Vec::new();
        for entry in IntervalLogIterator::new(&bytes) {
            match entry.unwrap() {
                LogEntry::StartTime(at) | LogEntry::BaseTime(at) => {
                    assert_eq!(at.as_millis(), 1_795_331_941_500);
                }
                LogEntry::Interval(line) => {
                    let encoded = base64(line.encoded_histogram());
                    let read: Recorder<u64> =
                        Deserializer::new().deserialize(&mut encoded.as_slice()).unwrap();
                    assert_eq!(line.duration(), Duration::from_millis(500));
                    let tag = line.tag().unwrap().as_str().to_owned();
                    heard.push((line.start_timestamp().as_millis(), tag, (&read).into()));
                }
            }
        }
        let tag = |tag: &str| tag.to_owned();
        let expected = [
            (3250, tag("response"), response),
            (3250, tag("service"), service.clone()),
            (4250, tag("response"), latencies(&[7])),
            (4250, tag("service"), service),
        ];
        assert_eq!(heard, expected);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let interval = Interval {
            response_time: Some(Histogram(vec![1, 2, 3])),
            service_time: Some(latencies(&[5]).encode()),
            ..Interval::default()
        };
        let lines = IntervalLog::new().unwrap().lines(&interval);
        let text = String::from_utf8(lines).unwrap();
        assert!(text.starts_with("Tag=service,0.000,0.000,5.000,") && text.lines().count() == 1);
    }
}
