//! `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint`, `cleaner-offset-checkpoint`
//! and `replication-offset-checkpoint`: one offset per partition of a log folder, as text.
//!
//! ```text
//! 0                    version
//! 2                    number of lines that follow
//! orders 0 4711        topic, partition, offset
//! orders 1 12
//! ```
//!
//! Fields are separated by white space, lines end with a line feed, the last one too. There is no
//! checksum; the count finds a torn file. The same frame (version, count, lines) carries
//! `leader-epoch-checkpoint`. Source: Apache Kafka's storage layout.

use std::fmt::Write as _;

use thiserror::Error;

use crate::types::{Offset, PartitionIndex};

/// The offset up to which a partition's log is known to be on disk.
pub const RECOVERY_POINT_FILE: &str = "recovery-point-offset-checkpoint";
/// The first offset that a partition still shows, where it is not its first segment's.
pub const LOG_START_FILE: &str = "log-start-offset-checkpoint";
/// The offset below which a compacted partition has been through a pass.
pub const CLEANER_FILE: &str = "cleaner-offset-checkpoint";
/// The high watermark of each partition.
pub const HIGH_WATERMARK_FILE: &str = "replication-offset-checkpoint";

const VERSION: &str = "0";

/// One line: a partition, addressed by name as in its folder's name, and its offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffset {
    /// Not checked to be a topic name: it is only compared with those that exist.
    pub topic: String,
    pub partition: PartitionIndex,
    pub offset: Offset,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    #[error("the file is not UTF-8 text")]
    Text,
    #[error("version '{found}' is not {VERSION}")]
    Version { found: String },
    #[error("the number of lines is '{found}'")]
    Count { found: String },
    #[error("line {number} is malformed: '{line}'")]
    Line { number: usize, line: String },
    #[error("{expected} lines were announced, {found} found")]
    LineCount { expected: usize, found: usize },
}

/// Reads a file; an empty one has no entries, as Kafka leaves it before its first checkpoint.
pub fn decode(bytes: &[u8]) -> Result<Vec<PartitionOffset>, CheckpointError> {
    decode_lines(bytes, |line| {
        let mut fields = line.split_ascii_whitespace();
        let (topic, partition, offset) = (fields.next()?, fields.next()?, fields.next()?);
        let partition = PartitionIndex::from_wire(partition.parse().ok()?)?;
        let offset = Offset::from_wire(offset.parse().ok()?)?;
        let entry = PartitionOffset { topic: topic.to_owned(), partition, offset };
        fields.next().is_none().then_some(entry)
    })
}

pub fn encode(entries: &[PartitionOffset]) -> Vec<u8> {
    encode_lines(entries, |entry, out| {
        writeln!(out, "{} {} {}", entry.topic, entry.partition, entry.offset)
    })
}

/// The frame that all of Kafka's text checkpoints share; `parse` reads one line.
pub(super) fn decode_lines<T>(
    bytes: &[u8],
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, CheckpointError> {
    let text = std::str::from_utf8(bytes).map_err(|_not_utf8| CheckpointError::Text)?;
    let mut lines = text.lines();
    let Some(version) = lines.next() else { return Ok(Vec::new()) };
    if version != VERSION {
        return Err(CheckpointError::Version { found: version.to_owned() });
    }
    let Some(count) = lines.next() else { return Ok(Vec::new()) };
    let Ok(expected) = count.parse::<usize>() else {
        return Err(CheckpointError::Count { found: count.to_owned() });
    };
    let mut entries = Vec::new();
    for (number, line) in (3..).zip(lines) {
        let malformed = || CheckpointError::Line { number, line: line.to_owned() };
        entries.push(parse(line).ok_or_else(malformed)?);
    }
    let found = entries.len();
    if found == expected {
        Ok(entries)
    } else {
        Err(CheckpointError::LineCount { expected, found })
    }
}

/// The counterpart of [`decode_lines`]; `print` writes one line with its end.
pub(super) fn encode_lines<T>(
    entries: &[T],
    print: impl Fn(&T, &mut String) -> std::fmt::Result,
) -> Vec<u8> {
    let mut out = format!("{VERSION}\n{}\n", entries.len());
    for entry in entries {
        print(entry, &mut out).expect("writing to memory cannot fail");
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(topic: &str, partition: u32, offset: u64) -> PartitionOffset {
        let partition = PartitionIndex::new(partition).unwrap();
        PartitionOffset { topic: topic.to_owned(), partition, offset: Offset::new(offset).unwrap() }
    }

    #[test]
    fn the_text_is_kafkas() {
        let entries = [entry("orders", 0, 4711), entry("a.b-c", 12, 0)];
        let text = b"0\n2\norders 0 4711\na.b-c 12 0\n";
        assert_eq!(encode(&entries), text);
        assert_eq!(decode(text).unwrap(), entries);
    }

    #[test]
    fn a_file_that_was_never_written_is_empty() {
        assert_eq!(decode(b"").unwrap(), []);
        assert_eq!(decode(b"0\n").unwrap(), []);
        assert_eq!(decode(b"0\n0\n").unwrap(), []);
    }

    #[test]
    fn a_torn_or_foreign_file_is_refused() {
        assert_eq!(decode(b"1\n0\n"), Err(CheckpointError::Version { found: "1".into() }));
        assert_eq!(decode(b"0\nx\n"), Err(CheckpointError::Count { found: "x".into() }));
        let torn = Err(CheckpointError::LineCount { expected: 2, found: 1 });
        assert_eq!(decode(b"0\n2\norders 0 4711\n"), torn);
        for line in ["orders 0", "orders 0 1 2", "orders x 1", "orders 0 -1", ""] {
            let text = format!("0\n1\n{line}\n");
            let malformed = Err(CheckpointError::Line { number: 3, line: line.to_owned() });
            assert_eq!(decode(text.as_bytes()), malformed, "{line}");
        }
        assert_eq!(decode(&[0xff]), Err(CheckpointError::Text));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
