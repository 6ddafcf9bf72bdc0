//! What goes into the coordinator. Wire types stay outside: the server turns a frame into one of
//! these, with every sentinel (-1, empty member id) already turned into `None`.

use bytes::Bytes;
use codec::Uuid;

use crate::group::consumer::ConsumerHeartbeat;
use crate::group::share::{AlterShareOffsets, ForgetShareTopics, ShareHeartbeat, ShareInitialized};
use crate::group::streams::StreamsHeartbeat;
use crate::group::{
    AppendFailure, Generation, GroupId, InstanceId, Marker, MemberId, RequestId, Ticket,
};
use crate::types::{
    LeaderEpoch, Millis, PartitionIndex, ProducerEpoch, ProducerId, TopicId, TopicName,
    VerificationGuard,
};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A client asks; exactly one `Output::Reply` with the same id follows, now or later.
    Request { id: RequestId, request: Request },
    /// `next_deadline()` has come. Ticking early or often does no harm.
    Tick,
    /// The records of this append, and of all before it that did not fail, are committed. The ends of
    /// appends are told in the order of their tickets, where transactions are part of them.
    Appended { ticket: Ticket },
    /// The records of this append will never be in the log.
    AppendFailed { ticket: Ticket, failure: AppendFailure },
    /// The topic is gone: offsets committed for it have no meaning any more.
    TopicDeleted { name: TopicName, id: TopicId },
}

#[derive(Clone, Debug)]
pub enum Request {
    JoinGroup(JoinGroup),
    SyncGroup(SyncGroup),
    Heartbeat(Heartbeat),
    LeaveGroup(LeaveGroup),
    OffsetCommit(OffsetCommit),
    OffsetFetch(OffsetFetch),
    OffsetDelete(OffsetDelete),
    DescribeGroup(DescribeGroup),
    DeleteGroup(DeleteGroup),
    ListGroups(ListGroups),
    /// A coordinator of transactions has decided.
    EndTransaction(Marker),
    ConsumerHeartbeat(Box<ConsumerHeartbeat>),
    /// As a group of the newer protocol.
    DescribeConsumerGroup(DescribeGroup),
    ShareHeartbeat(Box<ShareHeartbeat>),
    /// As a share group.
    DescribeShareGroup(DescribeGroup),
    /// The queues of a share group that have state.
    ShareQueues(GroupId),
    ShareInitialized(ShareInitialized),
    AlterShareOffsets(AlterShareOffsets),
    /// The queues of topics are about to be deleted.
    ForgetShareTopics(ForgetShareTopics),
    /// They are.
    ShareTopicsForgotten(ForgetShareTopics),
    StreamsHeartbeat(Box<StreamsHeartbeat>),
    /// As a streams group.
    DescribeStreamsGroup(DescribeGroup),
}

/// One assignment strategy that a member supports, with what it tells the leader under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    pub name: String,
    pub metadata: Bytes,
}

#[derive(Clone, Debug)]
pub struct JoinGroup {
    pub group: GroupId,
    /// `None` for a client that has no member id yet.
    pub member: Option<MemberId>,
    pub instance: Option<InstanceId>,
    pub client_id: String,
    /// As Kafka writes it: `/127.0.0.1`.
    pub client_host: String,
    /// Zero if the wire's number was negative.
    pub session_timeout: Millis,
    /// The session timeout for version 0, which has no field of its own.
    pub rebalance_timeout: Millis,
    pub protocol_type: String,
    /// In the member's order of preference.
    pub protocols: Vec<Protocol>,
    /// KIP-800; only for the log.
    pub reason: Option<String>,
    /// Random bits: the coordinator has no source of its own.
    pub unique: Uuid,
    /// Version 4 and later (KIP-394): a new member is first told its id and joins again with it.
    pub member_id_required: bool,
    /// Version 9 and later (KIP-814): a leader can be told to keep the assignment.
    pub skip_assignment_supported: bool,
}

