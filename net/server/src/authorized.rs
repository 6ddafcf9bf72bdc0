//! The operations that a client is told it may do. Without access control that is everything that
//! Kafka knows for the resource, as a set of bits.

/// What stands there if the client did not ask.
pub(crate) const NOT_ASKED: i32 = i32::MIN;

/// Read, write, create, delete, alter, describe, describe and alter configurations.
const TOPIC: i32 = 0b1101_1111_1000;
/// Create, alter, describe, cluster action, describe and alter configurations, idempotent write.
const CLUSTER: i32 = 0b1_1111_1010_0000;
/// Read, delete, describe, describe and alter configurations.
const GROUP: i32 = 0b1101_0100_1000;

pub(crate) fn topic(is_asked: bool) -> i32 {
    if is_asked { TOPIC } else { NOT_ASKED }
}

pub(crate) fn cluster(is_asked: bool) -> i32 {
    if is_asked { CLUSTER } else { NOT_ASKED }
}

pub(crate) fn group(is_asked: bool) -> i32 {
    if is_asked { GROUP } else { NOT_ASKED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_those_that_kafka_names_without_access_control() {
        assert_eq!((topic(true), cluster(true), group(true)), (3576, 8096, 3400));
        assert_eq!(topic(false), -2_147_483_648);
    }
}
