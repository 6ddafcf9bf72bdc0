//! The moment at which one new segment takes the place of some old ones, in Kafka's steps. A crash
//! between any two of them leaves either the old segments or the new one to the next start, never
//! both and never a part; see `leftovers.rs`.
//!
//! | step | on the disk | a start after a crash |
//! |---|---|---|
//! | 1 | `.cleaned` → `.swap`, the batches last; folder synced | before: removes both kinds; after: goes on |
//! | 2 | the old segments removed; folder synced | removes them again |
//! | 3 | batches `.swap` → final; folder synced | goes on |
//! | 4 | indexes `.swap` → final; folder synced | goes on |
//!
//! Readers go over to the new segment between the first and the second step. They read its open
//! file, whatever name it has.

use std::rc::Rc;

use crate::io::{File, IoError};
use crate::log::Log;
use crate::log::clean::rewrite::{Finished, cleaned_name};
use crate::log::clean::{CleanError, Cleaning};
use crate::log::error::ReadError;
use crate::log::file_names::{FileKind, SWAP};
use crate::log::segment::Segment;
use crate::types::Offset;

impl Log {
    /// Fails before the first step if the segments are not those of the log any more. If a later
    /// step fails nobody knows what a start will find, so that the log is fenced.
    pub(super) async fn swap(&self, old: &[Rc<Segment>], new: Finished) -> Result<(), CleanError> {
        let turn = self.files.line_up();
        turn.reached().await;
        self.check_segments(old)?;
        let swapped = self.swap_files(old, &new).await;
        if let Err(error) = &swapped {
            self.fence(error);
        }
        Ok(swapped?)
    }

    fn check_segments(&self, old: &[Rc<Segment>]) -> Result<(), CleanError> {
        let state = self.state.borrow();
        if state.is_closed || state.fenced.is_some() {
            return Err(CleanError::Stopped);
        }
        let is_there = |segment: &Rc<Segment>| {
            let found = state.segments.get(&segment.base());
            found.is_some_and(|found| Rc::ptr_eq(found, segment))
        };
        if old.iter().all(is_there) { Ok(()) } else { Err(CleanError::Stopped) }
    }

    async fn swap_files(&self, old: &[Rc<Segment>], new: &Finished) -> Result<(), IoError> {
        let (directory, base) = (&self.directory, new.segment.base());
        for kind in &new.kinds {
            directory.rename(&cleaned_name(*kind, base), &swap_name(*kind, base)).await?;
        }
        directory.sync().await?;
        self.install(old, &new.segment);
        for segment in old {
            for kind in FileKind::ALL {
                // The producers at the start of the new segment are those at the first old one's.
                if segment.base() != base || kind != FileKind::ProducerSnapshot {
                    directory.remove(&kind.name(segment.base())).await?;
                }
            }
        }
        directory.sync().await?;
        directory.rename(&swap_name(FileKind::Log, base), &FileKind::Log.name(base)).await?;
        directory.sync().await?;
        for kind in new.kinds.iter().filter(|kind| **kind != FileKind::Log) {
            directory.rename(&swap_name(*kind, base), &kind.name(base)).await?;
        }
        directory.sync().await?;
        self.runtime.open_files().forget(&new.segment.path(self.folder()));
        new.segment.stand_alone();
        new.segment.forget_index();
        Ok(())
    }

    /// From here on readers find the new segment, and those on their way begin again.
    fn install(&self, old: &[Rc<Segment>], new: &Rc<Segment>) {
        let mut state = self.state.borrow_mut();
        for segment in old {
            segment.is_deleted.set(true);
            state.segments.remove(&segment.base());
            state.tail.forget(segment.base());
        }
        state.segments.insert(new.base(), new.clone());
        state.assert_invariants();
        self.hints.borrow_mut().clear();
        self.cleaning.note_swap();
    }
}

impl Cleaning {
    /// The log has other segments than a moment ago: who reads them looks again.
    pub(in crate::log) fn note_swap(&self) {
        self.swaps.set(self.swaps.get().strict_add(1));
    }
}

impl Log {
    /// The segment's file, whatever name it has now.
    pub(in crate::log) async fn segment_file(
        &self,
        segment: &Segment,
    ) -> Result<Rc<File>, IoError> {
        segment.file(&self.runtime, &segment.path(self.folder())).await
    }

    pub(in crate::log) fn swaps(&self) -> u64 {
        self.cleaning.swaps.get()
    }

    /// What `read` answers when no segment was replaced while it looked.
    pub(in crate::log) async fn undisturbed<T>(
        &self,
        read: impl AsyncFn() -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        loop {
            let swaps = self.swaps();
            let answer = read().await;
            if self.swaps() == swaps {
                return answer;
            }
        }
    }
}

fn swap_name(kind: FileKind, base: Offset) -> String {
    format!("{}{SWAP}", kind.name(base))
}
