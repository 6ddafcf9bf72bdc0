//! Membership in a classic consumer group.

pub mod protocol;
