//! Topics and their partitions.

use std::rc::Rc;

use wire::{
    Uuid,
    messages::{
        CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
        create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic},
        create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig},
        delete_topics_request::DeleteTopicState,
    },
};

use super::{Admin, Outcomes};
use crate::{ClientError, Target, TopicMetadata, check};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    /// `None` leaves it to the broker's `num.partitions`.
    pub partitions: Option<i32>,
    /// `None` leaves it to the broker's `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// The brokers of each partition, by its index; replaces the two numbers above.
    pub assignment: Vec<Vec<i32>>,
    pub configs: Vec<(String, String)>,
}

/// How many partitions a topic shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPartitions {
    pub topic: String,
    /// With those that it has already.
    pub total: i32,
    /// The brokers of each partition that is new; `None` leaves them to the controller.
    pub assignment: Option<Vec<Vec<i32>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    pub id: Uuid,
    /// `None` if the broker does not say, or may not.
    pub partitions: Option<i32>,
    pub replication_factor: Option<i16>,
}

impl Admin {
    /// All topics, or the named ones; each with its own error code.
    pub async fn topics(
        &self,
        names: Option<&[String]>,
    ) -> Result<Vec<Rc<TopicMetadata>>, ClientError> {
        let ask = async || Ok::<_, ClientError>(self.client.ask_metadata(names).await?);
        let metadata = self.client.retry().run(ask).await?;
        let wanted =
            |topic: &&Rc<TopicMetadata>| names.is_none_or(|names| names.contains(&topic.name));
        Ok(metadata.topics.values().filter(wanted).cloned().collect())
    }

    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Result<Outcomes<String, CreatedTopic>, ClientError> {
        let request = CreateTopicsRequest {
            topics: topics.iter().map(creatable).collect(),
            timeout_ms: self.timeout_ms(),
            validate_only,
            ..CreateTopicsRequest::default()
        };
        let ask = async || Ok::<_, ClientError>(self.client.call(Target::Any, &request).await?);
        let response = self.client.retry().run(ask).await?;
        let outcomes = response.topics.into_iter().map(|topic| {
            let doing = || format!("create topic {:?}", topic.name);
            let result = check(topic.error_code, topic.error_message.as_deref(), doing);
            let created = CreatedTopic {
                id: topic.topic_id,
                partitions: (topic.num_partitions >= 0).then_some(topic.num_partitions),
                replication_factor: (topic.replication_factor >= 0)
                    .then_some(topic.replication_factor),
            };
            (topic.name, result.map(|()| created))
        });
        Ok(outcomes.collect())
    }

    pub async fn delete_topics(
        &self,
        names: &[String],
    ) -> Result<Outcomes<String, ()>, ClientError> {
        let ask = async || {
            let connection = self.client.connection(Target::Any).await?;
            let version = connection.version::<DeleteTopicsRequest>()?;
            let mut request = DeleteTopicsRequest {
                timeout_ms: self.timeout_ms(),
                ..DeleteTopicsRequest::default()
            };
            if version >= 6 {
                let state = |name: &String| DeleteTopicState {
                    name: Some(name.clone()),
                    ..DeleteTopicState::default()
                };
                request.topics = names.iter().map(state).collect();
            } else {
                request.topic_names = names.to_vec();
            }
            Ok::<_, ClientError>(connection.call_in_version(version, &request).await?)
        };
        let response = self.client.retry().run(ask).await?;
        let outcomes = response.responses.into_iter().map(|topic| {
            let name = topic.name.unwrap_or_default();
            self.client.forget(&name);
            let doing = || format!("delete topic {name:?}");
            let result = check(topic.error_code, topic.error_message.as_deref(), doing);
            (name, result)
        });
        Ok(outcomes.collect())
    }

    /// Grows topics to a number of partitions.
    pub async fn create_partitions(
        &self,
        topics: &[NewPartitions],
        validate_only: bool,
    ) -> Result<Outcomes<String, ()>, ClientError> {
        let topic = |topic: &NewPartitions| {
            let brokers = |brokers: &Vec<i32>| CreatePartitionsAssignment {
                broker_ids: brokers.clone(),
                ..CreatePartitionsAssignment::default()
            };
            CreatePartitionsTopic {
                name: topic.topic.clone(),
                count: topic.total,
                assignments: topic
                    .assignment
                    .as_ref()
                    .map(|list| list.iter().map(brokers).collect()),
                ..CreatePartitionsTopic::default()
            }
        };
        let request = CreatePartitionsRequest {
            topics: topics.iter().map(topic).collect(),
            timeout_ms: self.timeout_ms(),
            validate_only,
            ..CreatePartitionsRequest::default()
        };
        let ask = async || Ok::<_, ClientError>(self.client.call(Target::Any, &request).await?);
        let response = self.client.retry().run(ask).await?;
        let outcomes = response.results.into_iter().map(|topic| {
            self.client.forget(&topic.name);
            let doing = || format!("add partitions to topic {:?}", topic.name);
            let result = check(topic.error_code, topic.error_message.as_deref(), doing);
            (topic.name, result)
        });
        Ok(outcomes.collect())
    }
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let assignment = |(index, brokers): (usize, &Vec<i32>)| CreatableReplicaAssignment {
        partition_index: i32::try_from(index).unwrap_or(i32::MAX),
        broker_ids: brokers.clone(),
        ..CreatableReplicaAssignment::default()
    };
    let config = |(name, value): &(String, String)| CreatableTopicConfig {
        name: name.clone(),
        value: Some(value.clone()),
        ..CreatableTopicConfig::default()
    };
    // With an assignment both numbers must be -1, which is also how they are left open.
    let is_assigned = !topic.assignment.is_empty();
    CreatableTopic {
        name: topic.name.clone(),
        num_partitions: topic.partitions.filter(|_| !is_assigned).unwrap_or(-1),
        replication_factor: topic.replication_factor.filter(|_| !is_assigned).unwrap_or(-1),
        assignments: topic.assignment.iter().enumerate().map(assignment).collect(),
        configs: topic.configs.iter().map(config).collect(),
        ..CreatableTopic::default()
    }
}
