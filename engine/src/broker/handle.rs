//! What a server sees of the engine: one handle per core. Where a partition, a group or the
//! controller lives is decided here and nowhere outside.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::{join_all, select_all};

use crate::cluster::command::{
    ConfigAnswers, CreateAnswers, CreateTopic, CredentialAnswers, CredentialDeletion,
    CredentialUpsertion, DeleteAnswers, GrowAnswers, GrowTopic, QuotaAlteration, QuotaAnswers,
    ResourceChange, ResourceReplacement, TopicRef,
};
use crate::cluster::{ClusterImage, Mutated, Mutator, placement};
use crate::config::{BrokerConfig, RunningConfig};
use crate::group::{self, GroupError, Reply, Request};
use crate::io::Runtime;
use crate::shard::{
    Append, AppendTicket, Ask, Budget, Control, Decided, Each, EpochEnd, EpochEndAsk, GroupAnswer,
    Internal, ListOffsetAsk, ListedOffset, LogDir, OFFSETS_TOPIC, PartitionError, QuorumState,
    ReadOutcome, ReadRequest, Shard, Stopping, running_config,
};
use crate::types::{BrokerId, CoreId, Offset, PartitionId, ProducerId};

/// Bound to its core's thread; cheap to clone.
#[derive(Clone)]
pub struct Broker {
    pub(super) shard: Rc<Shard>,
}

impl Broker {
    pub(crate) fn new(shard: Rc<Shard>) -> Self {
        Self { shard }
    }

    pub fn core(&self) -> CoreId {
        self.shard.core
    }

    pub fn cores(&self) -> u16 {
        self.shard.mailboxes.cores()
    }

    pub fn node(&self) -> BrokerId {
        self.shard.node
    }

    /// The metadata as this core knows it now.
    pub fn image(&self) -> Arc<ClusterImage> {
        self.shard.image()
    }

    /// Whether this is the metadata as this core knows it now; costs less than to take it.
    pub fn is_current(&self, known: &Arc<ClusterImage>) -> bool {
        self.shard.is_current(known)
    }

    pub fn config(&self) -> Arc<BrokerConfig> {
        self.shard.config()
    }

    /// The settings that may change while the node runs, as they are now.
    pub fn running_config(&self) -> RunningConfig {
        running_config(&self.image(), &self.config())
    }

    pub fn runtime(&self) -> &Runtime {
        &self.shard.runtime
    }

    /// Memory for the requests of this core's connections.
    pub fn budget(&self) -> &Budget {
        &self.shard.budget
    }

    /// Resolves when every log of this core that has anything on disk is open, or cannot be opened.
    pub async fn opened_ahead(&self) {
        self.shard.opened_ahead().await;
    }

    pub fn stopping(&self) -> Stopping {
        self.shard.stopping.clone()
    }

    pub(super) fn owner(&self, partition: PartitionId) -> CoreId {
        placement::owner(partition, self.cores())
    }

    /// Resolves when the append has its place in the queue of its partition's core: appends that
    /// are submitted one after another keep their order. The ticket resolves when it is
    /// acknowledged.
    pub async fn submit_append(&self, append: Append) -> AppendTicket {
        let core = self.owner(append.partition);
        if core == self.core() {
            return self.shard.begin_append(append);
        }
        let (answer, answered) = oneshot::channel();
        // A core that has gone drops the ask, and the ticket says so.
        self.shard.mailboxes.send(core, Ask::Append { append, answer }).await.ok();
        AppendTicket::other_core(answered)
    }

    /// One outcome per read, in their order. `total_bytes_max` bounds all of them together, but
    /// for the first batch if that alone is larger.
    pub async fn read(&self, reads: Vec<ReadRequest>, total_bytes_max: usize) -> Each<ReadOutcome> {
        let mut outcomes = self
            .each(
                reads,
                |read| read.partition,
                async |shard, reads| shard.read(reads, total_bytes_max).await,
                |reads, answer| Ask::Read { reads, bytes_max: total_bytes_max, answer },
            )
            .await;
        // Each core kept to the bound by itself; together they may have passed it.
        let mut bytes = 0_usize;
        for outcome in outcomes.iter_mut().flatten() {
            let more = outcome.records_bytes();
            if bytes > 0 && total_bytes_max < bytes.saturating_add(more) {
                outcome.records.clear();
            } else {
                bytes = bytes.saturating_add(more);
            }
        }
        outcomes
    }

