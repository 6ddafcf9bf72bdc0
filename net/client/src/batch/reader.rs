//! Takes fetched bytes apart. A broker cuts its answer at a byte limit, so the last batch may be
//! incomplete; that is not an error, but anything else that does not fit is.

use bytes::{Buf, Bytes};

use super::{
    BATCH_HEADER_BYTES, BatchHeader, CompressionError, Record,
    header::{CHECKED_FROM, HeaderError, LENGTH_UNTIL},
};

#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    #[error("the batch at offset {base_offset} has message format {magic}; only format 2 is read")]
    Magic { base_offset: i64, magic: i8 },
    #[error("the batch at offset {base_offset} has an unknown compression ({attributes:#06x})")]
    UnknownCompression { base_offset: i64, attributes: i16 },
    #[error("the batch at offset {base_offset} says it is {batch_length} bytes long")]
    Length { base_offset: i64, batch_length: i32 },
    #[error(
        "the batch at offset {base_offset} is damaged: its checksum is {computed:#010x}, not \
         {stated:#010x}"
    )]
    Checksum { base_offset: i64, stated: u32, computed: u32 },
    #[error("record {index} of the batch at offset {base_offset} is malformed")]
    Record { base_offset: i64, index: i32 },
    #[error("the batch at offset {base_offset}: {source}")]
    Compression { base_offset: i64, source: CompressionError },
}

/// One whole batch whose checksum fits.
#[derive(Clone, Debug)]
pub struct Batch {
    pub header: BatchHeader,
    bytes: Bytes,
}

/// The whole batches in what a fetch returned, in order; ends after the first error.
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
}

impl Batches {
    pub const fn new(fetched: Bytes) -> Self {
        Self { rest: fetched }
    }

    fn take(&mut self) -> Result<Option<Batch>, BatchError> {
        let Some(mut front) = self.rest.get(..LENGTH_UNTIL) else { return Ok(None) };
        let base_offset = front.get_i64();
        let batch_length = front.get_i32();
        let length = usize::try_from(batch_length)
            .ok()
            .and_then(|length| length.checked_add(LENGTH_UNTIL))
            .ok_or(BatchError::Length { base_offset, batch_length })?;
        if length > self.rest.len() {
            return Ok(None);
        }
        let bytes = self.rest.split_to(length);
        let header = BatchHeader::decode(&bytes).map_err(|error| match error {
            HeaderError::Short => BatchError::Length { base_offset, batch_length },
            HeaderError::Magic(magic) => BatchError::Magic { base_offset, magic },
            HeaderError::Compression(attributes) => {
                BatchError::UnknownCompression { base_offset, attributes }
            }
        })?;
        let (_, checked) = bytes.split_at(CHECKED_FROM);
        let computed = crc32c::crc32c(checked);
        if computed != header.crc {
            return Err(BatchError::Checksum { base_offset, stated: header.crc, computed });
        }
        Ok(Some(Batch { header, bytes }))
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let taken = self.take();
        if taken.is_err() {
            self.rest.clear();
        }
        taken.transpose()
    }
}

/// The headers of the whole batches, for whoever counts and does not read: neither checksums nor
/// records are looked at. Ends at the first that is no header.
#[derive(Clone, Debug)]
pub struct BatchHeaders<'a> {
    rest: &'a [u8],
}

impl<'a> BatchHeaders<'a> {
    pub const fn new(fetched: &'a [u8]) -> Self {
        Self { rest: fetched }
    }
}

impl Iterator for BatchHeaders<'_> {
    type Item = BatchHeader;

    fn next(&mut self) -> Option<BatchHeader> {
        let header = BatchHeader::decode(self.rest).ok()?;
        let length = usize::try_from(header.batch_length).ok()?.checked_add(LENGTH_UNTIL)?;
        self.rest = self.rest.get(length..)?;
        Some(header)
    }
}

impl Batch {
    /// All records, decompressed at once.
    pub fn records(&self) -> Result<Vec<Record>, BatchError> {
        let header = &self.header;
        let base_offset = header.base_offset;
        let packed = self.bytes.slice(BATCH_HEADER_BYTES..);
        let mut plain = header
            .compression
            .decompress(&packed)
            .map_err(|source| BatchError::Compression { base_offset, source })?;
        // A record takes at least seven bytes, so no count beyond that is believed.
        let capacity = usize::try_from(header.record_count).unwrap_or(0).min(plain.len() / 7);
        let mut records = Vec::with_capacity(capacity);
        for index in 0..header.record_count {
            let mut record = Record::decode(&mut plain, base_offset, header.base_timestamp)
                .ok_or(BatchError::Record { base_offset, index })?;
            if header.log_append_time {
                record.timestamp = header.max_timestamp;
            }
            records.push(record);
        }
        if !plain.is_empty() {
            return Err(BatchError::Record { base_offset, index: header.record_count });
        }
        Ok(records)
    }

    /// For a control batch: whether it commits its transaction.
    pub fn commits(&self) -> Option<bool> {
        if !self.header.control {
            return None;
        }
        let marker = self.records().ok()?.into_iter().next()?;
        let mut key = marker.key?;
        key.try_get_i16().ok()?;
        match key.try_get_i16().ok()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}
