//! Share groups (KIP-932): their members, and where their queues begin.

use wire::messages::{
    AlterShareGroupOffsetsRequest, DeleteShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequest, ShareGroupDescribeRequest,
    alter_share_group_offsets_request::{
        AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
    },
    delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic,
    describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup,
};

use super::{Admin, Outcomes};
use crate::{ClientError, CoordinatorKind, Target, TopicPartition, check};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareGroupDescription {
    pub id: String,
    pub state: String,
    pub assignor: String,
    pub epoch: i32,
    pub assignment_epoch: i32,
    pub coordinator: i32,
    pub members: Vec<ShareGroupMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareGroupMember {
    pub id: String,
    pub client_id: String,
    pub client_host: String,
    pub epoch: i32,
    pub assignment: Vec<TopicPartition>,
}

/// Where a queue begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareOffset {
    pub partition: TopicPartition,
    /// `None` if nothing has been read yet.
    pub start: Option<i64>,
    pub leader_epoch: Option<i32>,
    /// How many records are still to be accepted; `None` if the broker does not tell.
    pub lag: Option<i64>,
}

impl Admin {
    pub async fn describe_share_group(
        &self,
        group: &str,
    ) -> Result<ShareGroupDescription, ClientError> {
        let request = ShareGroupDescribeRequest {
            group_ids: vec![group.to_owned()],
            ..ShareGroupDescribeRequest::default()
        };
        let ask = async || {
            let coordinator = self.client.coordinator(CoordinatorKind::Group, group).await?;
            let response = self.client.call(Target::Node(coordinator), &request).await?;
            let found = response.groups.into_iter().next();
            let found = found.ok_or(ClientError::Incomplete { api: "ShareGroupDescribe" })?;
            let doing = || format!("describe share group {group:?}");
            check(found.error_code, found.error_message.as_deref(), doing)?;
            let members = found.members.into_iter().map(|member| ShareGroupMember {
                id: member.member_id,
                client_id: member.client_id,
                client_host: member.client_host,
                epoch: member.member_epoch,
                assignment: member
                    .assignment
                    .topic_partitions
                    .iter()
                    .flat_map(|topic| {
                        let of = |index: &i32| TopicPartition::new(&topic.topic_name, *index);
                        topic.partitions.iter().map(of)
                    })
                    .collect(),
            });
            Ok::<_, ClientError>(ShareGroupDescription {
                members: members.collect(),
                id: found.group_id,
                state: found.group_state,
                assignor: found.assignor_name,
                epoch: found.group_epoch,
                assignment_epoch: found.assignment_epoch,
                coordinator,
            })
        };
        self.client.retry().run(ask).await
    }

    /// Where the queues of a group begin, of all partitions that it has read.
    pub async fn describe_share_offsets(
        &self,
        group: &str,
    ) -> Result<Vec<ShareOffset>, ClientError> {
        let request = DescribeShareGroupOffsetsRequest {
            groups: vec![DescribeShareGroupOffsetsRequestGroup {
                group_id: group.to_owned(),
                topics: None,
                ..DescribeShareGroupOffsetsRequestGroup::default()
            }],
            ..DescribeShareGroupOffsetsRequest::default()
        };
        let ask = async || {
            let coordinator = self.client.coordinator(CoordinatorKind::Group, group).await?;
            let response = self.client.call(Target::Node(coordinator), &request).await?;
            let doing = || format!("read the offsets of share group {group:?}");
            let mut found = Vec::new();
            for answer in response.groups {
                check(answer.error_code, answer.error_message.as_deref(), doing)?;
                for topic in answer.topics {
                    for partition in topic.partitions {
                        let message = partition.error_message.as_deref();
                        check(partition.error_code, message, doing)?;
                        found.push(ShareOffset {
                            partition: TopicPartition::new(
                                &topic.topic_name,
                                partition.partition_index,
                            ),
                            start: (partition.start_offset >= 0).then_some(partition.start_offset),
                            leader_epoch: (partition.leader_epoch >= 0)
                                .then_some(partition.leader_epoch),
                            lag: (partition.lag >= 0).then_some(partition.lag),
                        });
                    }
                }
            }
            Ok::<_, ClientError>(found)
        };
        self.client.retry().run(ask).await
    }

    /// Has queues of a group without members begin elsewhere.
    pub async fn alter_share_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
    ) -> Result<Outcomes<TopicPartition, ()>, ClientError> {
        let mut topics: std::collections::BTreeMap<&str, Vec<_>> = Default::default();
        for (partition, start_offset) in offsets {
            topics.entry(&partition.topic).or_default().push(
                AlterShareGroupOffsetsRequestPartition {
                    partition_index: partition.partition,
                    start_offset: *start_offset,
                    ..AlterShareGroupOffsetsRequestPartition::default()
                },
            );
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            let topic_name = name.to_owned();
            AlterShareGroupOffsetsRequestTopic {
                topic_name,
                partitions,
                ..AlterShareGroupOffsetsRequestTopic::default()
            }
        });
        let request = AlterShareGroupOffsetsRequest {
            group_id: group.to_owned(),
            topics: topics.collect(),
            ..AlterShareGroupOffsetsRequest::default()
        };
        let ask = async || {
            let coordinator = self.client.coordinator(CoordinatorKind::Group, group).await?;
            let response = self.client.call(Target::Node(coordinator), &request).await?;
            let doing = || format!("set offsets of share group {group:?}");
            check(response.error_code, response.error_message.as_deref(), doing)?;
            let mut outcomes = Vec::new();
            for topic in response.responses {
                for answer in topic.partitions {
                    let result = check(answer.error_code, answer.error_message.as_deref(), doing);
                    let partition = TopicPartition::new(&topic.topic_name, answer.partition_index);
                    outcomes.push((partition, result));
                }
            }
            Ok::<_, ClientError>(outcomes)
        };
        self.client.retry().run(ask).await
    }

    /// Forgets the queues of topics that no member of the group reads.
    pub async fn delete_share_offsets(
        &self,
        group: &str,
        topics: &[String],
    ) -> Result<Outcomes<String, ()>, ClientError> {
        let topic = |name: &String| DeleteShareGroupOffsetsRequestTopic {
            topic_name: name.clone(),
            ..DeleteShareGroupOffsetsRequestTopic::default()
        };
        let request = DeleteShareGroupOffsetsRequest {
            group_id: group.to_owned(),
            topics: topics.iter().map(topic).collect(),
            ..DeleteShareGroupOffsetsRequest::default()
        };
        let ask = async || {
            let coordinator = self.client.coordinator(CoordinatorKind::Group, group).await?;
            let response = self.client.call(Target::Node(coordinator), &request).await?;
            let doing = || format!("delete offsets of share group {group:?}");
            check(response.error_code, response.error_message.as_deref(), doing)?;
            let outcomes = response.responses.into_iter().map(|answer| {
                let result = check(answer.error_code, answer.error_message.as_deref(), doing);
                (answer.topic_name, result)
            });
            Ok::<_, ClientError>(outcomes.collect())
        };
        self.client.retry().run(ask).await
    }
}
