//! Creating topics: the first chance to refuse what could never be served.

use std::collections::{BTreeMap, BTreeSet};

use codec::{UnknownTags, Uuid};

use crate::cluster::command::error::refuse;
use crate::cluster::command::internal_topic::METADATA;
use crate::cluster::command::settings::check_topic_settings;
use crate::cluster::command::{CommandError, Outcome};
use crate::cluster::dump::partition_record;
use crate::cluster::image::ClusterImage;
use crate::cluster::mutation::Permits;
use crate::cluster::placement::place;
use crate::cluster::resource::{ConfigResource, ResourceKind};
use crate::cluster::topic::Partition;
use crate::config::{BrokerConfig, Effective, Overrides};
use crate::records::metadata::{ConfigRecord, MetadataRecord, TopicRecord};
use crate::types::limits::PARTITIONS_PER_COMMAND_MAX;
use crate::types::{BrokerId, LeaderEpoch, PartitionIndex, TopicId, TopicName};

/// One topic as it was asked for: numbers of the request, unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTopic {
    pub name: String,
    /// -1: the broker's default, or as many as `assignments` has.
    pub partitions: i32,
    /// -1: the broker's default, or as many as `assignments` says.
    pub replication_factor: i16,
    /// Partition and replicas, where the client chooses them.
    pub assignments: Vec<(i32, Vec<i32>)>,
    pub configs: Vec<(String, Option<String>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CreatedTopic {
    pub id: TopicId,
    pub partitions: u32,
    pub replication_factor: u16,
    /// All its settings, as CreateTopics answers them.
    pub configs: Vec<Effective>,
}

pub type CreateAnswers = Vec<(String, Result<CreatedTopic, CommandError>)>;

/// Answers in the order of the topics, duplicates once. `new_id` yields identities that no topic has
/// had. With `validate_only` the answers are the same and there are no records.
pub fn create_topics(
    image: &ClusterImage,
    config: &BrokerConfig,
    topics: &[CreateTopic],
    validate_only: bool,
    permits: &mut Permits<'_>,
    new_id: &mut dyn FnMut() -> TopicId,
) -> Outcome<CreateAnswers> {
    let mut records = Vec::new();
    let mut answers = CreateAnswers::new();
    let too_many = too_many(config, topics);
    for topic in topics {
        if answers.iter().any(|(name, _)| *name == topic.name) {
            continue;
        }
        let twice = topics.iter().filter(|other| other.name == topic.name).count() > 1;
        let answer = if twice {
            Err(refuse!(InvalidRequest, "Duplicate topic name."))
        } else if too_many {
            Err(refuse!(PolicyViolation, "Excessively large number of partitions per request."))
        } else {
            create(image, config, topic, permits, new_id())
        };
        let answer = answer.map(|(created, mut more)| {
            records.append(&mut more);
            created
        });
        answers.push((topic.name.clone(), answer));
    }
    if validate_only {
        records.clear();
    }
    Outcome { records, answers }
}

/// One command must fit a reasonable batch of records.
fn too_many(config: &BrokerConfig, topics: &[CreateTopic]) -> bool {
    let wanted = |topic: &CreateTopic| match usize::try_from(topic.partitions) {
        Ok(partitions) => partitions,
        Err(_) if topic.assignments.is_empty() => {
            usize::try_from(config.topics.partitions).unwrap_or(usize::MAX)
        }
        Err(_) => topic.assignments.len(),
    };
    let total = topics.iter().map(wanted).fold(0_usize, usize::saturating_add);
    PARTITIONS_PER_COMMAND_MAX < total
}

fn create(
    image: &ClusterImage,
    config: &BrokerConfig,
    topic: &CreateTopic,
    permits: &mut Permits<'_>,
    id: TopicId,
) -> Result<(CreatedTopic, Vec<MetadataRecord>), CommandError> {
    let name = new_name(image, &topic.name)?;
    let settings = settings(image, config, topic)?;
    let replicas = if topic.assignments.is_empty() {
        placed(image, config, topic, id)?
    } else {
        assigned(image, topic)?
    };
    let mut records = vec![
        TopicRecord {
            name: name.to_string(),
            topic_id: Uuid(id.0),
            unknown_tagged_fields: UnknownTags::default(),
        }
        .into(),
    ];
    let created = CreatedTopic {
        id,
        partitions: u32::try_from(replicas.len()).unwrap_or(u32::MAX),
        replication_factor: u16::try_from(replicas.first().map_or(0, Vec::len)).unwrap_or(u16::MAX),
        configs: effective(image, config, &settings),
    };
    let mut partitions = Vec::with_capacity(replicas.len());
    for (index, replicas) in (0..).zip(replicas) {
        let index = PartitionIndex::new(index).unwrap_or(PartitionIndex::MAX);
        let partition = new_partition(image, replicas)?;
        partitions.push(partition_record(id, index, &partition).into());
    }
    permits.take(partitions.len())?;
    records.extend(settings.into_iter().map(|(key, value)| {
        ConfigRecord {
            resource_type: ResourceKind::Topic.to_wire(),
            resource_name: name.to_string(),
            name: key,
            value: Some(value),
            unknown_tagged_fields: UnknownTags::default(),
        }
        .into()
    }));
    records.append(&mut partitions);
    Ok((created, records))
}

fn new_name(image: &ClusterImage, name: &str) -> Result<TopicName, CommandError> {
    if name == METADATA {
        return Err(refuse!(InvalidRequest, "Creation of internal topic {name} is prohibited."));
    }
    let name = TopicName::new(name)
        .map_err(|error| refuse!(InvalidTopic, "Topic name is invalid: {error}"))?;
    if image.topic_named(name.as_str()).is_some() {
        return Err(refuse!(TopicAlreadyExists, "Topic '{name}' already exists."));
    }
    match image.colliding_topic(&name) {
        None => Ok(name),
        Some(other) => {
            Err(refuse!(InvalidTopic, "Topic '{name}' collides with existing topic: {other}"))
        }
    }
}

/// Of a key that is given twice the last value counts.
fn settings(
    image: &ClusterImage,
    config: &BrokerConfig,
    topic: &CreateTopic,
) -> Result<BTreeMap<String, String>, CommandError> {
    let mut settings = BTreeMap::new();
    let mut null = Vec::new();
    for (key, value) in &topic.configs {
        match value {
            Some(value) => {
                settings.insert(key.clone(), value.clone());
            }
            None => null.push(key.as_str()),
        }
    }
    if !null.is_empty() {
        let keys = null.join(",");
        return Err(refuse!(InvalidConfig, "Null value not supported for topic configs: {keys}"));
    }
    check_topic_settings(image, config, &settings)?;
    Ok(settings)
}

fn effective(
    image: &ClusterImage,
    config: &BrokerConfig,
    settings: &BTreeMap<String, String>,
) -> Vec<Effective> {
    let layers = image.overrides(&ConfigResource::topic(""), config.node_id, &config.statics);
    let mut entries = Effective::topic(Overrides { resource: settings, ..layers });
    // As in Kafka this answer has the client's own text, and not what was read from it.
    for entry in &mut entries {
        if let Some(text) = settings.get(&entry.name) {
            entry.value = Some(text.clone());
        }
    }
    entries
}

fn placed(
    image: &ClusterImage,
    config: &BrokerConfig,
    topic: &CreateTopic,
    id: TopicId,
) -> Result<Vec<Vec<BrokerId>>, CommandError> {
    let count = match topic.partitions {
        -1 => config.topics.partitions,
        wanted => u32::try_from(wanted).unwrap_or_default(),
    };
    let factor = match topic.replication_factor {
        -1 => config.topics.replication_factor,
        wanted => u16::try_from(wanted).unwrap_or_default(),
    };
    if factor == 0 {
        return Err(refuse!(
            InvalidReplicationFactor,
            "Replication factor must be larger than 0, or -1 to use the default value."
        ));
    }
    if count == 0 {
        return Err(refuse!(
            InvalidPartitions,
            "Number of partitions was set to an invalid non-positive value."
        ));
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    place(image, id, 0, count, factor.into()).ok_or_else(|| cannot_place(image, factor.into()))
}

pub(super) fn cannot_place(image: &ClusterImage, factor: usize) -> CommandError {
    let brokers = image.brokers().count();
    if brokers == 0 {
        return refuse!(
            InvalidReplicationFactor,
            "Unable to replicate the partition {factor} time(s): All brokers are currently fenced."
        );
    }
    refuse!(
        InvalidReplicationFactor,
        "Unable to replicate the partition {factor} time(s): The target replication factor of \
         {factor} cannot be reached because only {brokers} broker(s) are registered or some \
         brokers have all their log directories cordoned."
    )
}

fn assigned(image: &ClusterImage, topic: &CreateTopic) -> Result<Vec<Vec<BrokerId>>, CommandError> {
    if topic.replication_factor != -1 {
        return Err(refuse!(
            InvalidRequest,
            "A manual partition assignment was specified, but replication factor was not set to -1."
        ));
    }
    if topic.partitions != -1 {
        return Err(refuse!(
            InvalidRequest,
            "A manual partition assignment was specified, but numPartitions was not set to -1."
        ));
    }
    let mut partitions = BTreeMap::new();
    let mut factor = None;
    for (index, replicas) in &topic.assignments {
        if partitions.contains_key(index) {
            return Err(refuse!(
                InvalidReplicaAssignment,
                "Found multiple manual partition assignments for partition {index}"
            ));
        }
        let replicas = check_assignment(image, replicas, factor)?;
        factor = Some(replicas.len());
        partitions.insert(*index, replicas);
    }
    if !partitions.keys().copied().eq((0..).take(partitions.len())) {
        return Err(refuse!(
            InvalidReplicaAssignment,
            "partitions should be a consecutive 0-based integer sequence"
        ));
    }
    Ok(partitions.into_values().collect())
}

/// `factor`: how many replicas the partitions before have.
pub(super) fn check_assignment(
    image: &ClusterImage,
    replicas: &[i32],
    factor: Option<usize>,
) -> Result<Vec<BrokerId>, CommandError> {
    if replicas.is_empty() {
        return Err(refuse!(
            InvalidReplicaAssignment,
            "The manual partition assignment includes an empty replica list."
        ));
    }
    let mut sorted: Vec<_> = replicas.to_vec();
    sorted.sort_unstable();
    let mut seen = BTreeSet::new();
    for id in sorted {
        if BrokerId::from_wire(id).and_then(|id| image.broker(id)).is_none() {
            return Err(refuse!(
                InvalidReplicaAssignment,
                "The manual partition assignment includes broker {id}, but no such broker is \
                 registered."
            ));
        }
        if !seen.insert(id) {
            return Err(refuse!(
                InvalidReplicaAssignment,
                "The manual partition assignment includes the broker {id} more than once."
            ));
        }
    }
    if let Some(factor) = factor
        && factor != replicas.len()
    {
        let count = replicas.len();
        return Err(refuse!(
            InvalidReplicaAssignment,
            "The manual partition assignment includes a partition with {count} replica(s), but \
             this is not consistent with previous partitions, which have {factor} replica(s)."
        ));
    }
    Ok(replicas.iter().copied().filter_map(BrokerId::from_wire).collect())
}

/// In sync are the replicas on usable brokers; the first of them leads.
pub(super) fn new_partition(
    image: &ClusterImage,
    replicas: Vec<BrokerId>,
) -> Result<Partition, CommandError> {
    let usable = |id: &BrokerId| image.broker(*id).is_some_and(|broker| broker.usable());
    let in_sync: Vec<_> = replicas.iter().copied().filter(usable).collect();
    if in_sync.is_empty() {
        return Err(refuse!(
            InvalidReplicaAssignment,
            "All brokers specified in the manual partition assignment are fenced or in controlled \
             shutdown."
        ));
    }
    let directory = |id: &BrokerId| match image.broker(*id).map(|one| one.directories.as_slice()) {
        Some([only]) => *only,
        Some(_) | None => Uuid::ZERO,
    };
    Ok(Partition {
        directories: replicas.iter().map(directory).collect(),
        leader: in_sync.first().copied(),
        in_sync,
        replicas,
        leader_epoch: LeaderEpoch::ZERO,
        partition_epoch: 0,
        adding_replicas: Vec::new(),
        removing_replicas: Vec::new(),
        leader_recovering: false,
        eligible_leaders: Vec::new(),
        last_known_leaders: Vec::new(),
    })
}
