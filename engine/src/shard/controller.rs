//! The controller's hands: commands are decided one after another against the newest image, what
//! waits is decided together, and nobody is answered before the records are durable and every core
//! follows.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use futures_channel::oneshot;
use thiserror::Error;

use crate::cluster::command::{
    self, CommandError, ConfigAnswers, CreateAnswers, CreateTopic, CredentialAnswers,
    CredentialDeletion, CredentialUpsertion, DeleteAnswers, GrowAnswers, GrowTopic, Outcome,
    ProducerIdBlock, QuotaAlteration, QuotaAnswers, ResourceChange, ResourceReplacement, TopicRef,
};
use crate::cluster::{
    BucketRule, Buckets, ClusterImage, Mutated, Mutator, Permits, QuotaKind, ResourceKind,
};
use crate::io::Moment;
use crate::records::metadata::MetadataRecord;
use crate::shard::Shard;
use crate::shard::ask::Ask;
use crate::shard::metadata_log::{MetadataError, MetadataLog};
use crate::types::{CoreId, LeaderEpoch, Offset, TopicId};

/// The decision could not be stored: nothing of it counts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ControlError {
    #[error("the metadata log cannot be written: {reason}")]
    Storage { reason: String },
    #[error("the node is stopping")]
    Stopping,
    /// Whoever asked waits no longer.
    #[error("it was not decided in time")]
    TimedOut,
}

pub type Decided<A> = Result<A, ControlError>;
type Answer<A> = oneshot::Sender<Decided<A>>;

/// What the controller can be asked to change.
pub enum Control {
    CreateTopics {
        topics: Vec<CreateTopic>,
        validate_only: bool,
        by: Option<Mutator>,
        answer: Answer<Mutated<CreateAnswers>>,
    },
    DeleteTopics {
        topics: Vec<TopicRef>,
        by: Option<Mutator>,
        answer: Answer<Mutated<DeleteAnswers>>,
    },
    CreatePartitions {
        topics: Vec<GrowTopic>,
        validate_only: bool,
        by: Option<Mutator>,
        answer: Answer<Mutated<GrowAnswers>>,
    },
    AlterConfigs {
        changes: Vec<ResourceChange>,
        validate_only: bool,
        answer: Answer<ConfigAnswers>,
    },
    ReplaceConfigs {
        replacements: Vec<ResourceReplacement>,
        validate_only: bool,
        answer: Answer<ConfigAnswers>,
    },
    AlterQuotas {
        alterations: Vec<QuotaAlteration>,
        validate_only: bool,
        answer: Answer<QuotaAnswers>,
    },
    AlterCredentials {
        deletions: Vec<CredentialDeletion>,
        upsertions: Vec<CredentialUpsertion>,
        answer: Answer<CredentialAnswers>,
    },
    DescribeQuorum {
        answer: Answer<QuorumState>,
    },
    AllocateProducerIds {
        answer: Answer<Result<ProducerIdBlock, CommandError>>,
    },
    /// Creates a topic of the broker's own unless it is there.
    CreateInternalTopic {
        topic: Internal,
        answer: Answer<()>,
    },
}

/// How far the cluster's metadata has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumState {
    pub epoch: LeaderEpoch,
    /// The first offset that is not decided.
    pub end: Offset,
}

/// A topic in which a coordinator keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Internal {
    Offsets,
    Transactions,
    ShareState,
}

impl Internal {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offsets => command::CONSUMER_OFFSETS,
            Self::Transactions => command::TRANSACTION_STATE,
            Self::ShareState => command::SHARE_GROUP_STATE,
        }
    }
}

pub struct Controller {
    shard: Rc<Shard>,
    log: RefCell<Option<MetadataLog>>,
    /// Each with the time at which it came.
    waiting: RefCell<VecDeque<(Moment, Control)>>,
    is_working: Cell<bool>,
    mutations: RefCell<Buckets>,
    quorum: Cell<QuorumState>,
}

/// A decision on its way: whom to answer once it is known to count.
type Reply = Box<dyn FnOnce(Decided<()>)>;

