//! From what the decider wants to replicas.
