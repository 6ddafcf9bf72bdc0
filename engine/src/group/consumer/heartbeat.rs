//! ConsumerGroupHeartbeat: the one request by which a member joins, lives, changes what it reads,
//! gives up and takes over partitions. Whatever it was told last may have been lost, and whatever
//! it says may come twice.

use crate::group::consumer::draft::{Draft, Setting};
use crate::group::consumer::group::ConsumerGroup;
use crate::group::consumer::member::{ConsumerMember, MemberState};
use crate::group::consumer::partitions::{Held, is_within, without_epochs};
use crate::group::consumer::record::ConsumerRecord;
use crate::group::consumer::regex::{self, REFRESH_INTERVAL_MIN};
use crate::group::consumer::roster::Roster;
use crate::group::consumer::{Beat, ConsumerHeartbeat, Epoch, Partitions, Standing};
use crate::group::{GroupError, MemberId};

/// What follows from a request.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) records: Vec<ConsumerRecord>,
    /// The member that this one has replaced.
    pub(crate) replaced: Option<MemberId>,
    /// What the member held before.
    pub(crate) held_before: Held,
    /// The regular expressions are to be resolved anew.
    pub(crate) must_resolve: bool,
}

impl Decision {
    /// Whether the member holds, or gives up, something else than before.
    pub(crate) fn has_moved(&self, id: &MemberId) -> bool {
        let is_own = |record: &ConsumerRecord| matches!(record, ConsumerRecord::Current { member, .. } if member == id);
        self.records.iter().any(is_own)
    }
}

/// A member as it is, and what a request makes of it.
pub(crate) struct Renewal<'a> {
    pub(crate) id: &'a MemberId,
    /// The member of this id, or the one whose place it takes.
    pub(crate) known: Option<ConsumerMember>,
    pub(crate) take_over: &'a dyn Fn(&mut ConsumerMember),
    pub(crate) owned: Option<&'a Partitions>,
}

/// How a member's regular expression has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegexChange {
    None,
    /// What it stands for is not known yet.
    Unresolved,
    Resolved,
}

impl Roster {
    /// Whether the request may be carried out, and by which member if the group has it. Nothing has
    /// been changed when this refuses.
    pub(crate) fn admit(
        &self,
        id: &MemberId,
        heartbeat: &ConsumerHeartbeat,
        setting: &Setting<'_>,
    ) -> Result<Option<&ConsumerMember>, GroupError> {
        let known = self.member(id.as_str());
        if setting.options.members_max <= self.len() && known.is_none() {
            return Err(GroupError::GroupMaxSizeReached);
        }
        let is_joining = heartbeat.standing == Standing::Joining;
        let member = match &heartbeat.instance {
            None if is_joining => known,
            None => Some(known.ok_or(GroupError::UnknownMemberId)?),
            Some(instance) => match self.of_instance(instance) {
                None if is_joining => known,
                None => return Err(GroupError::UnknownMemberId),
                Some(holder) if holder.id == *id => Some(holder),
                Some(_) if !is_joining => return Err(GroupError::FencedInstanceId),
                Some(holder) if holder.classic.is_none() && !holder.is_away => {
                    return Err(GroupError::UnreleasedInstanceId);
                }
                Some(holder) => Some(holder),
            },
        };
        if is_joining && member.is_some_and(|it| it.id == *id && is_unreleased(it, heartbeat)) {
            return Err(GroupError::UnreleasedInstanceId);
        }
        if let (Standing::At(epoch), Some(member)) = (heartbeat.standing, member) {
            check_epoch(member, epoch, heartbeat.owned.as_ref())?;
        }
        // What a later version of Kafka left half done starts over without anything.
        let is_unknown = member.is_some_and(|it| matches!(it.state, MemberState::Unknown(_)));
        if is_unknown && heartbeat.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
            return Err(GroupError::FencedMemberEpoch);
        }
        if let Some(pattern) = heartbeat.new_regex()
            && self.subscribers_of(pattern) == 0
        {
            regex::compile(pattern)?;
        }
        Ok(member)
    }
}

/// A static member of the newer protocol has to say that it goes before it may join again.
fn is_unreleased(member: &ConsumerMember, heartbeat: &ConsumerHeartbeat) -> bool {
    heartbeat.instance.is_some()
        && heartbeat.instance == member.instance
        && member.classic.is_none()
        && !member.is_away
}

/// A member that is an epoch behind has not got the last answer, if it holds nothing that this
/// answer took away.
fn check_epoch(
    member: &ConsumerMember,
    epoch: Epoch,
    owned: Option<&Partitions>,
) -> Result<(), GroupError> {
    if !member.is_away && epoch == member.epoch {
        return Ok(());
    }
    let is_repeated = !member.is_away
        && epoch < member.epoch
        && member.previous_epoch == Some(epoch)
        && owned.is_some_and(|owned| is_within(owned, &member.assigned));
    if is_repeated { Ok(()) } else { Err(GroupError::FencedMemberEpoch) }
}

