//! What a broken disk may keep a node from in one run. Whatever is not named here must work.

use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failing {
    Nothing,
    /// An operation somewhere fails, or the disk is full.
    Anything,
    /// What lies below a folder, and nothing else.
    Below(PathBuf),
}

impl Failing {
    /// What belongs to no partition: decisions, identities, starts and stops.
    pub(super) fn may_fail(&self) -> bool {
        *self == Self::Anything
    }

    /// What lies in a partition's folder.
    pub(super) fn may_fail_at(&self, folder: &Path) -> bool {
        match self {
            Self::Nothing => false,
            Self::Anything => true,
            Self::Below(failing) => folder.starts_with(failing),
        }
    }

    /// Whether what has rotted on a disk may be met.
    pub(super) fn has_rotten(&self, folder: &Path) -> bool {
        matches!(self, Self::Below(_)) && self.may_fail_at(folder)
    }
}
