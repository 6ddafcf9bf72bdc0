//! A share group.

use crate::group::share::record::ShareRecord;
use crate::group::share::roster::ShareRoster;
use crate::group::staged::{Recorded, Staged};

pub(crate) type ShareGroup = Staged<ShareRoster>;

impl Recorded for ShareRoster {
    type Record = ShareRecord;
    /// The version of the cluster's topics that the group's epoch takes account of.
    type Seen = Option<u64>;

    fn apply(&mut self, record: &ShareRecord) {
        self.apply(record);
    }
}