    /// Returns when one of the partitions can be read beyond the offset, has gone, or the time is
    /// over.
    pub async fn wait_for_data(&self, seen: &[(PartitionId, Offset)], at_most: Duration) {
        let mut by_core: BTreeMap<CoreId, Vec<(PartitionId, Offset)>> = BTreeMap::new();
        for (partition, offset) in seen {
            by_core.entry(self.owner(*partition)).or_default().push((*partition, *offset));
        }
        if by_core.is_empty() {
            self.shard.wait(Vec::new(), at_most).await;
            return;
        }
        let waits = by_core.into_iter().map(|(core, seen)| {
            Box::pin(async move {
                if core == self.core() {
                    self.shard.wait(seen, at_most).await;
                } else {
                    let ask = |answer| Ask::Wait { seen, at_most, answer };
                    // A core that has gone has nothing to wait for.
                    self.shard.mailboxes.ask(core, ask).await.ok();
                }
            })
        });
        // The waits that lose are dropped; the other core sees that and forgets them.
        select_all(waits).await;
    }

    pub async fn list_offsets(&self, asks: Vec<ListOffsetAsk>) -> Each<ListedOffset> {
        self.each(
            asks,
            |ask| ask.partition,
            async |shard, asks| shard.list_offsets(asks).await,
            |asks, answer| Ask::ListOffsets { asks, answer },
        )
        .await
    }

    pub async fn epoch_ends(&self, asks: Vec<EpochEndAsk>) -> Each<EpochEnd> {
        self.each(
            asks,
            |ask| ask.partition,
            async |shard, asks| shard.epoch_ends(asks).await,
            |asks, answer| Ask::EpochEnds { asks, answer },
        )
        .await
    }

    /// Removes what lies before the offset, or all that can be read; answers the new starts.
    pub async fn delete_records(&self, asks: Vec<(PartitionId, Option<Offset>)>) -> Each<Offset> {
        self.each(
            asks,
            |(partition, _)| *partition,
            async |shard, asks| shard.delete_records(asks).await,
            |asks, answer| Ask::DeleteRecords { asks, answer },
        )
        .await
    }

