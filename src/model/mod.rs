//! What is known: a fold over events.
