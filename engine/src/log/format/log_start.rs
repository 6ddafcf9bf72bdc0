//! `corelog-log-start`: below which offset the log's owner has given up its records. Without it a
//! restart would show records again that DeleteRecords had removed.
//!
//! ```text
//! 0        version
//! 4711     the first offset that may be read
//! ```
//!
//! The file exists only if records were deleted inside of a segment; else the log starts where its
//! first segment does. Kafka keeps this number for all partitions together, in its folder of logs,
//! and passes over this file.

use crate::types::Offset;

/// The file's name in a partition's folder.
pub const FILE: &str = "corelog-log-start";

pub fn encode(log_start: Offset) -> Vec<u8> {
    format!("0\n{log_start}\n").into_bytes()
}

/// `None` if this is not such a file.
pub fn decode(bytes: &[u8]) -> Option<Offset> {
    let text = std::str::from_utf8(bytes).ok()?;
    let number = text.strip_prefix("0\n")?.strip_suffix('\n')?;
    Offset::new(number.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_read_back() {
        let start = Offset::new(4711).unwrap();
        assert_eq!(encode(start), b"0\n4711\n");
        assert_eq!(decode(b"0\n4711\n"), Some(start));
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "1\n4711\n", "0\n4711", "0\n-1\n", "0\n99999999999999999999\n", "\u{1}"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }
}
