//! Every transactional id that this node coordinates, or those that pass the filters.

use std::collections::BTreeSet;

use engine::txn::{ListTransactions, Listed, Reply, Request, TransactionState, TxnError};
use engine::types::Millis;
use regex_lite::Regex;
use wire::ErrorCode;
use wire::messages::list_transactions_response::TransactionState as ListedTransaction;
use wire::messages::{ListTransactionsRequest, ListTransactionsResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::handler::transaction;

/// Kafka's names for decisions on their way.
const PASSING: [&str; 2] = ["Dead", "PrepareEpochFence"];

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: ListTransactionsRequest,
) -> ListTransactionsResponse {
    let Ok(pattern) = pattern(request.transactional_id_pattern.as_deref()) else {
        return ListTransactionsResponse {
            error_code: ErrorCode::InvalidRegularExpression.code(),
            ..ListTransactionsResponse::default()
        };
    };
    let mut known = BTreeSet::new();
    let mut unknown_state_filters = Vec::new();
    for name in &request.state_filters {
        match TransactionState::from_name(name) {
            Some(state) => {
                known.insert(state);
            }
            // States that no transaction is ever found in.
            None if PASSING.contains(&name.as_str()) => {}
            None => unknown_state_filters.push(name.clone()),
        }
    }
    let filter = ListTransactions {
        states: (!request.state_filters.is_empty()).then_some(known),
        producer_ids: request.producer_id_filters.into_iter().collect(),
        longer_than: u64::try_from(request.duration_filter).ok().map(Millis),
    };
    let mut transaction_states = Vec::new();
    let mut refusal: Option<TxnError> = None;
    for answer in context.broker.every_transaction(Request::List(filter)).await {
        match answer {
            Ok(Reply::List(listed)) => transaction_states
                .extend(listed.into_iter().filter(|one| fits(pattern.as_ref(), one)).map(shown)),
            other => {
                refusal.get_or_insert(transaction::unexpected(other));
            }
        }
    }
    if let Some(error) = refusal {
        let error_code = Coded::code(&error);
        return ListTransactionsResponse { error_code, ..ListTransactionsResponse::default() };
    }
    ListTransactionsResponse {
        unknown_state_filters,
        transaction_states,
        ..ListTransactionsResponse::default()
    }
}

/// A pattern has to fit the whole id; without one every id fits.
fn pattern(text: Option<&str>) -> Result<Option<Regex>, regex_lite::Error> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => {
            // By itself first: `a)(b` would become valid in the parentheses.
            Regex::new(text)?;
            Regex::new(&format!("^(?:{text})$")).map(Some)
        }
    }
}

fn fits(pattern: Option<&Regex>, listed: &Listed) -> bool {
    pattern.is_none_or(|pattern| pattern.is_match(listed.id.as_str()))
}

fn shown(listed: Listed) -> ListedTransaction {
    ListedTransaction {
        transactional_id: listed.id.to_string(),
        producer_id: listed.producer_id.to_wire(),
        transaction_state: listed.state.name().to_owned(),
        ..ListedTransaction::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_to_fit_the_whole_id() {
        let fits = |text: &str, id: &str| pattern(Some(text)).unwrap().unwrap().is_match(id);
        assert!(fits("a.*|b", "abc"));
        assert!(!fits("a|b", "ab"));
        assert!(pattern(None).unwrap().is_none());
        assert!(pattern(Some("")).unwrap().is_none());
        assert!(pattern(Some("(")).is_err());
        assert!(pattern(Some("a)(b")).is_err(), "the pattern stands by itself");
    }
}
