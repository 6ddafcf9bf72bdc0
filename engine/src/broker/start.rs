//! Starting and stopping a node: one shard per core, core 0 first finds out what the node is, then
//! all begin; at the end they stop together.

use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};

use thiserror::Error;

use crate::broker::boot::{self, Boot, BootError};
use crate::broker::handle::Broker;
use crate::cluster::ClusterImage;
use crate::config::BrokerConfig;
use crate::io::{self, CoreOptions, CoreSelection, Cores, FolderLock, LockError, ReadCacheOptions};
use crate::shard::{
    Ask, Budget, CONTROLLER_CORE, DataFolders, Ending, Mailbox, Mailboxes, Offline, Shard,
    ShardParts, Sizes,
};
use crate::types::limits::{CORE_IO_MEMORY_BYTES, READ_CACHE_BYTES_MIN, READ_CACHE_SHARE};
use crate::types::{BrokerId, CoreId};

#[derive(Clone, Debug)]
pub struct NodeOptions {
    pub config: BrokerConfig,
    pub cores: CoreSelection,
}

/// What a start found out, for the line that tells the user.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    pub cluster_id: String,
    pub node: BrokerId,
    pub cores: u16,
    /// Partitions that each core owns.
    pub partitions: Vec<usize>,
    /// The data folders in service.
    pub log_dirs: Vec<PathBuf>,
    /// False after a crash: logs recover as they open.
    pub was_clean: bool,
}

#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Cores(#[from] io::StartError),
    #[error(transparent)]
    Boot(#[from] BootError),
    #[error(
        "the data folder {} cannot be used, and it has the metadata log: {reason}", folder.display()
    )]
    MetadataFolder { folder: PathBuf, reason: String },
    #[error("none of the data folders can be used; the first one: {reason}")]
    NoFolder { reason: String },
    #[error("no machine has more than 65,535 cores; give fewer with --cores")]
    TooManyCores,
    #[error("a core ended while the node was starting")]
    Ended,
}

/// A running node.
pub struct Node {
    info: NodeInfo,
    cores: Cores<Ending>,
    stopper: Stopper,
    _locks: Vec<FolderLock>,
}

/// Asks a node to stop, from any thread.
#[derive(Clone)]
pub struct Stopper {
    mailboxes: Mailboxes,
}

impl Stopper {
    pub fn stop(&self) {
        self.mailboxes.stop_all();
    }
}

impl Node {
    pub fn info(&self) -> &NodeInfo {
        &self.info
    }

    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Waits for the end.
    pub fn join(self) -> Result<Ending, StartError> {
        let endings = self.cores.join()?;
        Ok(endings.into_iter().max().unwrap_or(Ending::Failed))
    }
}

/// Starts a node and returns when it serves: on each core `main` runs with the core's handle,
/// until it sees the stop and has answered what is in flight.
pub fn start<M, F>(options: &NodeOptions, main: M) -> Result<Node, StartError>
where
    M: FnOnce(Broker) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let config = Arc::new(options.config.clone());
    let (locks, offline) = take_folders(&config)?;
    let count = u16::try_from(options.cores.count()).map_err(|_| StartError::TooManyCores)?;
    let core_options = CoreOptions {
        selection: options.cores.clone(),
        io_memory_bytes: CORE_IO_MEMORY_BYTES,
        read_cache: read_cache(count),
        ..CoreOptions::default()
    };
    let (mailboxes, receivers) = Mailboxes::new(count);
    let receivers: Arc<Mutex<Vec<Option<Mailbox>>>> =
        Arc::new(Mutex::new(receivers.into_iter().map(Some).collect()));
    let (ready, is_ready) = mpsc::channel();
    let stopper = Stopper { mailboxes: mailboxes.clone() };
    let cores = io::start_cores(&core_options, move |runtime, core| async move {
        let mailbox = receivers
            .lock()
            .ok()
            .and_then(|mut receivers| receivers.get_mut(usize::from(core.0))?.take())
            .expect("each core takes its own mailbox once");
        let shard = Shard::new(ShardParts {
            core,
            node: config.node_id,
            mailboxes,
            budget: Budget::new(config.connections.core_budget_bytes(count)),
            folders: DataFolders::new(config.log_folders.clone().into(), offline),
            sizes: Sizes::of(&config),
            runtime,
            config,
        });
        run_core(&shard, mailbox, ready, main).await
    })?;
    let info = is_ready.recv().map_err(|_| StartError::Ended).and_then(|booted| booted)?;
    Ok(Node { info, cores, stopper, _locks: locks })
}

