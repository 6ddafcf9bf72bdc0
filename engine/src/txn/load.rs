//! From the log to living transactions: what a coordinator does when its partition comes to this
//! node, and when it goes. A decision that the log has is carried out again from its first marker,
//! since nobody knows how far the last coordinator came.

use bytes::Bytes;

use crate::txn::format::{DecodeRecordError, decode};
use crate::txn::step::Timer;
use crate::txn::transaction::Transaction;
use crate::txn::{Coordinator, Now, Output, TxnError};

impl Coordinator {
    /// Takes one record of the log, in the log's order, before the first step. Records of kinds
    /// that the coordinator does not keep are passed over.
    pub fn replay(&mut self, key: &Bytes, value: Option<&Bytes>) -> Result<(), DecodeRecordError> {
        let Some((id, stored)) = decode(key, value)? else { return Ok(()) };
        match stored {
            Some(stored) => {
                let mut transaction = Transaction::new(id.clone());
                transaction.stored = Some(stored);
                self.transactions.insert(id, transaction);
            }
            None => {
                self.transactions.remove(&id);
            }
        }
        Ok(())
    }

    /// The log is read: what was decided is carried out, what is open has its time.
    pub fn loaded(&mut self, now: Now, outputs: &mut Vec<Output>) {
        let (transactions, mut step) = self.split(now, outputs);
        step.set_timer(Timer::Abort, step.options.abort_interval);
        step.set_timer(Timer::Expire, step.options.expire_interval);
        for transaction in transactions.values_mut() {
            transaction.set_timeout(now);
            transaction.assert_invariants();
            transaction.mark(&mut step);
        }
    }

    /// The partition goes to another node: everybody who waits is told to look for it.
    pub fn unload(self, outputs: &mut Vec<Output>) {
        let error = TxnError::NotCoordinator;
        for (request, wanted) in self.parked {
            outputs.push(Output::Reply { request, reply: wanted.refused(error) });
        }
        let pending = self.transactions.into_values().filter_map(|one| one.pending);
        for (request, reply) in pending.filter_map(|pending| pending.answer) {
            outputs.push(Output::Reply { request, reply: reply.refused(error) });
        }
    }
}
