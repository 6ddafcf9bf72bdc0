//! A streams group, and what of it is in no record: a node that takes over begins with nothing of it, and
//! the next heartbeats bring it back.

use std::rc::Rc;

use crate::group::MemberId;
use crate::group::staged::{Recorded, Staged};
use crate::group::streams::configured::Configured;
use crate::group::streams::record::StreamsRecord;
use crate::group::streams::roster::StreamsRoster;

#[derive(Clone, Debug, Default)]
pub(crate) struct StreamsGroup {
    pub(crate) staged: Staged<StreamsRoster>,
    /// The topology beside the topics of the version that `staged.seen` names.
    pub(crate) configured: Option<Rc<Configured>>,
    /// Grows when what can be queried at an endpoint changes.
    pub(crate) endpoint_epoch: i32,
    /// The member that wants everybody to end, until nobody is left.
    pub(crate) shut_down_by: Option<MemberId>,
}

impl Recorded for StreamsRoster {
    type Record = StreamsRecord;
    /// The version of the cluster's topics that the group's epoch takes account of.
    type Seen = Option<u64>;

    fn apply(&mut self, record: &StreamsRecord) {
        self.apply(record);
    }
}

impl StreamsGroup {
    pub(crate) fn is_empty(&self) -> bool {
        self.staged.current.members.is_empty()
    }

    pub(crate) fn assert_invariants(&self) {
        debug_assert!(self.shut_down_by.is_none() || !self.is_empty());
    }
}
