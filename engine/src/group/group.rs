//! One group: its state, its members and its offsets, and the few changes that every rule shares.
//! The rules themselves stand beside this file, one per request.

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;

use crate::group::appends::{Change, Pending};
use crate::group::consumer::ConsumerGroup;
use crate::group::member::Member;
use crate::group::members::Members;
use crate::group::offset_table::OffsetTable;
use crate::group::protocols::{CONSUMER_PROTOCOL_TYPE, Protocols, subscribed_topics};
use crate::group::record::{GroupRecord, StoredGroup, StoredMember};
use crate::group::share::ShareGroup;
use crate::group::step::Step;
use crate::group::streams::StreamsGroup;
use crate::group::{
    Generation, GroupError, GroupId, InTransaction, InstanceId, Joined, JoinedMember, MemberId,
    Now, Protocol, Reply, RequestId, Ticket,
};
use crate::types::{Millis, Timestamp};

/// Where a group stands between two generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GroupState {
    /// No members; perhaps offsets.
    Empty,
    /// Members are asked to join the next generation.
    PreparingRebalance,
    /// All have joined; the leader's assignment is awaited or being stored.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
    /// The group is being deleted.
    Dead,
}

impl GroupState {
    /// Kafka's name for the state.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Why the joining phase waits, which decides what happens at its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinWait {
    /// The group was empty: wait for company, in delays that new members extend.
    Initial { delay: Millis, remaining: Millis, extended: bool },
    /// Members of the last generation are given time to finish their work and join.
    Rejoin,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) state: GroupState,
    /// When the group came into its state; unknown if an old record does not say.
    pub(crate) state_since: Option<Timestamp>,
    /// Set by the first member, kept when the group is empty; a group without one keeps offsets
    /// for a consumer that assigns its own partitions.
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) generation: Generation,
    pub(crate) leader: Option<MemberId>,
    pub(crate) members: Members,
    /// Told their id and expected to join with it (KIP-394).
    pub(crate) expected: BTreeSet<MemberId>,
    /// Members of this generation that have not asked for their assignment yet.
    pub(crate) unsynced: BTreeSet<MemberId>,
    /// What the members read, where the coordinator can tell.
    pub(crate) subscribed: Option<BTreeSet<String>>,
    pub(crate) join_wait: JoinWait,
    /// The append of this generation's assignment, while it is under way.
    pub(crate) storing: Option<Ticket>,
    pub(crate) offsets: OffsetTable,
    /// The members, if the group is of the newer protocol; then it has no classic ones of its own,
    /// and its state here is Empty, or Dead.
    pub(crate) consumer: Option<Box<ConsumerGroup>>,
    /// The members, if it is a share group; as above.
    pub(crate) share: Option<Box<ShareGroup>>,
    /// The members, if it is a streams group; as above.
    pub(crate) streams: Option<Box<StreamsGroup>>,
    /// Appends under way for this group, and the latest of all it ever had.
    pub(crate) appending: usize,
    pub(crate) last_append: Option<Ticket>,
    /// The log has a record of the group: from then on it may be shown.
    pub(crate) durable: bool,
}

impl Group {
    pub(crate) fn new(id: GroupId, now: Now) -> Self {
        Self {
            id,
            state: GroupState::Empty,
            state_since: Some(now.wall),
            protocol_type: None,
            protocol: None,
            generation: Generation::ZERO,
            leader: None,
            members: Members::default(),
            expected: BTreeSet::new(),
            unsynced: BTreeSet::new(),
            subscribed: None,
            join_wait: JoinWait::Rejoin,
            storing: None,
            offsets: OffsetTable::default(),
            consumer: None,
            share: None,
            streams: None,
            appending: 0,
            last_append: None,
            durable: false,
        }
    }

    /// The group as a record of the log describes it; its offsets are loaded apart.
    pub(crate) fn from_stored(id: GroupId, stored: StoredGroup, now: Now) -> Self {
        let mut group = Self::new(id, now);
        group.state =
            if stored.members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        group.state_since = stored.state_since;
        group.generation = stored.generation;
        group.leader = stored.leader;
        group.durable = true;
        for member in stored.members {
            // Only the elected protocol is stored; the others come back when the member rejoins.
            let protocol = Protocol {
                name: stored.protocol.clone().unwrap_or_default(),
                metadata: member.subscription,
            };
            let twice = group.members.contains(&member.id)
                || member
                    .instance
                    .as_ref()
                    .is_some_and(|it| group.members.of_instance(it).is_some());
            if twice {
                continue;
            }
            group.members.add(Member {
                id: member.id,
                instance: member.instance,
                client_id: member.client_id,
                client_host: member.client_host,
                session_timeout: member.session_timeout,
                rebalance_timeout: member.rebalance_timeout,
                protocols: Protocols::new(&[protocol]),
                assignment: member.assignment,
                parked_join: None,
                parked_sync: None,
                is_new: false,
            });
        }
        group.protocol_type = stored.protocol_type;
        group.protocol = match stored.protocol {
            None if !group.members.is_empty() => Some(String::new()),
            protocol => protocol,
        };
        if group.leader.as_ref().is_none_or(|leader| !group.members.contains(leader)) {
            group.leader = group.members.iter().next().map(|member| member.id.clone());
        }
        group.subscribed = group.read_subscriptions();
        group
    }

