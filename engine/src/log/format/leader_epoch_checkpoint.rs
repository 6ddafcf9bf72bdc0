//! `leader-epoch-checkpoint`: at which offset each leader began. With it a follower finds where its
//! log parts from the leader's; by high watermark alone it would lose or keep the wrong records.
//!
//! ```text
//! 0          version
//! 2          number of lines that follow
//! 0 0        leader epoch, its first offset
//! 3 4711
//! ```
//!
//! The frame is that of [`log_dir_checkpoints`](super::log_dir_checkpoints). Source: KIP-101, with
//! the answers of KIP-279 to a follower that asks for an epoch which the leader never saw.

use std::fmt::Write as _;

use super::log_dir_checkpoints::{CheckpointError, decode_lines, encode_lines};
use crate::types::{LeaderEpoch, Offset};

/// The file's name in a partition's folder.
pub const FILE: &str = "leader-epoch-checkpoint";

/// One line: the leader of `epoch` wrote its first record at `start_offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    pub epoch: LeaderEpoch,
    pub start_offset: Offset,
}

/// The leader epochs of one log. Epochs and start offsets both rise strictly from entry to entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochCache {
    entries: Vec<EpochEntry>,
}

impl EpochCache {
    /// Reads a file. Lines that do not rise are settled as Kafka settles them: the later line wins.
    pub fn decode(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let entries = decode_lines(bytes, |line| {
            let mut fields = line.split_ascii_whitespace();
            let epoch = LeaderEpoch::from_wire(fields.next()?.parse().ok()?)?;
            let start_offset = Offset::from_wire(fields.next()?.parse().ok()?)?;
            fields.next().is_none().then_some(EpochEntry { epoch, start_offset })
        })?;
        let mut cache = Self::default();
        for entry in entries {
            cache.assign(entry.epoch, entry.start_offset);
        }
        Ok(cache)
    }

