//! A group of the newer protocol: its state as it will be when all that is on its way to the log
//! has landed, by which decisions are made, and as it is on disk, which readers are shown.

use std::collections::VecDeque;
use std::fmt;

use crate::group::Ticket;
use crate::group::consumer::record::ConsumerRecord;
use crate::group::consumer::roster::Roster;

/// Where a group stands on the way to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConsumerState {
    /// No members; perhaps offsets.
    Empty,
    /// Something has changed, and who is to read what has yet to be found.
    Assigning,
    /// Members give up and take over partitions.
    Reconciling,
    /// Every member holds what it is to hold.
    Stable,
}

impl ConsumerState {
    /// Kafka's name for the state.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

impl fmt::Display for ConsumerState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Roster {
    pub(crate) fn state(&self) -> ConsumerState {
        if self.is_empty() {
            ConsumerState::Empty
        } else if self.target_epoch.is_none_or(|target| target < self.epoch) {
            ConsumerState::Assigning
        } else if self.members().all(|member| member.is_reconciled_to(self.target_epoch)) {
            ConsumerState::Stable
        } else {
            ConsumerState::Reconciling
        }
    }
}

/// Invariant: `current` is `durable` with the records of `appending` applied in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConsumerGroup {
    pub(crate) current: Roster,
    pub(crate) durable: Roster,
    /// In the order of tickets.
    appending: VecDeque<(Ticket, Vec<ConsumerRecord>)>,
    /// The state of the cluster's topics that the group's epoch takes account of.
    pub(crate) seen_topics: Option<u64>,
    /// The one in which its regular expressions were resolved.
    pub(crate) resolved_version: Option<u64>,
}

impl ConsumerGroup {
    /// A group whose records are yet to be written.
    pub(crate) fn of(current: Roster) -> Self {
        Self { current, ..Self::default() }
    }

    /// Takes a record that is in the log already.
    pub(crate) fn load(&mut self, record: &ConsumerRecord) {
        debug_assert!(self.appending.is_empty());
        self.current.apply(record);
    }

    pub(crate) fn loaded(&mut self) {
        self.durable = self.current.clone();
    }

    /// The records, which `current` has been through already, are on their way to the log.
    pub(crate) fn begin(&mut self, ticket: Ticket, records: Vec<ConsumerRecord>) {
        self.appending.push_back((ticket, records));
    }

    /// The records of this ticket are durable.
    pub(crate) fn settle(&mut self, ticket: Ticket) {
        // Appends end in their order, unless one fails and is taken out.
        while self.appending.front().is_some_and(|(at, _)| *at <= ticket) {
            let Some((_, records)) = self.appending.pop_front() else { break };
            for record in &records {
                self.durable.apply(record);
            }
        }
    }

    /// The records of this ticket will never be in the log: what was decided since stands on what
    /// the log will have.
    pub(crate) fn abandon(&mut self, ticket: Ticket) {
        self.appending.retain(|(at, _)| *at != ticket);
        self.current = self.durable.clone();
        for record in self.appending.iter().flat_map(|(_, records)| records) {
            self.current.apply(record);
        }
        self.seen_topics = None;
        self.resolved_version = None;
    }

    pub(crate) fn assert_invariants(&self) {
        self.current.assert_invariants();
    }
}
