//! One member of a group: who it is, what it offers, and which of its requests are parked.

use bytes::Bytes;

use crate::group::protocols::Protocols;
use crate::group::{InstanceId, MemberId, RequestId};
use crate::types::Millis;

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) instance: Option<InstanceId>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Millis,
    pub(crate) rebalance_timeout: Millis,
    pub(crate) protocols: Protocols,
    /// What the leader gave it in the current generation; empty before that.
    pub(crate) assignment: Bytes,
    /// The JoinGroup to answer when the joining phase ends.
    pub(crate) parked_join: Option<RequestId>,
    /// The SyncGroup to answer when the leader's assignment is stored.
    pub(crate) parked_sync: Option<RequestId>,
    /// It has not been through a rebalance yet, so a parked JoinGroup is no sign of life: its
    /// client may have given up without ever learning the member id.
    pub(crate) is_new: bool,
}

impl Member {
    pub(crate) fn is_static(&self) -> bool {
        self.instance.is_some()
    }

    /// A member that waits for the coordinator is not expected to send heartbeats.
    pub(crate) fn is_excused_from_heartbeats(&self) -> bool {
        !self.is_new && (self.parked_join.is_some() || self.parked_sync.is_some())
    }
}
