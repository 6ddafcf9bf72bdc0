//! Which offsets a member of a streams group may commit and fetch: those of the epoch that it is in, or of
//! tasks that it has held since an epoch that is not newer than the one it names. A commit that set out
//! before the epoch changed then still counts.

use crate::group::consumer::Epoch;
use crate::group::streams::roster::{Streamer, StreamsRoster};
use crate::group::{Generation, GroupError, MemberId, OffsetCommit};
use crate::types::PartitionIndex;

impl StreamsRoster {
    pub(crate) fn check_commit(&self, commit: &OffsetCommit) -> Result<(), GroupError> {
        if commit.generation.is_none() && self.members.is_empty() {
            return Ok(());
        }
        let is_of_producer = commit.transaction.is_some();
        let claims_membership =
            commit.generation.is_some() || commit.member.is_some() || commit.instance.is_some();
        if is_of_producer && !claims_membership {
            return Ok(());
        }
        let member = commit.member.as_ref().and_then(|id| self.members.get(id));
        let member = member.ok_or(GroupError::UnknownMemberId)?;
        if !is_of_producer && !commit.group_id_not_found_supported {
            return Err(GroupError::UnsupportedVersion);
        }
        if self.is_current(member, commit) {
            return Ok(());
        }
        // A producer knows no epochs of members.
        Err(if is_of_producer {
            GroupError::IllegalGeneration
        } else {
            GroupError::StaleMemberEpoch
        })
    }

    /// Who does not say which member it is may fetch, as a tool does.
    pub(crate) fn check_fetch(
        &self,
        member: Option<&MemberId>,
        epoch: Option<Generation>,
    ) -> Result<(), GroupError> {
        let Some(id) = member else {
            return if epoch.is_none() { Ok(()) } else { Err(GroupError::UnknownMemberId) };
        };
        let member = self.members.get(id).ok_or(GroupError::UnknownMemberId)?;
        let is_current = epoch.map(Epoch::of) == Some(member.tasks.epoch);
        if is_current { Ok(()) } else { Err(GroupError::StaleMemberEpoch) }
    }

    fn is_current(&self, member: &Streamer, commit: &OffsetCommit) -> bool {
        let epoch = match commit.generation {
            Some(generation) => Epoch::of(generation),
            // Without an epoch a member is older than any.
            None => return false,
        };
        if epoch == member.tasks.epoch {
            return true;
        }
        if member.tasks.epoch < epoch {
            return false;
        }
        let mut places = commit.topics.iter().flat_map(|topic| {
            let partitions = topic.partitions.iter();
            partitions.map(move |partition| (topic.name.as_str(), partition.index))
        });
        places.all(|(topic, index)| {
            self.held_since(member, topic, index).is_some_and(|since| since <= epoch)
        })
    }

    /// Since when the member has had the task that reads the partition.
    fn held_since(&self, member: &Streamer, topic: &str, index: PartitionIndex) -> Option<Epoch> {
        let name = self.topology.as_ref()?.reader_of(topic)?;
        let since = member.tasks.assigned.active_since(name, index);
        since.or_else(|| member.tasks.revoking.active_since(name, index))
    }
}
