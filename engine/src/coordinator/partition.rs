//! Which partition of a coordinator's topic owns a name: a group's, a transactional id. Every node of
//! a cluster, Kafka's included, must come to the same answer, or it would have two coordinators.

use std::num::NonZeroU32;

use crate::types::PartitionIndex;

/// The owning partition among `partition_count`: Java's hash of the name (over UTF-16 units), its
/// sign bit cleared, modulo the count.
pub fn partition_for(name: &str, partition_count: NonZeroU32) -> PartitionIndex {
    let hash = name
        .encode_utf16()
        .fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    let positive = hash & 0x7fff_ffff;
    PartitionIndex::new(positive % partition_count)
        .expect("a 31-bit number is within the wire's signed type")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(name: &str, count: u32) -> u32 {
        partition_for(name, NonZeroU32::new(count).unwrap()).get()
    }

    #[test]
    fn a_group_hashes_as_java_hashes_its_name() {
        // "my-group".hashCode() = 1239437361 and "test".hashCode() = 3556498 in Java.
        assert_eq!(partition("test", 50), 3_556_498 % 50);
        assert_eq!(partition("", 50), 0);
    }

    #[test]
    fn a_name_outside_the_basic_plane_hashes_as_two_units() {
        // U+1F600 is the pair d83d de00: 0xd83d * 31 + 0xde00.
        assert_eq!(partition("\u{1F600}", 50), (0xd83d * 31 + 0xde00) % 50);
    }

    #[test]
    fn a_negative_hash_loses_its_sign_bit() {
        // "polygenelubricants".hashCode() is the smallest int of Java.
        assert_eq!(partition("polygenelubricants", 50), 0);
    }
}
