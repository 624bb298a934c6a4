//! The embedded cluster: speaks only wire protocols.
