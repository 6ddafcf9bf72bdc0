//! What the deadlines of a group coordinator are for.

use crate::coordinator;
use crate::group::{GroupId, MemberId};

/// What a deadline is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A member, or one that was only told its id, has not been heard of.
    Session(GroupId, MemberId),
    /// The joining phase has lasted long enough.
    Join(GroupId),
    /// Members that joined have not asked for their assignment.
    Sync(GroupId),
    /// A member of the newer protocol has not given up partitions in time.
    Revoke(GroupId, MemberId),
    /// A classic member of such a group has not joined again in time.
    Rejoin(GroupId, MemberId),
    /// A classic member of such a group has not asked for its assignment.
    MemberSync(GroupId, MemberId),
    /// The first members of a streams group have waited long enough for others.
    Company(GroupId),
    /// It is time to look for offsets past their retention.
    Retention,
}

pub(crate) type Timers = coordinator::Timers<Timer>;
