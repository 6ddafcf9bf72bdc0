//! A core's journals, one for each data folder so that a folder which fails takes no other along; and
//! the end of those that the last run left behind after a crash.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::journal::{self, Journal, Replay};
use crate::shard::{Ask, CONTROLLER_CORE, Shard};

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