impl Controller {
    pub fn new(shard: Rc<Shard>, log: MetadataLog) -> Rc<Self> {
        let quorum = QuorumState { epoch: log.epoch(), end: log.end() };
        Rc::new(Self {
            shard,
            quorum: Cell::new(quorum),
            log: RefCell::new(Some(log)),
            waiting: RefCell::default(),
            is_working: Cell::new(false),
            mutations: RefCell::default(),
        })
    }

    pub fn ask(self: &Rc<Self>, control: Control) {
        self.waiting.borrow_mut().push_back((self.shard.runtime.now(), control));
        if !self.is_working.replace(true) {
            let controller = Rc::clone(self);
            self.shard.runtime.spawn(async move { controller.work().await });
        }
    }

    async fn work(self: Rc<Self>) {
        loop {
            let batch: Vec<(Moment, Control)> = self.waiting.borrow_mut().drain(..).collect();
            if batch.is_empty() {
                break;
            }
            // The log is away while it is written; nobody else takes it.
            let taken = self.log.borrow_mut().take();
            let Some(mut log) = taken else {
                for (came, control) in batch {
                    let (_, reply) = self.decide(&mut self.shard.image(), came, control);
                    reply(Err(ControlError::Stopping));
                }
                continue;
            };
            self.carry_out(&mut log, batch).await;
            *self.log.borrow_mut() = Some(log);
        }
        self.is_working.set(false);
    }

    async fn carry_out(&self, log: &mut MetadataLog, batch: Vec<(Moment, Control)>) {
        let mut image = self.shard.image();
        let mut records = Vec::new();
        let mut replies: Vec<Reply> = Vec::with_capacity(batch.len());
        for (came, control) in batch {
            let (decided, reply) = self.decide(&mut image, came, control);
            let next = Arc::make_mut(&mut image);
            for record in &decided {
                next.apply(record).expect("the controller's own records fit its image");
            }
            records.extend(decided);
            replies.push(reply);
            self.shard.runtime.yield_if_needed().await;
        }
        let stored = if records.is_empty() {
            Ok(())
        } else {
            let stored = log.append(&records).await;
            if stored.is_ok() {
                self.quorum.set(QuorumState { epoch: log.epoch(), end: log.end() });
                let changed = changed_topics(&image, &records);
                publish(&self.shard, &image, changed).await;
                self.snapshot_if_due(log, &image).await;
            }
            stored.map_err(|error| ControlError::Storage { reason: error.to_string() })
        };
        if let Err(error) = &stored {
            tracing::error!(%error, "a decision was not stored");
            if let Some(reason) = log.fenced() {
                self.shard.give_up(&format!(
                    "nothing can be decided without the metadata log ({reason})"
                ));
            }
        }
        for reply in replies {
            reply(stored.clone());
        }
    }

    async fn snapshot_if_due(&self, log: &mut MetadataLog, image: &ClusterImage) {
        if self.shard.config().metadata_snapshot_bytes <= log.bytes_since_snapshot() {
            try_snapshot(log, image).await;
        }
    }

    /// Writes a snapshot if anything was decided since the last.
    pub async fn write_snapshot(self: &Rc<Self>) {
        // Who works holds the log; the next turn comes.
        if self.is_working.replace(true) {
            return;
        }
        let taken = self.log.borrow_mut().take();
        if let Some(mut log) = taken {
            if 0 < log.bytes_since_snapshot() {
                try_snapshot(&mut log, &self.shard.image()).await;
            }
            *self.log.borrow_mut() = Some(log);
        }
        // What was asked meanwhile waits for this.
        Rc::clone(self).work().await;
    }

