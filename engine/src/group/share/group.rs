//! A share group as it will be when all that is on its way to the log has landed, by which decisions are
//! made, and as it is on disk, which readers are shown.

use std::collections::VecDeque;

use crate::group::Ticket;
use crate::group::share::record::ShareRecord;
use crate::group::share::roster::ShareRoster;

/// Invariant: `current` is `durable` with the records of `appending` applied in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShareGroup {
    pub(crate) current: ShareRoster,
    pub(crate) durable: ShareRoster,
    appending: VecDeque<(Ticket, Vec<ShareRecord>)>,
    /// The state of the cluster's topics that the group's epoch takes account of.
    pub(crate) seen_topics: Option<u64>,
}

impl ShareGroup {
    /// Takes a record that is in the log already.
    pub(crate) fn load(&mut self, record: &ShareRecord) {
        self.current.apply(record);
    }

    pub(crate) fn loaded(&mut self) {
        self.durable = self.current.clone();
    }

    /// The records, which `current` has been through already, are on their way to the log.
    pub(crate) fn begin(&mut self, ticket: Ticket, records: Vec<ShareRecord>) {
        self.appending.push_back((ticket, records));
    }

    pub(crate) fn settle(&mut self, ticket: Ticket) {
        while self.appending.front().is_some_and(|(at, _)| *at <= ticket) {
            let Some((_, records)) = self.appending.pop_front() else { break };
            for record in &records {
                self.durable.apply(record);
            }
        }
    }

    /// The records of this ticket will never be in the log.
    pub(crate) fn abandon(&mut self, ticket: Ticket) {
        self.appending.retain(|(at, _)| *at != ticket);
        self.current = self.durable.clone();
        for record in self.appending.iter().flat_map(|(_, records)| records) {
            self.current.apply(record);
        }
        self.seen_topics = None;
    }
}
