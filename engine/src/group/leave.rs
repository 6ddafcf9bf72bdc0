//! LeaveGroup: members go, or are sent away by an administrator who names their instance ids. The
//! rest rebalances once, however many go together.

use crate::group::group::Group;
use crate::group::step::Step;
use crate::group::{GroupError, GroupState, LeaveGroup, Leaving, Left, MemberId, Reply, RequestId};

impl Group {
    pub(crate) fn leave(&mut self, request: RequestId, leave: LeaveGroup, step: &mut Step<'_>) {
        if self.state == GroupState::Dead {
            let error = GroupError::CoordinatorNotAvailable;
            step.reply(request, Reply::LeaveGroup(Err(error)));
            return;
        }
        let mut left = Vec::with_capacity(leave.members.len());
        for leaving in leave.members {
            let outcome = self.leaver(&leaving);
            if let Ok(member) = &outcome {
                self.remove_member(member, step);
            }
            let Leaving { member, instance, reason: _ } = leaving;
            left.push(Left { member, instance, error: outcome.err() });
        }
        let somebody_left = left.iter().any(|left| left.error.is_none());
        let reply = Reply::LeaveGroup(Ok(left));
        let emptied = match self.state {
            GroupState::Stable | GroupState::CompletingRebalance if somebody_left => {
                self.prepare_rebalance(step)
            }
            GroupState::PreparingRebalance if somebody_left => {
                self.end_joining_if_all_are_here(step)
            }
            GroupState::Empty
            | GroupState::PreparingRebalance
            | GroupState::CompletingRebalance
            | GroupState::Stable
            | GroupState::Dead => None,
        };
        // The last to leave is answered when the log knows that the group is empty.
        match emptied {
            Some(_) => self.reply_in_turn(request, reply, step),
            None => step.reply(request, reply),
        }
    }

    /// Who is to be removed.
    fn leaver(&self, leaving: &Leaving) -> Result<MemberId, GroupError> {
        match (&leaving.member, &leaving.instance) {
            (None, Some(instance)) => {
                self.members.of_instance(instance).cloned().ok_or(GroupError::UnknownMemberId)
            }
            (Some(member), _) if self.expected.contains(member) => Ok(member.clone()),
            (member, instance) => {
                let found = self.identify(member.as_ref(), instance.as_ref())?;
                Ok(found.id.clone())
            }
        }
    }
}

/// The answer of a group that does not exist.
pub(crate) fn leave_nothing(leave: LeaveGroup) -> Reply {
    let unknown = |leaving: Leaving| Left {
        member: leaving.member,
        instance: leaving.instance,
        error: Some(GroupError::UnknownMemberId),
    };
    Reply::LeaveGroup(Ok(leave.members.into_iter().map(unknown).collect()))
}