    /// What the command does to the image, and whom it answers.
    fn decide(
        &self,
        image: &mut Arc<ClusterImage>,
        came: Moment,
        control: Control,
    ) -> (Vec<MetadataRecord>, Reply) {
        let config = self.shard.config();
        let mut new_id = || TopicId(self.shard.runtime.random_uuid().0);
        match control {
            Control::CreateTopics { topics, validate_only, by, answer } => {
                let create = |permits: &mut Permits<'_>| {
                    let (topics, only) = (&topics, validate_only);
                    command::create_topics(image, &config, topics, only, permits, &mut new_id)
                };
                in_time(self.within_limits(image, came, by, create), answer)
            }
            Control::DeleteTopics { topics, by, answer } => {
                let delete = |permits: &mut Permits<'_>| {
                    command::delete_topics(image, &config, &topics, permits)
                };
                in_time(self.within_limits(image, came, by, delete), answer)
            }
            Control::CreatePartitions { topics, validate_only, by, answer } => {
                let grow = |permits: &mut Permits<'_>| {
                    command::create_partitions(image, &topics, validate_only, permits)
                };
                in_time(self.within_limits(image, came, by, grow), answer)
            }
            Control::AlterQuotas { alterations, validate_only, answer } => {
                answered(command::alter_quotas(image, &alterations, validate_only), answer)
            }
            Control::AlterConfigs { changes, validate_only, answer } => {
                answered(command::alter_configs(image, &config, &changes, validate_only), answer)
            }
            Control::ReplaceConfigs { replacements, validate_only, answer } => answered(
                command::replace_configs(image, &config, &replacements, validate_only),
                answer,
            ),
            Control::AlterCredentials { deletions, upsertions, answer } => {
                answered(command::alter_credentials(image, &deletions, &upsertions), answer)
            }
            Control::DescribeQuorum { answer } => {
                answered(Outcome { records: Vec::new(), answers: self.quorum.get() }, answer)
            }
            Control::AllocateProducerIds { answer } => {
                let epoch = self.broker_epoch(image);
                let outcome = match command::allocate_producer_ids(image, self.shard.node, epoch) {
                    Ok(Outcome { records, answers }) => Outcome { records, answers: Ok(answers) },
                    Err(error) => Outcome { records: Vec::new(), answers: Err(error) },
                };
                answered(outcome, answer)
            }
            Control::CreateInternalTopic { topic, answer } => {
                let wanted = match topic {
                    Internal::Offsets => command::consumer_offsets(&config),
                    Internal::Transactions => command::transaction_state(&config),
                    Internal::ShareState => command::share_group_state(&config),
                };
                let topics = if image.topic_named(topic.name()).is_some() {
                    Vec::new()
                } else {
                    vec![reachable(wanted, image)]
                };
                let permits = &mut Permits::unlimited();
                let outcome =
                    command::create_topics(image, &config, &topics, false, permits, &mut new_id);
                for (name, created) in &outcome.answers {
                    if let Err(error) = created {
                        tracing::error!(topic = name, %error, "cannot create an internal topic");
                    }
                }
                answered(Outcome { records: outcome.records, answers: () }, answer)
            }
        }
    }

    /// Decides with what is left of the quota that counts for whoever asks, if it is not the node.
    /// `None` if they have waited for it as long as they would: then nothing is done, as in Kafka.
    fn within_limits<A>(
        &self,
        image: &ClusterImage,
        came: Moment,
        by: Option<Mutator>,
        decide: impl FnOnce(&mut Permits<'_>) -> Outcome<A>,
    ) -> Option<Outcome<Mutated<A>>> {
        let waited = self.shard.runtime.now().since(came);
        if by.as_ref().is_some_and(|by| by.patience <= waited) {
            return None;
        }
        let limited = by.and_then(|by| {
            let quota = image.client_quota(QuotaKind::Mutations, &by.user, &by.client_id)?;
            Some((quota, by.understands_refusal))
        });
        let mut buckets = self.mutations.borrow_mut();
        let mut permits = match limited {
            None => Permits::unlimited(),
            Some((quota, understands_refusal)) => {
                let windows = self.shard.config().quotas.mutations;
                let rule = BucketRule::new(quota.limit, windows);
                let now = self.shard.runtime.now().since(Moment::default());
                buckets.permits(quota.group, rule, understands_refusal, now)
            }
        };
        let Outcome { records, answers } = decide(&mut permits);
        Some(Outcome { records, answers: Mutated { answers, throttle: permits.throttle() } })
    }

    fn broker_epoch(&self, image: &ClusterImage) -> i64 {
        image.broker(self.shard.node).map_or(0, |broker| broker.epoch)
    }

    /// Writes a last snapshot and seals the log. True if that worked.
    pub async fn close(&self) -> bool {
        let taken = self.log.borrow_mut().take();
        let Some(mut log) = taken else { return false };
        let result: Result<(), MetadataError> = async {
            log.write_snapshot(&self.shard.image()).await?;
            log.close().await
        }
        .await;
        if let Err(error) = &result {
            tracing::error!(%error, "the metadata log was not closed in order");
        }
        result.is_ok()
    }
}

