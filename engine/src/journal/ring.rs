//! The files of a journal: one is written to, some are ready, some hold what is in no segment yet.
//! All of them were written from end to end before their first use, so that a commit changes nothing
//! but its own blocks: no length, no allocation.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use codec::Uuid;

use crate::io::{Blocks, Directory, File, IoError, Runtime};
use crate::journal::JournalOptions;
use crate::journal::format::{self, Lap};
use crate::log::{Carried, Log};
use crate::types::limits::{BLOCK_BYTES, WRITE_BYTES_MAX};
use crate::types::{CoreId, PartitionId};

#[derive(Default)]
pub(super) struct Ring {
    pub(super) active: Option<RingFile>,
    pub(super) ready: VecDeque<RingFile>,
    /// In the order in which they filled up.
    pub(super) full: VecDeque<RingFile>,
    /// Files that exist or are being made.
    pub(super) files: usize,
}

pub(super) struct RingFile {
    pub(super) file: Rc<File>,
    pub(super) lap: Lap,
    /// Where the next commit goes.
    pub(super) position: u64,
    pub(super) sequence: u32,
    /// The last of each log's bytes that this file has. The file is free when all of them are in
    /// their segments.
    pub(super) carried: BTreeMap<PartitionId, (Rc<Log>, Carried)>,
}

impl Ring {
    /// Sees to it that the active file has room for a commit of any size; false if none has.
    pub(super) fn has_room(&mut self, options: &JournalOptions) -> bool {
        let fits = |file: &RingFile| {
            file.position.strict_add(options.commit_bytes as u64) <= options.file_bytes
        };
        if self.active.as_ref().is_some_and(fits) {
            return true;
        }
        self.full.extend(self.active.take());
        self.active = self.ready.pop_front();
        self.active.is_some()
    }

    pub(super) fn wants_file(&self, options: &JournalOptions) -> bool {
        self.ready.is_empty() && self.files < options.files_max
    }
}

impl RingFile {
    /// Makes a file, durably.
    pub(super) async fn create(
        runtime: &Runtime,
        directory: &Directory,
        name: &str,
        run: Uuid,
        file_bytes: u64,
    ) -> Result<Self, IoError> {
        let file = runtime.create_file_to_write_through(&directory.path().join(name)).await?;
        file.preallocate(file_bytes).await?;
        let piece_bytes = file_bytes.min(WRITE_BYTES_MAX as u64);
        let zeros = blocks(runtime, &[], usize::try_from(piece_bytes).expect("a small number"));
        let mut position = 0;
        while position < file_bytes {
            file.write_at(&zeros, position).await?;
            position = position.strict_add(piece_bytes);
            runtime.yield_if_needed().await;
        }
        let mut made = Self {
            file: Rc::new(file),
            lap: Lap { run, number: 0 },
            position: 0,
            sequence: 0,
            carried: BTreeMap::new(),
        };
        made.begin_lap(runtime).await?;
        directory.sync().await?;
        Ok(made)
    }

    /// Gives up all that the file holds.
    pub(super) async fn begin_lap(&mut self, runtime: &Runtime) -> Result<(), IoError> {
        self.lap.number = self.lap.number.strict_add(1);
        let header = blocks(runtime, &format::file_header(self.lap), BLOCK_BYTES);
        self.file.write_at(&header, 0).await?;
        self.position = BLOCK_BYTES as u64;
        self.sequence = 0;
        self.carried.clear();
        Ok(())
    }

    pub(super) fn is_free(&self) -> bool {
        self.carried.values().all(|(log, carried)| log.has_flushed(carried))
    }
}

/// `content` and zeros behind it.
fn blocks(runtime: &Runtime, content: &[u8], len: usize) -> Blocks {
    let mut buffer = runtime.allocate(len);
    let place = buffer.as_mut_slice();
    place.fill(0);
    if let Some(place) = place.get_mut(..content.len()) {
        place.copy_from_slice(content);
    }
    buffer.freeze(len)
}

/// The names of a core's files begin alike in every run; the run makes them different from those
/// that a crash has left.
pub(super) fn file_name(core: CoreId, run: Uuid, number: usize) -> String {
    let run: String = run.0.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{:03}-{run}-{number}", core.0)
}

const PREFIX: &str = "corelog-journal-";

/// Whether a file of a data folder is a journal, by its name.
pub fn is_journal_file(name: &str) -> bool {
    name.starts_with(PREFIX)
}
