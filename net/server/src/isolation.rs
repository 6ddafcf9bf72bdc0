//! The isolation level of a request, which Fetch and ListOffsets carry as a number.

use engine::broker::Isolation;

/// `None` for a number that stands for no level.
pub(crate) fn isolation(level: i8) -> Option<Isolation> {
    match level {
        0 => Some(Isolation::ReadUncommitted),
        1 => Some(Isolation::ReadCommitted),
        _ => None,
    }
}
