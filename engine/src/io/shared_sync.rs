//! One sync for all tasks of a core that need one of the same file system. There is no timer: while one
//! sync runs, the next gathers.
//!
//! ```text
//! begin ── changes ── sync ──┐
//!    begin ── changes ── sync ┴─► one sync that starts now
//!        begin ── changes ──────── sync ──► the next one
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use futures_channel::oneshot;
use futures_util::lock::Mutex;

use crate::io::error::{Fault, IoError, Operation};
use crate::io::file_system::FileSystem;
use crate::io::runtime::{Arm, Runtime};

/// Kept by whoever makes changes, from before the first to the sync.
pub struct SharedSync {
    runtime: Runtime,
    data_folder: PathBuf,
    file_system: Mutex<Option<Arc<FileSystem>>>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    is_running: bool,
    /// The disk tells of a failure once, and whoever has changed anything before it must hear of it.
    failed: Option<IoError>,
}

struct Waiting {
    changed: Vec<PathBuf>,
    answer: oneshot::Sender<Result<(), IoError>>,
}

/// The syncs of a core that somebody shares now, by data folder.
#[derive(Debug, Default)]
pub(super) struct SharedSyncs {
    by_folder: RefCell<BTreeMap<PathBuf, Weak<SharedSync>>>,
}

impl std::fmt::Debug for SharedSync {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "SharedSync({})", self.data_folder.display())
    }
}

impl Runtime {
    /// For changes in `data_folder`, which is one file system.
    pub fn shared_sync(&self, data_folder: &Path) -> Rc<SharedSync> {
        let mut by_folder = self.shared_syncs().by_folder.borrow_mut();
        if let Some(shared) = by_folder.get(data_folder).and_then(Weak::upgrade)
            && shared.state.borrow().failed.is_none()
        {
            return shared;
        }
        let shared = Rc::new(SharedSync {
            runtime: self.clone(),
            data_folder: data_folder.to_owned(),
            file_system: Mutex::default(),
            state: RefCell::default(),
        });
        by_folder.insert(data_folder.to_owned(), Rc::downgrade(&shared));
        shared
    }
}

impl SharedSync {
    /// To be called before the first change.
    pub async fn begin(&self) -> Result<(), IoError> {
        match &self.runtime.arm {
            Arm::Uring(_) => self.file_system().await.map(drop),
            #[cfg(test)]
            Arm::Sim(_) => Ok(()),
        }
    }

    async fn file_system(&self) -> Result<Arc<FileSystem>, IoError> {
        let mut opened = self.file_system.lock().await;
        if let Some(file_system) = &*opened {
            return Ok(Arc::clone(file_system));
        }
        let path = self.data_folder.clone();
        let file_system = Arc::new(self.runtime.blocking(move || FileSystem::of(&path)).await?);
        *opened = Some(Arc::clone(&file_system));
        Ok(file_system)
    }

    /// Makes durable what was changed in these files and folders. After an error nobody knows what is
    /// on the disk.
    pub async fn sync(self: &Rc<Self>, changed: Vec<PathBuf>) -> Result<(), IoError> {
        let (answer, answered) = oneshot::channel();
        let is_idle = {
            let mut state = self.state.borrow_mut();
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            state.waiting.push(Waiting { changed, answer });
            !std::mem::replace(&mut state.is_running, true)
        };
        if is_idle {
            let shared = Rc::clone(self);
            self.runtime.spawn(async move { shared.sync_on().await });
        }
        let lost = |_| {
            let reason = "the core ends";
            Err(IoError::new(Operation::Sync, &self.data_folder, Fault::Device, reason))
        };
        answered.await.unwrap_or_else(lost)
    }

    async fn sync_on(self: Rc<Self>) {
        loop {
            let waiting = std::mem::take(&mut self.state.borrow_mut().waiting);
            if waiting.is_empty() {
                self.state.borrow_mut().is_running = false;
                return;
            }
            let (groups, answers): (Vec<_>, Vec<_>) =
                waiting.into_iter().map(|one| (one.changed, one.answer)).unzip();
            let results = self.sync_groups(groups).await;
            let failed = results.iter().find_map(|result| result.as_ref().err().cloned());
            self.state.borrow_mut().failed = failed;
            for (answer, result) in answers.into_iter().zip(results) {
                answer.send(result).ok();
            }
        }
    }

    async fn sync_groups(&self, groups: Vec<Vec<PathBuf>>) -> Vec<Result<(), IoError>> {
        let count = groups.len();
        let results = match &self.runtime.arm {
            Arm::Uring(_) => match self.file_system().await {
                Ok(file_system) => {
                    Ok(self.runtime.blocking(move || file_system.sync(&groups)).await)
                }
                Err(error) => Err(error),
            },
            #[cfg(test)]
            Arm::Sim(sim) => sim.sync_all(&self.data_folder).await.map(|()| vec![Ok(()); count]),
        };
        results.unwrap_or_else(|error| vec![Err(error); count])
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;
    use crate::io::sim::{Failure, Sim};

    const LOGS: usize = 100;

    fn data() -> &'static Path {
        Path::new("/data")
    }

    /// Changes a file in each of many folders at the same time; returns how many said that it is durable.
    async fn change_many(runtime: Runtime) -> usize {
        let done = Rc::new(Cell::new(0));
        let ended = Rc::new(Cell::new(0));
        for number in 0..LOGS {
            let (task, done, ended) = (runtime.clone(), Rc::clone(&done), Rc::clone(&ended));
            runtime.spawn(async move {
                let shared = task.shared_sync(data());
                shared.begin().await.unwrap();
                let folder = task.directory(&data().join(format!("t-{number}")));
                folder.create().await.unwrap();
                folder.write_file_unsynced("a", b"whole".to_vec()).await.unwrap();
                let changed = vec![folder.path().join("a"), folder.path().to_owned()];
                let is_done = shared.sync(changed).await.is_ok();
                done.set(done.get() + usize::from(is_done));
                ended.set(ended.get() + 1);
            });
        }
        while ended.get() < LOGS {
            runtime.sleep(Duration::from_millis(1)).await;
        }
        done.get()
    }

    #[test]
    fn many_who_change_files_at_the_same_time_share_syncs_and_a_power_cut_takes_nothing() {
        for seed in 0..20 {
            let sim = Sim::with_folder(seed, data());
            let runtime = sim.runtime();
            assert_eq!(sim.run(change_many(runtime)), Some(LOGS));
            let syncs = sim.take_trace().iter().filter(|line| line.contains(" Sync ")).count();
            assert!(syncs <= LOGS / 5, "seed {seed}: {syncs} syncs for {LOGS}");
            let after = sim.crash();
            for number in 0..LOGS {
                let path = data().join(format!("t-{number}/a"));
                assert_eq!(after.content(&path).as_deref(), Some(&b"whole"[..]), "seed {seed}");
            }
        }
    }

    #[test]
    fn whoever_has_begun_before_a_sync_failed_hears_of_it() {
        let sim = Sim::with_folder(1, data());
        sim.fail(Failure {
            operation: Operation::Sync,
            suffix: "/data".to_owned(),
            fault: Fault::Device,
            skip: 0,
            times: 1,
        });
        let runtime = sim.runtime();
        sim.run(async move {
            let (first, second) = (runtime.shared_sync(data()), runtime.shared_sync(data()));
            assert!(first.sync(Vec::new()).await.is_err());
            assert!(second.sync(Vec::new()).await.is_err(), "its changes may be lost as well");
            let later = runtime.shared_sync(data());
            later.sync(Vec::new()).await.unwrap();
        })
        .unwrap();
    }
}
