//! What a rule may touch besides its own transaction: the time, the settings, the log, the replies.

use std::collections::BTreeMap;

use crate::coordinator::Timers;
use crate::txn::format::encode;
use crate::txn::transaction::{Next, Pending, Transaction};
use crate::txn::{Now, Output, Reply, RequestId, Ticket, TransactionalId, TxnOptions};
use crate::types::Millis;

/// What a deadline is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// It is time to look for transactions that their producer has left open.
    Abort,
    /// It is time to look for ids that nobody uses.
    Expire,
    /// The end of a transaction could not be stored.
    Complete(TransactionalId),
}

/// Appends under way.
#[derive(Debug, Default)]
pub(crate) struct Appends {
    last: u64,
    /// Whose change each append has; several only where ids are forgotten.
    pub(crate) pending: BTreeMap<Ticket, Vec<TransactionalId>>,
    /// Appends whose records cannot be written in any version of their format.
    pub(crate) unwritable: Vec<Ticket>,
}

pub(crate) struct Step<'a> {
    pub(crate) now: Now,
    pub(crate) options: &'a TxnOptions,
    pub(crate) timers: &'a mut Timers<Timer>,
    pub(crate) appends: &'a mut Appends,
    pub(crate) outputs: &'a mut Vec<Output>,
}

impl Step<'_> {
    pub(crate) fn reply(&mut self, request: RequestId, reply: Reply) {
        self.outputs.push(Output::Reply { request, reply });
    }

    pub(crate) fn set_timer(&mut self, timer: Timer, delay: Millis) {
        let deadline = Millis(self.now.monotonic.0.saturating_add(delay.0));
        self.timers.set(timer, deadline);
    }

    /// Sends the next state to the log; it counts when it is there.
    pub(crate) fn store(
        &mut self,
        transaction: &mut Transaction,
        next: Next,
        answer: Option<(RequestId, Reply)>,
    ) {
        let record = encode(&transaction.id, Some(&next.stored), self.options.version);
        let ticket = self.next_ticket(vec![transaction.id.clone()]);
        match record {
            Ok(record) => self.outputs.push(Output::Append { ticket, records: vec![record] }),
            Err(_) => self.appends.unwritable.push(ticket),
        }
        transaction.pending = Some(Pending { next: Some(next), answer });
    }

    /// Sends tombstones to the log.
    pub(crate) fn forget(&mut self, transactions: &mut [&mut Transaction]) {
        let ids: Vec<_> = transactions.iter().map(|transaction| transaction.id.clone()).collect();
        let version = self.options.version;
        let records: Result<_, _> = ids.iter().map(|id| encode(id, None, version)).collect();
        let ticket = self.next_ticket(ids);
        match records {
            Ok(records) => self.outputs.push(Output::Append { ticket, records }),
            Err(_) => self.appends.unwritable.push(ticket),
        }
        for transaction in transactions {
            transaction.pending = Some(Pending { next: None, answer: None });
        }
    }

    fn next_ticket(&mut self, ids: Vec<TransactionalId>) -> Ticket {
        self.appends.last = self.appends.last.strict_add(1);
        let ticket = Ticket(self.appends.last);
        self.appends.pending.insert(ticket, ids);
        ticket
    }
}
