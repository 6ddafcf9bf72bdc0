//! The indexes of a segment: what stands in their files, and what would stand there if they were
//! made anew from the segment.

use std::path::Path;

use engine::log::format::offset_index::{OffsetIndex, OffsetIndexError};
use engine::log::format::time_index::{TimeIndex, TimeIndexError, TimestampOffset};
use engine::record::Batch;
use engine::types::{Offset, Timestamp};

use super::folder::{self, SegmentFiles};
use super::segment::SegmentReader;
use crate::exit::Failure;

/// A new entry comes after so many bytes: Kafka's `index.interval.bytes`.
pub const INTERVAL_BYTES: u64 = 4096;

#[derive(Debug)]
pub struct Indexes {
    pub offsets: OffsetIndex,
    pub times: TimeIndex,
}

/// Makes both indexes, batch by batch.
pub struct Builder {
    indexes: Indexes,
    latest: Option<TimestampOffset>,
    bytes_since_entry: u64,
}

impl Builder {
    pub fn new(base: Offset) -> Self {
        let indexes = Indexes { offsets: OffsetIndex::new(base), times: TimeIndex::new(base) };
        Self { indexes, latest: None, bytes_since_entry: 0 }
    }

    pub fn observe(&mut self, position: u64, batch: &Batch) {
        let header = batch.header();
        let offset = header.last_offset();
        let timestamp = header.max_timestamp();
        if Timestamp::NONE < timestamp
            && self.latest.is_none_or(|latest| latest.timestamp < timestamp)
        {
            self.latest = Some(TimestampOffset { timestamp, offset });
        }
        if INTERVAL_BYTES < self.bytes_since_entry {
            if let Ok(position) = u32::try_from(position) {
                self.indexes.offsets.append(offset, position);
            }
            if let Some(latest) = self.latest {
                self.indexes.times.append(latest.timestamp, latest.offset);
            }
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry = self.bytes_since_entry.strict_add(header.batch_bytes() as u64);
    }

    /// With the entry for the latest record, which a closed segment ends with.
    pub fn finish(mut self) -> Indexes {
        if let Some(latest) = self.latest {
            self.indexes.times.append(latest.timestamp, latest.offset);
        }
        self.indexes
    }
}

/// Both indexes as the segment says that they should be.
pub fn build(files: &SegmentFiles) -> Result<Indexes, Failure> {
    let mut reader = SegmentReader::open(&files.log)?;
    let mut builder = Builder::new(files.base);
    while let Some(placed) = reader.next_batch()? {
        if placed.batch.verify_checksum().is_err() {
            return Err(Failure::failed(format!(
                "{} is damaged at byte {}: an index cannot be built over it; see `corelog log \
                 verify`",
                files.log.display(),
                placed.position
            )));
        }
        builder.observe(placed.position, &placed.batch);
    }
    Ok(builder.finish())
}

/// The entries of an offset index file without the zeros that an active one is padded with.
pub fn read_offsets(
    path: &Path,
    base: Offset,
) -> Result<Option<Result<OffsetIndex, OffsetIndexError>>, Failure> {
    let bytes = folder::read(path)?;
    Ok(bytes.map(|bytes| OffsetIndex::decode(base, unpadded(bytes, OffsetIndex::ENTRY_BYTES))))
}

/// The same for a time index, whose last entry Kafka may write twice.
pub fn read_times(
    path: &Path,
    base: Offset,
) -> Result<Option<Result<TimeIndex, TimeIndexError>>, Failure> {
    let bytes = folder::read(path)?;
    Ok(bytes.map(|bytes| {
        let mut bytes = unpadded(bytes, TimeIndex::ENTRY_BYTES);
        let kept = bytes.len().saturating_sub(TimeIndex::ENTRY_BYTES);
        if let Some((rest, last)) = bytes.split_at_checked(kept)
            && !last.is_empty()
            && rest.ends_with(last)
        {
            bytes.truncate(kept);
        }
        TimeIndex::decode(base, bytes)
    }))
}

fn unpadded(mut bytes: Vec<u8>, entry_bytes: usize) -> Vec<u8> {
    while let Some(kept) = bytes.len().checked_sub(entry_bytes)
        && bytes.iter().skip(kept).all(|byte| *byte == 0)
    {
        bytes.truncate(kept);
    }
    bytes
}

/// Replaces both files, each in one step, so that a crash leaves the old one or the new one.
pub fn replace(files: &SegmentFiles, indexes: &Indexes) -> Result<(), Failure> {
    for (ending, bytes) in
        [("index", indexes.offsets.as_bytes()), ("timeindex", indexes.times.as_bytes())]
    {
        let path = files.beside(ending);
        let unfinished = path.with_extension(format!("{ending}.tmp"));
        let write = || {
            use std::io::Write;
            let mut file = std::fs::File::create(&unfinished)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&unfinished, &path)?;
            match path.parent() {
                Some(folder) => std::fs::File::open(folder)?.sync_all(),
                None => Ok(()),
            }
        };
        write().map_err(|error: std::io::Error| {
            Failure::failed(format!("cannot write {}: {error}", path.display()))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_left_out_and_an_entry_of_zeros_alone_too() {
        assert_eq!(unpadded(vec![0; 24], 8), Vec::<u8>::new());
        assert_eq!(unpadded(vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8).len(), 8);
    }
}
