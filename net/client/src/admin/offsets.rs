//! Offsets of groups, and the records below an offset.

use std::collections::BTreeMap;

use wire::messages::{
    DeleteRecordsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
    delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    offset_fetch_request::{
        OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    },
};

use super::{Admin, Outcomes};
use crate::{
    ClientError, CoordinatorKind, Retriable, ServerError, Target, TopicPartition, check,
    limits::OFFSET_REQUEST_VERSION_MAX,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    pub offset: i64,
    pub leader_epoch: Option<i32>,
    pub metadata: String,
}

impl Admin {
    /// What a group has committed, for all partitions or for the given ones; partitions without a
    /// commit are left out.
    pub async fn committed_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
        require_stable: bool,
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>, ClientError> {
        let ask = async || self.ask_committed_offsets(group, partitions, require_stable).await;
        self.client.retry().run(ask).await
    }

    async fn ask_committed_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
        require_stable: bool,
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>, ClientError> {
        let coordinator = self.client.coordinator(CoordinatorKind::Group, group).await?;
        let connection = self.client.connection(Target::Node(coordinator)).await?;
        let version = connection.version_up_to::<OffsetFetchRequest>(OFFSET_REQUEST_VERSION_MAX)?;
        let topics = partitions.map(by_topic);
        let mut request = OffsetFetchRequest {
            require_stable: require_stable && version >= 7,
            ..OffsetFetchRequest::default()
        };
        if version >= 8 {
            let topic = |(name, partition_indexes)| OffsetFetchRequestTopics {
                name,
                partition_indexes,
                ..OffsetFetchRequestTopics::default()
            };
            request.groups = vec![OffsetFetchRequestGroup {
                group_id: group.to_owned(),
                topics: topics.map(|topics| topics.into_iter().map(topic).collect()),
                ..OffsetFetchRequestGroup::default()
            }];
        } else {
            let topic = |(name, partition_indexes)| OffsetFetchRequestTopic {
                name,
                partition_indexes,
                ..OffsetFetchRequestTopic::default()
            };
            request.group_id = group.to_owned();
            request.topics = topics.map(|topics| topics.into_iter().map(topic).collect());
        }
        let response = connection.call_in_version(version, &request).await?;
        let doing = || format!("read the offsets of group {group:?}");
        check(response.error_code, None, doing)?;
        let mut found = BTreeMap::new();
        let mut add =
            |topic: &str, index, offset: i64, epoch: i32, metadata: Option<String>, code| {
                check(code, None, doing)?;
                if offset >= 0 {
                    let committed = CommittedOffset {
                        offset,
                        leader_epoch: (epoch >= 0).then_some(epoch),
                        metadata: metadata.unwrap_or_default(),
                    };
                    found.insert(TopicPartition::new(topic, index), committed);
                }
                Ok::<_, ServerError>(())
            };
        for topic in response.topics {
            for p in topic.partitions {
                let (offset, epoch) = (p.committed_offset, p.committed_leader_epoch);
                add(&topic.name, p.partition_index, offset, epoch, p.metadata, p.error_code)?;
            }
        }
        for answered in response.groups {
            check(answered.error_code, None, doing)?;
            for topic in answered.topics {
                for p in topic.partitions {
                    let (offset, epoch) = (p.committed_offset, p.committed_leader_epoch);
                    add(&topic.name, p.partition_index, offset, epoch, p.metadata, p.error_code)?;
                }
            }
        }
        Ok(found)
    }

