//! An operation that fails.

use std::path::Path;

use crate::io::error::{Fault, Operation};
use crate::io::sim::Random;

/// An operation on a file whose path ends with `suffix`, or whose name begins with it, fails after
/// `skip` that succeed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub operation: Operation,
    pub suffix: String,
    pub fault: Fault,
    pub skip: u32,
    pub times: u32,
}

/// What changes the disk fails more often than what does not.
const OPERATIONS: [Operation; 12] = [
    Operation::Write,
    Operation::Write,
    Operation::Sync,
    Operation::Sync,
    Operation::Create,
    Operation::Preallocate,
    Operation::Truncate,
    Operation::Rename,
    Operation::Remove,
    Operation::SyncDirectory,
    Operation::Read,
    Operation::Open,
];

impl Failure {
    /// Any operation on a file with one of these endings, once, after fewer than `skip_max` others.
    pub(crate) fn pick(random: &mut Random, suffixes: &[&str], skip_max: u64) -> Self {
        let operation = random.one_of(&OPERATIONS);
        let suffix = (*random.one_of(suffixes)).to_owned();
        let fault = *random.one_of(&[Fault::Device, Fault::Device, Fault::NoSpace]);
        let skip = u32::try_from(random.below(skip_max)).unwrap();
        Self { operation: *operation, suffix, fault, skip, times: 1 }
    }

    /// Whether this operation is one that is to fail; it is counted.
    pub(super) fn strikes(&mut self, operation: Operation, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_named = path.to_string_lossy().ends_with(&self.suffix)
            || name.starts_with(self.suffix.as_str());
        if self.operation != operation || !is_named || self.times == 0 {
            return false;
        }
        if 0 < self.skip {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}
