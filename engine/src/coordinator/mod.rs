//! What every coordinator has, whatever it coordinates: the time of a step, the names of requests and
//! appends, deadlines, and the place in its topic. Coordinators know this and nothing of each other.

mod append;
mod marker;
mod partition;
mod time;
mod timers;

pub use append::{AppendFailure, RecordBytes, Ticket};
pub use marker::Marker;
pub use partition::partition_for;
pub use time::{Now, RequestId};
pub(crate) use timers::Timers;
