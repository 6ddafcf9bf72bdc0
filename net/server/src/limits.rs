//! Every bound of the server in one place, so that the compiler can prove that they fit each other.

use engine::types::limits::FRAME_BYTES_MAX;

/// What one read asks the kernel for while no large frame is under way. An idle connection costs
/// at most this much memory.
pub(crate) const READ_BYTES: usize = 16 * 1024;

/// Answers that one connection may be owed at a time; then its requests stay unread.
pub(crate) const IN_FLIGHT_REQUESTS_MAX: usize = 256;

/// Request bytes that one connection may hold at a time. One frame of any allowed size always
/// fits when nothing else is held.
pub(crate) const IN_FLIGHT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Answers of one connection that leave in one write.
pub(crate) const ANSWERS_PER_WRITE_MAX: usize = 64;

/// Bytes after which a write starts, even if more answers are ready.
pub(crate) const WRITE_BYTES: usize = 1024 * 1024;

/// Accepted connections on their way to another core.
pub(crate) const HANDOVER_CONNECTIONS_MAX: usize = 1024;

/// A frame that has begun must arrive within this time plus its size at
/// [`FRAME_BYTES_PER_SECOND_MIN`]: it holds memory that others wait for.
pub(crate) const FRAME_SECONDS_GRACE: u64 = 30;
pub(crate) const FRAME_BYTES_PER_SECOND_MIN: u64 = 256 * 1024;

/// An answer that the client does not take for this long is given up: it holds memory that others
/// wait for.
pub(crate) const WRITE_STALL_SECONDS_MAX: u64 = 60;

/// A fetch session younger than this is not evicted for a larger one (Kafka's
/// `min.incremental.fetch.session.eviction.ms`, which is fixed).
pub(crate) const FETCH_SESSION_SETTLED_SECONDS: u64 = 120;

/// How long a listener rests when the process has no descriptor left for a connection.
pub(crate) const ACCEPT_PAUSE_MILLIS: u64 = 100;

/// How long a request is still worked on whose client has hung up.
pub(crate) const HANG_UP_MILLIS: u64 = 1000;

/// How long a stop waits for answers in flight before it closes the connections.
pub(crate) const STOP_SECONDS_MAX: u64 = 10;

/// How long connections that were closed by force have to notice it.
pub(crate) const STOP_CLOSING_SECONDS: u64 = 1;

/// Between two looks for connections that have been idle for too long.
pub(crate) const IDLE_CHECK_SECONDS: u64 = 5;

/// While a node has as many connections as it may, it looks this often whether it may have more.
pub(crate) const ADMISSION_CHECK_MILLIS: u64 = 500;

/// Of so many quotas in use it is looked which are not needed any more.
pub(crate) const METERS_KEPT_MIN: usize = 1024;

/// Clients whose quotas one core remembers.
pub(crate) const LIMITED_CLIENTS_MAX: usize = 10_000;

/// Addresses whose connections are counted at a time, if there is a limit for them.
pub(crate) const COUNTED_ADDRESSES_MAX: usize = 10_000;

/// Connections that are kept for a while before they are closed, so that their clients do not come
/// again at once.
pub(crate) const TURNED_AWAY_MAX: usize = 1024;

const _: () = assert!(FRAME_BYTES_MAX <= IN_FLIGHT_BYTES_MAX);
const _: () = assert!(READ_BYTES <= WRITE_BYTES);
