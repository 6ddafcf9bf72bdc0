//! Consumer groups: who is there, who reads what, and removing them.

use std::collections::BTreeMap;

use bytes::Bytes;
use wire::{
    ApiKey, ErrorCode,
    messages::{
        ConsumerGroupDescribeRequest, DeleteGroupsRequest, DescribeGroupsRequest,
        LeaveGroupRequest, ListGroupsRequest,
        consumer_group_describe_response::{
            Assignment, DescribedGroup as DescribedConsumerGroup, Member,
        },
        describe_groups_response::{DescribedGroup, DescribedGroupMember},
        leave_group_request::MemberIdentity,
    },
};

use super::{Admin, Outcomes};
use crate::{
    ClientError, CoordinatorKind, Target, TopicPartition, check, group::protocol::decode_assignment,
};

const PROTOCOL_TYPE_CONSUMER: &str = "consumer";
const MEMBER_TYPE_CLASSIC: i8 = 0;
const MEMBER_TYPE_CONSUMER: i8 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    pub id: String,
    pub protocol_type: String,
    /// `None` if the broker is too old to say.
    pub state: Option<String>,
    /// `classic`, `consumer`, `share` or `streams`; `None` if the broker is too old to say.
    pub kind: Option<String>,
    pub coordinator: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    pub id: String,
    pub state: String,
    pub protocol_type: String,
    /// The assignor, once the group has agreed on one.
    pub assignor: String,
    pub coordinator: i32,
    /// Of a group of the newer protocol.
    pub epochs: Option<GroupEpochs>,
    pub members: Vec<GroupMember>,
}

/// How many changes a group has seen, and for which of them it has been decided who reads what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupEpochs {
    pub group: i32,
    pub target: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub assignment: Vec<TopicPartition>,
    /// Of a member in a group of the newer protocol.
    pub target: Option<MemberTarget>,
}

/// Where a member stands on the way to what it is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberTarget {
    pub epoch: i32,
    pub assignment: Vec<TopicPartition>,
    /// Whether it speaks the newer protocol itself; `None` if the broker is too old to say.
    pub is_upgraded: Option<bool>,
}

impl Admin {
    /// All groups, optionally only those in certain states or of certain kinds.
    pub async fn list_groups(
        &self,
        states: &[String],
        kinds: &[String],
    ) -> Result<Vec<GroupListing>, ClientError> {
        let ask = async || {
            let metadata = self.client.ask_metadata(Some(&[])).await?;
            let mut found = BTreeMap::new();
            for broker in metadata.brokers.keys().copied() {
                let connection = self.client.connection(Target::Node(broker)).await?;
                let version = connection.version::<ListGroupsRequest>()?;
                let mut request = ListGroupsRequest::default();
                if version >= 4 {
                    request.states_filter = states.to_vec();
                }
                if version >= 5 {
                    request.types_filter = kinds.to_vec();
                }
                let response = connection.call_in_version(version, &request).await?;
                check(response.error_code, None, || format!("list the groups of broker {broker}"))?;
                for group in response.groups {
                    let listing = GroupListing {
                        id: group.group_id,
                        protocol_type: group.protocol_type,
                        state: (version >= 4).then_some(group.group_state),
                        kind: (version >= 5).then_some(group.group_type),
                        coordinator: broker,
                    };
                    found.insert(listing.id.clone(), listing);
                }
            }
            Ok::<_, ClientError>(found.into_values().collect())
        };
        self.client.retry().run(ask).await
    }

    /// A group of either protocol. One that does not exist is described as `Dead`, as Kafka does,
    /// or as an error by newer brokers.
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription, ClientError> {
        let ask = async || {
            let coordinator = self.client.coordinator(CoordinatorKind::Group, group).await?;
            match self.describe_consumer_group(group, coordinator).await? {
                Some(described) => Ok(described),
                None => self.describe_classic_group(group, coordinator).await,
            }
        };
        self.client.retry().run(ask).await
    }

    /// `None` if there is no such group of the newer protocol, or the broker does not know that.
    async fn describe_consumer_group(
        &self,
        group: &str,
        coordinator: i32,
    ) -> Result<Option<GroupDescription>, ClientError> {
        let connection = self.client.connection(Target::Node(coordinator)).await?;
        let Ok(version) = connection.version::<ConsumerGroupDescribeRequest>() else {
            return Ok(None);
        };
        let request = ConsumerGroupDescribeRequest {
            group_ids: vec![group.to_owned()],
            ..ConsumerGroupDescribeRequest::default()
        };
        let response = connection.call_in_version(version, &request).await?;
        let described = response.groups.into_iter().next();
        let described = described
            .ok_or(ClientError::Incomplete { api: ApiKey::ConsumerGroupDescribe.name() })?;
        let is_missing = [ErrorCode::GroupIdNotFound, ErrorCode::UnsupportedVersion];
        if is_missing.iter().any(|error| error.code() == described.error_code) {
            return Ok(None);
        }
        let doing = || format!("describe group {group:?}");
        check(described.error_code, described.error_message.as_deref(), doing)?;
        Ok(Some(consumer_description(described, coordinator)))
    }