    pub(crate) fn is_leader(&self, member: &MemberId) -> bool {
        self.leader.as_ref() == Some(member)
    }

    pub(crate) fn is_consumer(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    /// Whether the group reads the topic. Of a consumer group whose subscriptions cannot be read,
    /// this says yes for every topic: better to keep an offset than to lose one in use.
    pub(crate) fn is_subscribed(&self, topic: &str) -> bool {
        if let Some(consumer) = &self.consumer {
            return consumer.current.reads(topic);
        }
        if let Some(share) = &self.share {
            return share.current.reads(topic);
        }
        if let Some(streams) = &self.streams {
            return streams.staged.current.reads(topic);
        }
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.is_consumer(),
        }
    }

    /// The topics that members read, if they are consumers and all say so readably.
    pub(crate) fn read_subscriptions(&self) -> Option<BTreeSet<String>> {
        if !self.is_consumer() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.iter() {
            let metadata = member.protocols.metadata(protocol)?;
            topics.extend(subscribed_topics(metadata)?.into_iter().map(str::to_owned));
        }
        Some(topics)
    }

    /// Finds a member by the id, and the instance id if any, that a request came with.
    pub(crate) fn identify(
        &self,
        member: Option<&MemberId>,
        instance: Option<&InstanceId>,
    ) -> Result<&Member, GroupError> {
        if let Some(instance) = instance {
            let holder = self.members.of_instance(instance).ok_or(GroupError::UnknownMemberId)?;
            if Some(holder) != member {
                return Err(GroupError::FencedInstanceId);
            }
        }
        member.and_then(|id| self.members.get(id)).ok_or(GroupError::UnknownMemberId)
    }

    /// Everybody has joined, and nobody is expected to.
    pub(crate) fn all_have_joined(&self) -> bool {
        self.members.joining() == self.members.len() && self.expected.is_empty()
    }

    pub(crate) fn enter(&mut self, state: GroupState, now: Now) {
        let allowed = match state {
            GroupState::Empty => {
                matches!(self.state, GroupState::PreparingRebalance | GroupState::Dead)
            }
            GroupState::PreparingRebalance => matches!(
                self.state,
                GroupState::Empty | GroupState::CompletingRebalance | GroupState::Stable
            ),
            GroupState::CompletingRebalance => self.state == GroupState::PreparingRebalance,
            GroupState::Stable => self.state == GroupState::CompletingRebalance,
            GroupState::Dead => self.state == GroupState::Empty,
        };
        assert!(allowed, "group {} cannot go from {} to {state}", self.id, self.state);
        self.state = state;
        self.state_since = Some(now.wall);
    }

    /// Takes a member out, answering what it has parked, and finds another leader if it led.
    pub(crate) fn remove_member(&mut self, member: &MemberId, step: &mut Step<'_>) {
        step.forget_heartbeat(&self.id, member);
        self.expected.remove(member);
        self.unsynced.remove(member);
        if let Some(removed) = self.members.remove(member) {
            if let Some(request) = removed.parked_join {
                // Without its member id, so that a living client starts over with a new one.
                step.refuse_join(request, GroupError::UnknownMemberId, None);
            }
            if let Some(request) = removed.parked_sync {
                step.reply_sync(request, Err(GroupError::UnknownMemberId));
            }
        }
        if self.is_leader(member) {
            self.leader = self.members.iter().next().map(|next| next.id.clone());
        }
    }

