//! One partition's log on one disk, in Kafka's files.
//!
//! Order and durability are two things. [`Log::append`] decides order and offsets at once, without
//! waiting; a single task per log then writes and syncs whatever has gathered, and
//! [`Log::durable`] says when. There is no timer: while one sync runs, the next batch gathers.
//!
//! Bytes are accepted only where the disk has promised space, so that a full disk refuses appends
//! instead of breaking those it has taken. A failed write or sync fences the log: it is not tried
//! again, since nobody knows what is on the disk then.

mod aborted;
mod append;
mod chunks;
mod clean;
mod commit;
mod damage;
mod drive;
mod error;
mod file_names;
mod folder;
pub mod format;
mod harden;
mod history;
mod index;
mod judge;
mod leftovers;
mod load;
mod lookup;
mod options;
pub mod producers;
mod read;
mod replay;
mod resume;
mod retention;
mod retired;
mod scan;
mod sealing;
mod segment;
mod spare;
mod state;
mod tail;
mod times;
mod turns;
mod unwritten;
mod upkeep;
mod window;
mod write_back;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use append::{Appended, Receipt};
pub use clean::{CleanBudget, CleanError, CleanRules, Cleanable, Cleaned, Load, Throttle};
pub use commit::{Carried, Commit};
pub use damage::{Damage, Verdict, has_unwritten_sector};
pub use error::{AppendError, LogError, LogFenced, NotDurable, OpenError, ReadError};
pub use options::{LogOptions, Opening};
pub use producers::{AppendContext, Origin};
pub use read::LogSlice;
pub use replay::{Absent, Kept, replay_all};
pub use retired::{is_deleted, remove_retired, retire_folders, set_aside};
pub use scan::may_follow;
pub use state::LogEnds;
pub use times::TimedOffset;
pub use upkeep::Ended;
pub use write_back::WriteBack;

use crate::io::{Directory, Event, IoError, Runtime, SparePlace};
use crate::log::load::Loaded;
use crate::log::lookup::Hints;
use crate::log::producers::Producers;
use crate::log::state::State;
use crate::log::turns::Turns;
use crate::types::{LeaderEpoch, Offset, TopicId};

/// Is told the new durable end. It must not append.
pub type DurableListener = Box<dyn Fn(Offset)>;

/// Is told that the log takes no more appends.
pub type FencedListener = Box<dyn Fn()>;

/// One partition's log. It belongs to one core and is shared there by `Rc`.
pub struct Log {
    runtime: Runtime,
    directory: Directory,
    options: RefCell<LogOptions>,
    state: RefCell<State>,
    /// Places in the log that readers will probably continue from.
    hints: RefCell<Hints>,
    /// The durable end moved, or will not move any more.
    durability: Event,
    /// Hears of every move of the durable end.
    on_durable: RefCell<Option<DurableListener>>,
    on_fenced: RefCell<Option<FencedListener>>,
    /// Told when there is something for the core's journal; without one every append is flushed.
    journal: RefCell<Option<commit::Listener>>,
    /// Room was made, or will not be made any more.
    room: Event,
    /// Held by whoever changes files: the writing task, or upkeep.
    files: Turns,
    /// Held, before that, by whoever takes segments off the disk that are out of sight already, and by
    /// whoever ends the log.
    deletions: Turns,
    /// Segments that are out of sight and, because something failed, under their names still.
    undeleted: RefCell<Vec<Rc<segment::Segment>>>,
    /// Appends that wait for room, in their order.
    appends: Turns,
    cleaning: clean::Cleaning,
    spare: SparePlace,
    writer_place: SparePlace,
}

impl Log {
    /// Opens the log in `folder`, and creates it if it is not there.
    pub async fn open(
        runtime: &Runtime,
        folder: PathBuf,
        options: LogOptions,
        opening: Opening,
    ) -> Result<Rc<Self>, OpenError> {
        Self::open_with(runtime, folder, options, opening, &[]).await
    }

