//! Reads a segment from front to end, batch by batch, believing nothing: the only way to know
//! what a file holds after a crash.

use bytes::{Buf, Bytes, BytesMut};

use crate::io::{File, IoError, Runtime};
use crate::record::{Batch, BatchHeader, RecordError};
use crate::types::Offset;
use crate::types::limits::{BATCH_BYTES_MAX, SCAN_READ_BYTES};

/// Why the scan went no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The file ends with the last batch.
    End,
    /// From here on there are zeros only: the padding of an active segment.
    Zeros,
    /// What is here is not the batch that belongs here. `is_misplaced`: it is a whole one.
    Damage { reason: String, is_misplaced: bool },
}

/// A file that is read in large pieces from some position on.
pub(super) struct Scan<'a> {
    runtime: &'a Runtime,
    file: &'a File,
    /// Where `window` starts in the file.
    position: u64,
    window: BytesMut,
    file_len: u64,
}

impl<'a> Scan<'a> {
    pub(super) async fn new(
        runtime: &'a Runtime,
        file: &'a File,
        position: u64,
    ) -> Result<Self, IoError> {
        let file_len = file.size().await?;
        Ok(Self { runtime, file, position, window: BytesMut::new(), file_len })
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Has `len` bytes from the current position in memory, or all that the file has.
    async fn fill(&mut self, len: usize) -> Result<(), IoError> {
        while self.window.len() < len {
            let start = self.position.strict_add(self.window.len() as u64);
            let left = usize::try_from(self.file_len.saturating_sub(start)).unwrap_or(usize::MAX);
            let wanted = left.min(SCAN_READ_BYTES.max(len - self.window.len()));
            if wanted == 0 {
                return Ok(());
            }
            let read = self.file.read_at(start, wanted).await?;
            if read.is_empty() {
                return Ok(());
            }
            self.window.extend_from_slice(&read);
            self.runtime.yield_if_needed().await;
        }
        Ok(())
    }

    /// The batch at the current position, which must not start below `expected`, or why there is
    /// none. Its checksum is verified.
    pub(super) async fn next(&mut self, expected: Offset) -> Result<Result<Batch, Stop>, IoError> {
        self.fill(BatchHeader::BYTES).await?;
        if self.window.is_empty() {
            return Ok(Err(Stop::End));
        }
        let header = match BatchHeader::decode(&self.window) {
            Ok(header) => header,
            Err(error) => return self.damaged(&error).await.map(Err),
        };
        self.fill(header.batch_bytes()).await?;
        let checked = self.check(&header, expected);
        match checked {
            Ok(batch) => {
                self.window.advance(batch.bytes().len());
                self.position = self.position.strict_add(batch.bytes().len() as u64);
                Ok(Ok(batch))
            }
            Err(stop) => Ok(Err(stop)),
        }
    }

    /// As `next`, and passes over what is damaged: what is behind it still counts.
    pub(super) async fn next_sound(&mut self, expected: Offset) -> Result<Option<Batch>, IoError> {
        loop {
            let reason = match self.next(expected).await? {
                Ok(batch) => return Ok(Some(batch)),
                Err(Stop::End | Stop::Zeros) => return Ok(None),
                Err(Stop::Damage { reason, .. }) => reason,
            };
            let (runtime, file, position) = (self.runtime, self.file, self.position);
            let behind = find_batch_behind(runtime, file, position, expected).await?;
            tracing::warn!(file = %file.path().display(), position, reason, "passed over damage");
            let Some((place, _)) = behind else { return Ok(None) };
            self.position = place;
            self.window.clear();
        }
    }

    fn check(&self, header: &BatchHeader, expected: Offset) -> Result<Batch, Stop> {
        let damage = |reason: String| Stop::Damage { reason, is_misplaced: false };
        let Some(bytes) = self.window.get(..header.batch_bytes()) else {
            return Err(damage("the file ends inside of a batch".to_owned()));
        };
        let batch = Batch::decode(&Bytes::copy_from_slice(bytes));
        let batch = batch.map_err(|error| damage(error.to_string()))?;
        batch.verify_checksum().map_err(|error| damage(error.to_string()))?;
        if !may_follow(header.base_offset(), expected) {
            let reason = format!("a batch starts at offset {}", header.base_offset());
            return Err(Stop::Damage { reason, is_misplaced: true });
        }
        Ok(batch)
    }

    /// Tells the zeros at the end of an active segment from damage.
    async fn damaged(&mut self, error: &RecordError) -> Result<Stop, IoError> {
        let mut start = self.position;
        let mut piece = self.window.split().freeze();
        loop {
            if piece.iter().any(|&byte| byte != 0) {
                let reason = if start == self.position && has_content(&piece) {
                    error.to_string()
                } else {
                    "zeros, and something else behind them".to_owned()
                };
                return Ok(Stop::Damage { reason, is_misplaced: false });
            }
            start = start.strict_add(piece.len() as u64);
            if self.file_len <= start {
                return Ok(Stop::Zeros);
            }
            let read = self.file.read_at(start, SCAN_READ_BYTES).await?;
            if read.is_empty() {
                return Ok(Stop::Zeros);
            }
            piece = Bytes::copy_from_slice(&read);
            self.runtime.yield_if_needed().await;
        }
    }
}

/// Whether a batch may start at `base` behind the offsets below `expected` of the same segment.
/// Compaction leaves gaps; but no segment has more offsets than its index can tell apart. Kafka's
/// checksum does not cover this field, so that this is what tells of a damaged one.
pub fn may_follow(base: Offset, expected: Offset) -> bool {
    expected <= base && expected.distance_to(base) <= u64::from(i32::MAX.unsigned_abs())
}

fn has_content(piece: &[u8]) -> bool {
    piece.iter().take(BatchHeader::BYTES).any(|&byte| byte != 0)
}

/// Looks for a whole, sound batch behind `position`, with offsets from `expected` on.
pub(super) async fn find_batch_behind(
    runtime: &Runtime,
    file: &File,
    position: u64,
    expected: Offset,
) -> Result<Option<(u64, BatchHeader)>, IoError> {
    let file_len = file.size().await?;
    let mut start = position.strict_add(1);
    while start.strict_add(BatchHeader::BYTES as u64) <= file_len {
        let piece = file.read_at(start, SCAN_READ_BYTES).await?;
        if piece.len() < BatchHeader::BYTES {
            return Ok(None);
        }
        for at in candidates(&piece) {
            let Some(Ok(header)) = piece.get(at..).map(BatchHeader::decode) else { continue };
            let place = start.strict_add(at as u64);
            if is_plausible(&header, expected) && is_sound(file, place, &header).await? {
                return Ok(Some((place, header)));
            }
        }
        // The last header that might start in this piece goes on in the next.
        start = start.strict_add((piece.len() - BatchHeader::BYTES + 1) as u64);
        runtime.yield_if_needed().await;
    }
    Ok(None)
}

/// Where a header may start: the magic byte is in its place and the offset is not absurd.
fn candidates(piece: &[u8]) -> impl Iterator<Item = usize> {
    let magic = piece.get(16..).unwrap_or_default();
    let first_of_offset = piece;
    magic.iter().zip(first_of_offset).enumerate().filter_map(|(at, (&magic, &first))| {
        (i8::try_from(magic) == Ok(BatchHeader::MAGIC) && first == 0).then_some(at)
    })
}

fn is_plausible(header: &BatchHeader, expected: Offset) -> bool {
    /// More records than fit behind a damaged place.
    const OFFSETS_SKIPPED_MAX: u64 = 1 << 32;
    expected <= header.base_offset()
        && expected.distance_to(header.base_offset()) < OFFSETS_SKIPPED_MAX
        && header.batch_bytes() <= BATCH_BYTES_MAX
        && header.compression().is_ok()
}

async fn is_sound(file: &File, position: u64, header: &BatchHeader) -> Result<bool, IoError> {
    let bytes = Bytes::copy_from_slice(&file.read_at(position, header.batch_bytes()).await?);
    Ok(Batch::decode(&bytes).is_ok_and(|batch| batch.verify_checksum().is_ok()))
}
