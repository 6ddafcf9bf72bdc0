//! What core 0 does before the node begins: find out which cluster and node the folders belong to,
//! or make them; read the metadata; see whether the last run ended in order. And at the end: leave
//! the mark that says so.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use codec::Uuid;
use futures_util::join;
use thiserror::Error;

use crate::broker::places::{self, Places};
use crate::broker::{handed_over, identity};
use crate::cluster::command::{self, CommandError, Registration};
use crate::cluster::{ClusterImage, Endpoint};
use crate::config::{BrokerConfig, Listener};
use crate::io::{IoError, Runtime, host_name};
use crate::journal::{self, Replay, ReplayError};
use crate::log::Opening;
use crate::log::format::clean_shutdown;
use crate::log::format::log_dir_checkpoints::CheckpointError;
use crate::log::format::meta_properties::{self, MetaPropertiesError};
use crate::records::metadata::MetadataRecord;
use crate::shard::{
    Controller, DataFolders, Found, Known, METADATA_FOLDER, MetadataError, MetadataLog, Shard,
    remove_others,
};
use crate::types::BrokerId;
use crate::types::limits::META_PROPERTIES_BYTES_MAX;

/// What was found out.
pub struct Boot {
    pub cluster_id: String,
    pub image: Arc<ClusterImage>,
    pub found: Found,
    pub opening: Opening,
    pub known: Arc<Known>,
    pub replay: Arc<Replay>,
    pub was_clean: bool,
}

