//! What a rule may touch besides its own group: the time, the settings, the deadlines, the log and
//! the replies. Rules of one group cannot reach another group through it.

use crate::group::appends::{Appends, Pending};
use crate::group::consumer::Cluster;
use crate::group::record::GroupRecord;
use crate::group::timers::{Timer, Timers};
use crate::group::{GroupError, GroupId, GroupOptions, MemberId, Now, Output, Reply, RequestId};
use crate::group::{InTransaction, JoinRefused, Joined, Synced, Ticket};
use crate::types::Millis;

pub(crate) struct Step<'a> {
    pub(crate) now: Now,
    pub(crate) options: &'a GroupOptions,
    pub(crate) cluster: &'a dyn Cluster,
    /// Grows with every change of the cluster's topics.
    pub(crate) topics_version: u64,
    pub(crate) timers: &'a mut Timers,
    pub(crate) appends: &'a mut Appends,
    pub(crate) outputs: &'a mut Vec<Output>,
}

impl Step<'_> {
    pub(crate) fn reply(&mut self, request: RequestId, reply: Reply) {
        self.outputs.push(Output::Reply { request, reply });
    }

    pub(crate) fn reply_join(&mut self, request: RequestId, joined: Joined) {
        self.reply(request, Reply::JoinGroup(Ok(joined)));
    }

    pub(crate) fn refuse_join(
        &mut self,
        request: RequestId,
        error: GroupError,
        member: Option<MemberId>,
    ) {
        self.reply(request, Reply::JoinGroup(Err(JoinRefused { error, member })));
    }

    pub(crate) fn reply_sync(&mut self, request: RequestId, synced: Result<Synced, GroupError>) {
        self.reply(request, Reply::SyncGroup(synced));
    }

    /// Expects a sign of life of the member within `timeout`.
    pub(crate) fn expect_heartbeat(&mut self, group: &GroupId, member: &MemberId, timeout: Millis) {
        self.set_timer(Timer::Session(group.clone(), member.clone()), timeout);
    }

    pub(crate) fn forget_heartbeat(&mut self, group: &GroupId, member: &MemberId) {
        self.timers.cancel(&Timer::Session(group.clone(), member.clone()));
    }

    /// Sets the timer to go off after `delay`.
    pub(crate) fn set_timer(&mut self, timer: Timer, delay: Millis) {
        let deadline = Millis(self.now.monotonic.0.saturating_add(delay.0));
        self.timers.set(timer, deadline);
    }

    /// Sends records to the log; `pending` is what happens when they are there.
    pub(crate) fn append(
        &mut self,
        records: &[GroupRecord],
        transaction: Option<InTransaction>,
        pending: Pending,
    ) -> Ticket {
        self.appends.begin(records, transaction, pending, self.outputs)
    }
}
