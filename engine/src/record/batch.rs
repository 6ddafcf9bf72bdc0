//! A batch as it lies in a buffer: looked at without copying, whether it came from a client, a
//! segment file or another broker.

use bytes::Bytes;

use crate::record::error::RecordError;
use crate::record::header::BatchHeader;
use crate::record::iter::RecordIter;

/// One whole batch: its header is sound, its checksum has not been looked at.
#[derive(Clone, Debug)]
pub struct Batch {
    header: BatchHeader,
    bytes: Bytes,
}

impl Batch {
    /// Takes the batch at the front of `bytes`; what follows it is left out.
    pub fn decode(bytes: &Bytes) -> Result<Self, RecordError> {
        let header = BatchHeader::decode(bytes)?;
        let needed_bytes = header.batch_bytes();
        if bytes.len() < needed_bytes {
            return Err(RecordError::Truncated { available_bytes: bytes.len(), needed_bytes });
        }
        Ok(Self { header, bytes: bytes.slice(..needed_bytes) })
    }

    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What follows the header, compressed as its attributes say.
    pub fn records_bytes(&self) -> Bytes {
        self.bytes.slice(BatchHeader::BYTES..)
    }

    /// Compares the stored checksum with the bytes.
    pub fn verify_checksum(&self) -> Result<(), RecordError> {
        let (_, records) = self.bytes.split_at(BatchHeader::BYTES);
        let computed = self.header.checksum_with(records);
        let stored = self.header.checksum();
        if stored == computed { Ok(()) } else { Err(RecordError::Checksum { stored, computed }) }
    }

    /// The records one after another, decompressed on the way, within the bounds of `limits.rs`.
    pub fn records(&self) -> Result<RecordIter, RecordError> {
        RecordIter::new(&self.header, self.records_bytes())
    }
}

/// Iterates over the batches of a buffer; ends after the first error.
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
}

impl Batches {
    pub fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    /// What the iteration has not passed yet: after its end, an incomplete batch at most.
    pub fn rest(&self) -> &Bytes {
        &self.rest
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, RecordError>;

    /// `None` at the end and in front of an incomplete batch, as every Kafka reader does: a fetch
    /// or a torn file may end anywhere.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.len() < BatchHeader::BYTES {
            return None;
        }
        match Batch::decode(&self.rest) {
            Ok(batch) => {
                let _passed = self.rest.split_to(batch.bytes().len());
                Some(Ok(batch))
            }
            Err(RecordError::Truncated { .. }) => None,
            Err(error) => {
                self.rest.clear();
                Some(Err(error))
            }
        }
    }
}
