//! The coordinator of groups and of committed offsets, as a pure state machine: no clock, no disk,
//! no wire. The files here are those of the classic protocol (JoinGroup and its kin) and of what
//! both protocols share; `consumer` is the newer one. `docs/groups.md` tells the whole story.

mod appends;
mod consumer;
mod coordinator;
mod deletion;
mod describe;
mod error;
mod format;
#[expect(clippy::module_inception, reason = "the folder is the coordinator, the file one group")]
mod group;
mod heartbeat;
mod join;
mod leave;
mod load;
mod member;
mod members;
mod names;
mod offset_table;
mod offsets;
mod options;
mod outcome;
mod protocols;
mod rebalance;
mod record;
mod reply;
mod request;
mod share;
mod staged;
mod static_join;
mod step;
mod streams;
mod sync;
mod timers;

pub use crate::coordinator::{
    AppendFailure, Marker, Now, RecordBytes, RequestId, Ticket, partition_for,
};
pub use consumer::{
    Assignor, Beat, Cluster, ConsumerHeartbeat, ConsumerOptions, ConsumerState, DescribedConsumer,
    DescribedConsumerGroup, DescribedTopic, Epoch, GroupSettings, Migration, NoCluster, Partitions,
    Standing, TopicFacts,
};
pub use coordinator::Coordinator;
pub use error::GroupError;
pub use format::DecodeRecordError;
pub use group::GroupState;
pub use names::{Generation, GroupId, InstanceId, MemberId};
pub use offset_table::Committed;
pub use options::{GroupOptions, ShareGroupOptions};
pub use reply::{
    CommittedTopic, DeletedTopic, Described, DescribedMember, FetchedTopic, GroupKind, JoinRefused,
    Joined, JoinedMember, Left, Listed, Output, Reply, Synced,
};
pub use request::{
    CommitPartition, CommitTopic, DeleteGroup, DescribeGroup, FetchTopic, Heartbeat, InTransaction,
    Input, JoinGroup, LeaveGroup, Leaving, ListGroups, OffsetCommit, OffsetDelete, OffsetFetch,
    Protocol, Request, SyncGroup,
};
pub use share::{
    AlterShareOffsets, DescribedShareGroup, DescribedSharer, ForgetShareTopics, ShareBeat,
    ShareHeartbeat, ShareInitialize, ShareInitialized, ShareStanding,
};
pub use streams::{
    BeatStatus, CopartitionGroup, DescribedStreamer, DescribedStreamsGroup, Endpoint,
    EndpointPartitions, InternalTopic, StatusKind, StreamsBeat, StreamsHeartbeat, StreamsOptions,
    StreamsSettings, StreamsStanding, Subtopology, TaskSets, Tasks, Topology,
};
