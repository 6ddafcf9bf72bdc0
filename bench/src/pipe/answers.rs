//! The two answers that a pipe gives, encoded once.

use std::io;

use bytes::{Bytes, BytesMut};
use wire::{
    ApiKey,
    messages::{
        ApiVersionsRequest, ApiVersionsResponse, ProduceRequest, ProduceResponse,
        api_versions_response::ApiVersion,
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
};

/// A version that names topics and not their ids: a pipe has none.
pub const PRODUCE_VERSION: i16 = 9;
/// In an answer, behind its size.
const CORRELATION_ID_AT: usize = 4;
const CORRELATION_ID_END: usize = 8;

/// To any Produce: it went well.
pub fn produced() -> io::Result<Bytes> {
    let response = ProduceResponse {
        responses: vec![TopicProduceResponse {
            partition_responses: vec![PartitionProduceResponse::default()],
            ..TopicProduceResponse::default()
        }],
        ..ProduceResponse::default()
    };
    let frame = wire::encode_response::<ProduceRequest>(PRODUCE_VERSION, 0, &response);
    Ok(Bytes::from(frame.map_err(io::Error::other)?.concat()))
}

/// To ApiVersions: Produce is all there is.
pub fn api_versions(version: i16, correlation_id: i32) -> io::Result<Vec<u8>> {
    let range = |key: ApiKey, min: i16, max: i16| ApiVersion {
        api_key: key.code(),
        min_version: min,
        max_version: max,
        ..ApiVersion::default()
    };
    let response = ApiVersionsResponse {
        api_keys: vec![
            range(ApiKey::Produce, PRODUCE_VERSION, PRODUCE_VERSION),
            range(ApiKey::ApiVersions, 0, version),
        ],
        ..ApiVersionsResponse::default()
    };
    let frame = wire::encode_response::<ApiVersionsRequest>(version, correlation_id, &response);
    Ok(frame.map_err(io::Error::other)?.concat())
}

/// Appends an answer that was encoded beforehand, for one request.
pub fn put(answers: &mut BytesMut, encoded: &[u8], correlation_id: i32) {
    let from = answers.len();
    answers.extend_from_slice(encoded);
    let (begin, end) = (from.strict_add(CORRELATION_ID_AT), from.strict_add(CORRELATION_ID_END));
    if let Some(place) = answers.get_mut(begin..end) {
        place.copy_from_slice(&correlation_id.to_be_bytes());
    }
}
