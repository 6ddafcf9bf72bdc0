//! Decides what a place in the last segment means where no sound batch can be read. A write that
//! power failure or a kill interrupted is cut, because nobody was told of it; damage to what was
//! acknowledged is refused, because cutting it would lose records in silence.
//!
//! Both can be followed by sound batches: a flush is several writes, and the disk may have kept a
//! later one and not an earlier one. What tells them apart is that a segment is preallocated: where
//! a write did not arrive, whole sectors still read as zeros. Decay does not look like that.

use crate::types::Offset;
use crate::types::limits::UNSYNCED_BYTES_MAX;

/// What disks write whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// A place where no sound batch can be read, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the batch with offset `expected` should start.
    pub position: u64,
    pub expected: Offset,
    /// The next sound batch behind it.
    pub next_batch: Option<(u64, Offset)>,
    /// Between `position` and the next batch there is a sector that was never written.
    pub has_unwritten_sector: bool,
    /// What is below this offset was durable, by a record kept elsewhere.
    pub durable_below: Offset,
    /// The last process synced and closed the file.
    pub was_closed: bool,
    /// A whole batch is at `position`, whose offset cannot be right.
    pub is_misplaced: bool,
}

/// What a start does about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A write that was not finished: the log ends here.
    Cut,
    /// The sentence tells why it is not that.
    Refuse { evidence: String },
}

impl Damage {
    pub fn verdict(&self) -> Verdict {
        let refuse = |evidence: String| Verdict::Refuse { evidence };
        if self.expected < self.durable_below {
            return refuse(format!(
                "Everything below offset {} was on disk before, says a core's checkpoint",
                self.durable_below
            ));
        }
        if self.was_closed {
            return refuse(
                "The log was closed in order, so that all of the file was on disk".to_owned(),
            );
        }
        if self.is_misplaced {
            return refuse(
                "The batch that is there is whole, so that it is no unfinished write: its offset \
                 is damaged, or that of the batch before"
                    .to_owned(),
            );
        }
        let Some((next_position, next_offset)) = self.next_batch else { return Verdict::Cut };
        let follows =
            format!("At byte {next_position} a sound batch follows, with offset {next_offset}");
        // A flush holds at most so much, and the next one begins only after it is synced.
        if UNSYNCED_BYTES_MAX < next_position.saturating_sub(self.position) {
            return refuse(follows);
        }
        if self.has_unwritten_sector { Verdict::Cut } else { refuse(follows) }
    }
}

/// True if `bytes`, which start at `position`, show a sector that was never written. Of the first
/// sector only the part behind `position` counts: what is before it was written earlier.
pub fn has_unwritten_sector(bytes: &[u8], position: u64, expected: Offset) -> bool {
    let to_sector_end = SECTOR_BYTES - position % SECTOR_BYTES;
    let first = usize::try_from(to_sector_end).unwrap_or(usize::MAX).min(bytes.len());
    let (first, rest) = bytes.split_at(first);
    let is_zero = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
    // The batch's first bytes are its offset, which begins with zeros by itself.
    let offset = expected.get().to_be_bytes();
    let written = offset.get(..first.len()).unwrap_or(&offset);
    let first_is_missing = is_zero(first) && (!is_zero(written) || offset.len() + 4 <= first.len());
    let mut sectors = rest.chunks_exact(usize::try_from(SECTOR_BYTES).unwrap_or(usize::MAX));
    first_is_missing || sectors.any(is_zero)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(value: u64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn damage() -> Damage {
        Damage {
            position: 10_000,
            expected: offset(50),
            next_batch: Some((20_000, offset(60))),
            has_unwritten_sector: true,
            durable_below: offset(50),
            was_closed: false,
            is_misplaced: false,
        }
    }

    #[test]
    fn a_whole_batch_with_a_wrong_offset_is_no_torn_write() {
        let misplaced = Damage { is_misplaced: true, next_batch: None, ..damage() };
        assert!(matches!(misplaced.verdict(), Verdict::Refuse { .. }));
    }

    #[test]
    fn a_write_that_did_not_arrive_is_cut_even_if_a_later_one_did() {
        assert_eq!(damage().verdict(), Verdict::Cut);
    }

    #[test]
    fn a_torn_end_is_cut() {
        let torn = Damage { next_batch: None, has_unwritten_sector: false, ..damage() };
        assert_eq!(torn.verdict(), Verdict::Cut);
    }

    #[test]
    fn a_flipped_bit_before_a_sound_batch_is_refused() {
        let flipped = Damage { has_unwritten_sector: false, ..damage() };
        assert!(matches!(flipped.verdict(), Verdict::Refuse { .. }));
    }

    #[test]
    fn damage_below_the_recovery_point_is_refused() {
        let known = Damage { durable_below: offset(51), next_batch: None, ..damage() };
        assert!(matches!(known.verdict(), Verdict::Refuse { .. }));
    }

    #[test]
    fn damage_in_a_file_that_was_closed_in_order_is_no_torn_write() {
        let closed = Damage { was_closed: true, next_batch: None, ..damage() };
        assert!(matches!(closed.verdict(), Verdict::Refuse { .. }));
    }

    #[test]
    fn damage_farther_from_the_next_batch_than_a_flush_is_refused() {
        let next_batch = Some((10_001 + UNSYNCED_BYTES_MAX, offset(60)));
        assert!(matches!(Damage { next_batch, ..damage() }.verdict(), Verdict::Refuse { .. }));
    }

    #[test]
    fn a_sector_counts_as_unwritten_only_if_all_of_it_is_zero() {
        let expected = offset(0x0001_0203);
        let mut bytes = vec![7; 2048];
        assert!(!has_unwritten_sector(&bytes, 4096, expected));
        bytes[600..1100].fill(0);
        assert!(!has_unwritten_sector(&bytes, 4096, expected));
        bytes[512..1024].fill(0);
        assert!(has_unwritten_sector(&bytes, 4096, expected));
        assert!(!has_unwritten_sector(&bytes, 4097, expected), "not one sector");
    }

    #[test]
    fn the_zeros_that_begin_an_offset_are_no_unwritten_sector() {
        let mut bytes = vec![7; 600];
        bytes[..5].fill(0);
        assert!(!has_unwritten_sector(&bytes, 507, offset(0x0001_0203)), "five zeros are right");
        bytes[5] = 0;
        assert!(has_unwritten_sector(&bytes, 506, offset(0x0001_0203)), "the sixth byte is 1");
    }
}
