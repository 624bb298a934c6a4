//! The hands that read a cluster.