async fn try_snapshot(log: &mut MetadataLog, image: &ClusterImage) {
    if let Err(error) = log.write_snapshot(image).await {
        // The log holds everything that the snapshot would: the next one is tried later.
        tracing::warn!(%error, "the metadata snapshot was not written");
    }
}

/// A cluster of few brokers gets as many replicas as it has brokers: Kafka's default of three
/// would leave a single node without groups.
fn reachable(mut topic: CreateTopic, image: &ClusterImage) -> CreateTopic {
    let brokers = image.brokers().filter(|broker| broker.usable()).count();
    let brokers = i16::try_from(brokers).unwrap_or(i16::MAX);
    topic.replication_factor = topic.replication_factor.min(brokers);
    topic
}

fn answered<A: 'static>(outcome: Outcome<A>, answer: Answer<A>) -> (Vec<MetadataRecord>, Reply) {
    let Outcome { records, answers } = outcome;
    // Whoever asked may have gone; the decision counts all the same.
    let reply: Reply = Box::new(move |stored| drop(answer.send(stored.map(|()| answers))));
    (records, reply)
}

fn in_time<A: 'static>(
    outcome: Option<Outcome<A>>,
    answer: Answer<A>,
) -> (Vec<MetadataRecord>, Reply) {
    match outcome {
        Some(outcome) => answered(outcome, answer),
        None => {
            let late = Box::new(move |_| drop(answer.send(Err(ControlError::TimedOut))));
            (Vec::new(), late)
        }
    }
}

/// Gives every core the image, and returns when all have followed.
async fn publish(shard: &Shard, image: &Arc<ClusterImage>, changed: Vec<TopicId>) {
    let followed = (0..shard.mailboxes.cores()).map(|core| {
        let (image, changed) = (Arc::clone(image), changed.clone());
        shard.mailboxes.ask(CoreId(core), |answer| Ask::Image { image, changed, answer })
    });
    // A core that has gone holds nothing any more: its silence is as good as its answer.
    futures_util::future::join_all(followed).await;
}

/// Every topic that the records create, change, configure or remove. A setting of the whole
/// broker changes all of them.
#[expect(clippy::wildcard_enum_match_arm, reason = "only these records say something of topics")]
fn changed_topics(after: &ClusterImage, records: &[MetadataRecord]) -> Vec<TopicId> {
    let mut changed = BTreeSet::new();
    for record in records {
        let id = match record {
            MetadataRecord::Topic(topic) => topic.topic_id,
            MetadataRecord::Partition(partition) => partition.topic_id,
            MetadataRecord::PartitionChange(partition) => partition.topic_id,
            MetadataRecord::RemoveTopic(topic) => topic.topic_id,
            MetadataRecord::Config(config) => {
                match ResourceKind::from_wire(config.resource_type) {
                    ResourceKind::Topic => {
                        changed.extend(after.topic_named(&config.resource_name).map(|one| one.id));
                    }
                    ResourceKind::Broker => changed.extend(after.topics().map(|topic| topic.id)),
                    _ => {}
                }
                continue;
            }
            _ => continue,
        };
        changed.insert(TopicId(id.0));
    }
    changed.into_iter().collect()
}