    /// Asks each owning core once, all at a time, and puts the answers back in order.
    pub(super) async fn each<A: 'static, T>(
        &self,
        asks: Vec<A>,
        partition_of: impl Fn(&A) -> PartitionId,
        here: impl AsyncFnOnce(&Shard, Vec<A>) -> Each<T>,
        there: impl Fn(Vec<A>, oneshot::Sender<Each<T>>) -> Ask,
    ) -> Each<T> {
        let count = asks.len();
        let mut by_core: BTreeMap<CoreId, (Vec<usize>, Vec<A>)> = BTreeMap::new();
        for (place, ask) in asks.into_iter().enumerate() {
            let (places, asks) = by_core.entry(self.owner(partition_of(&ask))).or_default();
            places.push(place);
            asks.push(ask);
        }
        let own = by_core.remove(&self.core());
        let mut pending = Vec::with_capacity(by_core.len());
        for (core, (places, asks)) in by_core {
            let (answer, answered) = oneshot::channel();
            let sent = self.shard.mailboxes.send(core, there(asks, answer)).await;
            pending.push((places, sent.is_ok().then_some(answered)));
        }
        let mut answers: Vec<Option<Result<T, PartitionError>>> = Vec::new();
        answers.resize_with(count, || None);
        let mut put = |places: Vec<usize>, results: Each<T>| {
            for (place, result) in places.into_iter().zip(results) {
                if let Some(slot) = answers.get_mut(place) {
                    *slot = Some(result);
                }
            }
        };
        if let Some((places, asks)) = own {
            put(places, here(&self.shard, asks).await);
        }
        for (places, answered) in pending {
            if let Some(answered) = answered
                && let Ok(results) = answered.await
            {
                put(places, results);
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Err(PartitionError::Stopping))).collect()
    }

    /// Every data folder with all partitions in it.
    pub async fn log_dirs(&self) -> Vec<LogDir> {
        let shares = (0..self.cores()).map(|core| {
            let core = CoreId(core);
            async move {
                if core == self.core() {
                    return self.shard.log_dirs().await;
                }
                let share = self.shard.mailboxes.ask(core, |answer| Ask::LogDirs { answer }).await;
                share.unwrap_or_default()
            }
        });
        let mut dirs: BTreeMap<PathBuf, LogDir> = BTreeMap::new();
        for share in join_all(shares).await.into_iter().flatten() {
            let dir = dirs.entry(share.path.clone()).or_insert_with(|| LogDir {
                path: share.path.clone(),
                total_bytes: None,
                usable_bytes: None,
                offline: None,
                partitions: Vec::new(),
            });
            dir.partitions.extend(share.partitions);
        }
        let mut dirs: Vec<LogDir> = dirs.into_values().collect();
        let offline: BTreeMap<_, _> = self.shard.folders.offline().into_iter().collect();
        for dir in &mut dirs {
            dir.offline = offline.get(&dir.path).cloned();
            if dir.offline.is_some() {
                continue;
            }
            let space = self.runtime().space(&dir.path).await.ok();
            dir.total_bytes = space.map(|space| space.total_bytes);
            dir.usable_bytes = space.map(|space| space.usable_bytes);
        }
        dirs
    }

    /// Answers when the topics exist on every core, or in their item why not.
    pub async fn create_topics(
        &self,
        topics: Vec<CreateTopic>,
        validate_only: bool,
        by: Option<Mutator>,
    ) -> Decided<Mutated<CreateAnswers>> {
        self.control(|answer| Control::CreateTopics { topics, validate_only, by, answer }).await
    }

    pub async fn delete_topics(
        &self,
        topics: Vec<TopicRef>,
        by: Option<Mutator>,
    ) -> Decided<Mutated<DeleteAnswers>> {
        self.control(|answer| Control::DeleteTopics { topics, by, answer }).await
    }

    pub async fn create_partitions(
        &self,
        topics: Vec<GrowTopic>,
        validate_only: bool,
        by: Option<Mutator>,
    ) -> Decided<Mutated<GrowAnswers>> {
        self.control(|answer| Control::CreatePartitions { topics, validate_only, by, answer }).await
    }

    pub async fn alter_configs(
        &self,
        changes: Vec<ResourceChange>,
        validate_only: bool,
    ) -> Decided<ConfigAnswers> {
        self.control(|answer| Control::AlterConfigs { changes, validate_only, answer }).await
    }

    pub async fn replace_configs(
        &self,
        replacements: Vec<ResourceReplacement>,
        validate_only: bool,
    ) -> Decided<ConfigAnswers> {
        let ask = |answer| Control::ReplaceConfigs { replacements, validate_only, answer };
        self.control(ask).await
    }

    pub async fn alter_quotas(
        &self,
        alterations: Vec<QuotaAlteration>,
        validate_only: bool,
    ) -> Decided<QuotaAnswers> {
        self.control(|answer| Control::AlterQuotas { alterations, validate_only, answer }).await
    }

    pub async fn alter_credentials(
        &self,
        deletions: Vec<CredentialDeletion>,
        upsertions: Vec<CredentialUpsertion>,
    ) -> Decided<CredentialAnswers> {
        self.control(|answer| Control::AlterCredentials { deletions, upsertions, answer }).await
    }

    pub async fn describe_quorum(&self) -> Decided<QuorumState> {
        self.control(|answer| Control::DescribeQuorum { answer }).await
    }

    /// An identity for a producer that no other has had.
    pub async fn next_producer_id(&self) -> Decided<ProducerId> {
        self.shard.next_producer_id().await
    }

    /// Makes sure that groups can have a coordinator.
    pub async fn ensure_offsets_topic(&self) -> Decided<()> {
        self.ensure_topic(Internal::Offsets).await
    }

    pub(super) async fn ensure_topic(&self, topic: Internal) -> Decided<()> {
        if self.image().topic_named(topic.name()).is_some() {
            return Ok(());
        }
        self.shard.ensure_internal(topic).await
    }

    async fn control<A>(
        &self,
        ask: impl FnOnce(oneshot::Sender<Decided<A>>) -> Control,
    ) -> Decided<A> {
        self.shard.control(ask).await
    }

    /// Asks the group's coordinator; the reply may take as long as a rebalance.
    pub async fn group(&self, group_id: &str, request: Request) -> GroupAnswer {
        let partition = self.group_partition(group_id)?;
        let core = self.owner(partition);
        let (answer, answered) = oneshot::channel();
        if core == self.core() {
            self.shard.begin_group(partition.index, request, answer);
        } else {
            let ask = Ask::Group { partition: partition.index, request, answer };
            let sent = self.shard.mailboxes.send(core, ask).await;
            sent.map_err(|_| GroupError::CoordinatorNotAvailable)?;
        }
        answered.await.unwrap_or(Err(GroupError::NotCoordinator))
    }

    /// Puts one question to every coordinator of this node.
    pub async fn every_group(&self, request: Request) -> Vec<Result<Reply, GroupError>> {
        let answers = (0..self.cores()).map(|core| {
            let core = CoreId(core);
            let request = request.clone();
            async move {
                let ask = |answer| Ask::EveryGroup { request, answer };
                self.shard.mailboxes.ask(core, ask).await.unwrap_or_default()
            }
        });
        join_all(answers).await.into_iter().flatten().collect()
    }

    /// The partition of the offsets topic that holds the group; the topic may not exist yet.
    pub(super) fn group_partition(&self, group_id: &str) -> Result<PartitionId, GroupError> {
        self.home_of(OFFSETS_TOPIC, group_id).ok_or(GroupError::CoordinatorNotAvailable)
    }

    /// The partition of a coordinator's topic that holds the name, if the topic exists.
    pub(super) fn home_of(&self, topic: &str, name: &str) -> Option<PartitionId> {
        let image = self.image();
        let topic = image.topic_named(topic)?;
        let count = u32::try_from(topic.partitions.len()).ok().and_then(NonZeroU32::new)?;
        Some(PartitionId { topic: topic.id, index: group::partition_for(name, count) })
    }
}
