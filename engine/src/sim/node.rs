//! A node of several cores in one thread: the shards, journals, controller and coordinators that
//! run in production, on simulated disks and clocks.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, mpsc};

use futures_channel::oneshot;
use futures_util::future::join_all;

use crate::broker::{Broker, StartError, run_core};
use crate::config::BrokerConfig;
use crate::io::Event;
use crate::io::sim::Sim;
use crate::journal::JournalOptions;
use crate::log::LogOptions;
use crate::shard::{
    Budget, DataFolders, Ending, Mailboxes, OFFSETS_TOPIC, Offline, Shard, ShardParts, Sizes,
};
use crate::sim::failing::Failing;
use crate::types::{CoreId, PartitionId, PartitionIndex};

const BUDGET_BYTES: usize = 1 << 20;

pub(super) struct Node {
    pub(super) brokers: Vec<Broker>,
    mailboxes: Mailboxes,
    clients: Rc<Clients>,
    ended: Vec<oneshot::Receiver<Ending>>,
}

/// Whether clients still talk to the node: a server ends when they have their answers.
#[derive(Default)]
struct Clients {
    have_gone: Cell<bool>,
    event: Event,
}

/// Small files and buffers, so that short histories come to all borders.
fn sizes() -> Sizes {
    Sizes {
        journal: JournalOptions { file_bytes: 64 << 10, files_max: 2, commit_bytes: 16 << 10 },
        log: LogOptions {
            unsynced_bytes_max: 24 << 10,
            direct_write_bytes_min: 6 << 10,
            write_back_bytes: 8 << 10,
            tail_cache_bytes: 8 << 10,
            ..LogOptions::default()
        },
    }
}

pub(super) fn config(properties: &str) -> Arc<BrokerConfig> {
    let read = BrokerConfig::from_properties(properties.as_bytes(), Path::new("/"));
    Arc::new(read.unwrap().0)
}

/// As the locks of the folders would say it.
fn offline_folders(sim: &Sim, config: &BrokerConfig) -> Result<Offline, StartError> {
    let reason = "the disk has failed";
    let folders = config.log_folders.iter().enumerate();
    let failing: Offline = folders
        .filter(|(_, folder)| sim.is_failing(folder))
        .map(|(place, _)| (place, Arc::from(reason)))
        .collect();
    if sim.is_failing(&config.metadata_log_folder) {
        let (folder, reason) = (config.metadata_log_folder.clone(), reason.to_owned());
        return Err(StartError::MetadataFolder { folder, reason });
    }
    Ok(failing)
}

/// Starts a node and returns when all its cores serve. `shards` learns what was made, so that it can
/// be taken apart when the machine has died.
pub(super) async fn start(
    sim: &Sim,
    config: &Arc<BrokerConfig>,
    cores: u16,
    shards: &Shards,
) -> Result<Node, StartError> {
    let (mailboxes, receivers) = Mailboxes::new(cores);
    let (ready, is_ready) = mpsc::channel();
    let clients = Rc::new(Clients::default());
    let offline = offline_folders(sim, config)?;
    let (mut served, mut ended) = (Vec::new(), Vec::new());
    for (mailbox, core) in receivers.into_iter().zip((0..cores).map(CoreId)) {
        let runtime = sim.runtime_of(core);
        let shard = Shard::new(ShardParts {
            core,
            node: config.node_id,
            mailboxes: mailboxes.clone(),
            budget: Budget::new(BUDGET_BYTES),
            folders: DataFolders::new(config.log_folders.clone().into(), offline.clone()),
            runtime: runtime.clone(),
            config: Arc::clone(config),
            sizes: sizes(),
        });
        shards.0.borrow_mut().push(Rc::clone(&shard));
        let (serves, is_served) = oneshot::channel();
        let (ends, has_ended) = oneshot::channel();
        served.push(is_served);
        ended.push(has_ended);
        let (ready, clients) = (ready.clone(), Rc::clone(&clients));
        runtime.spawn(async move {
            let main = async move |broker: Broker| {
                serves.send(broker.clone()).ok().unwrap();
                broker.stopping().wait().await;
                clients.event.until(|| clients.have_gone.get().then_some(())).await;
            };
            ends.send(run_core(&shard, mailbox, ready, main).await).ok();
        });
    }
    drop(ready);
    // A core that does not come to serve drops its end.
    let brokers: Vec<Broker> = join_all(served).await.into_iter().filter_map(Result::ok).collect();
    let info = is_ready.try_recv().map_err(|_| StartError::Ended).and_then(|booted| booted);
    let node = Node { brokers, mailboxes, clients, ended };
    match info {
        Ok(_) => Ok(node),
        Err(error) => {
            node.end().await;
            Err(error)
        }
    }
}

impl Node {
    /// As the signal does.
    pub(super) fn stop(&self) {
        self.mailboxes.stop_all();
    }

    /// Waits for the end; no client may wait for an answer any more.
    pub(super) async fn end(self) -> Ending {
        self.clients.have_gone.set(true);
        self.clients.event.notify();
        let ended = join_all(self.ended).await;
        ended
            .into_iter()
            .map(|ending| ending.unwrap_or(Ending::Failed))
            .max()
            .unwrap_or(Ending::Failed)
    }
}

/// Every shard of a run, for the end of it.
#[derive(Clone, Default)]
pub(super) struct Shards(Rc<std::cell::RefCell<Vec<Rc<Shard>>>>);

impl Shards {
    /// The core that owns a partition, if the partition is there.
    pub(super) fn owner_of(&self, id: PartitionId) -> Option<Rc<Shard>> {
        let shards = self.0.borrow();
        shards.iter().find(|shard| shard.partition(id).is_some()).cloned()
    }

    pub(super) fn folder_of(&self, id: PartitionId) -> Option<PathBuf> {
        let partition = self.owner_of(id)?.partition(id)?;
        Some(partition.folder.clone())
    }

    /// Whether the partition lies where the disk fails, or may do so: where nobody has used it, its
    /// folder is nowhere.
    pub(super) fn is_below(&self, id: PartitionId, failing: &Failing, sim: &Sim) -> bool {
        let Some(partition) = self.owner_of(id).and_then(|owner| owner.partition(id)) else {
            return false;
        };
        let is_nowhere = || partition.is_offline() && !sim.has_folder(&partition.folder);
        let is_partial = matches!(failing, Failing::Below(_));
        failing.may_fail_at(&partition.folder) || (is_partial && is_nowhere())
    }

    /// Whether a partition that keeps groups lies where the disk fails.
    pub(super) fn offsets_are_below(&self, failing: &Failing, sim: &Sim) -> bool {
        let image = self.0.borrow().first().map(|first| first.image());
        let topic = image.as_ref().and_then(|image| image.topic_named(OFFSETS_TOPIC));
        topic.is_some_and(|topic| {
            (0..topic.partition_count()).any(|number| {
                let index = PartitionIndex::new(u32::try_from(number).unwrap()).unwrap();
                self.is_below(PartitionId { topic: topic.id, index }, failing, sim)
            })
        })
    }
}

impl Drop for Shards {
    /// A process that has died leaves nothing in memory; ten thousand simulated ones would.
    fn drop(&mut self) {
        if Rc::strong_count(&self.0) == 1 {
            for shard in self.0.borrow_mut().drain(..) {
                shard.take_controller();
            }
        }
    }
}
