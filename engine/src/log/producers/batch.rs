//! What of a batch concerns its producer.

use bytes::Bytes;

use crate::record::{BatchHeader, ControlRecord, RecordError, RecordIter, TransactionResult};
use crate::types::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// A batch with a producer id, at its place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    pub base_offset: Offset,
    pub last_offset: Offset,
    pub max_timestamp: Timestamp,
    pub is_transactional: bool,
    pub content: BatchContent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchContent {
    /// Records; the sequences are absent in what a coordinator writes in the producer's name.
    Records { base_sequence: Option<Sequence>, last_sequence: Option<Sequence> },
    /// The end of the producer's transaction.
    Marker { result: TransactionResult, coordinator_epoch: i32 },
    /// A control batch that compaction has emptied, or one of a kind that ends no transaction.
    Nothing,
}

impl ProducerBatch {
    /// `header` is at its final offset; `records` is what follows it. `None` if the batch has no
    /// producer. Fails for a control batch that cannot be read.
    pub fn read(header: &BatchHeader, records: &Bytes) -> Result<Option<Self>, RecordError> {
        let (Some(producer_id), Some(epoch)) = (header.producer_id(), header.producer_epoch())
        else {
            return Ok(None);
        };
        let content = if header.is_control() {
            read_marker(header, records)?
        } else {
            let base_sequence = header.base_sequence();
            BatchContent::Records { base_sequence, last_sequence: header.last_sequence() }
        };
        Ok(Some(Self {
            producer_id,
            epoch,
            base_offset: header.base_offset(),
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp(),
            is_transactional: header.is_transactional(),
            content,
        }))
    }
}

fn read_marker(header: &BatchHeader, records: &Bytes) -> Result<BatchContent, RecordError> {
    let Some(record) = RecordIter::new(header, records.clone())?.next() else {
        return Ok(BatchContent::Nothing);
    };
    Ok(match ControlRecord::decode(&record?)? {
        ControlRecord::EndTransaction { result, coordinator_epoch } => {
            BatchContent::Marker { result, coordinator_epoch }
        }
        ControlRecord::LeaderChange(_)
        | ControlRecord::SnapshotHeader(_)
        | ControlRecord::SnapshotFooter(_)
        | ControlRecord::KraftVersion(_)
        | ControlRecord::KraftVoters(_)
        | ControlRecord::Unknown { .. } => BatchContent::Nothing,
    })
}
