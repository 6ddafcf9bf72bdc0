//! DescribeTransactions and ListTransactions. Only what the log has is shown.

use crate::txn::transaction::Transaction;
use crate::txn::{Coordinator, Described, ListTransactions, Listed, TransactionalId, TxnError};
use crate::types::Timestamp;

impl Coordinator {
    pub(crate) fn describe(&self, id: &TransactionalId) -> Result<Described, TxnError> {
        if id.as_str().is_empty() {
            return Err(TxnError::InvalidRequest);
        }
        let found = self.transactions.get(id).and_then(Transaction::describe);
        found.ok_or(TxnError::TransactionalIdNotFound)
    }

    pub(crate) fn list(&self, filter: &ListTransactions, now: Timestamp) -> Vec<Listed> {
        let shown = self.transactions.values().filter(|one| passes(one, filter, now));
        shown.filter_map(Transaction::listed).collect()
    }
}

fn passes(transaction: &Transaction, filter: &ListTransactions, now: Timestamp) -> bool {
    let Some(stored) = &transaction.stored else { return false };
    let producer_id = stored.producer.producer_id.to_wire();
    let is_of_producer =
        filter.producer_ids.is_empty() || filter.producer_ids.contains(&producer_id);
    let is_in_state = filter.states.as_ref().is_none_or(|states| states.contains(&stored.state));
    // Without a transaction there is no start, which counts as long ago, as in Kafka.
    let open_for = now.0.saturating_sub(stored.started.map_or(-1, |started| started.0));
    let is_long_open =
        filter.longer_than.is_none_or(|limit| i64::try_from(limit.0).is_ok_and(|it| it < open_for));
    is_of_producer && is_in_state && is_long_open
}
