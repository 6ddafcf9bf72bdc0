//! Share groups (KIP-932): members heartbeat as those of the newer consumer protocol do, but partitions
//! are not owned. Several members may be given one, each takes what its target says at once, and nobody
//! waits for anybody. `docs/share-groups.md` tells the whole story.

mod assign;
mod describe;
pub(crate) mod format;
mod group;
mod heartbeat;
mod load;
mod offsets;
mod record;
mod reply;
mod request;
mod roster;
mod serve;
#[cfg(test)]
mod tests;

pub(crate) use group::ShareGroup;
pub(crate) use record::ShareRecord;
pub use reply::{DescribedShareGroup, DescribedSharer, ShareBeat, ShareInitialize};
pub use request::{
    AlterShareOffsets, ForgetShareTopics, ShareHeartbeat, ShareInitialized, ShareStanding,
};
