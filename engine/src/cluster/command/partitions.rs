//! More partitions for a topic; there is no way back, so a wrong number must not slip through.

use crate::cluster::command::error::refuse;
use crate::cluster::command::topics::{cannot_place, check_assignment, new_partition};
use crate::cluster::command::{CommandError, Outcome};
use crate::cluster::dump::partition_record;
use crate::cluster::image::ClusterImage;
use crate::cluster::mutation::Permits;
use crate::cluster::placement::place;
use crate::records::metadata::MetadataRecord;
use crate::types::PartitionIndex;
use crate::types::limits::PARTITIONS_PER_COMMAND_MAX;

/// One topic of CreatePartitions, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrowTopic {
    pub name: String,
    /// How many partitions there are to be altogether.
    pub count: i32,
    /// The replicas of each new partition, where the client chooses them.
    pub assignments: Option<Vec<Vec<i32>>>,
}

pub type GrowAnswers = Vec<(String, Result<(), CommandError>)>;

/// Answers in the order of the topics, duplicates once.
pub fn create_partitions(
    image: &ClusterImage,
    topics: &[GrowTopic],
    validate_only: bool,
    permits: &mut Permits<'_>,
) -> Outcome<GrowAnswers> {
    let mut records = Vec::new();
    let mut answers = GrowAnswers::new();
    for topic in topics {
        if answers.iter().any(|(name, _)| *name == topic.name) {
            continue;
        }
        let twice = topics.iter().filter(|other| other.name == topic.name).count() > 1;
        let answer = if twice {
            Err(refuse!(InvalidRequest, "Duplicate topic name."))
        } else {
            grow(image, topic, permits).map(|mut more| records.append(&mut more))
        };
        answers.push((topic.name.clone(), answer));
    }
    if validate_only {
        records.clear();
    }
    Outcome { records, answers }
}

fn grow(
    image: &ClusterImage,
    wanted: &GrowTopic,
    permits: &mut Permits<'_>,
) -> Result<Vec<MetadataRecord>, CommandError> {
    let GrowTopic { name, count, assignments } = wanted;
    let topic = image.topic_named(name).ok_or_else(|| {
        refuse!(UnknownTopicOrPartition, "This server does not host this topic-partition.")
    })?;
    let before = topic.partition_count();
    let after = usize::try_from(*count).unwrap_or_default();
    if after == before {
        return Err(refuse!(InvalidPartitions, "Topic already has {before} partition(s)."));
    }
    if after < before {
        return Err(refuse!(
            InvalidPartitions,
            "The topic {name} currently has {before} partition(s); {count} would not be an \
             increase."
        ));
    }
    let more = after - before;
    if PARTITIONS_PER_COMMAND_MAX < more {
        return Err(refuse!(
            PolicyViolation,
            "Excessively large number of partitions per request."
        ));
    }
    let given = assignments.as_ref().map_or(more, Vec::len);
    if given != more {
        return Err(refuse!(
            InvalidReplicaAssignment,
            "Attempted to add {more} additional partition(s), but only {given} assignment(s) \
             were specified."
        ));
    }
    permits.take(more)?;
    let factor = topic.replication_factor();
    let replicas = match assignments {
        None => place(image, topic.id, before, more, factor)
            .ok_or_else(|| cannot_place(image, factor))?,
        Some(assignments) => assignments
            .iter()
            .map(|replicas| check_assignment(image, replicas, Some(factor)))
            .collect::<Result<_, _>>()?,
    };
    let mut records = Vec::with_capacity(more);
    for (index, replicas) in (before..).zip(replicas) {
        let index = u32::try_from(index).ok().and_then(PartitionIndex::new);
        let index = index.unwrap_or(PartitionIndex::MAX);
        let partition = new_partition(image, replicas)?;
        records.push(partition_record(topic.id, index, &partition).into());
    }
    Ok(records)
}
