//! A command's turn: what it does to the image, and whom it answers.

use std::sync::Arc;

use crate::cluster::command::{self, CreateTopic, Outcome};
use crate::cluster::{BucketRule, ClusterImage, Mutated, Mutator, Permits, QuotaKind};
use crate::io::Moment;
use crate::records::metadata::MetadataRecord;
use crate::shard::controller::Controller;
use crate::shard::controller::control::{Answer, Control, ControlError, Decided, Internal};
use crate::types::TopicId;

/// A decision on its way: whom to answer once it is known to count.
pub(super) type Reply = Box<dyn FnOnce(Decided<()>)>;

impl Controller {
    /// What the command does to the image, and whom it answers.
    pub(super) fn decide(
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