    /// As [`Log::open`], with what a journal has of the log after a crash.
    pub async fn open_with(
        runtime: &Runtime,
        folder: PathBuf,
        options: LogOptions,
        opening: Opening,
        kept: &[Kept],
    ) -> Result<Rc<Self>, OpenError> {
        let directory = runtime.directory(&folder);
        let loaded = Box::pin(load::load(runtime, &directory, &options, opening, kept)).await?;
        Ok(Self::from_loaded(runtime, directory, options, loaded))
    }

    fn from_loaded(
        runtime: &Runtime,
        directory: Directory,
        options: LogOptions,
        loaded: Loaded,
    ) -> Rc<Self> {
        Rc::new(Self {
            runtime: runtime.clone(),
            directory,
            state: RefCell::new(State::new(loaded, &options)),
            options: RefCell::new(options),
            hints: RefCell::default(),
            durability: Event::default(),
            on_durable: RefCell::new(None),
            on_fenced: RefCell::new(None),
            journal: RefCell::new(None),
            room: Event::default(),
            files: Turns::default(),
            deletions: Turns::default(),
            undeleted: RefCell::default(),
            appends: Turns::default(),
            cleaning: clean::Cleaning::default(),
            spare: SparePlace::default(),
            writer_place: SparePlace::default(),
        })
    }

    pub fn ends(&self) -> LogEnds {
        self.state.borrow().ends()
    }

    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// The topic that the folder belongs to, if its `partition.metadata` names one.
    pub fn topic_id(&self) -> Option<TopicId> {
        self.state.borrow().topic_id
    }

    pub fn options(&self) -> LogOptions {
        self.options.borrow().clone()
    }

    /// Has `listener` called whenever the durable end has moved; there is one at most.
    pub fn on_durable(&self, listener: DurableListener) {
        *self.on_durable.borrow_mut() = Some(listener);
    }

    /// Has `listener` called when a write or sync has failed; there is one at most.
    pub fn on_fenced(&self, listener: FencedListener) {
        *self.on_fenced.borrow_mut() = Some(listener);
    }

    /// Takes no more appends: somebody else has found out that the disk has failed.
    pub fn fail(&self, error: &IoError) {
        if self.fenced().is_none() {
            self.fence(error);
        }
    }

    fn tell_durable(&self) {
        let end = self.ends().durable_end;
        if let Some(listener) = &*self.on_durable.borrow() {
            listener(end);
        }
    }

    /// Takes effect with the next append, retention or roll.
    pub fn set_options(&self, options: LogOptions) {
        let mut state = self.state.borrow_mut();
        state.direct_write_bytes_min = options.direct_write_bytes_min;
        state.write_back_bytes = options.write_back_bytes;
        state.producers.require_verification(options.verifies_transactions);
        *self.options.borrow_mut() = options;
    }

    /// Bytes of all batches, including those below `log_start` in the first segment.
    pub fn size_bytes(&self) -> u64 {
        self.state.borrow().segments.values().map(|segment| segment.len.get()).sum()
    }

    pub fn segment_count(&self) -> usize {
        self.state.borrow().segments.len()
    }

    /// Why the log takes no more appends, if it does not.
    pub fn fenced(&self) -> Option<LogFenced> {
        self.state.borrow().fenced.clone()
    }

    /// Where `epoch` ended: the largest known epoch not above it and the first offset of the next,
    /// as OffsetForLeaderEpoch answers it.
    pub fn epoch_end(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let state = self.state.borrow();
        state.epochs.end_offset_for(epoch, state.log_end)
    }

    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.state.borrow().epochs.latest().map(|entry| entry.epoch)
    }

    /// The epoch that wrote the record at `offset`.
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.state.borrow().epochs.epoch_for_offset(offset)
    }

    /// Looks at, or changes, what the log knows of its producers and their transactions.
    pub fn producers<T>(&self, look: impl FnOnce(&mut Producers) -> T) -> T {
        look(&mut self.state.borrow_mut().producers)
    }

    /// A new leader begins at the end of the log.
    pub fn assign_epoch(&self, epoch: LeaderEpoch) {
        let mut state = self.state.borrow_mut();
        let end = state.log_end;
        if state.epochs.latest().is_none_or(|latest| latest.epoch < epoch)
            && state.epochs.assign(epoch, end)
        {
            state.epochs_changed = true;
        }
    }
}

#[cfg(test)]
mod tests;