    /// What a member of the current generation learns from joining it.
    pub(crate) fn joined(&self, member: &MemberId) -> Joined {
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member: member.clone(),
            members: if self.is_leader(member) { self.roll() } else { Vec::new() },
            skip_assignment: false,
        }
    }

    /// All members with what they say under the elected protocol.
    pub(crate) fn roll(&self) -> Vec<JoinedMember> {
        self.members
            .iter()
            .map(|member| JoinedMember {
                member: member.id.clone(),
                instance: member.instance.clone(),
                metadata: self.metadata_of(member),
            })
            .collect()
    }

    pub(crate) fn metadata_of(&self, member: &Member) -> Bytes {
        let protocol = self.protocol.as_deref();
        protocol.and_then(|name| member.protocols.metadata(name)).cloned().unwrap_or_default()
    }

    /// The record of this generation, with each member's assignment taken from `assignment_of`.
    pub(crate) fn record(&self, assignment_of: impl Fn(&Member) -> Bytes) -> GroupRecord {
        let members = self.members.iter().map(|member| StoredMember {
            id: member.id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            session_timeout: member.session_timeout,
            rebalance_timeout: member.rebalance_timeout,
            subscription: self.metadata_of(member),
            assignment: assignment_of(member),
        });
        let stored = StoredGroup {
            protocol_type: self.protocol_type.clone(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_since: self.state_since,
            members: members.collect(),
        };
        GroupRecord::Group { group: self.id.clone(), value: Some(stored) }
    }

    /// Sends records of this group to the log.
    pub(crate) fn append(
        &mut self,
        records: Vec<GroupRecord>,
        change: Change,
        replies: Vec<(RequestId, Reply)>,
        step: &mut Step<'_>,
    ) -> Ticket {
        self.append_as_part_of(None, records, change, replies, step)
    }

    /// Sends records of this group to the log, as a part of a transaction if one is given.
    pub(crate) fn append_as_part_of(
        &mut self,
        transaction: Option<InTransaction>,
        records: Vec<GroupRecord>,
        change: Change,
        replies: Vec<(RequestId, Reply)>,
        step: &mut Step<'_>,
    ) -> Ticket {
        let expected = step.appends.next_ticket();
        let mut offsets = Vec::new();
        for record in &records {
            match record {
                GroupRecord::Offset { topic, index, value, .. } => {
                    let key = (topic.clone(), *index);
                    match (transaction, value.clone()) {
                        (Some(transaction), Some(value)) => {
                            let producer = transaction.producer_id;
                            self.offsets.begin_in_transaction(
                                key.clone(),
                                expected,
                                producer,
                                value,
                            );
                        }
                        (_, value) => self.offsets.begin(key.clone(), expected, value),
                    }
                    offsets.push(key);
                }
                GroupRecord::Group { .. }
                | GroupRecord::Consumer { .. }
                | GroupRecord::Share { .. }
                | GroupRecord::Streams { .. } => {}
            }
        }
        let pending =
            Pending { group: self.id.clone(), change, offsets, replies, fetches: Vec::new() };
        let ticket = step.append(&records, transaction, pending);
        assert_eq!(ticket, expected, "an append slipped in between");
        self.appending += 1;
        self.last_append = Some(ticket);
        ticket
    }

    /// Replies once all that is on its way for this group has ended; now, if nothing is.
    pub(crate) fn reply_in_turn(&self, request: RequestId, reply: Reply, step: &mut Step<'_>) {
        let parked = match self.last_append {
            Some(ticket) => step.appends.reply_after(ticket, request, reply),
            None => Err((request, reply)),
        };
        if let Err((request, reply)) = parked {
            step.reply(request, reply);
        }
    }

    /// Nothing keeps the group: the log does not know it, nobody is in it, nothing is on its way.
    pub(crate) fn is_nothing(&self) -> bool {
        !self.durable
            && self.appending == 0
            && self.members.is_empty()
            && self.expected.is_empty()
            && self.offsets.is_empty()
            && self.has_no_consumers()
            && self.has_no_sharers()
            && self.has_no_streamers()
            && matches!(self.state, GroupState::Empty | GroupState::Dead)
    }

    /// The group is of the newer protocol, and not being deleted.
    pub(crate) fn speaks_newer(&self) -> bool {
        self.consumer.is_some() && self.state != GroupState::Dead
    }

    /// The group is not a classic one.
    pub(crate) fn speaks_other(&self) -> bool {
        self.consumer.is_some() || self.share.is_some() || self.streams.is_some()
    }

    /// The group is of some kind, and not a heap of offsets.
    pub(crate) fn is_of_a_kind(&self) -> bool {
        self.protocol_type.is_some() || self.speaks_other()
    }

    /// Nobody of the newer protocol is in it.
    pub(crate) fn has_no_consumers(&self) -> bool {
        self.consumer.as_ref().is_none_or(|consumer| consumer.current.is_empty())
    }

    /// Nobody of a share group is in it.
    pub(crate) fn has_no_sharers(&self) -> bool {
        self.share.as_ref().is_none_or(|share| share.current.members.is_empty())
    }

    /// Nobody of a streams group is in it.
    pub(crate) fn has_no_streamers(&self) -> bool {
        self.streams.as_ref().is_none_or(|streams| streams.is_empty())
    }

    pub(crate) fn assert_invariants(&self) {
        if let Some(streams) = &self.streams {
            streams.assert_invariants();
            debug_assert!(self.members.is_empty() && self.consumer.is_none());
        }
        if let Some(consumer) = &self.consumer {
            consumer.assert_invariants();
            debug_assert!(self.members.is_empty());
        }
        debug_assert!(self.unsynced.iter().all(|id| self.members.contains(id)));
        debug_assert!(self.expected.iter().all(|id| !self.members.contains(id)));
        debug_assert!(match self.state {
            GroupState::Empty | GroupState::Dead => self.members.is_empty(),
            GroupState::PreparingRebalance => true,
            GroupState::CompletingRebalance | GroupState::Stable => {
                !self.members.is_empty() && self.protocol.is_some()
            }
        });
        debug_assert!(match &self.leader {
            Some(leader) => self.members.contains(leader),
            None => self.members.is_empty(),
        });
        debug_assert!(self.state == GroupState::CompletingRebalance || self.storing.is_none());
    }
}
