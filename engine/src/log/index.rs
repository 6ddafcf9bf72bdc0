//! Where in a segment an offset or a time is found, in steps of `index.interval.bytes`. An index
//! may have too few entries, never wrong ones: what it points at is checked before it is believed.

use crate::log::format::offset_index::OffsetIndex;
use crate::log::format::time_index::{TimeIndex, TimestampOffset};
use crate::record::BatchHeader;
use crate::types::Offset;

/// Both indexes of one segment, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentIndex {
    pub(super) offsets: OffsetIndex,
    pub(super) times: TimeIndex,
    bytes_since_entry: u64,
}

impl SegmentIndex {
    pub(super) fn new(base: Offset) -> Self {
        Self { offsets: OffsetIndex::new(base), times: TimeIndex::new(base), bytes_since_entry: 0 }
    }

    /// Takes note of a batch that starts at `position`; `latest` includes the batch.
    pub(super) fn observe(
        &mut self,
        header: &BatchHeader,
        position: u64,
        latest: TimestampOffset,
        interval_bytes: u64,
    ) {
        if interval_bytes < self.bytes_since_entry {
            // A position beyond the format's range is passed over: an entry is a convenience.
            if let Ok(position) = u32::try_from(position) {
                self.offsets.append(header.last_offset(), position);
            }
            self.times.append(latest.timestamp, latest.offset);
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry = self.bytes_since_entry.strict_add(header.batch_bytes() as u64);
    }

    /// Leaves out what lies at and beyond `end`.
    pub(super) fn truncate(&mut self, end: Offset) {
        self.offsets.truncate(end);
        self.times.truncate(end);
    }

    /// Ends the time index with the latest record, as that of a whole segment does; the content of both
    /// files.
    pub(super) fn complete(&mut self, latest: Option<TimestampOffset>) -> (Vec<u8>, Vec<u8>) {
        if let Some(latest) = latest {
            self.times.append(latest.timestamp, latest.offset);
        }
        (self.offsets.as_bytes().to_vec(), self.times.as_bytes().to_vec())
    }

    /// True if one more entry might not fit into files of `bytes_max`.
    pub(super) fn is_full(&self, bytes_max: u64) -> bool {
        let offsets = self.offsets.as_bytes().len().strict_add(OffsetIndex::ENTRY_BYTES);
        // Closing the segment adds a time entry.
        let times = self.times.as_bytes().len().strict_add(2 * TimeIndex::ENTRY_BYTES);
        bytes_max < offsets.max(times) as u64
    }

    /// Reads both files if they can be true of a segment of `len` bytes that ends at `end`. Kafka
    /// pads the files of an active segment with zeros, which are left out here.
    pub(super) fn decode(
        base: Offset,
        end: Offset,
        len: u64,
        offsets: &[u8],
        times: &[u8],
    ) -> Option<Self> {
        let offsets = without_padding(offsets, OffsetIndex::ENTRY_BYTES).to_vec();
        let times = without_repetition(without_padding(times, TimeIndex::ENTRY_BYTES)).to_vec();
        let offsets = OffsetIndex::decode(base, offsets).ok()?;
        let times = TimeIndex::decode(base, times).ok()?;
        let last = offsets.last_entry();
        let inside = |offset: Offset| base <= offset && offset < end;
        let offsets_fit =
            last.is_none_or(|last| inside(last.offset) && u64::from(last.position) < len);
        let times_fit = times.last_entry().is_none_or(|last| inside(last.offset));
        (offsets_fit && times_fit).then_some(Self { offsets, times, bytes_since_entry: 0 })
    }
}

fn without_padding(bytes: &[u8], entry_bytes: usize) -> &[u8] {
    let mut kept = bytes;
    while let Some((rest, last)) = kept.split_at_checked(kept.len().saturating_sub(entry_bytes)) {
        if last.is_empty() || last.iter().any(|&byte| byte != 0) {
            break;
        }
        kept = rest;
    }
    kept
}

/// Kafka writes the last time entry once more when it closes a segment whose end it has noted.
fn without_repetition(bytes: &[u8]) -> &[u8] {
    let entry = TimeIndex::ENTRY_BYTES;
    let Some((rest, last)) = bytes.split_at_checked(bytes.len().saturating_sub(entry)) else {
        return bytes;
    };
    if !last.is_empty() && rest.ends_with(last) { rest } else { bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Timestamp;

    fn offset(value: u64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn sample() -> SegmentIndex {
        let mut index = SegmentIndex::new(offset(100));
        assert!(index.offsets.append(offset(110), 5000));
        assert!(index.offsets.append(offset(120), 10_000));
        assert!(index.times.append(Timestamp(7), offset(115)));
        index
    }

    fn decode(end: u64, len: u64, offsets: &[u8], times: &[u8]) -> Option<SegmentIndex> {
        SegmentIndex::decode(offset(100), offset(end), len, offsets, times)
    }

    #[test]
    fn an_index_that_points_beyond_its_segment_is_refused() {
        let index = sample();
        let (offsets, times) = (index.offsets.as_bytes(), index.times.as_bytes());
        assert_eq!(decode(121, 10_001, offsets, times), Some(index.clone()));
        assert_eq!(decode(120, 10_001, offsets, times), None, "an offset from the future");
        assert_eq!(decode(121, 10_000, offsets, times), None, "a position from the future");
        assert_eq!(decode(115, 10_001, &[], times), None, "a time from the future");
    }

    #[test]
    fn the_padding_of_an_active_segment_is_left_out() {
        let index = sample();
        let padded = |bytes: &[u8], entry: usize| [bytes, &vec![0; 5 * entry]].concat();
        let offsets = padded(index.offsets.as_bytes(), 8);
        let times = padded(index.times.as_bytes(), 12);
        assert_eq!(decode(200, 20_000, &offsets, &times), Some(index));
    }

    #[test]
    fn a_last_time_entry_that_is_there_twice_counts_once() {
        let index = sample();
        let times = index.times.as_bytes().repeat(2);
        assert_eq!(decode(200, 20_000, index.offsets.as_bytes(), &times), Some(index));
    }
}
