//! What was written where, so that whoever reads can tell whether it is all there: a wrong answer must
//! never count as a fast one.
//!
//! Each connection goes round its partitions, so its requests to one of them have turns at a fixed
//! distance. A reader therefore knows, for every batch, which turn of which connection may come next,
//! and what its checksum is.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use client::batch::{Batch, BatchHeader};

use super::{Identity, NumberedBatch};

/// Why a batch is not what must stand at its place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("wrong records: an offset is missing or comes twice")]
    Offset { expected: i64, found: i64 },
    #[error("wrong records: a batch that was never sent to this partition")]
    Foreign,
    #[error("wrong records: a batch is missing, comes twice or is out of its connection's order")]
    Order { expected_turn: u64, found_turn: u64 },
    #[error("wrong records: the bytes are not those that were sent")]
    Bytes,
    #[error("lost records: an acknowledged batch is not there")]
    Lost { expected_turns: u64, found_turns: u64 },
    #[error("lost records: they are not given although the partition's end lies behind them")]
    Withheld,
}

/// The turns in which a connection writes to a partition: `first`, `first + step`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turns {
    pub first: u64,
    pub step: u64,
}

/// What a load writes, before it begins.
#[derive(Clone, Debug)]
pub struct Ledger {
    batch: Arc<NumberedBatch>,
    connections: u64,
    /// By connection; empty if none has one.
    identities: BTreeMap<u64, Identity>,
    /// By partition, then by connection.
    turns: BTreeMap<i32, BTreeMap<u64, Turns>>,
    /// Open loop: the time between two numbers.
    interval: Option<Duration>,
}

impl Ledger {
    pub fn new(batch: &Arc<NumberedBatch>, connections: u64, interval: Option<Duration>) -> Self {
        let batch = Arc::clone(batch);
        Self { batch, connections, identities: BTreeMap::new(), turns: BTreeMap::new(), interval }
    }

    /// What a connection writes carries its producer id and its sequence numbers.
    pub fn identify(&mut self, connection: u64, identity: Identity) {
        self.identities.insert(connection, identity);
    }

    pub fn add(&mut self, partition: i32, connection: u64, turns: Turns) {
        self.turns.entry(partition).or_default().insert(connection, turns);
    }

    /// When a batch of an open loop was due, in a load that began at `begin`.
    pub fn due(&self, header: &BatchHeader, begin: Instant) -> Option<Instant> {
        let number = self.batch.number_of(header)?;
        Some(begin + due_after(self.interval?, number))
    }
}

/// Unique in a load; consecutive over its connections.
pub const fn number(connection: u64, turn: u64, connections: u64) -> u64 {
    turn.strict_mul(connections).strict_add(connection)
}

