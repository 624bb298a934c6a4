//! How fast the text of a scrape becomes samples, on the real texts of Knative's components.
//!
//! `cargo bench --bench exposition`. No figure is asserted: machines differ.

mod common;

use rampscope::collect::exposition;
use rampscope::collect::knative;

const TEXTS: [(&str, &str); 3] = [
    ("autoscaler", include_str!("../tests/fixtures/exposition-v1.23-autoscaler.txt")),
    ("activator", include_str!("../tests/fixtures/exposition-v1.23-activator.txt")),
    ("queue-proxy", include_str!("../tests/fixtures/exposition-v1.23-queue-proxy.txt")),
];

fn main() {
    for (name, text) in TEXTS {
        let n_bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
        common::measure(&format!("parse: {name}, what we read"), (n_bytes, "bytes"), || {
            exposition::parse(text, knative::is_wanted)
        });
        common::measure(&format!("parse: {name}, all of it"), (n_bytes, "bytes"), || {
            exposition::parse(text, |_| true)
        });
    }
}