#[derive(Debug, Error)]
pub enum BootError {
    #[error(transparent)]
    Io(#[from] IoError),
    #[error("{}: {source}", folder.join(meta_properties::FILE).display())]
    MetaProperties { folder: PathBuf, source: MetaPropertiesError },
    #[error(
        "the data folder {} belongs to node {found}, but this node is {node}; set node.id={found}, \
         or give this node a folder of its own", folder.display()
    )]
    OtherNode { folder: PathBuf, found: BrokerId, node: BrokerId },
    #[error(
        "the data folder {} belongs to cluster {found}, another data folder to cluster {expected}; \
         take one of them out of log.dirs", folder.display()
    )]
    OtherCluster { folder: PathBuf, found: String, expected: String },
    #[error(
        "the partition folder {name} lies in {} and in {}; move one of them away",
        first.display(), second.display()
    )]
    Twice { name: String, first: PathBuf, second: PathBuf },
    #[error(
        "the data folder {} is new, and the one with the id {missing} that this node had before is \
         not there: is its disk mounted? To give up the records in it, start once without {} in \
         log.dirs", folder.display(), folder.display()
    )]
    Replaced { folder: PathBuf, missing: Uuid },
    #[error(transparent)]
    Journal(#[from] ReplayError),
    #[error(
        "the data folders hold partitions ({name} is one), but the metadata log in {} has nothing: \
         is metadata.log.dir the right one? The folder of a Kafka that used ZooKeeper has its \
         metadata elsewhere and cannot be taken over. Nothing was changed", folder.display()
    )]
    NoMetadata { name: String, folder: PathBuf },
    #[error("{} cannot be used: {source}", path.display())]
    LogStarts { path: PathBuf, source: CheckpointError },
    #[error("the metadata cannot be used: {0}")]
    Metadata(#[from] MetadataError),
    #[error("this node cannot join its cluster: {0}")]
    Registration(#[from] CommandError),
}

pub async fn boot(shard: &Rc<Shard>) -> Result<Boot, BootError> {
    let (runtime, config) = (&shard.runtime, shard.config());
    let folders = shard.folders.online_paths();
    let identities = identity::read(runtime, &folders, config.node_id).await?;
    let has_marks = take_clean_marks(runtime, &folders).await?;
    let was_clean = has_marks || identities.are_new;
    let replay = async {
        // With the marks the journals went; the folders need not be searched for them once more.
        match has_marks {
            true => Ok(Replay::default()),
            false => journal::read(runtime, &folders).await,
        }
    };
    // What takes longest is read side by side.
    let (listed, replay, known) = join!(
        places::list(runtime, &folders),
        replay,
        Known::read(runtime, &config.metadata_log_folder)
    );
    let (mut listed, replay, mut known) = (listed?, replay?, known?);
    listed.check_metadata(&folders)?;
    let folder = config.metadata_log_folder.join(METADATA_FOLDER);
    let (mut log, mut image) = MetadataLog::open(runtime, folder, &identities.cluster_id).await?;
    if image.is_empty() {
        let name = listed.places.keys().find(|name| *name != METADATA_FOLDER);
        if let Some(name) = name.cloned() {
            return Err(BootError::NoMetadata { name, folder: config.metadata_log_folder.clone() });
        }
    }
    let offline_count = shard.folders.offline().len();
    let registered = image.broker(config.node_id).map(|broker| broker.directories.as_slice());
    let directories = identities.register(registered.unwrap_or_default(), offline_count)?;
    identities.write(runtime, config.node_id).await?;
    log.begin_epoch(shard.node).await?;
    if image.is_empty() {
        store(&mut log, &mut image, command::format(&config)).await?;
    }
    let registration = Registration {
        id: config.node_id,
        incarnation: runtime.random_uuid(),
        endpoints: endpoints(&config, &host_name()),
        rack: config.rack.clone(),
        directories,
    };
    // The lock on the folders keeps other processes with this id away.
    let registered = command::register_broker(&image, &registration, log.end(), false)?;
    store(&mut log, &mut image, registered.records).await?;
    // Nobody else decides whether this node lives: it is unfenced at once.
    let unfenced = command::unfence_broker(&image, config.node_id);
    store(&mut log, &mut image, unfenced.records).await?;
    let deleted = std::mem::take(&mut listed.deleted);
    let found = listed.settle(runtime, &folders, &replay, &image).await?;
    handed_over::take_log_starts(runtime, &folders, &found).await?;
    let clean_ends = handed_over::take_clean_ends(runtime, &folders, &found, &image).await?;
    known.set_clean_ends(clean_ends);
    shard.set_controller(Controller::new(Rc::clone(shard), log));
    let opening = if was_clean { Opening::Clean } else { Opening::Recover };
    let remover = Rc::clone(shard);
    runtime.spawn(async move { remover.remove_later(&deleted).await });
    Ok(Boot {
        cluster_id: identities.cluster_id,
        image: Arc::new(image),
        found: Arc::new(in_all_folders(found, &shard.folders)),
        opening,
        known: Arc::new(known),
        replay: Arc::new(replay),
        was_clean,
    })
}

/// The places among all data folders, of places among those that are in service.
fn in_all_folders(found: Places, folders: &DataFolders) -> Places {
    let online = folders.online();
    let place = |(name, place): (String, usize)| Some((name, online.get(place)?.0));
    found.into_iter().filter_map(place).collect()
}

async fn store(
    log: &mut MetadataLog,
    image: &mut ClusterImage,
    records: Vec<MetadataRecord>,
) -> Result<(), MetadataError> {
    for record in &records {
        image.apply(record)?;
    }
    log.append(&records).await
}

/// Where clients reach this node. A listener without a host is reached by the machine's name.
fn endpoints(config: &BrokerConfig, host_name: &str) -> Vec<Endpoint> {
    let endpoint = |listener: &Listener| Endpoint {
        name: listener.name.to_string(),
        host: listener.host.clone().unwrap_or_else(|| host_name.to_owned()),
        port: listener.port,
        security_protocol: listener.protocol.code(),
    };
    config.advertised_listeners.iter().map(endpoint).collect()
}

/// True if every folder bears the mark of an orderly stop. The marks are gone, durably, before
/// anything is written that would make them lies.
async fn take_clean_marks(runtime: &Runtime, folders: &[PathBuf]) -> Result<bool, BootError> {
    let mut all = true;
    for folder in folders {
        let directory = runtime.directory(folder);
        all &=
            directory.read_file(clean_shutdown::FILE, META_PROPERTIES_BYTES_MAX).await?.is_some();
    }
    if all {
        // While the marks are there: without them journals would be replayed, and what they hold
        // has been in its segments since the logs were closed.
        remove_journals(runtime, folders).await?;
    }
    for folder in folders {
        let directory = runtime.directory(folder);
        directory.remove(clean_shutdown::FILE).await?;
        directory.sync().await?;
    }
    Ok(all)
}

async fn remove_journals(runtime: &Runtime, folders: &[PathBuf]) -> Result<(), IoError> {
    journal::remove(runtime, &journal::find(runtime, folders).await?).await
}

/// The last step of an orderly stop; after it nothing is written. True if all went well.
pub async fn end(shard: &Shard, is_sound: bool) -> bool {
    let is_sound = match shard.controller() {
        Some(controller) => controller.close().await && is_sound,
        None => false,
    };
    if !is_sound {
        return false;
    }
    let (folder, cores) = (&shard.config().metadata_log_folder, shard.mailboxes.cores());
    if let Err(error) = remove_others(&shard.runtime, folder, cores).await {
        tracing::warn!(%error, "checkpoints of an earlier number of cores are still there");
    }
    // The segments have everything. What is in the way of this is in the way of the next start too.
    let folders = shard.folders.online_paths();
    if let Err(error) = remove_journals(&shard.runtime, &folders).await {
        tracing::warn!(%error, "a journal is still there");
    }
    if let Err(error) = give(shard).await {
        tracing::warn!(%error, "a Kafka that takes the folders would show deleted records again");
    }
    let epoch = shard.image().broker(shard.node).map_or(0, |broker| broker.epoch);
    let mark = clean_shutdown::encode(u64::try_from(epoch).unwrap_or(0));
    for folder in &folders {
        let directory = shard.runtime.directory(folder);
        let written = directory.write_file_atomically(clean_shutdown::FILE, mark.clone()).await;
        if let Err(error) = written {
            tracing::error!(%error, "the next start will recover");
            return false;
        }
    }
    true
}

async fn give(shard: &Shard) -> Result<(), BootError> {
    let config = shard.config();
    let known = Known::read(&shard.runtime, &config.metadata_log_folder).await?;
    let folders = shard.folders.online_paths();
    let found = places::list(&shard.runtime, &folders).await?.places;
    handed_over::give(&shard.runtime, &folders, &found, &shard.image(), &known).await
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::io::sim::Sim;

    #[test]
    fn a_power_cut_does_not_bring_back_the_mark_of_an_orderly_stop() {
        let folder = Path::new("/data");
        for seed in 0..20 {
            let sim = Sim::with_folder(seed, folder);
            let runtime = sim.runtime();
            let take = async move |runtime: Runtime| {
                take_clean_marks(&runtime, &[folder.to_owned()]).await.unwrap()
            };
            let was_clean = sim.run(async move {
                let directory = runtime.directory(folder);
                let mark = clean_shutdown::encode(7);
                directory.write_file_atomically(clean_shutdown::FILE, mark).await.unwrap();
                take(runtime).await
            });
            assert_eq!(was_clean, Some(true));
            let after = sim.crash();
            let runtime = after.runtime();
            assert_eq!(after.run(async move { take(runtime).await }), Some(false));
        }
    }
}
