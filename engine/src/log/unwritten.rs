//! A log whose folder nobody has needed yet. Its first records are in memory and in the journal; the folder
//! comes when they move to a segment. So the first write to each of very many partitions costs no
//! more than any other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use crate::io::{Fault, FileChange, IoError, Runtime};
use crate::log::Log;
use crate::log::file_names::FileKind;
use crate::log::format::leader_epoch_checkpoint::EpochCache;
use crate::log::format::partition_metadata;
use crate::log::history::History;
use crate::log::index::SegmentIndex;
use crate::log::load::Loaded;
use crate::log::options::LogOptions;
use crate::log::segment::Segment;
use crate::types::{Offset, TopicId};

impl Log {
    /// A log that has no folder, for sure: no disk is asked.
    pub fn unwritten(runtime: &Runtime, folder: PathBuf, options: LogOptions) -> Rc<Self> {
        let base = Offset::ZERO;
        let segment = Segment::new(base, 0, runtime.wall_clock());
        segment.set_index(SegmentIndex::new(base));
        let (producers, aborted) = History::new(&options).finish(base);
        let loaded = Loaded {
            segments: BTreeMap::from([(base, Rc::new(segment))]),
            log_start: base,
            log_end: base,
            epochs: EpochCache::default(),
            epochs_changed: false,
            producers,
            aborted,
            topic_id: options.topic_id,
            is_on_disk: false,
            names_synced: false,
            is_changed: false,
            resume_position: 0,
            inner_snapshots: Vec::new(),
        };
        Self::from_loaded(runtime, runtime.directory(&folder), options, loaded)
    }

    /// Makes the folder and the first segment's file, if they are not there. Whoever calls it holds
    /// the turn of the files.
    pub(super) async fn make_folder(&self) -> Result<(), IoError> {
        if self.state.borrow().is_on_disk {
            return Ok(());
        }
        self.directory.create().await?;
        if let Some(topic) = self.topic_id() {
            // On the disk before any record: a folder that does not say whose it is would pass for
            // that of a later topic of its name.
            let content = partition_metadata::encode(topic);
            self.directory.write_file(partition_metadata::FILE, content).await?;
        }
        let base = self.state.borrow().active().base();
        match self.runtime.create_file(&FileKind::Log.path(self.folder(), base)).await {
            // An attempt that failed half-way has left it.
            Err(error) if error.fault == Fault::AlreadyExists => {}
            other => drop(other?),
        }
        self.state.borrow_mut().is_on_disk = true;
        Ok(())
    }
}

/// The file that says whose the folder is.
pub(super) fn metadata_file(topic: TopicId) -> FileChange {
    let content = partition_metadata::encode(topic);
    FileChange::write(partition_metadata::FILE.to_owned(), content)
}