/// Exact for hours: nanoseconds are multiplied before they are divided.
pub fn due_after(interval: Duration, number: u64) -> Duration {
    let nanoseconds = interval.as_nanos().saturating_mul(u128::from(number));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// One reading of one partition, from its first record on.
#[derive(Clone, Debug)]
pub struct PartitionCheck {
    ledger: Arc<Ledger>,
    partition: i32,
    next_offset: i64,
    /// By connection: the turn that comes next.
    next_turns: BTreeMap<u64, u64>,
}

impl PartitionCheck {
    pub fn new(ledger: &Arc<Ledger>, partition: i32, start_offset: i64) -> Self {
        let turns = ledger.turns.get(&partition).into_iter().flatten();
        Self {
            partition,
            next_offset: start_offset,
            next_turns: turns.map(|(connection, turns)| (*connection, turns.first)).collect(),
            ledger: Arc::clone(ledger),
        }
    }

    /// Of a batch whose checksum fits its bytes.
    pub fn check(&mut self, batch: &Batch) -> Result<(), Wrong> {
        let header = &batch.header;
        let expected = self.next_offset;
        // What follows is judged by itself, so that one error counts once.
        self.next_offset = header.next_offset();
        if header.base_offset != expected {
            return Err(Wrong::Offset { expected, found: header.base_offset });
        }
        let ledger = &self.ledger;
        let number = ledger.batch.number_of(header).ok_or(Wrong::Foreign)?;
        let connection = number.checked_rem(ledger.connections).ok_or(Wrong::Foreign)?;
        let found_turn = number.checked_div(ledger.connections).ok_or(Wrong::Foreign)?;
        let next = self.next_turns.get_mut(&connection).ok_or(Wrong::Foreign)?;
        let step = ledger.turns(self.partition, connection).step;
        let expected_turn = *next;
        *next = found_turn.saturating_add(step);
        if found_turn != expected_turn {
            return Err(Wrong::Order { expected_turn, found_turn });
        }
        let is_whole = header.record_count == ledger.batch.record_count();
        if !is_whole || header.crc != ledger.checksum(self.partition, connection, found_turn) {
            return Err(Wrong::Bytes);
        }
        Ok(())
    }

    /// At the end of the partition: whether all that `acknowledged` turns of each connection have
    /// written was there.
    pub fn is_complete(&self, acknowledged: &BTreeMap<u64, u64>) -> Result<(), Wrong> {
        for (connection, next) in &self.next_turns {
            let expected_turns = acknowledged.get(connection).copied().unwrap_or(0);
            if *next < expected_turns {
                return Err(Wrong::Lost { expected_turns, found_turns: *next });
            }
        }
        Ok(())
    }
}

impl Ledger {
    fn turns(&self, partition: i32, connection: u64) -> Turns {
        let turns = self.turns.get(&partition).and_then(|turns| turns.get(&connection));
        turns.copied().unwrap_or(Turns { first: 0, step: 1 })
    }

    /// Of what a connection has sent to a partition in a turn.
    fn checksum(&self, partition: i32, connection: u64, turn: u64) -> u32 {
        let turns = self.turns(partition, connection);
        let identity = self.identities.get(&connection);
        let stamp = identity.map(|one| one.stamp(turns, turn, self.batch.record_count()));
        self.batch.checksum(number(connection, turn, self.connections), stamp)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use client::batch::{BATCH_HEADER_BYTES, BatchBuilder, Batches, Compression, Record};

    use super::*;

    /// Two connections; the partition gets every second turn of the first, beginning with its second.
    fn ledger() -> Arc<Ledger> {
        let mut builder = BatchBuilder::new(Compression::None);
        for _ in 0..3 {
            let value = Some(Bytes::from_static(b"value"));
            builder.append(&Record { timestamp: 50, value, ..Record::default() });
        }
        let batch = Arc::new(NumberedBatch::new(builder.finish(None), 50));
        let mut ledger = Ledger::new(&batch, 2, Some(Duration::from_millis(10)));
        ledger.add(0, 0, Turns { first: 1, step: 2 });
        ledger.add(0, 1, Turns { first: 0, step: 2 });
        Arc::new(ledger)
    }

    fn sent(ledger: &Ledger, connection: u64, turn: u64, offset: i64) -> Batch {
        let turns = ledger.turns(0, connection);
        let stamp = ledger.identities.get(&connection).map(|one| one.stamp(turns, turn, 3));
        let mut bytes = ledger.batch.header(number(connection, turn, 2), stamp).to_vec();
        bytes[..8].copy_from_slice(&offset.to_be_bytes());
        bytes.extend_from_slice(&ledger.batch.bytes()[BATCH_HEADER_BYTES..]);
        Batches::new(Bytes::from(bytes)).next().unwrap().unwrap()
    }

    #[test]
    fn each_connection_may_write_at_its_own_pace() {
        let ledger = ledger();
        let mut check = PartitionCheck::new(&ledger, 0, 0);
        let order = [(0, 1), (0, 3), (1, 0), (0, 5), (1, 2)];
        for ((connection, turn), offset) in order.into_iter().zip((0..).step_by(3)) {
            assert_eq!(check.check(&sent(&ledger, connection, turn, offset)), Ok(()));
        }
        assert_eq!(check.is_complete(&BTreeMap::from([(0, 6), (1, 3)])), Ok(()));
        let lost = Wrong::Lost { expected_turns: 8, found_turns: 7 };
        assert_eq!(check.is_complete(&BTreeMap::from([(0, 8), (1, 3)])), Err(lost));
    }

    #[test]
    fn a_batch_under_another_producers_numbers_is_noticed() {
        let mut ledger = Ledger::clone(&ledger());
        ledger.identify(0, Identity { producer_id: 7, producer_epoch: 0 });
        let mut other = ledger.clone();
        other.identify(0, Identity { producer_id: 8, producer_epoch: 0 });
        let mut check = PartitionCheck::new(&Arc::new(ledger.clone()), 0, 0);
        assert_eq!(check.check(&sent(&ledger, 0, 1, 0)), Ok(()));
        assert_eq!(check.check(&sent(&other, 0, 3, 3)), Err(Wrong::Bytes));
        assert_eq!(check.check(&sent(&ledger, 0, 5, 6)), Ok(()));
    }

    #[test]
    fn a_batch_that_is_missing_or_comes_twice_is_noticed() {
        let ledger = ledger();
        let mut check = PartitionCheck::new(&ledger, 0, 0);
        assert_eq!(check.check(&sent(&ledger, 0, 1, 0)), Ok(()));
        let again = check.check(&sent(&ledger, 0, 1, 3));
        assert_eq!(again, Err(Wrong::Order { expected_turn: 3, found_turn: 1 }));
        let gap = check.check(&sent(&ledger, 0, 5, 6));
        assert_eq!(gap, Err(Wrong::Order { expected_turn: 3, found_turn: 5 }));
        let foreign = check.check(&sent(&ledger, 0, 4, 9));
        assert_eq!(foreign, Err(Wrong::Order { expected_turn: 7, found_turn: 4 }));
    }

    #[test]
    fn offsets_follow_each_other() {
        let ledger = ledger();
        let mut check = PartitionCheck::new(&ledger, 0, 0);
        let found = check.check(&sent(&ledger, 0, 1, 1));
        assert_eq!(found, Err(Wrong::Offset { expected: 0, found: 1 }));
    }

    #[test]
    fn other_records_under_a_fitting_checksum_are_noticed() {
        let ledger = ledger();
        let mut builder = BatchBuilder::new(Compression::None);
        for _ in 0..3 {
            let value = Some(Bytes::from_static(b"other"));
            builder.append(&Record { timestamp: 52, value, ..Record::default() });
        }
        let other = Batches::new(builder.finish(None)).next().unwrap().unwrap();
        let mut check = PartitionCheck::new(&ledger, 0, 0);
        assert_eq!(check.check(&other), Err(Wrong::Bytes));
    }

    #[test]
    fn a_batch_of_an_open_loop_says_when_it_was_due() {
        let ledger = ledger();
        let begin = client::runtime::now();
        let header = sent(&ledger, 1, 2, 0).header;
        assert_eq!(ledger.due(&header, begin), Some(begin + Duration::from_millis(50)));
    }
}