#[derive(Clone, Debug)]
pub struct SyncGroup {
    pub group: GroupId,
    pub generation: Option<Generation>,
    pub member: Option<MemberId>,
    pub instance: Option<InstanceId>,
    /// Checked if given. From version 5 on a request must give both; the server refuses one that
    /// does not with `InconsistentGroupProtocol`.
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    /// The leader's decision; empty from everybody else.
    pub assignments: Vec<(MemberId, Bytes)>,
}

#[derive(Clone, Debug)]
pub struct Heartbeat {
    pub group: GroupId,
    pub generation: Option<Generation>,
    pub member: Option<MemberId>,
    pub instance: Option<InstanceId>,
}

#[derive(Clone, Debug)]
pub struct LeaveGroup {
    pub group: GroupId,
    /// One for versions 0 to 2.
    pub members: Vec<Leaving>,
}

/// A member to remove: by its id, by its instance id alone (an administrator's way), or by both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    pub member: Option<MemberId>,
    pub instance: Option<InstanceId>,
    /// KIP-800; only for the log.
    pub reason: Option<String>,
}

#[derive(Clone, Debug)]
pub struct OffsetCommit {
    pub group: GroupId,
    /// `None`, with no member and no instance: a consumer that only keeps its offsets here.
    pub generation: Option<Generation>,
    pub member: Option<MemberId>,
    pub instance: Option<InstanceId>,
    /// Versions 2 to 4: how long to keep these offsets, instead of the broker's setting.
    pub retention: Option<Millis>,
    /// Version 9 and later: a missing group is `GroupIdNotFound`, before it `IllegalGeneration`.
    pub group_id_not_found_supported: bool,
    /// Set for TxnOffsetCommit: the offsets count once the transaction is committed (KIP-98, KIP-447).
    pub transaction: Option<InTransaction>,
    /// Only topics that exist and that the client may read.
    pub topics: Vec<CommitTopic>,
}

/// The producer whose transaction a commit is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InTransaction {
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    /// What the coordinator of the transaction has vouched for, where the log did not know it yet.
    pub guard: Option<VerificationGuard>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitTopic {
    pub name: TopicName,
    pub id: Option<TopicId>,
    pub partitions: Vec<CommitPartition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitPartition {
    pub index: PartitionIndex,
    /// Whatever the client wrote: it is kept and given back unseen.
    pub offset: i64,
    pub leader_epoch: Option<LeaderEpoch>,
    pub metadata: Option<String>,
}

/// For one group; a batch of groups is one request each.
#[derive(Clone, Debug)]
pub struct OffsetFetch {
    pub group: GroupId,
    /// `None`, without an epoch: a tool, or a client that does not say.
    pub member: Option<MemberId>,
    /// Checked only if the group is of the newer protocol.
    pub epoch: Option<Generation>,
    /// `None`: every topic that has an offset.
    pub topics: Option<Vec<FetchTopic>>,
    /// Wait for commits under way instead of answering with what they will replace.
    pub require_stable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTopic {
    pub name: String,
    /// Version 10: an offset that was committed for another topic of this name is not given out.
    pub id: Option<TopicId>,
    pub partitions: Vec<PartitionIndex>,
}

#[derive(Clone, Debug)]
pub struct OffsetDelete {
    pub group: GroupId,
    pub topics: Vec<(String, Vec<PartitionIndex>)>,
}

#[derive(Clone, Debug)]
pub struct DescribeGroup {
    pub group: GroupId,
}

#[derive(Clone, Debug)]
pub struct DeleteGroup {
    pub group: GroupId,
}

/// Filters are matched without regard to case; an empty filter lets everything pass, a name that
/// is no state or type matches nothing.
#[derive(Clone, Debug, Default)]
pub struct ListGroups {
    pub states: Vec<String>,
    pub types: Vec<String>,
}
