//! Frames: a size of four bytes, a header, a body. Which header goes before which body is decided
//! here alone, since a wrong one shifts every byte that follows.

use bytes::Bytes;
use codec::{CatalogEntry, DecodeError, EncodeError, Message, Reader, Writer};
use thiserror::Error;

use crate::messages::{CATALOG, RequestHeader, ResponseHeader};
use crate::{ApiKey, ErrorCode, Request};

/// A first guess for what is not spliced; most messages fit and do not grow again.
const WRITER_BYTES: usize = 256;

/// Who asks, what for, and in which version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedRequestHeader {
    pub api_key: ApiKey,
    /// Valid for `api_key`, unless that is ApiVersions: there any version arrives, and one we do
    /// not know is answered in version 0 with `UNSUPPORTED_VERSION`.
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<String>,
}

/// Why a request cannot even be routed; Kafka closes the connection then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestHeaderError {
    #[error("there is no operation {code}")]
    UnknownApiKey { code: i16 },
    #[error("{name} has no version {version}")]
    UnsupportedVersion { name: &'static str, version: i16 },
    #[error("the request header is malformed: {0}")]
    Decode(#[from] DecodeError),
}

/// Why the bytes of a response are not the answer that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResponseError {
    #[error("the answer is for request {found}, not {expected}")]
    OtherRequest { expected: i32, found: i32 },
    #[error("the response is malformed: {0}")]
    Decode(#[from] DecodeError),
}

/// A whole request frame, size first.
pub fn encode_request<R: Request>(
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    body: &R,
) -> Result<Vec<Bytes>, EncodeError> {
    let header = RequestHeader {
        request_api_key: R::KEY.code(),
        request_api_version: version,
        correlation_id,
        client_id: client_id.map(str::to_owned),
        ..RequestHeader::default()
    };
    frame(&header, R::KEY.request_header_version(version), body, version)
}

/// Reads the header at the front of a request (its size is already off); the body remains.
pub fn decode_request_header(
    reader: &mut Reader,
) -> Result<DecodedRequestHeader, RequestHeaderError> {
    let mut ahead = reader.clone();
    let code = ahead.i16()?;
    let version = ahead.i16()?;
    let api_key = ApiKey::from_code(code).ok_or(RequestHeaderError::UnknownApiKey { code })?;
    if api_key != ApiKey::ApiVersions && !api_key.valid_versions().contains(&version) {
        return Err(RequestHeaderError::UnsupportedVersion { name: api_key.name(), version });
    }
    let header = RequestHeader::decode(reader, api_key.request_header_version(version))?;
    Ok(DecodedRequestHeader {
        api_key,
        api_version: version,
        correlation_id: header.correlation_id,
        client_id: header.client_id,
    })
}

/// A whole response frame, size first.
pub fn encode_response<R: Request>(
    version: i16,
    correlation_id: i32,
    body: &R::Response,
) -> Result<Vec<Bytes>, EncodeError> {
    let header = ResponseHeader { correlation_id, ..ResponseHeader::default() };
    frame(&header, R::KEY.response_header_version(version), body, version)
}

/// The request that a response (without its size) answers.
pub fn response_correlation_id(frame: &Bytes) -> Result<i32, DecodeError> {
    Reader::new(frame.clone()).i32()
}

/// Reads a response (its size is already off) to the request of `correlation_id`.
pub fn decode_response<R: Request>(
    frame: Bytes,
    version: i16,
    correlation_id: i32,
) -> Result<R::Response, ResponseError> {
    let mut reader = Reader::new(frame);
    let header_version = R::KEY.response_header_version(version);
    let header = ResponseHeader::decode(&mut reader, header_version)?;
    let found = header.correlation_id;
    if found != correlation_id {
        return Err(ResponseError::OtherRequest { expected: correlation_id, found });
    }
    let version = if refuses_api_versions::<R>(&reader)? { 0 } else { version };
    let body = R::Response::decode(&mut reader, version)?;
    reader.finish()?;
    Ok(body)
}

/// A broker that does not know the client's version of ApiVersions answers in version 0. All
/// versions begin with the error code, which tells.
fn refuses_api_versions<R: Request>(reader: &Reader) -> Result<bool, DecodeError> {
    if R::KEY != ApiKey::ApiVersions {
        return Ok(false);
    }
    Ok(reader.clone().i16()? == ErrorCode::UnsupportedVersion.code())
}

/// The entry for fuzzing: a request as it comes from a socket, its size already off. Says whether
/// header and body could be read.
///
/// # Panics
/// When a body that could be read cannot be written, or does not read back as the same.
pub fn decode_any_request(data: &[u8]) -> bool {
    let mut reader = Reader::new(Bytes::copy_from_slice(data));
    let Ok(header) = decode_request_header(&mut reader) else { return false };
    let name = header.api_key.name();
    let is_asked = |entry: &&CatalogEntry| entry.name.strip_suffix("Request") == Some(name);
    let entry = CATALOG.iter().find(is_asked).expect("every key has a request");
    if !entry.versions.contains(&header.api_version) {
        return false;
    }
    let body = reader.take(reader.remaining()).expect("what remains can be taken");
    entry.reads_back(&body, header.api_version)
}

fn frame(
    header: &impl Message,
    header_version: i16,
    body: &impl Message,
    version: i16,
) -> Result<Vec<Bytes>, EncodeError> {
    let mut writer = Writer::with_capacity(WRITER_BYTES);
    writer.i32(0);
    header.encode(&mut writer, header_version)?;
    body.encode(&mut writer, version)?;
    writer.set_frame_size()?;
    Ok(writer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    use crate::messages::{
        ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchResponse, MetadataRequest,
        SaslHandshakeRequest,
    };

    fn joined(parts: &[Bytes]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn a_request_frame_opens_with_size_and_header() {
        let request = MetadataRequest::default();
        let frame = encode_request(1, 7, Some("me"), &request).unwrap();
        let expected = [0, 0, 0, 16, 0, 3, 0, 1, 0, 0, 0, 7, 0, 2, b'm', b'e', 0, 0, 0, 0];
        assert_eq!(joined(&frame), expected);
    }

    #[test]
    fn a_flexible_header_keeps_the_old_form_of_the_client_id() {
        let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
        let frame = joined(&encode_request(9, 7, Some("me"), &request).unwrap());
        let header = [0, 3, 0, 9, 0, 0, 0, 7, 0, 2, b'm', b'e', 0];
        assert_eq!(frame[4..17], header);
        let mut reader = Reader::new(Bytes::from(frame).slice(4..));
        let decoded = decode_request_header(&mut reader).unwrap();
        let expected = DecodedRequestHeader {
            api_key: ApiKey::Metadata,
            api_version: 9,
            correlation_id: 7,
            client_id: Some("me".to_owned()),
        };
        assert_eq!(decoded, expected);
        assert_eq!(MetadataRequest::decode(&mut reader, 9), Ok(request));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn an_unknown_operation_or_version_is_refused_but_for_api_versions() {
        let decode = |bytes: &'static [u8]| {
            decode_request_header(&mut Reader::new(Bytes::from_static(bytes)))
        };
        let unknown = decode(&[0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(unknown, Err(RequestHeaderError::UnknownApiKey { code: 0x7fff }));
        let version = decode(&[0, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0]);
        let expected = RequestHeaderError::UnsupportedVersion { name: "Produce", version: 14 };
        assert_eq!(version, Err(expected));
        let header = decode(&[0, 18, 0x7f, 0xff, 0, 0, 0, 1, 0, 0, 0]).unwrap();
        assert_eq!((header.api_key, header.api_version), (ApiKey::ApiVersions, 0x7fff));
    }

    #[test]
    fn a_response_comes_back_and_another_ones_is_refused() {
        let response = FetchResponse { session_id: 5, ..FetchResponse::default() };
        let frame = encode_response::<FetchRequest>(12, 3, &response).unwrap();
        let bytes = Bytes::from(joined(&frame)).slice(4..);
        assert_eq!(response_correlation_id(&bytes), Ok(3));
        assert_eq!(decode_response::<FetchRequest>(bytes.clone(), 12, 3), Ok(response));
        let other = decode_response::<FetchRequest>(bytes, 12, 4);
        assert_eq!(other, Err(ResponseError::OtherRequest { expected: 4, found: 3 }));
    }

    #[test]
    fn large_records_leave_as_a_slice_of_their_own() {
        let records = Bytes::from(vec![7; 100_000]);
        let partition =
            PartitionData { records: Some(records.clone().into()), ..PartitionData::default() };
        let topic = FetchableTopicResponse { partitions: vec![partition], ..Default::default() };
        let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
        let frame = encode_response::<FetchRequest>(12, 3, &response).unwrap();
        let spliced = frame.iter().any(|part| part.as_ptr() == records.as_ptr());
        assert!(spliced, "the records were copied");
        let bytes = joined(&frame);
        let size = u32::from_be_bytes(*bytes.first_chunk().unwrap());
        assert_eq!(usize::try_from(size).unwrap(), bytes.len() - 4);
        let decoded = decode_response::<FetchRequest>(Bytes::from(bytes).slice(4..), 12, 3);
        assert_eq!(decoded, Ok(response));
    }

    #[test]
    fn a_refusal_of_api_versions_is_read_in_version_zero() {
        let refusal = ApiVersionsResponse {
            error_code: ErrorCode::UnsupportedVersion.code(),
            ..ApiVersionsResponse::default()
        };
        let frame = encode_response::<ApiVersionsRequest>(0, 1, &refusal).unwrap();
        let bytes = Bytes::from(joined(&frame)).slice(4..);
        assert_eq!(decode_response::<ApiVersionsRequest>(bytes, 4, 1), Ok(refusal));
    }

    #[test]
    fn the_entry_for_fuzzing_reads_what_a_client_sends() {
        let request = SaslHandshakeRequest { mechanism: "PLAIN".to_owned() };
        let frame = joined(&encode_request(1, 7, None, &request).unwrap());
        assert!(decode_any_request(&frame[4..]));
        assert!(!decode_any_request(&frame[4..frame.len() - 1]));
        assert!(!decode_any_request(&[]));
    }
}
