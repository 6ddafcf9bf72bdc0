//! Data folders that fail while the node runs. One bad file fences its own log and no other; but
//! where nothing can be written any more, the folder goes out of service as a whole, as in Kafka: its
//! partitions answer with a storage error, those of other folders go on, and the node ends only with
//! its last folder, or with the one that has its metadata.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::io::{IoError, Runtime};
use crate::log::format::meta_properties;
use crate::shard::{Ask, CONTROLLER_CORE, Shard};
use crate::types::CoreId;
use crate::types::limits::META_PROPERTIES_BYTES_MAX;

impl Shard {
    /// Looks after folders in which something has failed, until the node stops.
    pub fn start_watching_folders(self: &Rc<Self>) {
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            loop {
                let suspected = shard.folders.suspected();
                futures_util::pin_mut!(suspected);
                match select(suspected, shard.stopping.wait()).await {
                    Either::Left(((place, path), _)) => shard.examine(place, &path).await,
                    Either::Right(_) => return,
                }
            }
        });
        if self.core == CONTROLLER_CORE {
            let shard = Rc::clone(self);
            self.runtime.spawn(async move {
                // A folder that nobody writes to must not fail unnoticed.
                while shard.sleeps(EXAMINE_INTERVAL).await {
                    for (place, path) in shard.folders.online() {
                        shard.examine(place, &path).await;
                    }
                }
            });
        }
    }

    /// Finds out whether the folder still takes files, and tells every core if it does not.
    async fn examine(&self, place: usize, path: &Path) {
        let Err(reason) = examine(&self.runtime, path).await else { return };
        let reason: Arc<str> = Arc::from(reason);
        for core in 0..self.mailboxes.cores() {
            let ask = Ask::FolderFailed { place, reason: Arc::clone(&reason) };
            // A core that has gone holds nothing any more.
            self.mailboxes.send(CoreId(core), ask).await.ok();
        }
    }

    /// Takes the folder's partitions on this core out of service.
    pub fn folder_failed(self: &Rc<Self>, place: usize, reason: &Arc<str>) {
        if !self.folders.take_offline(place, reason) {
            return;
        }
        let Some(path) = self.folders.paths().get(place) else { return };
        let partitions: Vec<_> = self.partitions.borrow().values().cloned().collect();
        for partition in partitions.iter().filter(|one| one.folder.starts_with(path)) {
            partition.take_offline(reason);
            self.coordinator_leaves(partition);
        }
        if self.core != CONTROLLER_CORE {
            return;
        }
        tracing::error!(
            folder = %path.display(), %reason,
            "a data folder has failed: its partitions are offline until the node starts again with \
             the folder in order; the other folders go on"
        );
        if self.config().metadata_log_folder.starts_with(path) {
            let path = path.display();
            self.give_up(&format!(
                "the data folder {path} has failed ({reason}), and it has the metadata log"
            ));
        } else if self.folders.online().is_empty() {
            self.give_up(&format!("the last data folder has failed ({reason})"));
        }
    }

    /// Ends the node in whatever order is still possible.
    pub fn give_up(&self, reason: &str) {
        if self.is_sound.replace(false) || !self.stopping.is_set() {
            tracing::error!("the node stops: {reason}");
        }
        self.mailboxes.stop_all();
    }
}

/// Says why a data folder cannot be used, if that is so.
async fn examine(runtime: &Runtime, path: &Path) -> Result<(), String> {
    let directory = runtime.directory(path);
    let identity = directory.read_file(meta_properties::FILE, META_PROPERTIES_BYTES_MAX).await;
    match identity {
        Ok(Some(_)) => {}
        Ok(None) => {
            let file = meta_properties::FILE;
            return Err(format!("{file} is gone: another disk is mounted there, or none"));
        }
        Err(error) => blame_folder(error)?,
    }
    match directory
        .write_file(EXAMINED_FILE, b"corelog looks whether this folder works\n".to_vec())
        .await
    {
        Ok(()) => {}
        Err(error) => blame_folder(error)?,
    }
    directory.remove(EXAMINED_FILE).await.or_else(blame_folder)
}

/// A full disk and a process with too many files are no reason to give up a folder.
fn blame_folder(error: IoError) -> Result<(), String> {
    if error.passes() { Ok(()) } else { Err(error.to_string()) }
}

/// Written, synced and removed, to see whether that works.
const EXAMINED_FILE: &str = "corelog-folder-check";

const EXAMINE_INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sim::{Failure, Sim};
    use crate::io::{Fault, Operation};

    const FOLDER: &str = "/data";

    /// What is found of a data folder in which one operation fails.
    fn find(failing: Option<(Operation, Fault)>, has_identity: bool) -> Result<(), String> {
        let sim = Sim::with_folder(1, Path::new(FOLDER));
        let (runtime, disk) = (sim.runtime(), sim.clone());
        sim.run(async move {
            let directory = runtime.directory(Path::new(FOLDER));
            if has_identity {
                directory.write_file(meta_properties::FILE, vec![1]).await.unwrap();
            }
            if let Some((operation, fault)) = failing {
                disk.fail(Failure { operation, suffix: String::new(), fault, skip: 0, times: 1 });
            }
            examine(&runtime, Path::new(FOLDER)).await
        })
        .unwrap()
    }

    #[test]
    fn a_folder_in_order_stays_in_service() {
        assert_eq!(find(None, true), Ok(()));
    }

    #[test]
    fn a_folder_that_cannot_be_written_synced_or_read_goes_out_of_service() {
        for operation in [Operation::Read, Operation::Create, Operation::Write, Operation::Sync] {
            for fault in [Fault::Device, Fault::NotAllowed] {
                let found = find(Some((operation, fault)), true);
                assert!(found.is_err(), "{operation:?} {fault:?}");
            }
        }
    }

    #[test]
    fn a_full_disk_and_too_many_open_files_take_no_folder_out_of_service() {
        for operation in [Operation::Read, Operation::Create, Operation::Write] {
            for fault in [Fault::NoSpace, Fault::TooManyOpenFiles] {
                assert_eq!(find(Some((operation, fault)), true), Ok(()), "{operation:?} {fault:?}");
            }
        }
    }

    #[test]
    fn a_folder_that_has_lost_its_identity_goes_out_of_service() {
        let reason = find(None, false).unwrap_err();
        assert!(reason.contains("another disk"), "{reason}");
    }
}