    /// Sets offsets of a group that has no members.
    pub async fn alter_committed_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<Outcomes<TopicPartition, ()>, ClientError> {
        let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for (partition, committed) in offsets {
            topics.entry(&partition.topic).or_default().push(OffsetCommitRequestPartition {
                partition_index: partition.partition,
                committed_offset: committed.offset,
                committed_leader_epoch: committed.leader_epoch.unwrap_or(-1),
                committed_metadata: Some(committed.metadata.clone()),
                ..OffsetCommitRequestPartition::default()
            });
        }
        let topic = |(name, partitions): (&str, _)| OffsetCommitRequestTopic {
            name: name.to_owned(),
            partitions,
            ..OffsetCommitRequestTopic::default()
        };
        let request = OffsetCommitRequest {
            group_id: group.to_owned(),
            generation_id_or_member_epoch: -1,
            topics: topics.into_iter().map(topic).collect(),
            ..OffsetCommitRequest::default()
        };
        let ask = async || {
            let coordinator = self.client.coordinator(CoordinatorKind::Group, group).await?;
            let target = Target::Node(coordinator);
            let call = self.client.call_up_to(OFFSET_REQUEST_VERSION_MAX, target, &request);
            let mut outcomes = Vec::new();
            for topic in call.await?.topics {
                for answered in topic.partitions {
                    let partition = TopicPartition::new(&topic.name, answered.partition_index);
                    let doing = || format!("set the offset of {partition} in group {group:?}");
                    let result = check(answered.error_code, None, doing);
                    // A coordinator that moves or loads says so of every partition.
                    if let Err(error) = &result
                        && error.retriable()
                    {
                        return Err(error.clone().into());
                    }
                    outcomes.push((partition, result));
                }
            }
            Ok::<_, ClientError>(outcomes)
        };
        self.client.retry().run(ask).await
    }

    /// Removes offsets of a group for partitions that none of its members reads.
    pub async fn delete_committed_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Outcomes<TopicPartition, ()>, ClientError> {
        let topic = |(name, indexes): (String, Vec<i32>)| OffsetDeleteRequestTopic {
            name,
            partitions: indexes
                .into_iter()
                .map(|partition_index| OffsetDeleteRequestPartition { partition_index })
                .collect(),
        };
        let request = OffsetDeleteRequest {
            group_id: group.to_owned(),
            topics: by_topic(partitions).into_iter().map(topic).collect(),
        };
        let ask = async || {
            let coordinator = self.client.coordinator(CoordinatorKind::Group, group).await?;
            let response = self.client.call(Target::Node(coordinator), &request).await?;
            check(response.error_code, None, || format!("delete offsets of group {group:?}"))?;
            Ok::<_, ClientError>(response)
        };
        let response = self.client.retry().run(ask).await?;
        let mut outcomes = Vec::new();
        for topic in response.topics {
            for answered in topic.partitions {
                let partition = TopicPartition::new(&topic.name, answered.partition_index);
                let doing = || format!("delete the offset of {partition} in group {group:?}");
                let result = check(answered.error_code, None, doing);
                outcomes.push((partition, result));
            }
        }
        Ok(outcomes)
    }

    /// Deletes the records before an offset (`None`: all there are); the new log start per
    /// partition.
    pub async fn delete_records(
        &self,
        before: &[(TopicPartition, Option<i64>)],
    ) -> Result<Outcomes<TopicPartition, i64>, ClientError> {
        let mut outcomes = Vec::with_capacity(before.len());
        for (partition, offset) in before {
            let ask = async || self.delete_records_of(partition, *offset).await;
            let low_watermark = item(self.client.retry().run(ask).await)?;
            outcomes.push((partition.clone(), low_watermark));
        }
        Ok(outcomes)
    }

    async fn delete_records_of(
        &self,
        partition: &TopicPartition,
        before: Option<i64>,
    ) -> Result<i64, ClientError> {
        let leader = self.client.leader(&partition.topic, partition.partition).await?;
        let request = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: partition.topic.clone(),
                partitions: vec![DeleteRecordsPartition {
                    partition_index: partition.partition,
                    offset: before.unwrap_or(-1),
                    ..DeleteRecordsPartition::default()
                }],
                ..DeleteRecordsTopic::default()
            }],
            timeout_ms: self.timeout_ms(),
            ..DeleteRecordsRequest::default()
        };
        let response = self.client.call(Target::Node(leader), &request).await?;
        let result = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let result = result.ok_or(ClientError::Incomplete { api: "DeleteRecords" })?;
        check(result.error_code, None, || format!("delete records of {partition}"))
            .inspect_err(|_| self.client.forget(&partition.topic))?;
        Ok(result.low_watermark)
    }
}

/// What the broker refuses concerns one item; any other error concerns all.
pub(super) fn item<T>(
    result: Result<T, ClientError>,
) -> Result<Result<T, ServerError>, ClientError> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(ClientError::Server(error)) => Ok(Err(error)),
        Err(error) => Err(error),
    }
}

pub(super) fn by_topic(partitions: &[TopicPartition]) -> Vec<(String, Vec<i32>)> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    topics.into_iter().map(|(topic, partitions)| (topic.to_owned(), partitions)).collect()
}
