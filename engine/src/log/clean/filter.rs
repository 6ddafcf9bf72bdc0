//! What becomes of a batch. Pure; the rules are those of Apache Kafka 4.3's cleaner (KIP-98,
//! KIP-534).

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::log::clean::keys::KeyOffsets;
use crate::log::clean::transactions::{Control, Transactions};
use crate::record::{Batch, ControlRecord, Record, RecordError, Retained, emptied, retain};
use crate::types::{Offset, ProducerEpoch, ProducerId, Timestamp};

/// What of a producer must stay, so that a later start knows its sequences and its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastRecord {
    /// Of its last batch of records; `None` if a marker is all that is known of it.
    pub(super) last_offset: Option<Offset>,
    pub(super) epoch: ProducerEpoch,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    Becomes(Bytes),
    Goes,
}

pub(super) struct Filter<'a> {
    pub(super) keys: &'a KeyOffsets,
    /// Records from here on have not been looked at: they stay.
    pub(super) end: Offset,
    pub(super) now: Timestamp,
    /// When a tombstone that is seen for the first time may go.
    pub(super) new_horizon: Timestamp,
}

impl Filter<'_> {
    /// `is_last` keeps the batch, if only as an empty one: it is where its segment ends.
    pub(super) fn decide(
        &self,
        batch: &Batch,
        transactions: &mut Transactions,
        producers: &BTreeMap<ProducerId, LastRecord>,
        is_last: bool,
    ) -> Result<Fate, RecordError> {
        let header = batch.header();
        let is_expired = header.delete_horizon().is_some_and(|horizon| horizon <= self.now);
        let is_spent = if header.is_control() {
            transactions.pass_control(header, control(batch)?)
        } else {
            transactions.pass_records(header)
        };
        let retained = if header.is_control() {
            retain(batch, self.new_horizon, is_spent, |_, _| !(is_spent && is_expired))?
        } else if is_spent {
            Retained::Nothing
        } else {
            retain(batch, self.new_horizon, false, |offset, record| {
                self.stays(offset, record, is_expired)
            })?
        };
        Ok(match retained {
            Retained::Whole => Fate::Stays,
            Retained::Rewritten(bytes) => Fate::Becomes(bytes),
            Retained::Nothing if is_last || is_last_of_producer(batch, producers) => {
                let empty = emptied(header);
                if empty == *batch.bytes() { Fate::Stays } else { Fate::Becomes(empty) }
            }
            Retained::Nothing => Fate::Goes,
        })
    }

    fn stays(&self, offset: Offset, record: &Record, is_expired: bool) -> bool {
        if self.end <= offset {
            return true;
        }
        // A record without a key is of a time when the topic was not compacted; nobody can ask
        // for the latest of it.
        let Some(key) = &record.key else { return false };
        let is_latest = self.keys.get(key).is_none_or(|latest| latest <= offset);
        is_latest && (record.value.is_some() || !is_expired)
    }
}

pub(super) fn control(batch: &Batch) -> Result<Control, RecordError> {
    let Some(record) = batch.records()?.next() else { return Ok(Control::Empty) };
    Ok(match ControlRecord::decode(&record?)? {
        ControlRecord::EndTransaction { result, .. } => Control::End(result),
        ControlRecord::LeaderChange(_)
        | ControlRecord::SnapshotHeader(_)
        | ControlRecord::SnapshotFooter(_)
        | ControlRecord::KraftVersion(_)
        | ControlRecord::KraftVoters(_)
        | ControlRecord::Unknown { .. } => Control::Other,
    })
}

