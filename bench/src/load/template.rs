//! Batches that are built before the clock runs, and the request around them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use client::{
    CallError,
    batch::{BATCH_HEADER_BYTES, BatchBuilder, ProducerStamp, Record},
};
use wire::{
    Request, Uuid,
    messages::{
        ProduceRequest,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
};

use super::{NumberedBatch, ProduceLoad, numbered_batch::first_timestamp};

/// Where a request's correlation id stands: after its size, key and version.
const CORRELATION_ID_AT: usize = 8;
const CORRELATION_ID_END: usize = 12;
/// The broker gives up on a request after this.
const TIMEOUT_MS: i32 = 30_000;

/// One batch, with values that compress about as well as text.
pub fn build(load: &ProduceLoad, now_ms: i64) -> NumberedBatch {
    let timestamp = first_timestamp(now_ms);
    let mut builder = BatchBuilder::new(load.codec.compression());
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..load.batch_records {
        let mut value = BytesMut::with_capacity(load.record_bytes);
        while value.len() < load.record_bytes {
            // xorshift64; every eight bytes are sixteen letters of sixteen.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            for byte in random.to_le_bytes() {
                value.extend_from_slice(&[b'a' + (byte & 15), b'a' + (byte >> 4)]);
            }
        }
        value.truncate(load.record_bytes);
        let value = Some(value.freeze());
        builder.append(&Record { timestamp, value, ..Record::default() });
    }
    NumberedBatch::new(builder.finish(None), timestamp)
}

/// Of one batch, compressed if it is.
pub fn batch_bytes(load: &ProduceLoad) -> u64 {
    u64::try_from(build(load, 0).bytes().len()).unwrap_or(u64::MAX)
}

/// A request whose bytes are shared by all that are sent of it, but for its first few.
#[derive(Clone, Debug)]
pub struct Template {
    /// Size, header and names: what stands before the batch.
    head: Bytes,
    batch: Arc<NumberedBatch>,
    /// The records of the batch, and what follows them.
    tail: Bytes,
}

impl Template {
    pub fn produce(
        load: &ProduceLoad,
        version: i16,
        topic: (&str, Uuid),
        partition: i32,
        batch: &Arc<NumberedBatch>,
    ) -> Result<Self, CallError> {
        let (name, topic_id) = topic;
        let request = ProduceRequest {
            acks: load.acks.to_wire(),
            timeout_ms: TIMEOUT_MS,
            topic_data: vec![TopicProduceData {
                name: name.to_owned(),
                topic_id,
                partition_data: vec![PartitionProduceData {
                    index: partition,
                    records: Some(batch.bytes().clone().into()),
                    ..PartitionProduceData::default()
                }],
                ..TopicProduceData::default()
            }],
            ..ProduceRequest::default()
        };
        let frame = wire::encode_request(version, 0, Some("corelog-bench"), &request)
            .map_err(|source| CallError::Encode { api: ProduceRequest::KEY.name(), source })?;
        let frame = Bytes::from(frame.concat());
        let batch_bytes = batch.bytes();
        let at = frame.windows(batch_bytes.len()).position(|part| part == batch_bytes);
        let at = at.expect("the request carries the batch as it is");
        let records = batch_bytes.slice(BATCH_HEADER_BYTES..);
        let behind = frame.slice(at.strict_add(batch_bytes.len())..);
        let tail = match behind.is_empty() {
            // All templates share the records.
            true => records,
            false => Bytes::from([records, behind].concat()),
        };
        Ok(Self { head: frame.slice(..at), batch: Arc::clone(batch), tail })
    }

    pub fn frame(
        &self,
        correlation_id: i32,
        number: u64,
        stamp: Option<ProducerStamp>,
    ) -> Vec<Bytes> {
        let mut head = BytesMut::with_capacity(self.head.len().strict_add(BATCH_HEADER_BYTES));
        head.extend_from_slice(&self.head);
        if let Some(place) = head.get_mut(CORRELATION_ID_AT..CORRELATION_ID_END) {
            place.copy_from_slice(&correlation_id.to_be_bytes());
        }
        head.extend_from_slice(&self.batch.header(number, stamp));
        vec![head.freeze(), self.tail.clone()]
    }
}

#[cfg(test)]
mod tests {
    use client::batch::Batches;
    use wire::{Message, Reader};

    use super::*;

    fn template(load: &ProduceLoad) -> (Template, Arc<NumberedBatch>) {
        let batch = Arc::new(build(load, 7));
        (Template::produce(load, 12, ("t", Uuid::ZERO), 3, &batch).unwrap(), batch)
    }

    #[test]
    fn a_request_carries_the_correlation_id_and_the_number_it_is_given() {
        for batch_records in [1, 1000] {
            let load = ProduceLoad { batch_records, ..ProduceLoad::default() };
            let (template, batch) = template(&load);
            let bytes = template.frame(0x0102_0304, 77, None).concat();
            let mut reader = Reader::new(Bytes::from(bytes).slice(4..));
            let header = wire::decode_request_header(&mut reader).unwrap();
            assert_eq!((header.api_version, header.correlation_id), (12, 0x0102_0304));
            let request = ProduceRequest::decode(&mut reader, 12).unwrap();
            reader.finish().unwrap();
            let records = request.topic_data[0].partition_data[0].records.clone().unwrap();
            let read = Batches::new(records.into_bytes()).next().unwrap().unwrap();
            assert_eq!(batch.number_of(&read.header), Some(77));
        }
    }

    #[test]
    fn the_records_are_shared_and_not_copied() {
        let load = ProduceLoad { batch_records: 1000, ..ProduceLoad::default() };
        let (template, _) = template(&load);
        let frames = [template.frame(1, 1, None), template.frame(2, 2, None)];
        let [one, two] = frames.map(|frame| frame[1].as_ptr());
        assert_eq!(one, two);
    }

    #[test]
    fn a_batch_has_the_records_that_were_asked_for() {
        let load = ProduceLoad { batch_records: 37, record_bytes: 21, ..ProduceLoad::default() };
        let batch = Batches::new(build(&load, 7).bytes().clone()).next().unwrap().unwrap();
        let records = batch.records().unwrap();
        assert_eq!(records.len(), 37);
        assert!(records.iter().all(|record| record.value.as_ref().unwrap().len() == 21));
    }
}
