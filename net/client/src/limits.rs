//! Every bound of the client.

/// A response frame above this is refused before memory is taken for it.
pub const RESPONSE_BYTES_MAX: usize = 256 << 20;
/// One batch, decompressed.
pub const DECOMPRESSED_BYTES_MAX: usize = 256 << 20;
/// How much one read of a connection takes at most, and the least room its buffer has.
pub const READ_BYTES: usize = 256 << 10;
/// Requests of one connection that wait to be written or answered.
pub const IN_FLIGHT_MAX: usize = 1024;
/// What may wait to be written on a connection whose requests have no answer.
pub const UNANSWERED_BYTES_MAX: usize = 1 << 20;
/// The newest OffsetCommit and OffsetFetch that name topics by name instead of by id.
pub(crate) const OFFSET_REQUEST_VERSION_MAX: i16 = 9;

const _: () = assert!(READ_BYTES <= RESPONSE_BYTES_MAX);
