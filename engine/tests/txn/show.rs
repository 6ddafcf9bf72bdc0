//! Replies, records and markers as text.

use std::fmt::Display;

use engine::record::TransactionResult;
use engine::records::transaction::{TransactionKey, TransactionValue};
use engine::txn::{Described, Listed, Output, RecordBytes, Reply, TransactionState, TxnError};

const STATES: [&str; 6] =
    ["Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"];

pub fn output(output: &Output) -> Vec<String> {
    match output {
        Output::Reply { request, reply } => vec![format!("#{} {}", request.0, self::reply(reply))],
        Output::Append { ticket, records } => {
            records.iter().map(|one| format!("append {} {}", ticket.0, record(one))).collect()
        }
        Output::Mark(markers) => {
            let result = match markers.result {
                TransactionResult::Commit => "commit",
                TransactionResult::Abort => "abort",
            };
            let version = markers.version.level();
            let partitions = words(&markers.partitions);
            vec![format!(
                "mark {} {} {result} v{version}{partitions}",
                markers.id, markers.producer
            )]
        }
        Output::NeedProducerId => vec!["an id is needed".to_owned()],
    }
}

fn words(all: impl IntoIterator<Item = impl Display>) -> String {
    all.into_iter().map(|one| format!(" {one}")).collect()
}

fn outcome(error: Option<TxnError>) -> String {
    error.map_or_else(|| "ok".to_owned(), |error| format!("{error:?}"))
}

fn reply(reply: &Reply) -> String {
    match reply {
        Reply::InitProducerId(Ok(given)) => format!("init {given}"),
        Reply::InitProducerId(Err(error)) => format!("init {error:?}"),
        Reply::AddPartitions(added) => format!("add {}", outcome(added.err())),
        Reply::VerifyPartitions(Ok(verified)) => {
            let one =
                verified.iter().map(|one| format!("{} {}", one.partition, outcome(one.error)));
            format!("verify {}", one.collect::<Vec<_>>().join(", "))
        }
        Reply::VerifyPartitions(Err(error)) => format!("verify {error:?}"),
        Reply::EndTransaction(Ok(Some(next))) => format!("end ok {next}"),
        Reply::EndTransaction(Ok(None)) => "end ok".to_owned(),
        Reply::EndTransaction(Err(error)) => format!("end {error:?}"),
        Reply::Describe(Ok(described)) => format!("describe {}", self::described(described)),
        Reply::Describe(Err(error)) => format!("describe {error:?}"),
        Reply::List(listed) if listed.is_empty() => "list nothing".to_owned(),
        Reply::List(listed) => {
            let one = |it: &Listed| format!("{} {} {}", it.id, it.producer_id, it.state);
            format!("list {}", listed.iter().map(one).collect::<Vec<_>>().join(", "))
        }
    }
}

fn described(found: &Described) -> String {
    let started = found.started.map_or_else(|| "-".to_owned(), |at| at.0.to_string());
    let (state, timeout): (TransactionState, u64) = (found.state, found.timeout.0);
    let partitions = words(&found.partitions);
    format!("{state} {} timeout={timeout} started={started}{partitions}", found.producer)
}

fn record((key, value): &RecordBytes) -> String {
    let TransactionKey::TransactionLog(key) = TransactionKey::decode(key).expect("a key");
    let id = key.transactional_id;
    let Some(value) = value else { return format!("{id} forgotten") };
    let TransactionValue::TransactionLog(value) =
        TransactionValue::decode(0, value).expect("a value");
    let status = usize::try_from(value.transaction_status).expect("a state");
    let state = STATES.get(status).expect("a state");
    let partitions: Vec<String> = value
        .transaction_partitions
        .iter()
        .flatten()
        .flat_map(|one| one.partition_ids.iter().map(|index| format!("{}-{index}", one.topic)))
        .collect();
    let mut text = format!("{id} {state} {}:{}", value.producer_id, value.producer_epoch);
    if value.next_producer_id != -1 {
        text.push_str(&format!(" next={}", value.next_producer_id));
    }
    if value.previous_producer_id != -1 && value.previous_producer_id != value.producer_id {
        text.push_str(&format!(" previous={}", value.previous_producer_id));
    }
    text.push_str(&format!(" at {}", value.transaction_last_update_timestamp_ms));
    if value.transaction_start_timestamp_ms != -1 {
        text.push_str(&format!(" since {}", value.transaction_start_timestamp_ms));
    }
    text.push_str(&words(partitions));
    text
}
