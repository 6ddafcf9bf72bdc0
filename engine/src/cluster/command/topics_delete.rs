//! Deleting topics, by name or by identity.

use codec::{UnknownTags, Uuid};

use crate::cluster::command::error::refuse;
use crate::cluster::command::{CommandError, Outcome};
use crate::cluster::image::ClusterImage;
use crate::cluster::mutation::Permits;
use crate::config::BrokerConfig;
use crate::records::metadata::RemoveTopicRecord;
use crate::types::{TopicId, TopicName};

/// How a client names a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicRef {
    Name(String),
    Id(TopicId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    pub name: TopicName,
    pub id: TopicId,
}

pub type DeleteAnswers = Vec<(TopicRef, Result<DeletedTopic, CommandError>)>;

/// Answers in the order of the topics, duplicates once.
pub fn delete_topics(
    image: &ClusterImage,
    config: &BrokerConfig,
    topics: &[TopicRef],
    permits: &mut Permits<'_>,
) -> Outcome<DeleteAnswers> {
    let mut records = Vec::new();
    let mut answers = DeleteAnswers::new();
    for topic in topics {
        if answers.iter().any(|(other, _)| other == topic) {
            continue;
        }
        let answer = find(image, config, topics, topic).and_then(|found| {
            let partitions = image.topic(found.id).map_or(0, |topic| topic.partition_count());
            permits.take(partitions).map(|()| found)
        });
        if let Ok(found) = &answer {
            let record = RemoveTopicRecord {
                topic_id: Uuid(found.id.0),
                unknown_tagged_fields: UnknownTags::default(),
            };
            records.push(record.into());
        }
        answers.push((topic.clone(), answer));
    }
    Outcome { records, answers }
}

fn find(
    image: &ClusterImage,
    config: &BrokerConfig,
    topics: &[TopicRef],
    topic: &TopicRef,
) -> Result<DeletedTopic, CommandError> {
    if !config.topics.delete_enabled {
        return Err(refuse!(TopicDeletionDisabled, "Topic deletion is disabled."));
    }
    let what = match topic {
        TopicRef::Name(_) => "name",
        TopicRef::Id(_) => "id",
    };
    if topics.iter().filter(|other| *other == topic).count() > 1 {
        return Err(refuse!(InvalidRequest, "Duplicate topic {what}."));
    }
    let found = resolve(image, topic)?;
    let same = |other: &&TopicRef| resolve(image, other).is_ok_and(|other| other.id == found.id);
    if topics.iter().filter(same).count() > 1 {
        return Err(refuse!(
            InvalidRequest,
            "The provided topic name maps to an ID that was already supplied."
        ));
    }
    Ok(found)
}

fn resolve(image: &ClusterImage, topic: &TopicRef) -> Result<DeletedTopic, CommandError> {
    let found = match topic {
        TopicRef::Name(name) => image.topic_named(name).ok_or_else(|| {
            refuse!(UnknownTopicOrPartition, "This server does not host this topic-partition.")
        })?,
        TopicRef::Id(id) => image
            .topic(*id)
            .ok_or_else(|| refuse!(UnknownTopicId, "This server does not host this topic ID."))?,
    };
    Ok(DeletedTopic { name: found.name.clone(), id: found.id })
}
