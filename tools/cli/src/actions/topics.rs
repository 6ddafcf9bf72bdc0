//! Topics as a user wants to see them: partitions, and the settings that differ from the default.

use std::rc::Rc;

use client::{
    ClientError, TopicMetadata,
    admin::{Admin, ConfigEntry, ConfigResource, ConfigSource},
    check,
};
use regex_lite::Regex;
use serde::Serialize;
use wire::messages::{
    DescribeTopicPartitionsRequest,
    describe_topic_partitions_request::{Cursor, TopicRequest},
};

use crate::exit::Failure;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Topic {
    pub name: String,
    pub id: String,
    pub is_internal: bool,
    pub partitions: Vec<Partition>,
    /// All that differs from the default, wherever it is set; in the order of the answer.
    pub configs: Vec<Setting>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub name: String,
    /// `None` for a password.
    pub value: Option<String>,
    /// Whether it is set for this topic, and not for a broker.
    pub of_topic: bool,
    pub is_default: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Partition {
    pub index: i32,
    pub leader: Option<i32>,
    pub replicas: Vec<i32>,
    pub in_sync: Vec<i32>,
    /// Replicas that left the in-sync set and still have every committed record; `None` if the
    /// broker does not tell.
    pub eligible: Option<Vec<i32>>,
    pub last_known_eligible: Option<Vec<i32>>,
}

impl Topic {
    pub fn replication_factor(&self) -> usize {
        self.partitions.first().map_or(0, |partition| partition.replicas.len())
    }

    pub fn setting(&self, name: &str) -> Option<&str> {
        let found = self.configs.iter().find(|setting| setting.name == name)?;
        found.value.as_deref()
    }

    /// The settings that differ from the defaults.
    pub fn overrides(&self) -> impl Iterator<Item = &Setting> {
        self.configs.iter().filter(|setting| !setting.is_default)
    }

    pub fn replicas_in_sync_min(&self) -> usize {
        self.setting("min.insync.replicas").and_then(|text| text.parse().ok()).unwrap_or(1)
    }
}

impl Partition {
    pub fn is_under_replicated(&self) -> bool {
        self.in_sync.len() < self.replicas.len()
    }

    /// Without a leader among the brokers that live.
    pub fn is_unavailable(&self) -> bool {
        self.leader.is_none()
    }
}

/// Names of topics, chosen by a regular expression over the whole name, or all.
pub struct Selection {
    pattern: Option<Regex>,
    exclude_internal: bool,
}

impl Selection {
    pub fn all(exclude_internal: bool) -> Self {
        Self { pattern: None, exclude_internal }
    }

    /// Commas separate alternatives, as Kafka's tools read them.
    pub fn matching(expression: &str, exclude_internal: bool) -> Result<Self, Failure> {
        let trimmed = expression.trim().trim_matches(['"', '\'']);
        let alternatives = trimmed.replace(',', "|").replace(' ', "");
        let pattern = Regex::new(&format!("^(?:{alternatives})$")).map_err(|error| {
            Failure::usage(format!("{expression:?} is not a regular expression: {error}"))
        })?;
        Ok(Self { pattern: Some(pattern), exclude_internal })
    }

    pub fn includes(&self, name: &str, is_internal: bool) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(name))
            && !(self.exclude_internal && is_internal)
    }
}

/// The selected topics, sorted by name.
pub async fn list(admin: &Admin, selection: &Selection) -> Result<Vec<Rc<TopicMetadata>>, Failure> {
    let mut topics = admin.topics(None).await?;
    topics.retain(|topic| selection.includes(&topic.name, topic.is_internal));
    topics.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(topics)
}

/// The partitions that one answer may hold; more come in further answers.
const PARTITIONS_PER_ANSWER: i32 = 2000;

