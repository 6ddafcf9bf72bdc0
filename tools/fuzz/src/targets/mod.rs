//! One file per family of decoders.

mod batches;
mod builder;
mod engine_records;
mod files;
mod groups;
mod members;
mod metadata;
mod properties;
mod seal;
mod seeds;
mod snapshots;
mod wire;

/// Decoders, and what must hold for all that they are given.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    /// Panics if something does not hold.
    pub run: fn(&[u8]),
    /// Inputs that reach the inside: a fuzzer goes on from these.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The most memory at a time, per byte of input, besides `memory_bytes_base`.
    pub memory_factor: usize,
    pub memory_bytes_base: usize,
    /// Changed inputs in a bounded run, so that each target takes a few seconds without optimization.
    pub rounds: usize,
}

impl Target {
    /// Bytes of memory that an input of this length may take at a time.
    pub const fn memory_max(&self, input_bytes: usize) -> usize {
        self.memory_bytes_base.strict_add(self.memory_factor.strict_mul(input_bytes))
    }
}

pub const TARGETS: [Target; 13] = [
    batches::TARGET,
    builder::TARGET,
    engine_records::TARGET,
    files::TARGET,
    groups::TARGET,
    members::TARGET,
    metadata::TARGET,
    properties::TARGET,
    properties::VALUES,
    snapshots::TARGET,
    wire::REQUESTS,
    wire::RESPONSES,
    wire::RESPONSE_FRAMES,
];

#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