    pub fn encode(&self) -> Vec<u8> {
        encode_lines(&self.entries, |entry, out| {
            writeln!(out, "{} {}", entry.epoch, entry.start_offset)
        })
    }

    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    pub fn earliest(&self) -> Option<EpochEntry> {
        self.entries.first().copied()
    }

    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// Notes that `epoch` begins at `start_offset`. Entries that contradict it are dropped: those
    /// of an epoch or a start that is not lower. Returns whether anything changed, so that the file
    /// is written only then.
    pub fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        let is_news = self
            .latest()
            .is_none_or(|latest| latest.epoch != epoch || start_offset < latest.start_offset);
        if is_news {
            let agrees = |e: &EpochEntry| e.epoch < epoch && e.start_offset < start_offset;
            let kept = self.entries.partition_point(agrees);
            self.entries.truncate(kept);
            self.entries.push(EpochEntry { epoch, start_offset });
        }
        self.assert_invariants();
        is_news
    }

    /// Where `requested` ended, as OffsetForLeaderEpoch answers it: the largest known epoch that is
    /// not above `requested`, and the first offset of the epoch after it. `None` stands for Kafka's
    /// −1 and −1: the epoch is unknown here.
    ///
    /// `log_end` is where the current epoch ends so far.
    pub fn end_offset_for(
        &self,
        requested: LeaderEpoch,
        log_end: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        if self.latest().is_some_and(|latest| latest.epoch == requested) {
            return Some((requested, log_end));
        }
        let higher_at = self.entries.partition_point(|entry| entry.epoch <= requested);
        // An epoch above all that is known cannot have ended here.
        let higher = self.entries.get(higher_at)?;
        let floor = higher_at.checked_sub(1).and_then(|floor| self.entries.get(floor));
        let epoch = floor.map_or(requested, |floor| floor.epoch);
        Some((epoch, higher.start_offset))
    }

    /// The epoch that wrote `offset`; the latest one for offsets that are still to come.
    pub fn epoch_for_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        let beyond = self.entries.partition_point(|entry| entry.start_offset <= offset);
        let entry = beyond.checked_sub(1).and_then(|at| self.entries.get(at))?;
        Some(entry.epoch)
    }

    /// The largest known epoch below `epoch`.
    pub fn previous(&self, epoch: LeaderEpoch) -> Option<EpochEntry> {
        let at = self.entries.partition_point(|entry| entry.epoch < epoch);
        at.checked_sub(1).and_then(|at| self.entries.get(at)).copied()
    }

    /// Drops the epochs that begin at or beyond the new end of the log. Returns whether any did.
    pub fn truncate_from_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        let kept = self.entries.partition_point(|entry| entry.start_offset < end);
        self.entries.truncate(kept);
        kept != before
    }

    /// Drops the epochs that ended at or before the new start of the log; the one that the start
    /// lies in begins there from now on. Returns whether anything changed.
    pub fn truncate_from_start(&mut self, start: Offset) -> bool {
        let passed = self.entries.partition_point(|entry| entry.start_offset <= start);
        let Some(last_passed) = passed.checked_sub(1) else { return false };
        self.entries.drain(..last_passed);
        let Some(first) = self.entries.first_mut() else { return false };
        let changed = last_passed > 0 || first.start_offset != start;
        first.start_offset = start;
        self.assert_invariants();
        changed
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    fn assert_invariants(&self) {
        let rises = |pair: &[EpochEntry]| match pair {
            [low, high] => low.epoch < high.epoch && low.start_offset < high.start_offset,
            _ => true,
        };
        debug_assert!(self.entries.windows(2).all(rises), "{:?}", self.entries);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn epoch(value: u32) -> LeaderEpoch {
        LeaderEpoch::new(value).unwrap()
    }

    fn offset(value: u64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn cache(entries: &[(u32, u64)]) -> EpochCache {
        let mut cache = EpochCache::default();
        for (number, start) in entries {
            assert!(cache.assign(epoch(*number), offset(*start)));
        }
        cache
    }

    fn pairs(cache: &EpochCache) -> Vec<(u32, u64)> {
        cache.entries().iter().map(|e| (e.epoch.get(), e.start_offset.get())).collect()
    }

    #[test]
    fn the_text_is_kafkas() {
        let text = b"0\n2\n0 0\n3 4711\n";
        assert_eq!(cache(&[(0, 0), (3, 4711)]).encode(), text);
        assert_eq!(pairs(&EpochCache::decode(text).unwrap()), [(0, 0), (3, 4711)]);
        assert!(EpochCache::decode(b"0\n1\n0\n").is_err());
        assert!(EpochCache::decode(b"0\n1\n-1 0\n").is_err());
    }

    #[test]
    fn a_new_epoch_drops_what_contradicts_it() {
        let mut epochs = cache(&[(1, 0), (2, 10), (4, 20)]);
        assert!(!epochs.assign(epoch(4), offset(25)), "the epoch has begun before");
        assert!(epochs.assign(epoch(5), offset(20)), "an epoch without records leaves nothing");
        assert_eq!(pairs(&epochs), [(1, 0), (2, 10), (5, 20)]);
        assert!(epochs.assign(epoch(3), offset(15)));
        assert_eq!(pairs(&epochs), [(1, 0), (2, 10), (3, 15)]);
        assert!(epochs.assign(epoch(3), offset(5)));
        assert_eq!(pairs(&epochs), [(1, 0), (3, 5)]);
    }

    /// T-04
    #[test]
    fn the_end_of_every_epoch_is_exact() {
        let epochs = cache(&[(2, 10), (4, 20), (7, 30)]);
        let log_end = offset(99);
        let ends = |requested| {
            let end = epochs.end_offset_for(epoch(requested), log_end);
            end.map(|(epoch, offset)| (epoch.get(), offset.get()))
        };
        assert_eq!(ends(0), Some((0, 10)), "before all: ends where the first one begins");
        assert_eq!(ends(1), Some((1, 10)));
        assert_eq!(ends(2), Some((2, 20)));
        assert_eq!(ends(3), Some((2, 20)), "in a gap: the epoch below");
        assert_eq!(ends(4), Some((4, 30)));
        assert_eq!(ends(6), Some((4, 30)));
        assert_eq!(ends(7), Some((7, 99)), "the current one ends with the log");
        assert_eq!(ends(8), None, "never seen here");
        assert_eq!(EpochCache::default().end_offset_for(epoch(0), log_end), None);
    }

    /// T-04
    #[test]
    fn the_ends_stay_exact_when_the_log_loses_its_front_or_its_tail() {
        let mut epochs = cache(&[(2, 10), (4, 20), (7, 30)]);
        assert!(epochs.truncate_from_start(offset(25)));
        assert_eq!(pairs(&epochs), [(4, 25), (7, 30)]);
        assert!(!epochs.truncate_from_start(offset(25)));
        let end = epochs.end_offset_for(epoch(2), offset(40));
        assert_eq!(end, Some((epoch(2), offset(25))), "ends where the log now begins");
        assert!(epochs.truncate_from_end(offset(30)));
        assert!(!epochs.truncate_from_end(offset(30)));
        assert_eq!(pairs(&epochs), [(4, 25)]);
        assert!(epochs.truncate_from_start(offset(60)));
        assert_eq!(pairs(&epochs), [(4, 60)], "the last epoch is never forgotten at the front");
    }

    #[test]
    fn an_offset_belongs_to_the_epoch_that_wrote_it() {
        let epochs = cache(&[(2, 10), (4, 20)]);
        let found = |at| epochs.epoch_for_offset(offset(at)).map(LeaderEpoch::get);
        assert_eq!([found(9), found(10), found(19), found(20)], [None, Some(2), Some(2), Some(4)]);
        assert_eq!(epochs.previous(epoch(4)).unwrap().epoch, epoch(2));
        assert_eq!(epochs.previous(epoch(2)), None);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = EpochCache::decode(&bytes);
        }

        #[test]
        fn whatever_is_assigned_the_entries_rise_and_come_back(
            assigned in prop::collection::vec((0_u32..9, 0_u64..40), 0..30),
        ) {
            let mut epochs = EpochCache::default();
            for (number, start) in assigned {
                epochs.assign(epoch(number), offset(start));
                let rises = epochs.entries().windows(2).all(|pair| {
                    pair[0].epoch < pair[1].epoch && pair[0].start_offset < pair[1].start_offset
                });
                prop_assert!(rises);
            }
            prop_assert_eq!(&EpochCache::decode(&epochs.encode()).unwrap(), &epochs);
        }
    }
}
