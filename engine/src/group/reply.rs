//! What comes out of the coordinator: answers to requests, and records for its partition's log.

use bytes::Bytes;

use crate::group::consumer::{Beat, DescribedConsumerGroup, Partitions};
use crate::group::share::{DescribedShareGroup, ShareBeat, ShareInitialize};
use crate::group::streams::{DescribedStreamsGroup, StreamsBeat};
use crate::group::{
    AppendFailure, Committed, Generation, GroupError, GroupId, GroupState, InTransaction,
    InstanceId, Marker, MemberId, RecordBytes, RequestId, Ticket,
};
use crate::types::{PartitionIndex, TopicId, TopicName};

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Answer this request. Replies that promise something stored come only after its `Appended`.
    Reply { request: RequestId, reply: Reply },
    /// Append these records as one batch, in the order of tickets, and report the ticket's end
    /// with `Appended` or `AppendFailed`.
    Append { ticket: Ticket, records: Vec<RecordBytes>, transaction: Option<InTransaction> },
    /// Append the end of a transaction, in the order of tickets, and report it as an append.
    AppendMarker { ticket: Ticket, marker: Marker },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    JoinGroup(Result<Joined, JoinRefused>),
    SyncGroup(Result<Synced, GroupError>),
    Heartbeat(Result<(), GroupError>),
    /// The error stands for the whole request; each member has its own besides.
    LeaveGroup(Result<Vec<Left>, GroupError>),
    OffsetCommit(Vec<CommittedTopic>),
    OffsetFetch(Result<Vec<FetchedTopic>, GroupError>),
    OffsetDelete(Result<Vec<DeletedTopic>, GroupError>),
    DescribeGroup(Result<Described, GroupError>),
    DeleteGroup(Result<(), GroupError>),
    ListGroups(Vec<Listed>),
    EndTransaction(Result<(), AppendFailure>),
    ConsumerHeartbeat(Result<Beat, GroupError>),
    DescribeConsumerGroup(Result<DescribedConsumerGroup, GroupError>),
    ShareHeartbeat(Result<ShareBeat, GroupError>),
    DescribeShareGroup(Result<DescribedShareGroup, GroupError>),
    ShareQueues(Result<Partitions, GroupError>),
    ShareInitialized(Result<(), GroupError>),
    AlterShareOffsets(Result<ShareInitialize, GroupError>),
    StreamsHeartbeat(Result<Box<StreamsBeat>, GroupError>),
    DescribeStreamsGroup(Result<DescribedStreamsGroup, GroupError>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    pub generation: Generation,
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub leader: Option<MemberId>,
    pub member: MemberId,
    /// Everybody, for the leader; nobody, for all others.
    pub members: Vec<JoinedMember>,
    pub skip_assignment: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    pub member: MemberId,
    pub instance: Option<InstanceId>,
    pub metadata: Bytes,
}

/// `member` is what to write into the reply's member id; `None` is the empty string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRefused {
    pub error: GroupError,
    pub member: Option<MemberId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub assignment: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub member: Option<MemberId>,
    pub instance: Option<InstanceId>,
    pub error: Option<GroupError>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedTopic {
    pub name: TopicName,
    pub id: Option<TopicId>,
    pub partitions: Vec<(PartitionIndex, Option<GroupError>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedTopic {
    pub name: String,
    pub id: Option<TopicId>,
    /// `Ok(None)`: no offset, which the wire says as -1.
    pub partitions: Vec<(PartitionIndex, Result<Option<Committed>, GroupError>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    pub name: String,
    pub partitions: Vec<(PartitionIndex, Option<GroupError>)>,
}

/// Versions below 6 show `GroupIdNotFound` as a group without members in state Dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub group: GroupId,
    pub state: GroupState,
    pub protocol_type: String,
    /// Empty unless the group is stable.
    pub protocol: String,
    pub members: Vec<DescribedMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    pub member: MemberId,
    pub instance: Option<InstanceId>,
    pub client_id: String,
    pub client_host: String,
    /// Empty unless the group is stable.
    pub metadata: Bytes,
    /// What it was given last.
    pub assignment: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub group: GroupId,
    pub protocol_type: String,
    pub kind: GroupKind,
    /// Kafka's name for the state; the kinds have different ones.
    pub state: &'static str,
}

/// The protocol that a group's members speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    Classic,
    Consumer,
    Share,
    Streams,
}

impl GroupKind {
    /// Kafka's name for the kind.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
            Self::Share => "share",
            Self::Streams => "streams",
        }
    }
}

impl Reply {
    /// The same reply when what it promised could not be stored.
    pub(crate) fn refused(self, error: GroupError) -> Self {
        match self {
            Self::JoinGroup(joined) => {
                let member = match joined {
                    Ok(joined) => Some(joined.member),
                    Err(refused) => refused.member,
                };
                Self::JoinGroup(Err(JoinRefused { error, member }))
            }
            Self::SyncGroup(_) => Self::SyncGroup(Err(error)),
            Self::Heartbeat(_) => Self::Heartbeat(Err(error)),
            Self::LeaveGroup(_) => Self::LeaveGroup(Err(error)),
            Self::OffsetCommit(mut topics) => {
                for topic in &mut topics {
                    for (_, outcome) in &mut topic.partitions {
                        *outcome = Some(error);
                    }
                }
                Self::OffsetCommit(topics)
            }
            Self::OffsetFetch(_) => Self::OffsetFetch(Err(error)),
            Self::OffsetDelete(_) => Self::OffsetDelete(Err(error)),
            Self::DescribeGroup(_) => Self::DescribeGroup(Err(error)),
            Self::DeleteGroup(_) => Self::DeleteGroup(Err(error)),
            Self::ListGroups(groups) => Self::ListGroups(groups),
            Self::EndTransaction(_) => Self::EndTransaction(Err(AppendFailure::NotLeader)),
            Self::ConsumerHeartbeat(_) => Self::ConsumerHeartbeat(Err(error)),
            Self::DescribeConsumerGroup(_) => Self::DescribeConsumerGroup(Err(error)),
            Self::ShareHeartbeat(_) => Self::ShareHeartbeat(Err(error)),
            Self::DescribeShareGroup(_) => Self::DescribeShareGroup(Err(error)),
            Self::ShareQueues(_) => Self::ShareQueues(Err(error)),
            Self::ShareInitialized(_) => Self::ShareInitialized(Err(error)),
            Self::AlterShareOffsets(_) => Self::AlterShareOffsets(Err(error)),
            Self::StreamsHeartbeat(_) => Self::StreamsHeartbeat(Err(error)),
            Self::DescribeStreamsGroup(_) => Self::DescribeStreamsGroup(Err(error)),
        }
    }
}
