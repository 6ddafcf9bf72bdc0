//! The batches of one segment file, one at a time: a segment may be larger than memory.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use engine::record::{Batch, BatchHeader, RecordError};
use engine::types::limits::BATCH_BYTES_MAX;

use crate::exit::Failure;

/// A batch and where it stands.
#[derive(Clone, Debug)]
pub struct Placed {
    pub position: u64,
    pub batch: Batch,
}

/// How a file goes on behind its last whole batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing follows.
    None,
    /// Zeros: space that the active segment holds for what comes.
    Zeros { bytes: u64 },
    /// The front of a batch, as a crash may leave it.
    Torn { position: u64, bytes: u64 },
    /// No batch.
    Garbage { position: u64, error: RecordError },
}

pub struct SegmentReader {
    input: BufReader<File>,
    name: String,
    position: u64,
    tail: Option<Tail>,
}

const BUFFER_BYTES: usize = 1 << 20;

impl SegmentReader {
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file = File::open(path)
            .map_err(|error| Failure::failed(format!("cannot read {name}: {error}")))?;
        let input = BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(Self { input, name, position: 0, tail: None })
    }

    /// The byte behind the last batch.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// What stands behind the last batch, once [`Self::next_batch`] has returned `None`.
    pub fn tail(&self) -> Tail {
        self.tail.clone().unwrap_or(Tail::None)
    }

    /// `None` where no whole batch follows. Its checksum has not been looked at.
    pub fn next_batch(&mut self) -> Result<Option<Placed>, Failure> {
        if self.tail.is_some() {
            return Ok(None);
        }
        let mut bytes = self.read_up_to(BatchHeader::BYTES)?;
        if bytes.is_empty() {
            self.tail = Some(Tail::None);
            return Ok(None);
        }
        if bytes.iter().all(|byte| *byte == 0) {
            self.tail = Some(self.zeros(bytes.len())?);
            return Ok(None);
        }
        if bytes.len() < BatchHeader::BYTES {
            self.tail = Some(self.torn(bytes.len())?);
            return Ok(None);
        }
        let header = match BatchHeader::decode(&bytes) {
            Ok(header) => header,
            Err(error) => {
                self.tail = Some(Tail::Garbage { position: self.position, error });
                return Ok(None);
            }
        };
        let needed = header.batch_bytes();
        if BATCH_BYTES_MAX < needed {
            let available_bytes = bytes.len();
            let error = RecordError::Truncated { available_bytes, needed_bytes: needed };
            self.tail = Some(Tail::Garbage { position: self.position, error });
            return Ok(None);
        }
        let rest = self.read_up_to(needed.strict_sub(BatchHeader::BYTES))?;
        bytes.extend_from_slice(&rest);
        match Batch::decode(&Bytes::from(bytes)) {
            Ok(batch) => {
                let placed = Placed { position: self.position, batch };
                self.position = self.position.strict_add(needed as u64);
                Ok(Some(placed))
            }
            Err(RecordError::Truncated { available_bytes, .. }) => {
                self.tail = Some(self.torn(available_bytes)?);
                Ok(None)
            }
            Err(error) => {
                self.tail = Some(Tail::Garbage { position: self.position, error });
                Ok(None)
            }
        }
    }

    fn read_up_to(&mut self, count: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::with_capacity(count);
        (&mut self.input)
            .take(count as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::failed(format!("cannot read {}: {error}", self.name)))?;
        Ok(bytes)
    }

    fn torn(&mut self, seen: usize) -> Result<Tail, Failure> {
        let bytes = (seen as u64).strict_add(self.rest_bytes()?.0);
        Ok(Tail::Torn { position: self.position, bytes })
    }

    fn zeros(&mut self, seen: usize) -> Result<Tail, Failure> {
        let (rest, are_zeros) = self.rest_bytes()?;
        let bytes = (seen as u64).strict_add(rest);
        Ok(match are_zeros {
            true => Tail::Zeros { bytes },
            false => Tail::Torn { position: self.position, bytes },
        })
    }

    /// How many bytes follow, and whether all are zero.
    fn rest_bytes(&mut self) -> Result<(u64, bool), Failure> {
        let (mut count, mut are_zeros) = (0_u64, true);
        loop {
            let piece = self.read_up_to(BUFFER_BYTES)?;
            if piece.is_empty() {
                return Ok((count, are_zeros));
            }
            count = count.strict_add(piece.len() as u64);
            are_zeros &= piece.iter().all(|byte| *byte == 0);
        }
    }
}
