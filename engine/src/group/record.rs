//! What the records of `__consumer_offsets` mean to a group, apart from their bytes: the rules
//! write and read these, `format` turns them into Kafka's formats.

use bytes::Bytes;

use crate::group::consumer::ConsumerRecord;
use crate::group::share::ShareRecord;
use crate::group::streams::StreamsRecord;
use crate::group::{Committed, Generation, GroupId, InstanceId, MemberId};
use crate::types::{Millis, PartitionIndex, Timestamp, TopicName};

/// One record; without a value it is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GroupRecord {
    Offset {
        group: GroupId,
        topic: TopicName,
        index: PartitionIndex,
        value: Option<Committed>,
    },
    Group {
        group: GroupId,
        value: Option<StoredGroup>,
    },
    /// Of a share group.
    Share {
        group: GroupId,
        record: ShareRecord,
    },
    /// Of a streams group.
    Streams {
        group: GroupId,
        record: StreamsRecord,
    },
    /// Of a group of the newer protocol.
    Consumer {
        group: GroupId,
        record: ConsumerRecord,
    },
}

/// A group as of its last generation that got its assignment, or that left it empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredGroup {
    pub(crate) protocol_type: Option<String>,
    pub(crate) generation: Generation,
    pub(crate) protocol: Option<String>,
    pub(crate) leader: Option<MemberId>,
    /// When the group came into its state; records of old brokers do not say.
    pub(crate) state_since: Option<Timestamp>,
    pub(crate) members: Vec<StoredMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredMember {
    pub(crate) id: MemberId,
    pub(crate) instance: Option<InstanceId>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Millis,
    pub(crate) rebalance_timeout: Millis,
    /// What it told the leader under the elected protocol.
    pub(crate) subscription: Bytes,
    pub(crate) assignment: Bytes,
}
