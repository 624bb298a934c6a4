//! Reading and taking in at the same time.

use std::io::Read;
use std::panic;
use std::sync::mpsc;
use std::thread;

use crate::event::Stamped;

use super::format::Loss;
use super::format::Reader;

/// Events that change hands at once.
const BATCH: usize = 256;
/// Batches that may wait.
const BATCHES_MAX: usize = 8;

/// Reads to the end, on a thread of its own, and hands every event over in its order; each is
/// `trimmed` there first. What could not be read is told at the end.
///
/// Half of the work of looking into a record is to make events of its bytes, the other half to
/// take them in.
pub fn read_ahead<R: Read + Send>(
    mut reader: Reader<R>,
    trim: impl Fn(&mut Stamped) + Send,
    mut take: impl FnMut(&Stamped),
) -> Loss {
    thread::scope(|scope| {
        let (sender, batches) = mpsc::sync_channel::<Vec<Stamped>>(BATCHES_MAX);
        let reading = scope.spawn(move || {
            loop {
                let mut batch: Vec<Stamped> = reader.by_ref().take(BATCH).collect();
                batch.iter_mut().for_each(&trim);
                if batch.is_empty() || sender.send(batch).is_err() {
                    return reader.loss();
                }
            }
        });
        batches.iter().flatten().for_each(|stamped| take(&stamped));
        reading.join().unwrap_or_else(|bug| panic::resume_unwind(bug))
    })
}

#[cfg(test)]
mod tests {
    use super::super::format::Damage;
    use super::super::format::frame;
    use super::super::format::header;
    use super::*;
    use crate::event::Event;
    use crate::units::At;

    #[test]
    fn what_was_read_ahead_is_what_is_read() {
        for n in [0, 1, 255, 256, 257, 5000] {
            let event = |seq| Event::Lost { n: seq };
            let stamped = |seq| Stamped { seq, at: At::from_millis(seq), event: event(seq) };
            let mut bytes = header().to_vec();
            (0..n).for_each(|seq| bytes.extend(frame(&stamped(seq)).unwrap()));
            bytes.extend([7; 3]);
            let mut taken = Vec::new();
            let reader = Reader::open(bytes.as_slice()).unwrap();
            let later = |stamped: &mut Stamped| stamped.at = At::from_secs(9);
            let loss = read_ahead(reader, later, |stamped| taken.push(stamped.clone()));
            let expected: Vec<_> =
                (0..n).map(stamped).map(|it| Stamped { at: At::from_secs(9), ..it }).collect();
            assert_eq!(taken, expected);
            assert_eq!((loss.damage, loss.bytes), (Some(Damage::CutOff), 3));
        }
    }
}
