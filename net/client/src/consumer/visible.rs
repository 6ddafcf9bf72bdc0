//! Which records of fetched batches a reader may see. Markers of transactions are never shown; a
//! reader of committed data does not see records whose transaction was aborted.

use std::collections::HashSet;

use bytes::Bytes;
use wire::messages::fetch_response::AbortedTransaction;

use crate::{
    IsolationLevel, TimestampType,
    batch::{Batch, BatchError, Batches, Record},
};

/// A record with what its batch says of it.
#[derive(Debug)]
pub struct Visible {
    pub record: Record,
    pub timestamp_type: TimestampType,
    pub leader_epoch: Option<i32>,
}

/// The visible records from `fetch_offset` on, and the offset to go on from.
pub fn visible_records(
    fetched: Bytes,
    fetch_offset: i64,
    isolation: IsolationLevel,
    mut aborted: Vec<AbortedTransaction>,
) -> Result<(Vec<Visible>, i64), BatchError> {
    aborted.sort_by_key(|transaction| transaction.first_offset);
    let mut aborted = aborted.into_iter().peekable();
    let mut aborting: HashSet<i64> = HashSet::new();
    let mut records = Vec::new();
    let mut next_offset = fetch_offset;
    for batch in Batches::new(fetched) {
        let batch = batch?;
        let end = batch.header.next_offset();
        while let Some(begun) = aborted.next_if(|transaction| transaction.first_offset < end) {
            aborting.insert(begun.producer_id);
        }
        if end > next_offset {
            if shows(&batch, isolation, &mut aborting) {
                let from = next_offset;
                let timestamp_type = match batch.header.log_append_time {
                    true => TimestampType::LogAppendTime,
                    false => TimestampType::CreateTime,
                };
                let leader_epoch = Some(batch.header.leader_epoch).filter(|epoch| 0 <= *epoch);
                let asked = batch.records()?.into_iter().filter(|record| record.offset >= from);
                records.extend(asked.map(|record| Visible {
                    record,
                    timestamp_type,
                    leader_epoch,
                }));
            }
            next_offset = end;
        }
    }
    Ok((records, next_offset))
}

fn shows(batch: &Batch, isolation: IsolationLevel, aborting: &mut HashSet<i64>) -> bool {
    let header = &batch.header;
    if header.control {
        if batch.commits() == Some(false) {
            aborting.remove(&header.producer_id);
        }
        return false;
    }
    match isolation {
        IsolationLevel::ReadUncommitted => true,
        IsolationLevel::ReadCommitted => {
            !header.transactional || !aborting.contains(&header.producer_id)
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::batch::{BatchBuilder, Compression, ProducerStamp};

    /// Batches of one record each: offset, producer, value.
    fn log(batches: &[(u8, i64)]) -> Bytes {
        let mut bytes = BytesMut::new();
        for (offset, producer_id) in batches {
            let mut builder = BatchBuilder::new(Compression::None);
            let value = Some(Bytes::copy_from_slice(&[*offset]));
            builder.append(&Record { value, ..Record::default() });
            let stamp = ProducerStamp {
                producer_id: *producer_id,
                producer_epoch: 0,
                base_sequence: 0,
                transactional: true,
            };
            let batch = builder.finish(Some(stamp));
            bytes.extend_from_slice(&i64::from(*offset).to_be_bytes());
            bytes.extend_from_slice(&batch[8..]);
        }
        bytes.freeze()
    }

    fn offsets(isolation: IsolationLevel, from: i64, aborted: &[(i64, i64)]) -> (Vec<i64>, i64) {
        let aborted = aborted.iter().map(|(producer_id, first_offset)| AbortedTransaction {
            producer_id: *producer_id,
            first_offset: *first_offset,
            ..AbortedTransaction::default()
        });
        let fetched = log(&[(3, 7), (4, 8), (5, 7)]);
        let (records, next) = visible_records(fetched, from, isolation, aborted.collect()).unwrap();
        (records.iter().map(|visible| visible.record.offset).collect(), next)
    }

    #[test]
    fn records_of_an_aborted_transaction_are_hidden_from_its_first_offset_on() {
        let committed = IsolationLevel::ReadCommitted;
        assert_eq!(offsets(committed, 3, &[(7, 4)]), (vec![3, 4], 6));
        assert_eq!(offsets(committed, 3, &[(7, 3), (8, 4)]), (vec![], 6));
        assert_eq!(offsets(IsolationLevel::ReadUncommitted, 3, &[(7, 3)]), (vec![3, 4, 5], 6));
    }

    #[test]
    fn records_before_the_offset_asked_for_are_left_out() {
        assert_eq!(offsets(IsolationLevel::ReadUncommitted, 4, &[]), (vec![4, 5], 6));
    }
}