fn is_last_of_producer(batch: &Batch, producers: &BTreeMap<ProducerId, LastRecord>) -> bool {
    let header = batch.header();
    let last = header.producer_id().and_then(|id| producers.get(&id));
    last.is_some_and(|last| match last.last_offset {
        Some(offset) => header.last_offset() == offset,
        None => header.is_control() && header.producer_epoch() == Some(last.epoch),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::clean::keys::Load;
    use crate::log::format::transaction_index::AbortedTransaction;
    use crate::record::{BatchBuilder, Compression, TransactionResult};
    use crate::types::{LeaderEpoch, Sequence};

    const NOW: Timestamp = Timestamp(5_000);
    const HORIZON: Timestamp = Timestamp(6_000);

    fn offset(value: u64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn producer(id: u64) -> ProducerId {
        ProducerId::new(id).unwrap()
    }

    /// One record for each key, from `base` on; a key in capitals is deleted.
    fn batch(base: u64, keys: &[&str]) -> Batch {
        let mut builder = BatchBuilder::new(Compression::None);
        for key in keys {
            let value = key.chars().all(char::is_lowercase).then_some(b"value".as_slice());
            let key = key.to_lowercase();
            builder.append(Timestamp(1), Some(key.as_bytes()), value, &[]);
        }
        at(base, builder)
    }

    fn at(base: u64, builder: BatchBuilder) -> Batch {
        let checked = builder.finish_checked();
        let header = checked.stamp(offset(base), LeaderEpoch::ZERO);
        let bytes = [header.as_bytes(), &checked.records_bytes()[..]].concat();
        Batch::decode(&Bytes::from(bytes)).unwrap()
    }

    fn of_transaction(base: u64, id: u64, key: &str) -> Batch {
        let epoch = ProducerEpoch::new(0).unwrap();
        let mut builder = BatchBuilder::new(Compression::None).transactional().with_producer(
            producer(id),
            epoch,
            Sequence::new(0),
        );
        builder.append(Timestamp(1), Some(key.as_bytes()), Some(b"value"), &[]);
        at(base, builder)
    }

    fn marker(base: u64, id: u64, result: TransactionResult) -> Batch {
        let control = ControlRecord::EndTransaction { result, coordinator_epoch: 0 };
        let mut builder = BatchBuilder::new(Compression::None)
            .transactional()
            .control()
            .with_producer(producer(id), ProducerEpoch::new(0).unwrap(), None);
        builder.append(Timestamp(1), Some(&control.key()), Some(&control.value()), &[]);
        at(base, builder)
    }

    /// The fates of a log's batches in one pass over all of it.
    fn pass(batches: &[Batch], aborted: &[AbortedTransaction], now: Timestamp) -> Vec<Fate> {
        let producers = BTreeMap::new();
        pass_with(batches, aborted, now, &producers).0
    }

    fn pass_with(
        batches: &[Batch],
        aborted: &[AbortedTransaction],
        now: Timestamp,
        producers: &BTreeMap<ProducerId, LastRecord>,
    ) -> (Vec<Fate>, Transactions) {
        let mut keys = KeyOffsets::new([0, 1], 100, Load::new(0.9));
        let mut transactions = Transactions::new(aborted.to_vec());
        for batch in batches {
            if batch.header().is_control() {
                transactions.pass_control(batch.header(), control(batch).unwrap());
                continue;
            }
            if transactions.pass_records(batch.header()) {
                continue;
            }
            for record in batch.records().unwrap().map(Result::unwrap) {
                let at = batch.header().base_offset().advance(record.offset_delta);
                keys.put(&record.key.unwrap(), at).unwrap();
            }
        }
        let end = offset(1000);
        let filter = Filter { keys: &keys, end, now, new_horizon: HORIZON };
        let mut transactions = Transactions::new(aborted.to_vec());
        let decide = |batch| filter.decide(batch, &mut transactions, producers, false).unwrap();
        (batches.iter().map(decide).collect(), transactions)
    }

    fn becomes(fate: &Fate) -> Batch {
        let Fate::Becomes(bytes) = fate else { panic!("{fate:?}") };
        Batch::decode(bytes).unwrap()
    }

    #[test]
    fn the_last_record_of_a_key_stays() {
        let fates = pass(&[batch(0, &["a", "b"]), batch(2, &["a"]), batch(3, &["c"])], &[], NOW);
        assert_eq!(becomes(&fates[0]).header().record_count(), 1);
        assert_eq!(fates[1..], [Fate::Stays, Fate::Stays]);
        assert_eq!(pass(&[batch(0, &["a"]), batch(1, &["a"])], &[], NOW)[0], Fate::Goes);
    }

    #[test]
    fn a_tombstone_goes_when_its_horizon_has_come() {
        let first = becomes(&pass(&[batch(0, &["A", "b"])], &[], NOW)[0]);
        assert_eq!(first.header().delete_horizon(), Some(HORIZON));
        let again = std::slice::from_ref(&first);
        assert_eq!(pass(again, &[], Timestamp(HORIZON.0 - 1)), [Fate::Stays]);
        assert_eq!(becomes(&pass(again, &[], HORIZON)[0]).header().record_count(), 1);
    }

    #[test]
    fn aborted_records_go_at_once_and_their_marker_when_its_horizon_has_come() {
        let aborted = AbortedTransaction {
            producer_id: producer(1),
            first_offset: offset(1),
            last_offset: offset(3),
            last_stable_offset: offset(4),
        };
        let log = [
            batch(0, &["a"]),
            of_transaction(1, 1, "a"),
            of_transaction(2, 2, "b"),
            marker(3, 1, TransactionResult::Abort),
            marker(4, 2, TransactionResult::Commit),
        ];
        let (fates, mut transactions) = pass_with(&log, &[aborted], NOW, &BTreeMap::new());
        assert_eq!(fates[..3], [Fate::Stays, Fate::Goes, Fate::Stays]);
        assert_eq!(fates[3..], [Fate::Stays, Fate::Stays], "the markers end what was read");
        assert_eq!(transactions.take_kept().entries(), [aborted]);
        // A pass later nothing is left of the aborted one.
        let rest = [log[0].clone(), log[2].clone(), log[3].clone(), log[4].clone()];
        let (fates, mut transactions) = pass_with(&rest, &[aborted], NOW, &BTreeMap::new());
        let spent = becomes(&fates[2]);
        assert_eq!(spent.header().delete_horizon(), Some(HORIZON));
        assert!(transactions.take_kept().is_empty());
        let rest = [rest[0].clone(), rest[1].clone(), spent, rest[3].clone()];
        assert_eq!(pass(&rest, &[aborted], Timestamp(HORIZON.0 - 1))[2], Fate::Stays);
        assert_eq!(pass(&rest, &[aborted], HORIZON)[2], Fate::Goes);
    }

    #[test]
    fn the_last_batch_of_a_producer_stays_as_an_empty_one() {
        let log = [of_transaction(0, 1, "a"), batch(1, &["a"])];
        let epoch = ProducerEpoch::new(0).unwrap();
        let last = LastRecord { last_offset: Some(offset(0)), epoch };
        let producers = BTreeMap::from([(producer(1), last)]);
        let (fates, _) = pass_with(&log, &[], NOW, &producers);
        let empty = becomes(&fates[0]);
        assert_eq!(empty.header().record_count(), 0);
        let log = [empty, log[1].clone()];
        assert_eq!(pass_with(&log, &[], NOW, &producers).0[0], Fate::Stays);
        assert_eq!(pass(&log, &[], NOW)[0], Fate::Goes, "the producer is forgotten");
    }

    #[test]
    fn a_record_without_a_key_goes() {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.append(Timestamp(1), None, Some(b"v"), &[]);
        let log = [at(0, builder)];
        let keys = KeyOffsets::new([0, 1], 1, Load::new(0.9));
        let filter = Filter { keys: &keys, end: offset(1), now: NOW, new_horizon: HORIZON };
        let decide = |filter: &Filter<'_>| {
            let mut transactions = Transactions::default();
            filter.decide(&log[0], &mut transactions, &BTreeMap::new(), false).unwrap()
        };
        assert_eq!(decide(&filter), Fate::Goes);
        assert_eq!(decide(&Filter { end: offset(0), ..filter }), Fate::Stays);
    }
}
