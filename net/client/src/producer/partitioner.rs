//! Which partition a record goes to. Records with equal keys must meet in one partition whichever
//! client sent them, so the hash is that of Kafka's own clients: murmur2 with their seed.

use std::collections::HashMap;

#[derive(Debug, Default)]
pub struct Partitioner {
    /// Where records without a key go at present.
    sticky: HashMap<String, i32>,
    turn: u32,
}

impl Partitioner {
    /// Producers that start at different turns do not all begin with the first partition.
    pub fn starting_at(turn: u32) -> Self {
        Self { sticky: HashMap::new(), turn }
    }

    /// `partition_count` is at least 1.
    pub fn partition_for(&mut self, topic: &str, key: Option<&[u8]>, partition_count: i32) -> i32 {
        assert!(partition_count > 0, "a topic has at least one partition");
        if let Some(key) = key {
            return (murmur2(key) & i32::MAX) % partition_count;
        }
        if let Some(partition) = self.sticky.get(topic)
            && *partition < partition_count
        {
            return *partition;
        }
        let next = self.turn % partition_count.unsigned_abs();
        let partition = i32::try_from(next).expect("it is below the count of partitions");
        self.turn = self.turn.wrapping_add(1);
        self.sticky.insert(topic.to_owned(), partition);
        partition
    }

    /// A batch of this partition is complete: the next records without a key go elsewhere.
    pub fn leave(&mut self, topic: &str, partition: i32) {
        if self.sticky.get(topic) == Some(&partition) {
            self.sticky.remove(topic);
        }
    }
}

/// 32-bit murmur2 as `org.apache.kafka.common.utils.Utils` computes it.
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len()).expect("a key is far below 4 GiB");
    let mut hash = SEED ^ length;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        k ^= k >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ k.wrapping_mul(MULTIPLIER);
    }
    for (place, byte) in rest.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    (hash ^ (hash >> 15)).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `Utils.murmur2` of kafka-clients 4.3.1 returns.
    const JAVA: &[(&[u8], i32)] = &[
        (b"21", -973_932_308),
        (b"foobar", -790_332_482),
        (b"a-little-bit-long-string", -985_981_536),
        (b"a-little-bit-longer-string", -1_486_304_829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        (b"abc", 479_470_107),
        (b"", 275_646_681),
        (b"\xff\xfe\xfd\xfc\xfb", 524_068_735),
    ];

    #[test]
    fn keys_hash_as_in_java() {
        for (key, hash) in JAVA {
            assert_eq!(murmur2(key), *hash, "{key:?}");
        }
    }

    #[test]
    fn a_negative_hash_still_names_a_partition() {
        let mut partitioner = Partitioner::default();
        assert_eq!(partitioner.partition_for("t", Some(b"21"), 7), (-973_932_308 & i32::MAX) % 7);
    }

    #[test]
    fn records_without_a_key_stay_together_until_they_move_on_and_then_visit_all_partitions() {
        let mut partitioner = Partitioner::default();
        let mut visited = Vec::new();
        for _ in 0..3 {
            let partition = partitioner.partition_for("t", None, 3);
            assert_eq!(partitioner.partition_for("t", None, 3), partition);
            visited.push(partition);
            partitioner.leave("t", partition);
        }
        visited.sort_unstable();
        assert_eq!(visited, [0, 1, 2]);
    }
}