/// Locks the data folders. As in Kafka the node starts without those that cannot be used, unless one
/// of them has its metadata.
fn take_folders(config: &BrokerConfig) -> Result<(Vec<FolderLock>, Offline), StartError> {
    let (mut locks, mut offline) = (Vec::new(), Offline::new());
    for (place, folder) in config.log_folders.iter().enumerate() {
        let reason = match FolderLock::take(folder) {
            Ok(lock) => {
                locks.push(lock);
                continue;
            }
            Err(LockError::Io { reason, .. }) => reason,
            Err(error @ LockError::Taken { .. }) => return Err(error.into()),
        };
        if config.metadata_log_folder.starts_with(folder) {
            return Err(StartError::MetadataFolder { folder: folder.clone(), reason });
        }
        tracing::error!(
            folder = %folder.display(), reason,
            "a data folder cannot be used: its partitions are offline until the node starts again \
             with the folder in order; the other folders are served"
        );
        offline.insert(place, Arc::from(reason));
    }
    match offline.first_key_value() {
        Some((_, reason)) if locks.is_empty() => {
            Err(StartError::NoFolder { reason: reason.to_string() })
        }
        Some(_) | None => Ok((locks, offline)),
    }
}

/// Each core's part of the memory that holds what consumers read.
fn read_cache(cores: u16) -> ReadCacheOptions {
    let share = io::memory_bytes() / READ_CACHE_SHARE / u64::from(cores.max(1));
    let bytes_max = usize::try_from(share).unwrap_or(usize::MAX).max(READ_CACHE_BYTES_MIN);
    ReadCacheOptions::of(bytes_max)
}

/// One core from its first step to its last.
pub(crate) async fn run_core<M, F>(
    shard: &Rc<Shard>,
    mailbox: Mailbox,
    ready: mpsc::Sender<Result<NodeInfo, StartError>>,
    main: M,
) -> Ending
where
    M: FnOnce(Broker) -> F,
    F: Future<Output = ()>,
{
    let answering = Rc::clone(shard);
    shard.runtime.spawn(async move { answering.answer_mailbox(mailbox).await });
    if shard.core == CONTROLLER_CORE {
        match boot::boot(shard).await {
            Ok(boot) => begin_all(shard, &boot, &ready).await,
            Err(error) => {
                // Without a listener the process is ending anyway.
                drop(ready.send(Err(error.into())));
                shard.mailboxes.stop_all();
            }
        }
    }
    if !shard.begun().await {
        return Ending::Failed;
    }
    shard.start_upkeep();
    main(Broker::new(Rc::clone(shard))).await;
    // Nobody asks for anything any more only when the servers of all cores have ended.
    shard.gather(CONTROLLER_CORE, true).await;
    let ending = shard.close().await;
    let are_sealed = shard.gather(CONTROLLER_CORE, ending == Ending::Sealed).await;
    if shard.core == CONTROLLER_CORE {
        let is_marked = boot::end(shard, are_sealed).await;
        if are_sealed && !is_marked { Ending::Failed } else { ending }
    } else {
        ending
    }
}

async fn begin_all(
    shard: &Rc<Shard>,
    boot: &Boot,
    ready: &mpsc::Sender<Result<NodeInfo, StartError>>,
) {
    shard.expect_replay(&boot.replay);
    let mut partitions = Vec::new();
    for core in 0..shard.mailboxes.cores() {
        let ask = |answer| Ask::Begin {
            image: Arc::<ClusterImage>::clone(&boot.image),
            opening: boot.opening,
            found: Arc::clone(&boot.found),
            known: Arc::clone(&boot.known),
            replay: Arc::clone(&boot.replay),
            answer,
        };
        partitions.push(shard.mailboxes.ask(CoreId(core), ask).await.unwrap_or(0));
    }
    let info = NodeInfo {
        cluster_id: boot.cluster_id.clone(),
        node: shard.node,
        cores: shard.mailboxes.cores(),
        partitions,
        log_dirs: shard.folders.online_paths(),
        was_clean: boot.was_clean,
    };
    drop(ready.send(Ok(info)));
}
