//! Batches that are built before the clock runs, and the request around them.

use bytes::{Bytes, BytesMut};
use client::{
    CallError,
    batch::{BatchBuilder, Record},
};
use wire::{
    Request, Uuid,
    messages::{
        ProduceRequest,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
};

use crate::ProduceOptions;

/// Where a request's correlation id stands: after its size, key and version.
const CORRELATION_ID_AT: usize = 8;
const CORRELATION_ID_END: usize = 12;
/// The broker gives up on a request after this.
const TIMEOUT_MS: i32 = 30_000;

/// One batch, with values that compress about as well as text.
pub fn build(options: &ProduceOptions, timestamp: i64) -> Bytes {
    let mut builder = BatchBuilder::new(options.codec.compression());
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..options.records_per_batch {
        let mut value = BytesMut::with_capacity(options.record_bytes);
        while value.len() < options.record_bytes {
            // xorshift64; every eight bytes are sixteen letters of sixteen.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            for byte in random.to_le_bytes() {
                value.extend_from_slice(&[b'a' + (byte & 15), b'a' + (byte >> 4)]);
            }
        }
        value.truncate(options.record_bytes);
        let value = Some(value.freeze());
        builder.append(&Record { timestamp, value, ..Record::default() });
    }
    builder.finish(None)
}

/// A request whose bytes are shared by all that are sent of it, but for its first few.
#[derive(Clone, Debug)]
pub struct Template {
    /// Up to the batch: size, header, names.
    head: Bytes,
    /// The batch, and what follows it.
    tail: Vec<Bytes>,
}

impl Template {
    pub fn produce(
        options: &ProduceOptions,
        version: i16,
        topic_id: Uuid,
        partition: i32,
        batch: &Bytes,
    ) -> Result<Self, CallError> {
        let request = ProduceRequest {
            acks: options.acknowledge.to_wire(),
            timeout_ms: TIMEOUT_MS,
            topic_data: vec![TopicProduceData {
                name: options.topic.name.clone(),
                topic_id,
                partition_data: vec![PartitionProduceData {
                    index: partition,
                    records: Some(batch.clone().into()),
                    ..PartitionProduceData::default()
                }],
                ..TopicProduceData::default()
            }],
            ..ProduceRequest::default()
        };
        let frame = wire::encode_request(version, 0, Some("corelog-bench"), &request)
            .map_err(|source| CallError::Encode { api: ProduceRequest::KEY.name(), source })?;
        let mut frame = frame.into_iter();
        let head = frame.next().unwrap_or_default();
        Ok(Self { head, tail: frame.collect() })
    }

    pub fn frame(&self, correlation_id: i32) -> Vec<Bytes> {
        let mut head = BytesMut::from(&self.head[..]);
        if let Some(place) = head.get_mut(CORRELATION_ID_AT..CORRELATION_ID_END) {
            place.copy_from_slice(&correlation_id.to_be_bytes());
        }
        let mut frame = Vec::with_capacity(self.tail.len().saturating_add(1));
        frame.push(head.freeze());
        frame.extend(self.tail.iter().cloned());
        frame
    }
}

#[cfg(test)]
mod tests {
    use client::batch::Batches;
    use wire::Reader;

    use super::*;

    #[test]
    fn a_template_carries_the_correlation_id_it_is_given() {
        let options = ProduceOptions { records_per_batch: 1000, ..ProduceOptions::default() };
        let batch = build(&options, 7);
        let template = Template::produce(&options, 12, Uuid::ZERO, 3, &batch).unwrap();
        let bytes = template.frame(0x0102_0304).concat();
        let mut reader = Reader::new(Bytes::from(bytes).slice(4..));
        let header = wire::decode_request_header(&mut reader).unwrap();
        assert_eq!((header.api_version, header.correlation_id), (12, 0x0102_0304));
    }

    #[test]
    fn the_batch_is_shared_and_not_copied() {
        let options = ProduceOptions { records_per_batch: 1000, ..ProduceOptions::default() };
        let batch = build(&options, 7);
        let template = Template::produce(&options, 12, Uuid::ZERO, 3, &batch).unwrap();
        let frames = [template.frame(1), template.frame(2)];
        assert!(
            frames.iter().all(|frame| frame.iter().any(|part| part.as_ptr() == batch.as_ptr()))
        );
    }

    #[test]
    fn a_batch_has_the_records_that_were_asked_for() {
        let options =
            ProduceOptions { records_per_batch: 37, record_bytes: 21, ..ProduceOptions::default() };
        let batch = Batches::new(build(&options, 7)).next().unwrap().unwrap();
        let records = batch.records().unwrap();
        assert_eq!(records.len(), 37);
        assert!(records.iter().all(|record| record.value.as_ref().unwrap().len() == 21));
    }
}
