//! The protocol: requests as a broker reads them, responses as a client does.

use bytes::Bytes;
use wire::messages::{
    ApiVersionsRequest, CATALOG, DescribeConfigsRequest, FetchRequest, JoinGroupRequest,
    ListOffsetsRequest, MetadataRequest, OffsetFetchRequest, ProduceRequest,
};
use wire::{ApiKey, Request, ResponseError};

use super::{Target, seeds};
use crate::source::Source;

/// The smallest elements take about twenty times their bytes; reading back doubles it.
const MEMORY_FACTOR: usize = 64;
const MEMORY_BYTES_BASE: usize = 64 * 1024;

pub(super) const REQUESTS: Target = Target {
    name: "wire_requests",
    run: |data| {
        wire::decode_any_request(data);
    },
    seeds: requests,
    memory_factor: MEMORY_FACTOR,
    memory_bytes_base: MEMORY_BYTES_BASE,
    rounds: 40_000,
};

/// Every message of the protocol; the first three bytes choose which.
pub(super) const RESPONSES: Target = Target {
    name: "wire_responses",
    run: |data| {
        codec::decode_any(CATALOG, data);
    },
    seeds: || seeds::messages(CATALOG),
    memory_factor: MEMORY_FACTOR,
    memory_bytes_base: MEMORY_BYTES_BASE,
    rounds: 40_000,
};

/// Responses with their headers, as an answer to a request that a client has made.
pub(super) const RESPONSE_FRAMES: Target = Target {
    name: "wire_response_frames",
    run: response_frame,
    seeds: response_frames,
    memory_factor: MEMORY_FACTOR,
    memory_bytes_base: MEMORY_BYTES_BASE,
    rounds: 40_000,
};

fn requests() -> Vec<Vec<u8>> {
    let samples = codegen::proof::samples(CATALOG, 2, 1).expect("the tables are part of the tree");
    let seed = |sample: codegen::proof::Sample<'_>| {
        let name = sample.entry.name.strip_suffix("Request")?;
        let key = ApiKey::ALL.iter().find(|key| key.name() == name)?;
        let mut frame = key.code().to_be_bytes().to_vec();
        frame.extend(sample.version.to_be_bytes());
        frame.extend([0, 0, 0, 7, 0, 2, b'm', b'e']);
        if key.request_header_version(sample.version) >= 2 {
            frame.push(0);
        }
        frame.extend_from_slice(&sample.bytes);
        Some(frame)
    };
    samples.into_iter().filter_map(seed).collect()
}

const CORRELATION_ID: i32 = 7;

fn response_frame(data: &[u8]) {
    let mut source = Source::new(data);
    let choice = source.below(8);
    let version = i16::from(source.byte());
    let frame = Bytes::copy_from_slice(source.rest());
    match choice {
        0 => answer_to::<FetchRequest>(version, frame),
        1 => answer_to::<MetadataRequest>(version, frame),
        2 => answer_to::<ProduceRequest>(version, frame),
        3 => answer_to::<ApiVersionsRequest>(version, frame),
        4 => answer_to::<ListOffsetsRequest>(version, frame),
        5 => answer_to::<JoinGroupRequest>(version, frame),
        6 => answer_to::<OffsetFetchRequest>(version, frame),
        _ => answer_to::<DescribeConfigsRequest>(version, frame),
    }
}

fn answer_to<R: Request>(version: i16, frame: Bytes)
where
    R::Response: PartialEq + std::fmt::Debug,
{
    let versions = R::KEY.valid_versions();
    let version = version.checked_rem(versions.end().strict_add(1)).unwrap_or_default();
    let version = version.max(*versions.start());
    match wire::decode_response::<R>(frame.clone(), version, CORRELATION_ID) {
        Ok(_) => {
            let found = wire::response_correlation_id(&frame);
            assert_eq!(found, Ok(CORRELATION_ID), "an answer to another request was taken");
        }
        Err(ResponseError::OtherRequest { expected, found }) => assert_ne!(expected, found),
        Err(ResponseError::Decode(_)) => {}
    }
}

fn response_frames() -> Vec<Vec<u8>> {
    fn of<R: Request>(choice: u8) -> Vec<Vec<u8>> {
        let version = |version: i16| {
            let body = R::Response::default();
            let frame = wire::encode_response::<R>(version, CORRELATION_ID, &body).ok()?;
            let frame = frame.concat();
            let number = u8::try_from(version).ok()?;
            Some([&[choice, number], frame.get(4..)?].concat())
        };
        R::KEY.valid_versions().filter_map(version).collect()
    }
    [
        of::<FetchRequest>(0),
        of::<MetadataRequest>(1),
        of::<ProduceRequest>(2),
        of::<ApiVersionsRequest>(3),
        of::<ListOffsetsRequest>(4),
        of::<JoinGroupRequest>(5),
        of::<OffsetFetchRequest>(6),
        of::<DescribeConfigsRequest>(7),
    ]
    .concat()
}
