//! The order in which Java's `HashMap` gives its keys out. Kafka's tools show some answers in it,
//! and people compare outputs line by line.

/// Sorts items as a Java map would give them out that they were put into one by one, by their
/// names. No two names may be equal.
pub fn sort<T>(items: &mut [T], name: impl Fn(&T) -> &str) {
    sort_into(items, name, BUCKETS_DEFAULT);
}

/// The same for a map that was made for just so many items.
pub fn sort_presized<T>(items: &mut [T], name: impl Fn(&T) -> &str) {
    sort_into(items, name, 1);
}

/// With which a map begins if nothing is said.
const BUCKETS_DEFAULT: u32 = 16;

fn sort_into<T>(items: &mut [T], name: impl Fn(&T) -> &str, buckets_min: u32) {
    let buckets = buckets(items.len(), buckets_min);
    // Within a bucket the order of insertion holds, and the sort is stable.
    items.sort_by_key(|item| bucket(name(item), buckets));
}

/// Doubled until they are at most three quarters full.
fn buckets(count: usize, buckets_min: u32) -> u32 {
    let mut buckets = buckets_min;
    while (buckets as usize).saturating_mul(3) / 4 < count && buckets < 1 << 30 {
        buckets <<= 1;
    }
    buckets
}

/// The upper half of the hash is mixed into the lower, of which the last bits count.
fn bucket(name: &str, buckets: u32) -> u32 {
    let hash = name
        .encode_utf16()
        .fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    (hash ^ (hash >> 16)) & (buckets - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_the_order_that_kafka_shows_them_in() {
        // As recorded from `kafka-topics.sh --describe` of Kafka 4.3.1, among the 33 settings of a
        // topic.
        let mut names = ["cleanup.policy", "min.insync.replicas", "retention.ms"].to_vec();
        names.sort_by_key(|name| bucket(name, buckets(33, BUCKETS_DEFAULT)));
        assert_eq!(names, ["min.insync.replicas", "cleanup.policy", "retention.ms"]);
        assert_eq!([12, 13, 33].map(|count| buckets(count, BUCKETS_DEFAULT)), [16, 32, 64]);
        // As recorded too, from the topics of a cluster.
        let mut topics = ["__consumer_offsets", "a.b_c", "lab", "nope2", "plain"];
        sort_presized(&mut topics, |name| name);
        assert_eq!(topics, ["a.b_c", "lab", "__consumer_offsets", "nope2", "plain"]);
    }
}
