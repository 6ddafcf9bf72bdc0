//! A segment as a start would read it: the file, and over it what the journals have of it.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use engine::types::limits::SCAN_READ_BYTES;

use crate::exit::Failure;

#[derive(Debug)]
pub struct View {
    path: PathBuf,
    /// `None` if only a journal knows of the segment.
    file: Option<File>,
    len: u64,
    /// From journals, each at its position.
    pieces: Vec<(u64, Bytes)>,
    window: (u64, Bytes),
}

impl View {
    pub fn open(path: &Path, pieces: Vec<(u64, Bytes)>) -> Result<Self, Failure> {
        let failed = |error| Failure::failed(format!("cannot read {}: {error}", path.display()));
        let file = match File::open(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound && !pieces.is_empty() => None,
            Err(error) => return Err(failed(error)),
        };
        let mut len = match &file {
            Some(file) => file.metadata().map_err(failed)?.len(),
            None => 0,
        };
        for (position, bytes) in &pieces {
            len = len.max(position.strict_add(bytes.len() as u64));
        }
        Ok(Self { path: path.to_owned(), file, len, pieces, window: (0, Bytes::new()) })
    }

    pub const fn len(&self) -> u64 {
        self.len
    }

    /// So many bytes from there on, or as many as there are.
    pub fn read_at(&mut self, position: u64, count: usize) -> Result<Bytes, Failure> {
        let left = usize::try_from(self.len.saturating_sub(position)).unwrap_or(usize::MAX);
        let count = count.min(left);
        let (start, window) = &self.window;
        if let Some(skipped) = position.checked_sub(*start)
            && let Ok(skipped) = usize::try_from(skipped)
            && skipped.saturating_add(count) <= window.len()
        {
            return Ok(window.slice(skipped..skipped.strict_add(count)));
        }
        let loaded = self.load(position, count.max(SCAN_READ_BYTES).min(left))?;
        self.window = (position, loaded.clone());
        Ok(loaded.slice(..count))
    }

    fn load(&self, position: u64, count: usize) -> Result<Bytes, Failure> {
        let mut bytes = vec![0; count];
        let mut filled = 0;
        while let Some(file) = &self.file
            && let Some(rest) = bytes.get_mut(filled..)
            && !rest.is_empty()
        {
            match file.read_at(rest, position.strict_add(filled as u64)) {
                Ok(0) => break,
                Ok(read) => filled = filled.strict_add(read),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let path = self.path.display();
                    return Err(Failure::failed(format!("cannot read {path}: {error}")));
                }
            }
        }
        for (at, piece) in &self.pieces {
            lay_over(&mut bytes, position, piece, *at);
        }
        Ok(Bytes::from(bytes))
    }
}

/// Writes what of `piece`, which belongs to `at`, falls into `bytes`, which begin at `start`.
fn lay_over(bytes: &mut [u8], start: u64, piece: &[u8], at: u64) {
    let end = start.strict_add(bytes.len() as u64).min(at.strict_add(piece.len() as u64));
    let from = start.max(at);
    let place = |of: u64| {
        let (from, end) = (from.checked_sub(of)?, end.checked_sub(of)?);
        Some(usize::try_from(from).ok()?..usize::try_from(end).ok()?)
    };
    if from < end
        && let (Some(target), Some(source)) = (place(start), place(at))
        && let (Some(target), Some(source)) = (bytes.get_mut(target), piece.get(source))
    {
        target.copy_from_slice(source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_laid_over_where_it_overlaps() {
        for (at, expected) in [
            (8, "cde......"),
            (10, "abcde...."),
            (16, "......abc"),
            (19, "........."),
            (5, "........."),
        ] {
            let mut bytes = *b".........";
            lay_over(&mut bytes, 10, b"abcde", at);
            assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected, "{at}");
        }
    }
}
