//! A topology as the wire has it, and as the engine has it.

use engine::group::{CopartitionGroup, Epoch, InternalTopic, Subtopology, Topology};
use wire::messages::streams_group_describe_response as described;
use wire::messages::streams_group_heartbeat_request as asked;

pub(super) fn read(topology: asked::Topology) -> Topology {
    let subtopologies = topology.subtopologies.into_iter().map(|one| {
        let groups = one.copartition_groups.into_iter().map(|group| CopartitionGroup {
            source_topics: group.source_topics,
            source_topic_regexes: group.source_topic_regex,
            repartition_sources: group.repartition_source_topics,
        });
        let subtopology = Subtopology {
            source_topics: one.source_topics,
            source_topic_regexes: one.source_topic_regex,
            changelog_topics: topics(one.state_changelog_topics),
            repartition_sinks: one.repartition_sink_topics,
            repartition_sources: topics(one.repartition_source_topics),
            copartition_groups: groups.collect(),
        };
        (one.subtopology_id, subtopology)
    });
    Topology {
        subtopologies: subtopologies.collect(),
        epoch: Epoch::from_wire(topology.epoch).unwrap_or_default(),
    }
}

fn topics(topics: Vec<asked::TopicInfo>) -> Vec<InternalTopic> {
    let each = topics.into_iter().map(|topic| InternalTopic {
        name: topic.name,
        partitions: u32::try_from(topic.partitions).unwrap_or_default(),
        replication_factor: topic.replication_factor,
        configs: topic.topic_configs.into_iter().map(|one| (one.key, one.value)).collect(),
    });
    each.collect()
}

/// As tools are shown it: everything sorted.
pub(super) fn described(topology: Topology) -> described::Topology {
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    let subtopologies =
        topology.subtopologies.into_iter().map(|(name, one)| described::Subtopology {
            subtopology_id: name,
            source_topics: sorted(one.source_topics),
            repartition_sink_topics: sorted(one.repartition_sinks),
            state_changelog_topics: described_topics(one.changelog_topics),
            repartition_source_topics: described_topics(one.repartition_sources),
            ..described::Subtopology::default()
        });
    described::Topology {
        epoch: topology.epoch.to_wire(),
        subtopologies: Some(subtopologies.collect()),
        ..described::Topology::default()
    }
}

fn described_topics(mut topics: Vec<InternalTopic>) -> Vec<described::TopicInfo> {
    topics.sort_by(|one, other| one.name.cmp(&other.name));
    let pair = |(key, value)| described::KeyValue { key, value, ..described::KeyValue::default() };
    let each = topics.into_iter().map(|topic| described::TopicInfo {
        name: topic.name,
        partitions: i32::try_from(topic.partitions).unwrap_or(i32::MAX),
        replication_factor: topic.replication_factor,
        topic_configs: topic.configs.into_iter().map(pair).collect(),
        ..described::TopicInfo::default()
    });
    each.collect()
}
