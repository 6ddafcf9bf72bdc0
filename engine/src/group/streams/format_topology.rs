//! A topology in the record of a streams group, as the first member described it.

use codec::UnknownTags;

use crate::group::format::DecodeRecordError;
use crate::group::streams::format::epoch;
use crate::group::streams::topology::{CopartitionGroup, InternalTopic, Subtopology, Topology};
use crate::records::group::StreamsGroupTopologyValue;
use crate::records::group::streams_group_topology_value as value;

pub(super) fn topology(topology: &Topology) -> StreamsGroupTopologyValue {
    let subtopologies = topology.subtopologies.iter().map(|(name, one)| value::Subtopology {
        subtopology_id: name.clone(),
        source_topics: one.source_topics.clone(),
        source_topic_regex: one.source_topic_regexes.clone(),
        state_changelog_topics: one.changelog_topics.iter().map(topic).collect(),
        repartition_sink_topics: one.repartition_sinks.clone(),
        repartition_source_topics: one.repartition_sources.iter().map(topic).collect(),
        copartition_groups: one.copartition_groups.iter().map(group).collect(),
        unknown_tagged_fields: UnknownTags::default(),
    });
    StreamsGroupTopologyValue {
        epoch: topology.epoch.to_wire(),
        subtopologies: subtopologies.collect(),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

fn topic(topic: &InternalTopic) -> value::TopicInfo {
    let configs = topic.configs.iter().map(|(key, text)| value::TopicConfig {
        key: key.clone(),
        value: text.clone(),
        unknown_tagged_fields: UnknownTags::default(),
    });
    value::TopicInfo {
        name: topic.name.clone(),
        partitions: i32::try_from(topic.partitions).unwrap_or(i32::MAX),
        replication_factor: topic.replication_factor,
        topic_configs: configs.collect(),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

fn group(group: &CopartitionGroup) -> value::CopartitionGroup {
    value::CopartitionGroup {
        source_topics: group.source_topics.clone(),
        source_topic_regex: group.source_topic_regexes.clone(),
        repartition_source_topics: group.repartition_sources.clone(),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

pub(super) fn read_topology(
    read: StreamsGroupTopologyValue,
) -> Result<Topology, DecodeRecordError> {
    let topics = |all: Vec<value::TopicInfo>| all.into_iter().map(read_topic).collect();
    let subtopologies = read.subtopologies.into_iter().map(|one| {
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
    Ok(Topology { subtopologies: subtopologies.collect(), epoch: epoch(read.epoch)? })
}

fn read_topic(topic: value::TopicInfo) -> InternalTopic {
    let configs = topic.topic_configs.into_iter().map(|config| (config.key, config.value));
    InternalTopic {
        name: topic.name,
        partitions: u32::try_from(topic.partitions).unwrap_or_default(),
        replication_factor: topic.replication_factor,
        configs: configs.collect(),
    }
}
