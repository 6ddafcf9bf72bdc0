//! What comes from outside, as fuzzers make it up. A [`Target`] gives bytes to decoders and asserts
//! what must hold for any bytes; it is driven by libFuzzer (`tools/fuzz/libfuzzer`), and by the
//! bounded, deterministic run that is part of the tests and needs no other compiler.
//!
//! A target never ends in a panic. What a decoder accepts is written again and read back as the
//! same, and costs no more memory than [`Target::memory_max`] says.

mod mutation;
mod random;
mod source;
mod targets;

pub use mutation::mutated;
pub use random::Random;
pub use targets::{TARGETS, Target, find};