    async fn describe_classic_group(
        &self,
        group: &str,
        coordinator: i32,
    ) -> Result<GroupDescription, ClientError> {
        let request = DescribeGroupsRequest {
            groups: vec![group.to_owned()],
            ..DescribeGroupsRequest::default()
        };
        let response = self.client.call(Target::Node(coordinator), &request).await?;
        let described = response.groups.into_iter().next();
        let described =
            described.ok_or(ClientError::Incomplete { api: ApiKey::DescribeGroups.name() })?;
        let doing = || format!("describe group {group:?}");
        check(described.error_code, described.error_message.as_deref(), doing)?;
        Ok(description(described, coordinator))
    }

    /// Removes groups without members, with their offsets.
    pub async fn delete_groups(
        &self,
        groups: &[String],
    ) -> Result<Outcomes<String, ()>, ClientError> {
        let mut outcomes = Vec::with_capacity(groups.len());
        for group in groups {
            let request = DeleteGroupsRequest {
                groups_names: vec![group.clone()],
                ..DeleteGroupsRequest::default()
            };
            let ask = async || {
                let coordinator = self.client.coordinator(CoordinatorKind::Group, group).await?;
                let response = self.client.call(Target::Node(coordinator), &request).await?;
                let result = response.results.into_iter().next();
                let result = result.ok_or(ClientError::Incomplete { api: "DeleteGroups" })?;
                check(result.error_code, None, || format!("delete group {group:?}"))?;
                Ok::<_, ClientError>(())
            };
            let result = match self.client.retry().run(ask).await {
                Ok(()) => Ok(()),
                Err(ClientError::Server(error)) => Err(error),
                Err(error) => return Err(error),
            };
            outcomes.push((group.clone(), result));
        }
        Ok(outcomes)
    }

    /// Throws members out of a group, by their member ids.
    pub async fn remove_members(&self, group: &str, members: &[String]) -> Result<(), ClientError> {
        let member =
            |id: &String| MemberIdentity { member_id: id.clone(), ..MemberIdentity::default() };
        let request = LeaveGroupRequest {
            group_id: group.to_owned(),
            members: members.iter().map(member).collect(),
            ..LeaveGroupRequest::default()
        };
        let ask = async || {
            let coordinator = self.client.coordinator(CoordinatorKind::Group, group).await?;
            let response = self.client.call(Target::Node(coordinator), &request).await?;
            let doing = || format!("remove members of group {group:?}");
            check(response.error_code, None, doing)?;
            for member in response.members {
                check(member.error_code, None, doing)?;
            }
            Ok::<_, ClientError>(())
        };
        self.client.retry().run(ask).await
    }
}

fn description(group: DescribedGroup, coordinator: i32) -> GroupDescription {
    let member = |member: DescribedGroupMember| GroupMember {
        id: member.member_id,
        instance_id: member.group_instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        assignment: assignment(&member.member_assignment),
        target: None,
    };
    GroupDescription {
        id: group.group_id,
        state: group.group_state,
        protocol_type: group.protocol_type,
        assignor: group.protocol_data,
        coordinator,
        epochs: None,
        members: group.members.into_iter().map(member).collect(),
    }
}

fn consumer_description(group: DescribedConsumerGroup, coordinator: i32) -> GroupDescription {
    let member = |member: Member| GroupMember {
        id: member.member_id,
        instance_id: member.instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        assignment: partitions(member.assignment),
        target: Some(MemberTarget {
            epoch: member.member_epoch,
            assignment: partitions(member.target_assignment),
            is_upgraded: match member.member_type {
                MEMBER_TYPE_CLASSIC => Some(false),
                MEMBER_TYPE_CONSUMER => Some(true),
                _ => None,
            },
        }),
    };
    GroupDescription {
        id: group.group_id,
        state: group.group_state,
        protocol_type: PROTOCOL_TYPE_CONSUMER.to_owned(),
        assignor: group.assignor_name,
        coordinator,
        epochs: Some(GroupEpochs { group: group.group_epoch, target: group.assignment_epoch }),
        members: group.members.into_iter().map(member).collect(),
    }
}

fn partitions(assignment: Assignment) -> Vec<TopicPartition> {
    let topics = assignment.topic_partitions.into_iter();
    let partitions = topics.flat_map(|topic| {
        let name = topic.topic_name;
        topic.partitions.into_iter().map(move |index| TopicPartition::new(&name, index))
    });
    partitions.collect()
}

/// Empty while the group is rebalancing, and for members that are no consumers.
fn assignment(bytes: &Bytes) -> Vec<TopicPartition> {
    decode_assignment(bytes).unwrap_or_default()
}
