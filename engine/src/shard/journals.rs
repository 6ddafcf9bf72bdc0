//! A core's journals, one for each data folder so that a folder which fails takes no other along; and
//! the end of those that the last run left behind after a crash.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::journal::{self, Journal, Replay};
use crate::log::{Absent, replay_all};
use crate::shard::partition::Partition;
use crate::shard::{Ask, CONTROLLER_CORE, Shard};
use crate::types::limits::REPLAY_BATCH_LOGS;

#[derive(Default)]
pub struct Journals {
    by_folder: RefCell<BTreeMap<PathBuf, Rc<Journal>>>,
    /// On the controller's core: what goes once every core has taken its share.
    left_behind: RefCell<Vec<PathBuf>>,
    cores_done: Cell<u16>,
}

impl Shard {
    /// The journal of the data folder that the partition lies in.
    pub fn journal_of(&self, partition_folder: &Path) -> Rc<Journal> {
        let folder = partition_folder.parent().unwrap_or(partition_folder);
        let mut journals = self.journals.by_folder.borrow_mut();
        let journal = journals.entry(folder.to_owned()).or_insert_with(|| {
            let directory = self.runtime.directory(folder);
            let options = self.sizes.journal;
            Journal::new(&self.runtime, directory, self.core, self.runtime.random_uuid(), options)
        });
        Rc::clone(journal)
    }

    /// Remembers which files of the last run every core has a share in.
    pub fn expect_replay(&self, replay: &Replay) {
        self.journals.left_behind.borrow_mut().clone_from(&replay.files);
    }

    /// Brings what the journals had into the logs' folders, many at a time. What this leaves out, each
    /// log takes when it opens; true if that is none.
    pub async fn replay_together(&self, partitions: &[Rc<Partition>]) -> bool {
        let mut are_all_done = true;
        for partitions in partitions.chunks(REPLAY_BATCH_LOGS) {
            if self.stopping.is_set() {
                return false;
            }
            let mut begun: BTreeMap<PathBuf, (Vec<_>, Vec<Absent>)> = BTreeMap::new();
            for partition in partitions {
                are_all_done &= partition.can_replay();
                if let Some((opening, absent)) = partition.begin_replay() {
                    let data_folder = absent.folder.parent().unwrap_or(&absent.folder).to_owned();
                    let (waiting, logs) = begun.entry(data_folder).or_default();
                    waiting.push((partition, opening, absent.kept.clone()));
                    logs.push(absent);
                }
            }
            for (data_folder, (waiting, logs)) in begun {
                let done = replay_all(&self.runtime, &data_folder, logs).await;
                for ((partition, opening, kept), left) in waiting.into_iter().zip(done) {
                    are_all_done &= left.is_some();
                    partition.end_replay(opening, left.unwrap_or(kept));
                }
            }
            self.runtime.yield_if_needed().await;
        }
        are_all_done
    }

    /// All logs of this core have what the last run's journals held of them.
    pub async fn has_replayed(&self) {
        // A core that has gone: the next start reads the journals again.
        self.mailboxes.send(CONTROLLER_CORE, Ask::Replayed).await.ok();
    }

    /// One more core is done; with the last, the old journals go.
    pub fn core_has_replayed(self: &Rc<Self>) {
        let done = self.journals.cores_done.get().strict_add(1);
        self.journals.cores_done.set(done);
        if done < self.mailboxes.cores() {
            return;
        }
        let files = self.journals.left_behind.take();
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            if let Err(error) = journal::remove(&shard.runtime, &files).await {
                tracing::warn!(%error, "a journal of the last run is still there");
            }
        });
    }
}
