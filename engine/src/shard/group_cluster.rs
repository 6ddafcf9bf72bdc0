//! The cluster as the group coordinators see it: an image, asked for the few things that groups
//! depend on.

use std::rc::Rc;
use std::sync::Arc;

use crate::cluster::{ClusterImage, ConfigResource, Topic};
use crate::config::BrokerConfig;
use crate::group::{Cluster, GroupSettings, StreamsSettings, TopicFacts};
use crate::shard::options::{running_config, streams_settings};
use crate::types::{Millis, TopicId, TopicName};

#[derive(Debug)]
pub(super) struct GroupCluster {
    image: Arc<ClusterImage>,
    /// What counts for a group without settings of its own.
    otherwise: GroupSettings,
    /// The same, as a share group.
    otherwise_shared: GroupSettings,
    otherwise_streamed: StreamsSettings,
}

impl GroupCluster {
    pub(super) fn of(image: &Arc<ClusterImage>, config: &BrokerConfig) -> Rc<Self> {
        let consumer = &config.groups.consumer;
        let otherwise = GroupSettings {
            session_timeout: consumer.session_timeout,
            heartbeat_interval: consumer.heartbeat_interval,
            assignment_interval: running_config(image, config).consumer_assignment_interval,
        };
        let share = &config.groups.share;
        let otherwise_shared = GroupSettings {
            session_timeout: share.session_timeout,
            heartbeat_interval: share.heartbeat_interval,
            assignment_interval: running_config(image, config).share_assignment_interval,
        };
        let otherwise_streamed = streams_settings(image, config);
        let image = Arc::clone(image);
        Rc::new(Self { image, otherwise, otherwise_shared, otherwise_streamed })
    }

    fn settings_of(
        &self,
        group: &str,
        kind: &str,
        otherwise: GroupSettings,
    ) -> Option<GroupSettings> {
        let settings = self.image.settings(&ConfigResource::group(group));
        if settings.is_empty() {
            return None;
        }
        // Values were checked when they were set.
        let own = |name: &str, otherwise: Millis| {
            let value = settings.get(format!("{kind}.{name}").as_str());
            let value = value.and_then(|text| text.trim().parse().ok());
            value.map_or(otherwise, Millis)
        };
        let GroupSettings { session_timeout, heartbeat_interval, assignment_interval } = otherwise;
        Some(GroupSettings {
            session_timeout: own("session.timeout.ms", session_timeout),
            heartbeat_interval: own("heartbeat.interval.ms", heartbeat_interval),
            assignment_interval: own("assignment.interval.ms", assignment_interval),
        })
    }

    fn facts(&self, topic: &Topic) -> TopicFacts {
        let rack = |broker| self.image.broker(broker)?.rack.clone();
        let has_racks = self.image.brokers().any(|broker| broker.rack.is_some());
        let racks = topic.partitions.values().filter(|_| has_racks).map(|partition| {
            let mut racks: Vec<String> =
                partition.replicas.iter().filter_map(|broker| rack(*broker)).collect();
            racks.sort();
            racks
        });
        TopicFacts {
            id: topic.id,
            name: topic.name.clone(),
            partition_count: u32::try_from(topic.partition_count()).unwrap_or(u32::MAX),
            racks: racks.collect(),
        }
    }
}

impl Cluster for GroupCluster {
    fn topic(&self, id: TopicId) -> Option<TopicFacts> {
        self.image.topic(id).map(|topic| self.facts(topic))
    }

    fn topic_named(&self, name: &str) -> Option<TopicFacts> {
        self.image.topic_named(name).map(|topic| self.facts(topic))
    }

    fn topic_names(&self) -> Vec<TopicName> {
        self.image.topics().map(|topic| topic.name.clone()).collect()
    }

    fn group_settings(&self, group: &str) -> Option<GroupSettings> {
        self.settings_of(group, "consumer", self.otherwise)
    }

    fn streams_group_settings(&self, group: &str) -> Option<StreamsSettings> {
        let StreamsSettings {
            session_timeout,
            heartbeat_interval,
            assignment_interval,
            initial_rebalance_delay,
            standby_replicas,
        } = self.otherwise_streamed;
        let timeouts = GroupSettings { session_timeout, heartbeat_interval, assignment_interval };
        let own = self.settings_of(group, "streams", timeouts)?;
        let settings = self.image.settings(&ConfigResource::group(group));
        let number = |name: &str| settings.get(name)?.trim().parse::<u32>().ok();
        let delay = number("streams.initial.rebalance.delay.ms");
        let standbys = number("streams.num.standby.replicas");
        Some(StreamsSettings {
            session_timeout: own.session_timeout,
            heartbeat_interval: own.heartbeat_interval,
            assignment_interval: own.assignment_interval,
            initial_rebalance_delay: delay
                .map_or(initial_rebalance_delay, |delay| Millis(u64::from(delay))),
            standby_replicas: standbys.unwrap_or(standby_replicas),
        })
    }

    fn share_group_settings(&self, group: &str) -> Option<GroupSettings> {
        self.settings_of(group, "share", self.otherwise_shared)
    }
}
