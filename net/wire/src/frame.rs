//! Frames: a size of four bytes, a header, a body. Which header goes before which body is decided
//! here alone, since a wrong one shifts every byte that follows.

use bytes::Bytes;
use codec::{DecodeError, EncodeError, Message, Reader, Writer};
use thiserror::Error;

use crate::messages::{RequestHeader, ResponseHeader};
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
