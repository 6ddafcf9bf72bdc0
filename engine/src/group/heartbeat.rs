//! Heartbeat: a member shows that it is alive, and hears whether it has to join again. It never
//! starts a rebalance.

use crate::group::group::Group;
use crate::group::step::Step;
use crate::group::{GroupError, GroupState, Heartbeat};

impl Group {
    pub(crate) fn heartbeat(
        &mut self,
        heartbeat: &Heartbeat,
        step: &mut Step<'_>,
    ) -> Result<(), GroupError> {
        if self.state == GroupState::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        let member = self.identify(heartbeat.member.as_ref(), heartbeat.instance.as_ref())?;
        if heartbeat.generation != Some(self.generation) {
            return Err(GroupError::IllegalGeneration);
        }
        self.expect_heartbeat(&member.id, step);
        match self.state {
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
            GroupState::Empty | GroupState::Dead => Err(GroupError::UnknownMemberId),
        }
    }
}
