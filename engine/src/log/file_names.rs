//! The names of Kafka's log files: the base offset in twenty digits and a suffix.

use std::path::{Path, PathBuf};

use crate::types::Offset;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FileKind {
    Log,
    OffsetIndex,
    TimeIndex,
    TransactionIndex,
    ProducerSnapshot,
}

impl FileKind {
    pub(super) const ALL: [Self; 5] = [
        Self::Log,
        Self::OffsetIndex,
        Self::TimeIndex,
        Self::TransactionIndex,
        Self::ProducerSnapshot,
    ];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Log => ".log",
            Self::OffsetIndex => ".index",
            Self::TimeIndex => ".timeindex",
            Self::TransactionIndex => ".txnindex",
            Self::ProducerSnapshot => ".snapshot",
        }
    }

    pub(super) fn name(self, base: Offset) -> String {
        format!("{:020}{}", base.get(), self.suffix())
    }

    pub(super) fn path(self, folder: &Path, base: Offset) -> PathBuf {
        folder.join(self.name(base))
    }
}

/// A file that waits to be removed.
pub(super) const DELETED: &str = ".deleted";
/// What a compaction that did not finish leaves behind.
pub(super) const CLEANED: &str = ".cleaned";
/// A compacted segment that replaces others.
pub(super) const SWAP: &str = ".swap";
/// A small file that was not finished.
pub(super) const UNFINISHED: &str = ".tmp";

/// The kind and base offset of a segment's file, `None` for everything else in the folder.
pub(super) fn parse(name: &str) -> Option<(FileKind, Offset)> {
    let kind = FileKind::ALL.into_iter().find(|kind| name.ends_with(kind.suffix()))?;
    let digits = name.strip_suffix(kind.suffix())?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((kind, Offset::new(digits.parse().ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_twenty_digits_and_a_suffix() {
        let base = Offset::new(4711).unwrap();
        assert_eq!(FileKind::Log.name(base), "00000000000000004711.log");
        for kind in FileKind::ALL {
            assert_eq!(parse(&kind.name(base)), Some((kind, base)));
        }
    }

    #[test]
    fn other_files_are_passed_over() {
        for name in [
            "4711.log",
            "00000000000000004711.log.deleted",
            "leader-epoch-checkpoint",
            "0000000000000000471x.log",
            "99999999999999999999.log",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
