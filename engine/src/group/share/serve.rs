//! Requests to share groups: finds or makes the group, lets the rules decide, sends the records to the log
//! and sets the deadlines. An answer goes out when what it tells is stored.

use std::collections::BTreeMap;

use crate::group::appends::Change;
use crate::group::consumer::GroupSettings;
use crate::group::coordinator::Coordinator;
use crate::group::group::Group;
use crate::group::record::GroupRecord;
use crate::group::share::heartbeat::Setting;
use crate::group::share::{ShareBeat, ShareHeartbeat, ShareRecord, ShareStanding};
use crate::group::step::Step;
use crate::group::{GroupError, GroupId, GroupState, MemberId, Now, Output, Reply, RequestId};
use crate::types::Millis;

impl Coordinator {
    pub(crate) fn share_heartbeat(
        &mut self,
        now: Now,
        request: RequestId,
        heartbeat: &ShareHeartbeat,
        outputs: &mut Vec<Output>,
    ) {
        let (groups, mut step) = self.split(now, outputs);
        let outcome = match heartbeat.standing {
            ShareStanding::Joining | ShareStanding::At(_) => {
                beat(groups, request, heartbeat, &mut step)
            }
            ShareStanding::Leaving => leave(groups, request, heartbeat, &mut step),
        };
        if let Err(error) = outcome {
            step.reply(request, Reply::ShareHeartbeat(Err(error)));
        }
        self.forget_if_nothing(&heartbeat.group);
    }
}

fn beat(
    groups: &mut BTreeMap<GroupId, Group>,
    request: RequestId,
    heartbeat: &ShareHeartbeat,
    step: &mut Step<'_>,
) -> Result<(), GroupError> {
    if let Some(group) = groups.get_mut(&heartbeat.group) {
        return group.share_beat(request, heartbeat, step);
    }
    if heartbeat.standing != ShareStanding::Joining {
        return Err(GroupError::GroupIdNotFound);
    }
    let mut group = Group::new(heartbeat.group.clone(), step.now);
    group.share = Some(Box::default());
    group.share_beat(request, heartbeat, step)?;
    groups.insert(group.id.clone(), group);
    Ok(())
}

fn leave(
    groups: &mut BTreeMap<GroupId, Group>,
    request: RequestId,
    heartbeat: &ShareHeartbeat,
    step: &mut Step<'_>,
) -> Result<(), GroupError> {
    let group = groups.get_mut(&heartbeat.group).ok_or(GroupError::GroupIdNotFound)?;
    let share = group.share.as_ref().ok_or(GroupError::GroupIdNotFound)?;
    if !share.current.members.contains_key(&heartbeat.member) {
        return Err(GroupError::UnknownMemberId);
    }
    let beat = ShareBeat {
        epoch: None,
        heartbeat_interval: Millis(0),
        assignment: None,
        initialize: None,
    };
    let reply = Reply::ShareHeartbeat(Ok(beat));
    group.remove_sharers(std::slice::from_ref(&heartbeat.member), Some((request, reply)), step);
    Ok(())
}

impl Step<'_> {
    /// What a decision about this share group is made by.
    pub(crate) fn share_setting(&self, group: &GroupId) -> Setting<'_> {
        let options = &self.options.share;
        let own = self.cluster.share_group_settings(group.as_str());
        Setting {
            now: self.now,
            group: own.unwrap_or(GroupSettings {
                session_timeout: options.session_timeout,
                heartbeat_interval: options.heartbeat_interval,
                assignment_interval: options.assignment_interval,
            }),
            members_max: options.members_max,
            cluster: self.cluster,
            topics_version: self.topics_version,
        }
    }
}

impl Group {
    fn share_beat(
        &mut self,
        request: RequestId,
        heartbeat: &ShareHeartbeat,
        step: &mut Step<'_>,
    ) -> Result<(), GroupError> {
        let Some(share) = &mut self.share else { return Err(GroupError::GroupIdNotFound) };
        if self.state == GroupState::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        let setting = step.share_setting(&self.id);
        let (beat, records) = share.heartbeat(heartbeat, &setting)?;
        let session = setting.group.session_timeout;
        step.expect_heartbeat(&self.id, &heartbeat.member, session);
        let reply = (request, Reply::ShareHeartbeat(Ok(beat)));
        self.store_share(records, Some(reply), step);
        Ok(())
    }

    /// Sends the records of a decision to the log; a reply waits for them, or for what was on its
    /// way if there are none.
    pub(crate) fn store_share(
        &mut self,
        records: Vec<ShareRecord>,
        reply: Option<(RequestId, Reply)>,
        step: &mut Step<'_>,
    ) {
        if records.is_empty() {
            if let Some((request, reply)) = reply {
                self.reply_in_turn(request, reply, step);
            }
            return;
        }
        let all = records.iter().cloned();
        let all = all.map(|record| GroupRecord::Share { group: self.id.clone(), record });
        let ticket = self.append(all.collect(), Change::Sharers, reply.into_iter().collect(), step);
        if let Some(share) = &mut self.share {
            share.begin(ticket, records);
        }
    }

    fn remove_sharers(
        &mut self,
        leaving: &[MemberId],
        reply: Option<(RequestId, Reply)>,
        step: &mut Step<'_>,
    ) {
        let Some(share) = &mut self.share else { return };
        let records = share.remove(leaving, step.cluster);
        for member in leaving {
            step.forget_heartbeat(&self.id, member);
        }
        self.store_share(records, reply, step);
    }

    /// A member of a share group was not heard of in time.
    pub(crate) fn sharer_deadline(&mut self, member: &MemberId, step: &mut Step<'_>) {
        let is_member =
            self.share.as_ref().is_some_and(|share| share.current.members.contains_key(member));
        if is_member && self.state != GroupState::Dead {
            self.remove_sharers(std::slice::from_ref(member), None, step);
        }
    }

    /// Every member has a whole session from now on to be heard of.
    pub(crate) fn expect_sharers(&self, step: &mut Step<'_>) {
        let Some(share) = &self.share else { return };
        let session = step.share_setting(&self.id).group.session_timeout;
        for member in share.current.members.keys() {
            step.expect_heartbeat(&self.id, member, session);
        }
    }

    /// The records of this ticket will never be in the log.
    pub(crate) fn sharers_failed(&mut self, ticket: crate::group::Ticket, step: &mut Step<'_>) {
        if let Some(share) = &mut self.share {
            share.abandon(ticket);
        }
        self.expect_sharers(step);
    }
}
