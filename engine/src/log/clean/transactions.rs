//! What a pass knows of transactions while it walks over a log: records of aborted ones go, and a
//! marker goes only after all records of its transaction. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::log::format::transaction_index::{AbortedTransaction, TransactionIndex};
use crate::record::{BatchHeader, TransactionResult};
use crate::types::{Offset, ProducerId};

/// What a control batch is to the pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// The end of a transaction.
    End(TransactionResult),
    /// A batch that an earlier pass has emptied.
    Empty,
    /// A kind that ends no transaction.
    Other,
}

#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// By first offset; the walk has not come to them.
    ahead: VecDeque<AbortedTransaction>,
    /// Aborted transactions that the walk is in, and whether it has met a batch of them.
    aborted: BTreeMap<ProducerId, (AbortedTransaction, bool)>,
    /// Producers with batches of a transaction that was not aborted, and no marker yet.
    committed: BTreeSet<ProducerId>,
    /// The aborted transactions whose marker stays.
    kept: TransactionIndex,
}

impl Transactions {
    /// `aborted` are all aborted transactions of what will be walked over.
    pub(super) fn new(mut aborted: Vec<AbortedTransaction>) -> Self {
        aborted.sort_by_key(|entry| entry.first_offset);
        Self { ahead: aborted.into(), ..Self::default() }
    }

    /// Passes a batch of records. True if its transaction was aborted.
    pub(super) fn pass_records(&mut self, header: &BatchHeader) -> bool {
        self.come_to(header.last_offset());
        let Some(producer) = header.producer_id().filter(|_| header.is_transactional()) else {
            return false;
        };
        match self.aborted.get_mut(&producer) {
            // Its marker is passed: before the walk began, or in an earlier pass.
            Some((entry, _)) if entry.last_offset < header.base_offset() => {
                self.aborted.remove(&producer);
            }
            Some((_, was_met)) => {
                *was_met = true;
                return true;
            }
            None => {}
        }
        self.committed.insert(producer);
        false
    }

    /// Passes a control batch. True if nothing is left of its transaction.
    pub(super) fn pass_control(&mut self, header: &BatchHeader, control: Control) -> bool {
        self.come_to(header.last_offset());
        let Some(producer) = header.producer_id() else { return control == Control::Empty };
        match control {
            Control::End(TransactionResult::Abort) => match self.aborted.remove(&producer) {
                Some((entry, true)) => {
                    self.kept.append(entry);
                    false
                }
                Some((_, false)) | None => true,
            },
            Control::End(TransactionResult::Commit) => !self.committed.remove(&producer),
            Control::Empty => true,
            Control::Other => false,
        }
    }

    /// The index of the segment that the walk has just written.
    pub(super) fn take_kept(&mut self) -> TransactionIndex {
        std::mem::take(&mut self.kept)
    }

    fn come_to(&mut self, offset: Offset) {
        while self.ahead.front().is_some_and(|entry| entry.first_offset <= offset) {
            let Some(entry) = self.ahead.pop_front() else { break };
            self.aborted.insert(entry.producer_id, (entry, false));
        }
    }
}
