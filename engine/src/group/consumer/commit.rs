//! Which offsets a member of the newer protocol may commit and fetch: those of the epoch that it is
//! in, or of partitions that it has held since an epoch that is not newer than the one it names. A
//! commit that set out before the epoch changed then still counts.

use crate::group::GroupError;
use crate::group::consumer::Epoch;
use crate::group::consumer::member::ConsumerMember;
use crate::group::consumer::roster::Roster;
use crate::group::{Generation, MemberId, OffsetCommit};

impl Roster {
    pub(crate) fn check_commit(&self, commit: &OffsetCommit) -> Result<(), GroupError> {
        if commit.generation.is_none() && self.is_empty() {
            return Ok(());
        }
        let is_of_producer = commit.transaction.is_some();
        let claims_membership =
            commit.generation.is_some() || commit.member.is_some() || commit.instance.is_some();
        if is_of_producer && !claims_membership {
            // A producer need not say for which member it commits (KIP-447).
            return Ok(());
        }
        let member = commit.member.as_ref().and_then(|id| self.member(id.as_str()));
        let member = member.ok_or(GroupError::UnknownMemberId)?;
        let is_classic = member.classic.is_some();
        if !is_classic && !is_of_producer && !commit.group_id_not_found_supported {
            return Err(GroupError::UnsupportedVersion);
        }
        if is_current(member, commit) {
            return Ok(());
        }
        // A producer knows no epochs of members.
        let stale = if is_classic || is_of_producer {
            GroupError::IllegalGeneration
        } else {
            GroupError::StaleMemberEpoch
        };
        Err(stale)
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
        let member = self.member(id.as_str()).ok_or(GroupError::UnknownMemberId)?;
        if !member.is_away && epoch.map(Epoch::of) == Some(member.epoch) {
            Ok(())
        } else if member.classic.is_some() {
            Err(GroupError::IllegalGeneration)
        } else {
            Err(GroupError::StaleMemberEpoch)
        }
    }
}

/// Whether the member commits in its epoch, or in an older one what it has held since.
fn is_current(member: &ConsumerMember, commit: &OffsetCommit) -> bool {
    let Some(epoch) = commit.generation.map(Epoch::of) else { return false };
    if member.is_away || member.epoch < epoch {
        return false;
    }
    let mut places = commit.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| (topic.id, partition.index))
    });
    epoch == member.epoch
        || places.all(|(topic, index)| {
            let since = topic.and_then(|topic| member.held_since(topic, index));
            since.is_some_and(|since| since <= epoch)
        })
}
