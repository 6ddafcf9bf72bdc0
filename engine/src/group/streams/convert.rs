//! An empty group changes its kind: a classic one becomes a streams group when the first member of an
//! application joins, and a classic one again when a member of the classic protocol does. Its offsets stay,
//! so that an application that changes its protocol goes on where it was.

use bytes::Bytes;

use crate::group::appends::Change;
use crate::group::consumer::ClassicForm;
use crate::group::group::Group;
use crate::group::join::can_found;
use crate::group::record::GroupRecord;
use crate::group::step::Step;
use crate::group::streams::group::StreamsGroup;
use crate::group::streams::request::StreamsHeartbeat;
use crate::group::timers::Timer;
use crate::group::{GroupError, GroupState, JoinGroup, RequestId, Ticket};

impl Group {
    /// An empty classic group takes the first member of a streams group. Nothing has changed if that is
    /// refused. The records of the old form go and those of the new one come in one append.
    pub(crate) fn become_streams(
        &mut self,
        request: RequestId,
        heartbeat: &StreamsHeartbeat,
        step: &mut Step<'_>,
    ) -> Result<(), GroupError> {
        StreamsGroup::default().heartbeat(heartbeat, &step.streams_setting(&self.id))?;
        let form = self.leave_classic_form(step);
        self.streams = Some(Box::default());
        let tombstone = GroupRecord::Group { group: self.id.clone(), value: None };
        self.append(vec![tombstone], Change::BecameStreams(Box::new(form)), Vec::new(), step);
        self.streams_beat(request, heartbeat, step)
    }

    /// The change was not stored: back to the classic form.
    pub(crate) fn streams_refused(&mut self, form: ClassicForm, step: &mut Step<'_>) {
        let Some(streams) = self.streams.take() else { return };
        for member in streams.staged.current.members.keys() {
            self.forget_deadlines(member, step);
        }
        step.timers.cancel(&Timer::Company(self.id.clone()));
        self.restore_classic_form(form, step);
    }

    /// A member of the classic protocol wants to join; it may if nobody of another is in.
    pub(crate) fn join_streams(
        &mut self,
        request: RequestId,
        join: JoinGroup,
        step: &mut Step<'_>,
    ) {
        let is_empty = self.streams.as_ref().is_some_and(|streams| streams.is_empty());
        if self.state == GroupState::Dead {
            step.refuse_join(request, GroupError::CoordinatorNotAvailable, join.member);
        } else if !is_empty {
            step.refuse_join(request, GroupError::InconsistentGroupProtocol, None);
        } else if join.member.is_some() {
            step.refuse_join(request, GroupError::UnknownMemberId, join.member);
        } else if !can_found(&join) {
            step.refuse_join(request, GroupError::InconsistentGroupProtocol, None);
        } else {
            self.leave_streams(step);
            self.join(request, join, step);
        }
    }

    fn leave_streams(&mut self, step: &mut Step<'_>) {
        let Some(streams) = self.streams.take() else { return };
        step.timers.cancel(&Timer::Company(self.id.clone()));
        let tombstones = streams.staged.current.tombstones().into_iter();
        let own = |record| GroupRecord::Streams { group: self.id.clone(), record };
        let mut all: Vec<GroupRecord> = tombstones.map(own).collect();
        all.push(self.record(|_| Bytes::new()));
        self.append(all, Change::LeftStreams(streams), Vec::new(), step);
    }

    /// The change was not stored: the log still has the streams group.
    pub(crate) fn streams_kept(
        &mut self,
        streams: Box<StreamsGroup>,
        ticket: Ticket,
        error: GroupError,
        step: &mut Step<'_>,
    ) {
        self.drop_classic_form(error, step);
        self.streams = Some(streams);
        self.streamers_failed(ticket, step);
    }
}