/// Describes the named topics; one that is not there is an error.
pub async fn describe(
    admin: &Admin,
    names: &[String],
    partitions_per_answer: Option<i32>,
) -> Result<Vec<Topic>, Failure> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let limit = partitions_per_answer.unwrap_or(PARTITIONS_PER_ANSWER);
    let mut topics = match ask_partitions(admin, names, limit).await {
        Err(ClientError::Call(client::CallError::Unsupported { .. })) => {
            from_metadata(admin.topics(Some(names)).await?)?
        }
        other => other?,
    };
    for topic in &mut topics {
        let entries = admin.describe_configs(&ConfigResource::topic(&topic.name), None).await?;
        topic.configs = entries.into_iter().map(setting).collect();
    }
    Ok(topics)
}

async fn ask_partitions(
    admin: &Admin,
    names: &[String],
    response_partition_limit: i32,
) -> Result<Vec<Topic>, ClientError> {
    let named = |name: &String| TopicRequest { name: name.clone(), ..TopicRequest::default() };
    let mut request = DescribeTopicPartitionsRequest {
        topics: names.iter().map(named).collect(),
        response_partition_limit,
        ..DescribeTopicPartitionsRequest::default()
    };
    let mut topics: Vec<Topic> = Vec::with_capacity(names.len());
    loop {
        let ask = async || {
            let response = admin.client().call(client::Target::Any, &request).await?;
            for topic in &response.topics {
                let name = topic.name.as_deref().unwrap_or_default();
                check(topic.error_code, None, || format!("describe topic {name:?}"))?;
            }
            Ok::<_, ClientError>(response)
        };
        let response = admin.client().retry().run(ask).await?;
        for answered in response.topics {
            let name = answered.name.unwrap_or_default();
            let partitions = answered.partitions.into_iter().map(|partition| Partition {
                index: partition.partition_index,
                leader: (partition.leader_id >= 0).then_some(partition.leader_id),
                replicas: partition.replica_nodes,
                in_sync: partition.isr_nodes,
                eligible: Some(partition.eligible_leader_replicas.unwrap_or_default()),
                last_known_eligible: Some(partition.last_known_elr.unwrap_or_default()),
            });
            match topics.last_mut().filter(|last| last.name == name) {
                Some(last) => last.partitions.extend(partitions),
                None => topics.push(Topic {
                    partitions: partitions.collect(),
                    id: answered.topic_id.to_string(),
                    is_internal: answered.is_internal,
                    configs: Vec::new(),
                    name,
                }),
            }
        }
        let Some(cursor) = response.next_cursor else { return Ok(topics) };
        // The topics before the cursor are answered.
        request.topics.retain(|topic| topic.name >= cursor.topic_name);
        request.cursor = Some(Cursor {
            topic_name: cursor.topic_name.clone(),
            partition_index: cursor.partition_index,
            ..Cursor::default()
        });
    }
}

fn from_metadata(found: Vec<Rc<TopicMetadata>>) -> Result<Vec<Topic>, Failure> {
    let mut topics = Vec::with_capacity(found.len());
    for topic in found {
        check(topic.error_code, None, || format!("describe topic {:?}", topic.name))?;
        let partitions = topic.partitions.iter().map(|partition| Partition {
            index: partition.index,
            leader: partition.leader,
            replicas: partition.replicas.clone(),
            in_sync: partition.in_sync_replicas.clone(),
            eligible: None,
            last_known_eligible: None,
        });
        topics.push(Topic {
            id: topic.id.to_string(),
            is_internal: topic.is_internal,
            partitions: partitions.collect(),
            configs: Vec::new(),
            name: topic.name.clone(),
        });
    }
    Ok(topics)
}

fn setting(entry: ConfigEntry) -> Setting {
    Setting {
        of_topic: entry.source == ConfigSource::Topic,
        is_default: entry.source == ConfigSource::Default,
        name: entry.name,
        value: entry.value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_must_match_the_whole_name() {
        let selection = Selection::matching("la.*,x", true).unwrap();
        assert!(selection.includes("lab", false) && selection.includes("x", false));
        assert!(!selection.includes("a-lab", false) && !selection.includes("xy", false));
        assert!(!selection.includes("lab", true), "internal topics are left out");
        assert!(Selection::matching("(", true).is_err());
    }
}
