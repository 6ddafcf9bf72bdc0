//! What a partition's transactions have come to: which records a reader of committed data must see,
//! which never, and how far it may read.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::TransactionResult;
use crate::sim::ledger::Tag;
use crate::types::{Offset, ProducerId};

#[derive(Clone, Debug, Default)]
pub(super) struct Transactions {
    /// Batches about which nothing is decided, and where those are that were acknowledged.
    undecided: BTreeMap<Tag, (ProducerId, Option<Offset>)>,
    decided: BTreeMap<Tag, TransactionResult>,
    /// Producers that have a transaction here, or may have: its marker was not acknowledged.
    unsettled: BTreeSet<ProducerId>,
    begun: u64,
    /// Records were lost, and markers with them.
    is_in_doubt: bool,
}

impl Transactions {
    /// Before a batch is sent.
    pub(super) fn send(&mut self, id: ProducerId, tag: Tag) {
        self.undecided.insert(tag, (id, None));
        self.unsettled.insert(id);
        self.begun += 1;
    }

    pub(super) fn acknowledge(&mut self, tag: Tag, base: Offset) {
        if let Some((_, place)) = self.undecided.get_mut(&tag) {
            *place = Some(base);
        }
    }

    /// Before the first marker is written: from here on there is one answer.
    pub(super) fn decide(&mut self, id: ProducerId, result: TransactionResult) {
        let tags: Vec<Tag> = self
            .undecided
            .iter()
            .filter_map(|(tag, (owner, _))| (*owner == id).then_some(*tag))
            .collect();
        for tag in tags {
            self.undecided.remove(&tag);
            self.decided.insert(tag, result);
        }
    }

    /// The marker is on disk.
    pub(super) fn settle(&mut self, id: ProducerId) {
        self.unsettled.remove(&id);
    }

    /// Two equal answers that are not `None`: at no moment in between was a transaction open.
    pub(super) fn settled(&self) -> Option<u64> {
        (self.unsettled.is_empty() && !self.is_in_doubt).then_some(self.begun)
    }

    /// No reader of committed data comes beyond this.
    pub(super) fn first_open(&self) -> Option<Offset> {
        self.undecided.values().filter_map(|(_, place)| *place).min()
    }

    /// Nothing is certain any more.
    pub(super) fn doubt(&mut self) {
        self.undecided.clear();
        self.is_in_doubt = true;
    }

    /// Whether a reader of committed data is given the batch.
    pub(super) fn saw(&self, tag: Tag, is_visible: bool) {
        let fate = self.decided.get(&tag);
        let expected =
            if is_visible { TransactionResult::Commit } else { TransactionResult::Abort };
        let is_right = fate == Some(&expected) || self.is_in_doubt;
        assert!(is_right, "{tag:?}, visible: {is_visible}, is {fate:?}");
    }
}
