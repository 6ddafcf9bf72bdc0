//! Requests as they come from a socket, and answers as they go to one, in the newest versions.

use std::hint::black_box;

use bytes::Bytes;
use wire::messages::fetch_request::{FetchPartition, FetchTopic};
use wire::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use wire::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use wire::messages::{FetchRequest, FetchResponse, ProduceRequest, ProduceResponse};
use wire::{Reader, Request, Uuid};

use super::records::{LARGE_BATCH_RECORDS, batch};
use super::{HotPath, How, Work};

const TOPIC: Uuid = Uuid([7; 16]);
const CORRELATION_ID: i32 = 7;
/// What stands in front of a frame, and is off when it is decoded.
const SIZE_BYTES: usize = 4;
const PARTITIONS: i32 = 4;

pub const PATHS: [HotPath; 5] = [
    HotPath {
        name: "decode-produce-1-record",
        about: "a Produce request with one record, decoded",
        how: How::Plain(|| decode_produce(1)),
    },
    HotPath {
        name: "decode-produce-64-kib",
        about: "a Produce request with 64 KiB, decoded",
        how: How::Plain(|| decode_produce(LARGE_BATCH_RECORDS)),
    },
    HotPath {
        name: "encode-produce-answer",
        about: "the answer to a Produce request, encoded",
        how: How::Plain(encode_produced),
    },
    HotPath {
        name: "decode-fetch",
        about: "a Fetch request for four partitions, decoded",
        how: How::Plain(decode_fetch),
    },
    HotPath {
        name: "encode-fetch-answer",
        about: "an answer with 64 KiB of each of four partitions, encoded",
        how: How::Plain(encode_fetched),
    },
];

/// The newest version of a request.
fn version<R: Request>() -> i16 {
    *R::KEY.valid_versions().end()
}

fn decode<R: Request + 'static>(request: &R) -> Work {
    let version = version::<R>();
    let frame = wire::encode_request(version, CORRELATION_ID, Some("a client"), request);
    let frame = Bytes::from(frame.expect("the request is one of ours").concat());
    let frame = frame.slice(SIZE_BYTES..);
    Box::new(move || {
        let mut reader = Reader::new(frame.clone());
        let header = wire::decode_request_header(&mut reader).expect("it was encoded here");
        let body = R::decode(&mut reader, header.api_version).expect("it was encoded here");
        black_box((header, body));
    })
}

fn encode<R: Request + 'static>(response: R::Response) -> Work
where
    R::Response: 'static,
{
    let version = version::<R>();
    Box::new(move || {
        let frame = wire::encode_response::<R>(version, CORRELATION_ID, &response);
        black_box(frame.expect("the answer is one of ours"));
    })
}

fn decode_produce(records: usize) -> Work {
    decode(&ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            topic_id: TOPIC,
            partition_data: vec![PartitionProduceData {
                index: 0,
                records: Some(batch(records).into()),
                ..PartitionProduceData::default()
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    })
}

fn encode_produced() -> Work {
    encode::<ProduceRequest>(ProduceResponse {
        responses: vec![TopicProduceResponse {
            topic_id: TOPIC,
            partition_responses: vec![PartitionProduceResponse {
                base_offset: 1_000_000,
                log_append_time_ms: -1,
                ..PartitionProduceResponse::default()
            }],
            ..TopicProduceResponse::default()
        }],
        ..ProduceResponse::default()
    })
}

fn decode_fetch() -> Work {
    let partition = |partition| FetchPartition {
        partition,
        fetch_offset: 1_000_000,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    decode(&FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 8 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic_id: TOPIC,
            partitions: (0..PARTITIONS).map(partition).collect(),
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    })
}

fn encode_fetched() -> Work {
    let records = batch(LARGE_BATCH_RECORDS);
    let partition = |partition_index| PartitionData {
        partition_index,
        high_watermark: 1_000_000,
        last_stable_offset: 1_000_000,
        records: Some(records.clone().into()),
        ..PartitionData::default()
    };
    encode::<FetchRequest>(FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic_id: TOPIC,
            partitions: (0..PARTITIONS).map(partition).collect(),
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    })
}
