//! Who stores a partition: which brokers hold its replicas, and which core of this node owns it.
//! Both are spread evenly, and the second never moves while the number of cores stays.

use std::collections::{BTreeMap, VecDeque};

use crate::cluster::image::ClusterImage;
use crate::types::{BrokerId, CoreId, PartitionId, TopicId};

/// The core that owns a partition, of `cores` cores. Consecutive partitions of a topic lie on
/// consecutive cores; topics start at different ones, so that many small topics spread too.
///
/// # Panics
/// If there are no cores.
pub fn owner(partition: PartitionId, cores: u16) -> CoreId {
    assert!(0 < cores, "a node has at least one core");
    let place = start(partition.topic).wrapping_add(u64::from(partition.index.get()));
    CoreId(u16::try_from(place % u64::from(cores)).unwrap_or_default())
}

/// A number that is different for most topics and always the same for one (FNV-1a).
fn start(topic: TopicId) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = topic.0.iter().fold(0xcbf2_9ce4_8422_2325, mix);
    (hash >> 32) ^ (hash & 0xffff_ffff)
}

/// The replicas of `count` partitions of a topic from index `first` on, preferred leader first.
/// `None` if there are fewer than `factor` brokers.
///
/// Leaders go round robin. The other replicas follow at a distance that grows each round, so that
/// the partitions of a broker that fails are taken over by all others and not by one. Racks take
/// turns, so that replicas lie on different racks where there are enough. Fenced brokers are used
/// only where the others are too few.
pub fn place(
    image: &ClusterImage,
    topic: TopicId,
    first: usize,
    count: usize,
    factor: usize,
) -> Option<Vec<Vec<BrokerId>>> {
    let brokers = candidates(image, factor)?;
    let offset = usize::try_from(start(topic) % 0xffff).unwrap_or_default();
    let indexes = first..first + count;
    Some(indexes.map(|index| replicas(&brokers, offset + index, factor)).collect())
}

fn replicas(brokers: &[Candidate<'_>], place: usize, factor: usize) -> Vec<BrokerId> {
    let width = brokers.len();
    let leader = place % width;
    let shift = place / width;
    let follower = |nth: usize| (leader + 1 + (shift + nth) % (width - 1)) % width;
    let order = std::iter::once(leader).chain((0..width - 1).map(follower));
    let mut rest: VecDeque<_> = order.filter_map(|at| brokers.get(at)).collect();
    let mut chosen: Vec<&Candidate<'_>> = Vec::with_capacity(factor);
    while chosen.len() < factor {
        let fresh = |one: &&Candidate<'_>| chosen.iter().all(|other| other.rack != one.rack);
        let at = rest.iter().position(fresh).unwrap_or_default();
        match rest.remove(at) {
            Some(next) => chosen.push(next),
            None => break,
        }
    }
    chosen.iter().map(|one| one.id).collect()
}

struct Candidate<'a> {
    id: BrokerId,
    rack: Option<&'a str>,
}

/// Usable brokers with their racks taking turns, or all brokers if those are too few.
fn candidates(image: &ClusterImage, factor: usize) -> Option<Vec<Candidate<'_>>> {
    let mut racks: BTreeMap<Option<&str>, VecDeque<Candidate<'_>>> = BTreeMap::new();
    let usable = image.brokers().filter(|broker| broker.usable()).count();
    for broker in image.brokers() {
        if broker.usable() || usable < factor {
            let candidate = Candidate { id: broker.id, rack: broker.rack.as_deref() };
            racks.entry(candidate.rack).or_default().push_back(candidate);
        }
    }
    let mut order = Vec::new();
    while !racks.is_empty() {
        for queue in racks.values_mut() {
            order.extend(queue.pop_front());
        }
        racks.retain(|_, queue| !queue.is_empty());
    }
    (0 < factor && factor <= order.len()).then_some(order)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use codec::Uuid;

    use super::*;
    use crate::cluster::Broker;
    use crate::types::PartitionIndex;

    fn cluster(racks: &[Option<&str>]) -> ClusterImage {
        let mut image = ClusterImage::new("c");
        for (id, rack) in (0..).zip(racks) {
            let id = BrokerId::new(id).unwrap();
            let broker = Broker {
                id,
                epoch: 0,
                incarnation: Uuid::ZERO,
                endpoints: Vec::new(),
                features: BTreeMap::new(),
                rack: rack.map(ToOwned::to_owned),
                fenced: false,
                in_controlled_shutdown: false,
                directories: Vec::new(),
                cordoned_directories: None,
            };
            image.brokers.insert(id, Arc::new(broker));
        }
        image
    }

    fn partition(topic: u8, index: u32) -> PartitionId {
        PartitionId { topic: TopicId([topic; 16]), index: PartitionIndex::new(index).unwrap() }
    }

    #[test]
    fn consecutive_partitions_of_a_topic_spread_over_the_cores() {
        let owners: Vec<_> = (0..8).map(|index| owner(partition(7, index), 4).0).collect();
        for core in 0..4 {
            assert_eq!(owners.iter().filter(|one| **one == core).count(), 2, "{owners:?}");
        }
    }

    #[test]
    fn topics_with_one_partition_spread_over_the_cores() {
        let mut counts = [0; 4];
        for topic in 0..=255 {
            counts[usize::from(owner(partition(topic, 0), 4).0)] += 1;
        }
        assert!(counts.iter().all(|count| 40 <= *count), "{counts:?}");
    }

    #[test]
    fn replicas_are_distinct_and_leaders_take_turns() {
        let image = cluster(&[None; 5]);
        let placed = place(&image, TopicId([3; 16]), 0, 20, 3).unwrap();
        let mut leaders = BTreeMap::new();
        let mut second = BTreeMap::new();
        for replicas in &placed {
            let mut sorted = replicas.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!(sorted.len(), 3);
            *leaders.entry(replicas[0]).or_insert(0) += 1;
            second.entry(replicas[0]).or_insert_with(Vec::new).push(replicas[1]);
        }
        assert!(leaders.values().all(|count| *count == 4));
        for mut followers in second.into_values() {
            followers.sort();
            followers.dedup();
            assert_eq!(followers.len(), 4, "every other broker follows once");
        }
    }

    #[test]
    fn two_replicas_lie_on_two_racks() {
        let racks = [Some("a"), Some("a"), Some("b"), Some("b")];
        let placed = place(&cluster(&racks), TopicId([1; 16]), 0, 4, 2).unwrap();
        for replicas in placed {
            assert_ne!(replicas[0].get() / 2, replicas[1].get() / 2, "{replicas:?}");
        }
    }

    #[test]
    fn too_few_brokers_hold_nothing() {
        assert_eq!(place(&cluster(&[None]), TopicId([1; 16]), 0, 1, 2), None);
        assert_eq!(place(&cluster(&[]), TopicId([1; 16]), 0, 1, 1), None);
    }
}
