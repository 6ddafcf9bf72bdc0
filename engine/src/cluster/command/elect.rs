//! Elections that somebody asks for. A node elects by itself whom it can, when a broker comes or goes;
//! an election that is asked for finds the leader there, or nobody who could be one.

use crate::cluster::command::error::refuse;
use crate::cluster::command::{CommandError, CommandErrorKind};
use crate::cluster::image::ClusterImage;
use crate::cluster::topic::{Partition, Topic};
use crate::types::{BrokerId, PartitionIndex};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Election {
    /// The first of the replicas is to lead.
    Preferred,
    /// Anybody is to lead, if nobody does.
    Unclean,
}

/// Why the partition's leader stays who it is.
pub fn elect(image: &ClusterImage, election: Election, topic: &str, index: i32) -> CommandError {
    let Some(found) = image.topic_named(topic) else {
        return refuse!(UnknownTopicOrPartition, "No such topic as {topic}");
    };
    match PartitionIndex::from_wire(index).and_then(|index| found.partition(index)) {
        Some(partition) => refused(election, partition),
        None => refuse!(UnknownTopicOrPartition, "No such partition as {topic}-{index}"),
    }
}

/// Partitions that have no leader as it is asked for, and why none can be elected.
pub fn elect_everywhere<'image>(
    election: Election,
    topic: &'image Topic,
) -> impl Iterator<Item = (PartitionIndex, CommandError)> + use<'image> {
    topic.partitions.iter().filter_map(move |(index, partition)| {
        let refused = refused(election, partition);
        (refused.kind != CommandErrorKind::ElectionNotNeeded).then_some((*index, refused))
    })
}

fn refused(election: Election, partition: &Partition) -> CommandError {
    let is_led_as_asked = match election {
        Election::Preferred => partition.leader.is_some_and(|leader| is_first(partition, leader)),
        Election::Unclean => partition.leader.is_some(),
    };
    if is_led_as_asked {
        return refuse!(ElectionNotNeeded, "Leader election not needed for topic partition.");
    }
    match election {
        Election::Preferred => {
            refuse!(PreferredLeaderNotAvailable, "The preferred leader was not available.")
        }
        Election::Unclean => refuse!(
            EligibleLeadersNotAvailable,
            "Eligible topic partition leaders are not available."
        ),
    }
}

fn is_first(partition: &Partition, leader: BrokerId) -> bool {
    partition.replicas.first() == Some(&leader)
}