impl ConsumerGroup {
    /// Carries out the heartbeat of a member that `admit` has let in.
    pub(crate) fn heartbeat(
        &mut self,
        id: &MemberId,
        heartbeat: &ConsumerHeartbeat,
        setting: &Setting<'_>,
    ) -> Result<Decision, GroupError> {
        let known = self.current.admit(id, heartbeat, setting)?.cloned();
        let renewal = Renewal {
            id,
            known,
            take_over: &|member: &mut ConsumerMember| take_over(member, heartbeat),
            owned: heartbeat.owned.as_ref(),
        };
        Ok(self.renew(renewal, setting))
    }

    /// Makes or changes a member, and brings it one step nearer to its target.
    pub(crate) fn renew(&mut self, renewal: Renewal<'_>, setting: &Setting<'_>) -> Decision {
        let Renewal { id, known, take_over, owned } = renewal;
        let mut draft = Draft::new(&mut self.current);
        let mut replaced = None;
        let before = match known {
            Some(known) if known.id != *id || known.is_away => {
                replaced = Some(known.id.clone());
                draft.replace(&known, id.clone())
            }
            Some(known) => known,
            None => ConsumerMember::new(id.clone()),
        };
        let mut member = before.clone();
        take_over(&mut member);
        draft.put_subscription(&member);
        let names_changed = before.topics != member.topics;
        let change = draft.change_regex(before.regex.as_deref(), member.regex.as_deref());
        let is_unchecked = self.seen.topics != Some(setting.topics_version);
        let must_bump = names_changed
            || change == RegexChange::Resolved
            || (is_unchecked && !draft.roster.targets_are_whole(setting.cluster));
        if must_bump || is_unchecked {
            draft.refresh(must_bump, setting.cluster);
        }
        draft.find_targets(setting);
        let has_changed = names_changed || change != RegexChange::None;
        draft.reconcile(id, has_changed, owned, setting.cluster);
        let records = draft.records;
        self.seen.topics = Some(setting.topics_version);
        let must_resolve = self.must_resolve(setting);
        Decision { records, replaced, held_before: before.assigned, must_resolve }
    }

    /// The answer to a heartbeat that was carried out.
    pub(crate) fn beat(
        &self,
        id: &MemberId,
        heartbeat: &ConsumerHeartbeat,
        held_before: &Held,
        setting: &Setting<'_>,
    ) -> Beat {
        let member = self.current.member(id.as_str());
        let epoch = member.map_or(Epoch::ZERO, |member| member.epoch);
        let assigned = member.map(|member| &member.assigned);
        let is_asked = heartbeat.standing == Standing::Joining || heartbeat.is_full();
        let has_changed = assigned != Some(held_before);
        Beat::Member {
            member: id.clone(),
            epoch,
            heartbeat_interval: setting.group.heartbeat_interval,
            assignment: assigned.filter(|_| is_asked || has_changed).map(without_epochs),
        }
    }

    /// Regular expressions are looked through when there is a new one, when there may be new
    /// topics, or when it was long ago; and never twice in a short time.
    pub(crate) fn must_resolve(&self, setting: &Setting<'_>) -> bool {
        let subscribed = self.current.subscribed_regexes();
        if subscribed.is_empty() {
            return false;
        }
        let has_unresolved = subscribed.iter().any(|it| self.current.resolved(it).is_none());
        let last = self.current.regexes().map(|(_, resolved)| resolved.at).max();
        let Some(last) = last else { return has_unresolved };
        let age = setting.now.wall.0.saturating_sub(last.0);
        let is_older =
            |span: crate::types::Millis| i64::try_from(span.0).is_ok_and(|span| span < age);
        let has_new_topics = self.seen.regexes != Some(setting.topics_version);
        is_older(REFRESH_INTERVAL_MIN)
            && (has_unresolved
                || has_new_topics
                || is_older(setting.options.regex_refresh_interval))
    }
}

impl Draft<'_> {
    /// Forgets what nobody subscribes by any more. The member itself has changed already.
    pub(crate) fn change_regex(&mut self, old: Option<&str>, new: Option<&str>) -> RegexChange {
        if old == new {
            return RegexChange::None;
        }
        if let Some(old) = old
            && self.roster.subscribers_of(old) == 0
            && self.roster.resolved(old).is_some()
        {
            self.put(ConsumerRecord::Regex { regex: old.to_owned(), value: None });
        }
        match new {
            None => RegexChange::Resolved,
            Some(new) if self.roster.resolved(new).is_some() => RegexChange::Resolved,
            Some(_) => RegexChange::Unresolved,
        }
    }
}

/// What the request says of the member replaces what was known.
fn take_over(member: &mut ConsumerMember, heartbeat: &ConsumerHeartbeat) {
    let newer = |new: &Option<String>, old: &mut Option<String>| {
        if new.is_some() {
            old.clone_from(new);
        }
    };
    if heartbeat.instance.is_some() {
        member.instance.clone_from(&heartbeat.instance);
    }
    newer(&heartbeat.rack, &mut member.rack);
    newer(&heartbeat.assignor, &mut member.assignor);
    member.rebalance_timeout = heartbeat.rebalance_timeout.or(member.rebalance_timeout);
    if let Some(topics) = &heartbeat.topics {
        member.topics = topics.iter().cloned().collect();
    }
    if heartbeat.regex.is_some() {
        member.regex = heartbeat.new_regex().map(str::to_owned);
    }
    member.client_id.clone_from(&heartbeat.client_id);
    member.client_host.clone_from(&heartbeat.client_host);
    member.classic = None;
}
