//! One decision as one sentence.
