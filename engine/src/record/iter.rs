//! The records of one batch as values, lazily: a reader that wants the first record of a large
//! compressed batch does not unpack the rest.

use bytes::{Buf, Bytes};

use crate::record::error::RecordError;
use crate::record::header::BatchHeader;
use crate::record::item::Record;
use crate::record::stream::BodyStream;
use crate::record::varint::take_varint;

/// Ends after the first error. An error at the end says that the batch is not what its header says.
pub struct RecordIter {
    source: Source,
    next_index: u32,
    count: u32,
}

enum Source {
    Plain(Bytes),
    Packed(Box<BodyStream>),
}

impl RecordIter {
    /// `records` is what follows the header.
    pub fn new(header: &BatchHeader, records: Bytes) -> Result<Self, RecordError> {
        let source = match BodyStream::new(header.compression()?, records.clone())? {
            None => Source::Plain(records),
            Some(bodies) => Source::Packed(Box::new(bodies)),
        };
        Ok(Self { source, next_index: 0, count: header.record_count() })
    }

    fn read(&mut self, batch_index: u32) -> Result<Record, RecordError> {
        let body = self.source.next_body(batch_index)?;
        let record = Record::decode(&body).ok_or(RecordError::RecordStructure { batch_index })?;
        if self.next_index == self.count && !self.source.is_exhausted()? {
            return Err(RecordError::RecordsRemaining { count: self.count });
        }
        Ok(record)
    }
}

impl Iterator for RecordIter {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next_index == self.count {
            return None;
        }
        let batch_index = self.next_index;
        self.next_index += 1;
        let record = self.read(batch_index);
        if record.is_err() {
            self.next_index = self.count;
        }
        Some(record)
    }
}

impl Source {
    fn next_body(&mut self, batch_index: u32) -> Result<Bytes, RecordError> {
        match self {
            Self::Packed(bodies) => bodies.next(batch_index).map(Bytes::copy_from_slice),
            Self::Plain(rest) => {
                let mut front = rest.as_ref();
                let length = take_varint(&mut front);
                let length = length.ok_or(RecordError::RecordsMissing { batch_index })?;
                let length = usize::try_from(length)
                    .map_err(|_negative| RecordError::RecordStructure { batch_index })?;
                let prefix = rest.len() - front.len();
                if front.len() < length {
                    return Err(RecordError::RecordsMissing { batch_index });
                }
                rest.advance(prefix);
                Ok(rest.split_to(length))
            }
        }
    }

    fn is_exhausted(&mut self) -> Result<bool, RecordError> {
        match self {
            Self::Packed(bodies) => bodies.is_exhausted(),
            Self::Plain(rest) => Ok(rest.is_empty()),
        }
    }
}
