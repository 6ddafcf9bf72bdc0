//! Who writes, for a broker that checks the order of what comes: each connection of an idempotent load
//! has a producer id from the broker, and counts its records in each partition.

use client::{Client, ClientError, ClientOptions, Target, batch::ProducerStamp, check};
use wire::messages::InitProducerIdRequest;

use super::{ProduceLoad, ledger::Turns};
use crate::BenchError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub producer_id: i64,
    pub producer_epoch: i16,
}

impl Identity {
    /// What a batch of `record_count` records carries that is sent in this turn.
    pub fn stamp(self, turns: Turns, turn: u64, record_count: i32) -> ProducerStamp {
        ProducerStamp {
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: base_sequence(turns, turn, record_count),
            transactional: false,
        }
    }
}

/// Sequence numbers go round: after 2³¹ − 1 comes 0.
fn base_sequence(turns: Turns, turn: u64, record_count: i32) -> i32 {
    let before = turn.saturating_sub(turns.first) / turns.step.max(1);
    let records = before.wrapping_mul(u64::try_from(record_count).unwrap_or(0));
    i32::try_from(records & 0x7fff_ffff).expect("31 bits fit")
}

/// One for each connection of an idempotent load, from the broker; none for others.
pub async fn ask(bootstrap: &str, load: &ProduceLoad) -> Result<Vec<Identity>, BenchError> {
    let mut identities = Vec::new();
    if !load.idempotent {
        return Ok(identities);
    }
    let client = Client::new(ClientOptions::new(bootstrap));
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    };
    for _ in 0..load.connections {
        let asked = client.retry().run(async || {
            let response = client.call(Target::Any, &request).await?;
            check(response.error_code, None, || "get a producer id".to_owned())?;
            Ok::<_, ClientError>(response)
        });
        let response = asked.await?;
        let (producer_id, producer_epoch) = (response.producer_id, response.producer_epoch);
        identities.push(Identity { producer_id, producer_epoch });
    }
    Ok(identities)
}

/// The same for who is no broker and gives none.
pub fn made_up(load: &ProduceLoad) -> Vec<Identity> {
    let count = if load.idempotent { load.connections } else { 0 };
    let numbers = (0..).take(count);
    numbers.map(|producer_id| Identity { producer_id, producer_epoch: 0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_counts_the_records_of_its_own_turns() {
        let turns = Turns { first: 1, step: 4 };
        let sequences = [1, 5, 9].map(|turn| base_sequence(turns, turn, 500));
        assert_eq!(sequences, [0, 500, 1000]);
    }

    #[test]
    fn sequences_go_round_after_the_largest_number() {
        let turns = Turns { first: 0, step: 1 };
        assert_eq!(base_sequence(turns, 2, 1 << 30), 0);
        assert_eq!(base_sequence(turns, (1 << 31) + 7, 1), 7);
    }
}
