//! How long it takes to say why: one decision, and all of a record of half an hour.
//!
//! `cargo bench --bench explain`. No figure is asserted: machines differ.

mod common;
mod world;

use std::collections::BTreeMap;
use std::io::Cursor;

use rampscope::event::Event;
use rampscope::event::Stamped;
use rampscope::event::cluster::ConfigMap;
use rampscope::event::cluster::Id;
use rampscope::event::cluster::Name;
use rampscope::event::cluster::Object;
use rampscope::event::cluster::PodAutoscaler;
use rampscope::export::explain;
use rampscope::journal;
use rampscope::journal::Reader;
use rampscope::journal::read_ahead;
use rampscope::kpa::Config;
use rampscope::kpa::Inputs;
use rampscope::kpa::Memory;
use rampscope::kpa::Observed;
use rampscope::kpa::decide;
use rampscope::model::Model;
use rampscope::units::At;

/// Half an hour.
const SECS: u64 = 1800;

fn main() {
    let config = Config::default();
    let mut memory = Memory::new(&config, 0, At::ZERO);
    let observed = Some(Observed { stable: 333.0, panic: 444.0 });
    let mut now = At::ZERO;
    common::measure("decide", (1, "decisions"), || {
        now = now + rampscope::model::shadow::TICK;
        decide(&config, &mut memory, &Inputs { ready: 5, observed }, now)
    });

    let record = record(10);
    println(&record);
    let revision = Name { namespace: "default".to_owned(), name: "hello-00001".to_owned() };
    let read = || {
        let mut model = Model::default();
        if let Ok(reader) = Reader::open(Cursor::new(&record)) {
            // As the program does: nobody looks at latencies here.
            let trim = |stamped: &mut Stamped| stamped.event.forget_latencies();
            read_ahead(reader, trim, |stamped| {
                model.apply(stamped);
            });
        }
        model
    };
    common::measure("explain: read half an hour of 10 pods", (1, "records"), read);
    let model = read();
    let shadow = model.scaling.get(&revision).and_then(|it| it.shadow.as_deref());
    let Some(shadow) = shadow else { return };
    let n_ticks = u32::try_from(shadow.ticks().len()).unwrap_or(u32::MAX);
    let anchor = model.run.anchor();
    common::measure("explain: all its decisions as JSON", (n_ticks, "decisions"), || {
        shadow.ticks().map(|tick| explain::json(&revision, tick, anchor)).collect::<String>()
    });
}

#[expect(clippy::print_stdout, reason = "the figures are the output")]
fn println(record: &[u8]) {
    println!("record: {} KiB", record.len() / 1024);
}

/// A record of so many pods under load, with what a decider needs.
fn record(n_pods: u32) -> Vec<u8> {
    let id = |name: &str| Id {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        uid: name.to_owned(),
    };
    let config = ConfigMap { id: id("config-autoscaler"), data: BTreeMap::new() };
    let annotations = BTreeMap::from([("target".to_owned(), "10".to_owned())]);
    let autoscaler = PodAutoscaler {
        id: id("hello-00001"),
        desired: Some(n_pods),
        reachable: true,
        annotations,
        ..PodAutoscaler::default()
    };
    let also = [Object::ConfigMap(config), Object::PodAutoscaler(autoscaler)]
        .map(|object| Event::Seen(Box::new(object)));
    let mut record = journal::header().to_vec();
    for stamped in world::world(n_pods, SECS, also.into()) {
        record.extend(journal::frame(&stamped).unwrap_or_default());
    }
    record
}
