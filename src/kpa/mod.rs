//! Knative's autoscaler arithmetic, as pure functions.
