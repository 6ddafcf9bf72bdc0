//! Kafka's hash of the topics that a group reads (XXH3, 64 bits): it is stored with the group's
//! epoch, so that a change of the topics is noticed also by a coordinator that takes over. A node
//! that computed another one would make every group rebalance once for nothing.

use twox_hash::XxHash3_64;

use crate::group::consumer::cluster::TopicFacts;

/// Says how a topic is hashed; another way would get another number.
const MAGIC: u8 = 0;

/// Of the topics that exist, sorted by name; zero if there are none.
pub(crate) fn of_topics(topics: &[TopicFacts]) -> i64 {
    if topics.is_empty() {
        return 0;
    }
    let hashes = topics.iter().flat_map(|topic| of_topic(topic).to_le_bytes());
    hash(&hashes.collect::<Vec<u8>>())
}

fn of_topic(topic: &TopicFacts) -> i64 {
    let mut bytes = vec![MAGIC];
    // The identity counts as two numbers, and numbers are written with the lowest byte first.
    for half in topic.id.0.chunks(8) {
        bytes.extend(half.iter().rev());
    }
    put_text(&mut bytes, topic.name.as_str());
    bytes.extend(topic.partition_count.to_le_bytes());
    for index in 0..topic.partition_count {
        bytes.extend(index.to_le_bytes());
        let racks = usize::try_from(index).ok().and_then(|index| topic.racks.get(index));
        for rack in racks.into_iter().flatten() {
            let units = u32::try_from(rack.encode_utf16().count()).unwrap_or(u32::MAX);
            bytes.extend(units.to_le_bytes());
            put_text(&mut bytes, rack);
        }
    }
    hash(&bytes)
}

/// A text is its UTF-16 units, and then how many they are.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let mut units = 0u32;
    for unit in text.encode_utf16() {
        bytes.extend(unit.to_le_bytes());
        units = units.saturating_add(1);
    }
    bytes.extend(units.to_le_bytes());
}

fn hash(bytes: &[u8]) -> i64 {
    XxHash3_64::oneshot(bytes).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{TopicId, TopicName};

    fn topic(name: &str, high: u64, partition_count: u32, racks: Vec<Vec<String>>) -> TopicFacts {
        let low = 0x1112_1314_1516_1718_u64.to_be_bytes();
        let id: Vec<u8> = high.to_be_bytes().into_iter().chain(low).collect();
        let id = TopicId(id.try_into().unwrap());
        TopicFacts { id, name: TopicName::new(name).unwrap(), partition_count, racks }
    }

    /// The numbers are those of the library that Kafka 4.3.1 hashes with, fed as Kafka feeds it.
    #[test]
    fn the_hash_is_kafkas() {
        let orders = topic("orders", 0x0102_0304_0506_0708, 3, vec![vec!["r1".to_owned()]; 3]);
        let page = topic("page", 0x0204_0608_0a0c_0e10, 100, Vec::new());
        assert_eq!(of_topic(&orders), -6125875600421135053);
        assert_eq!(of_topic(&page), -2919480915862595882);
        assert_eq!(of_topics(&[orders, page]), 5872063504518303649);
        assert_eq!(of_topics(&[]), 0);
    }
}
