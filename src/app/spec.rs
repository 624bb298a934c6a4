//! What is to be run, whatever it was asked with.

use crate::event::run::Mode;
use crate::scenario::plan::Plan;
use crate::sim::spec::SimSpec;

use super::settings::Settings;

/// What is to be run.
#[derive(Debug, Clone)]
pub struct RunSpec {
    /// What kind of run it is.
    pub mode: Mode,
    /// Its name: that of the scenario, the service, or the address.
    pub name: String,
    /// What is sent; `None` sends nothing.
    pub plan: Option<Plan>,
    /// The Knative Service to watch, where no plan names one; `None` for all.
    pub service: Option<String>,
    /// Whether a service that does not exist is waited for.
    pub waits: bool,
    /// The embedded cluster, if it is asked for; it stands in for the one of the settings.
    pub sim: Option<SimSpec>,
    /// How it is run.
    pub settings: Settings,
}

impl RunSpec {
    /// One that sends nothing, and takes the cluster of the settings as it is.
    pub const fn new(mode: Mode, name: String, settings: Settings) -> Self {
        Self { mode, name, plan: None, service: None, waits: false, sim: None, settings }
    }
}
