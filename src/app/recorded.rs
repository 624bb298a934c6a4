//! The model that a record ends with.

use std::fs::File;
use std::io;
use std::io::Write as _;
use std::path::Path;

use crate::journal::Reader;
use crate::journal::RunFolder;
use crate::journal::read_ahead;
use crate::model::Model;
use crate::tasks::chain;

use super::outcome::Failure;
use super::usage;

/// Whether the latencies of the load are asked for: most of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Latencies {
    /// They are.
    Kept,
    /// Nobody looks at them.
    Forgotten,
}

/// Reads a record to its end; what of it cannot be read is said.
pub(super) fn model(run: &Path, latencies: Latencies) -> Result<Model, Failure> {
    let folder = RunFolder::open(run).map_err(|error| usage(chain(&error)))?;
    let file = File::open(folder.journal())
        .map_err(|error| usage(format!("{}: {error}", folder.journal().display())))?;
    let reader = Reader::open(file).map_err(|error| usage(chain(&error)))?;
    let mut model = Model::default();
    let loss = read_ahead(
        reader,
        |stamped| {
            if latencies == Latencies::Forgotten {
                stamped.event.forget_latencies();
            }
        },
        |stamped| {
            model.apply(stamped);
        },
    );
    if loss.damage.is_some() || 0 < loss.n_unknown {
        let _ = writeln!(io::stderr(), "rampscope: {loss}");
    }
    Ok(model)
}
