//! Journals of earlier versions stay readable: each in `fixtures/journals/` still gives the summary
//! that the version which wrote it gave, whatever has been added since.
//!
//! A version that changes what is recorded adds a journal of its own, and leaves those that are
//! there: `rampscope demo --headless --out DIR`, then `gzip -9n < DIR/journal` and
//! `DIR/summary.json`, both named after the version.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::fs::File;
use std::io::Cursor;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde_json::Value;

use rampscope::export::summary::Summary;
use rampscope::journal::Reader;
use rampscope::model::Model;

/// Every journal that is kept, with the summary of its time.
fn kept() -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journals");
    let mut journals: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gz"))
        .collect();
    journals.sort();
    let summary = |journal: &PathBuf| {
        let name = journal.file_name().unwrap().to_str().unwrap();
        let name = name.replace(".journal.gz", ".summary.json");
        serde_json::from_slice(&fs::read(journal.with_file_name(name)).unwrap()).unwrap()
    };
    journals.into_iter().map(|journal| (journal.clone(), summary(&journal))).collect()
}

fn unpacked(journal: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(File::open(journal).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Everything that was said then is said now. What is new is no matter.
fn assert_says(then: &Value, now: &Value, path: &str) {
    match (then, now) {
        (Value::Object(then), Value::Object(_)) => {
            for (key, then) in then {
                let path = format!("{path}.{key}");
                assert_says(then, now.get(key).unwrap_or(&Value::Null), &path);
            }
        }
        (Value::Array(then), Value::Array(now)) => {
            assert_eq!(then.len(), now.len(), "{path}");
            for (idx, (then, now)) in then.iter().zip(now).enumerate() {
                assert_says(then, now, &format!("{path}.{idx}"));
            }
        }
        (Value::Number(then), Value::Number(now)) => {
            let (then, now) = (then.as_f64().unwrap(), now.as_f64().unwrap());
            assert!((then - now).abs() <= then.abs() * 1e-9, "{path}: {then} then, {now} now");
        }
        (then, now) => assert_eq!(then, now, "{path}"),
    }
}

#[test]
fn what_earlier_versions_recorded_gives_the_same_summary() {
    let all = kept();
    assert!(!all.is_empty());
    for (journal, summary) in all {
        let name = journal.display();
        let mut reader = Reader::open(Cursor::new(unpacked(&journal))).unwrap();
        let mut model = Model::default();
        let mut n_events = 0u64;
        for stamped in reader.by_ref() {
            model.apply(&stamped);
            n_events += 1;
        }
        let loss = reader.loss();
        assert!(loss.damage.is_none() && loss.n_unknown == 0, "{name}: {loss}");
        assert!(1000 < n_events, "{name}: {n_events} events");
        let began = model.run.began.as_ref().unwrap();
        let checks: Vec<_> = began.checks.iter().map(|check| check.parse().unwrap()).collect();
        let now = serde_json::to_value(Summary::of(&model, &checks)).unwrap();
        assert_says(&summary, &now, "summary");
        // It is one worth keeping: a whole panic, and pods that came and went.
        assert_eq!(summary["scaling"]["panics"].as_array().unwrap().len(), 1, "{name}");
        assert!(5.0 < summary["scaling"]["ready_max"].as_f64().unwrap(), "{name}");
    }
}
