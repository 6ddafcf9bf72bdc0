//! What is made of records, as it will be when all that is on its way to the log has landed, by which
//! decisions are made, and as it is on disk, which readers are shown.

use std::collections::VecDeque;
use std::fmt::Debug;

use crate::group::Ticket;

/// What is made of its records.
pub(crate) trait Recorded: Clone + Debug + Default {
    type Record: Clone + Debug;
    /// What decisions took account of that is in no record: the versions of the cluster's topics.
    type Seen: Clone + Debug + Default;

    fn apply(&mut self, record: &Self::Record);
}

/// Invariant: `current` is `durable` with the records of `appending` applied in their order.
#[derive(Clone, Debug)]
pub(crate) struct Staged<S: Recorded> {
    pub(crate) current: S,
    pub(crate) durable: S,
    /// In the order of tickets.
    appending: VecDeque<(Ticket, Vec<S::Record>)>,
    pub(crate) seen: S::Seen,
}

impl<S: Recorded> Default for Staged<S> {
    fn default() -> Self {
        Self::of(S::default())
    }
}

impl<S: Recorded> Staged<S> {
    /// One whose records are yet to be written.
    pub(crate) fn of(current: S) -> Self {
        Self {
            current,
            durable: S::default(),
            appending: VecDeque::new(),
            seen: S::Seen::default(),
        }
    }

    /// Takes a record that is in the log already.
    pub(crate) fn load(&mut self, record: &S::Record) {
        debug_assert!(self.appending.is_empty());
        self.current.apply(record);
    }

    pub(crate) fn loaded(&mut self) {
        self.durable = self.current.clone();
    }

    /// The records, which `current` has been through already, are on their way to the log.
    pub(crate) fn begin(&mut self, ticket: Ticket, records: Vec<S::Record>) {
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
        self.seen = S::Seen::default();
    }
}
