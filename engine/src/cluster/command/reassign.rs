//! Replicas that are to move. A node that is alone has nowhere to move them to: what is asked for is
//! either as it is already, or refused, and nothing is ever under way that could be shown or cancelled.

use crate::cluster::command::CommandError;
use crate::cluster::command::error::refuse;
use crate::cluster::command::topics::check_assignment;
use crate::cluster::image::ClusterImage;
use crate::types::PartitionIndex;

/// `replicas`: where the partition is to be; `None` takes back what was asked for before.
pub fn reassign(
    image: &ClusterImage,
    topic: &str,
    index: i32,
    replicas: Option<&[i32]>,
) -> Result<(), CommandError> {
    let found = image
        .topic_named(topic)
        .ok_or_else(|| refuse!(UnknownTopicOrPartition, "Unable to find a topic named {topic}."))?;
    let partition =
        PartitionIndex::from_wire(index).and_then(|index| found.partition(index)).ok_or_else(
            || refuse!(UnknownTopicOrPartition, "Unable to find partition {topic}:{index}."),
        )?;
    let Some(replicas) = replicas else {
        return Err(refuse!(NoReassignmentInProgress, "No partition reassignment is in progress."));
    };
    let wanted = check_assignment(image, replicas, None)?;
    if wanted != partition.replicas {
        return Err(refuse!(
            InvalidReplicaAssignment,
            "This node is its own cluster, and moves no replicas to or from other brokers."
        ));
    }
    Ok(())
}
