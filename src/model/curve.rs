//! What latency the load met at which concurrency a pod: all that a record can say about another
//! number of pods.

use std::time::Duration;

use crate::kpa::whatif::Curve;
use crate::series::HeatColumn;
use crate::units::At;

use super::Model;
use super::demand;

/// Pods that have just come or gone show the latencies of before.
const SETTLED: Duration = Duration::from_secs(2);

/// Adds the newest interval of load to `curve`, if the pods that met it are known and settled.
pub(super) fn add(curve: &mut Curve, model: &Model, began: At) {
    let Some(heat) = model.traffic.heat.back().filter(|heat| heat.began == began) else { return };
    // Where a route splits the load, nobody knows which latencies are whose.
    let Some(revision) = &model.loaded_revision() else { return };
    let Some(scaling) = model.scaling.get(revision) else { return };
    let ready = scaling.ready.at(began, None).filter(|ready| 0.0 < *ready);
    let settled = scaling.ready.since(began).filter(|since| SETTLED <= began.since(*since));
    let (Some(asked), Some(ready), Some(_)) = (demand::now(model, revision), ready, settled) else {
        return;
    };
    let latencies =
        heat.felt().rows().map(|(row, n)| (HeatColumn::floor(row + 1).as_secs_f64(), n.into()));
    curve.add(asked / ready, latencies);
}
