//! Membership in a classic consumer group: joining, the assignment that its leader computes,
//! heartbeats, commits.

mod assignor;
mod error;
mod heartbeat;
mod member;
mod offsets;
pub mod protocol;

use std::time::Duration;

pub use assignor::{Assignment, Assignor, Assignors, MemberSubscription};
pub use error::GroupError;
pub use member::Member;

#[derive(Clone, Debug)]
pub struct MemberOptions {
    pub group: String,
    /// A static member keeps its place, and its partitions, over a restart within the session
    /// timeout.
    pub instance_id: Option<String>,
    /// A member that is silent for longer is out.
    pub session_timeout: Duration,
    pub heartbeat_interval: Duration,
    /// How long members have to come back when the group rebalances.
    pub rebalance_timeout: Duration,
    pub assignors: Assignors,
}

impl MemberOptions {
    pub fn new(group: &str) -> Self {
        Self {
            group: group.to_owned(),
            instance_id: None,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(300),
            assignors: Assignors::RangeOrCooperativeSticky,
        }
    }
}
