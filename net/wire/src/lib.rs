//! The Kafka protocol as values and bytes: messages, their keys and error codes, and the frames
//! they travel in. No I/O, and nothing of ours but the codec.

mod api_key;
mod error_code;
mod frame;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod messages;

pub use api_key::ApiKey;
pub use codec::{
    DecodeError, EncodeError, Message, Reader, Schema, Slices, UnknownTags, Uuid, Writer,
};
pub use error_code::ErrorCode;
pub use frame::{
    DecodedRequestHeader, RequestHeaderError, ResponseError, decode_any_request,
    decode_request_header, decode_response, encode_request, encode_response,
    response_correlation_id,
};

/// A message that asks, and knows how it is answered.
pub trait Request: Schema {
    const KEY: ApiKey;
    type Response: Throttled;
}

/// A message that answers.
pub trait Throttled: Schema {
    /// For how long its client is to send nothing. Versions that cannot say it leave it out.
    fn set_throttle_time(&mut self, milliseconds: i32);
}
