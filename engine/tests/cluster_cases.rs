//! The controller's commands answer as Apache Kafka's do: `cluster_cases.txt` has what a real broker
//! answered, line by line, and this test gives the same commands to ours.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says that it failed by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;

use engine::cluster::command::{
    self, CommandError, CommandErrorKind, ConfigChange, ConfigOperation, CreateTopic, GrowTopic,
    Outcome, Registration, ResourceChange, ResourceReplacement, TopicRef,
};
use engine::cluster::{ClusterImage, ConfigResource, Endpoint, Permits, ResourceKind};
use engine::config::{BrokerConfig, Effective, ValueKind};
use engine::types::{BrokerId, Offset, TopicId};

const CASES: &str = include_str!("cluster_cases.txt");
const PROPERTIES: &str = include_str!("cluster_cases.properties");

struct Node {
    image: ClusterImage,
    config: BrokerConfig,
    topics: u8,
}

impl Node {
    fn new() -> Self {
        let read = BrokerConfig::from_properties(PROPERTIES.as_bytes(), Path::new("/"));
        let config = read.expect("the file is one that Kafka starts with").0;
        let mut node = Self { image: ClusterImage::new("cases"), config, topics: 0 };
        node.commit(command::format(&node.config));
        let registration = Registration {
            id: node.config.node_id,
            incarnation: codec::Uuid([7; 16]),
            endpoints: vec![Endpoint {
                name: "PLAINTEXT".into(),
                host: "127.0.0.1".into(),
                port: 21310,
                security_protocol: 0,
            }],
            rack: None,
            directories: vec![codec::Uuid([8; 16])],
        };
        let offset = Offset::new(14).unwrap();
        let registered =
            command::register_broker(&node.image, &registration, offset, false).unwrap();
        node.commit(registered.records);
        let unfenced = command::unfence_broker(&node.image, node.config.node_id);
        node.commit(unfenced.records);
        node
    }

    fn commit(&mut self, records: Vec<engine::records::metadata::MetadataRecord>) {
        for record in &records {
            self.image.apply(record).unwrap();
        }
    }

    fn commit_outcome<A>(&mut self, outcome: Outcome<A>) -> A {
        self.commit(outcome.records);
        outcome.answers
    }

    fn run(&mut self, line: &str) -> Vec<String> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split(' ').filter(|word| !word.is_empty()).collect();
        match verb {
            "create" => self.create(&words),
            "delete" => self.delete(&words),
            "grow" => self.grow(&words),
            "alter" => self.alter(&words),
            "replace" => self.replace(&words),
            "describe" => self.describe(&words),
            other => panic!("{other}"),
        }
    }

    fn create(&mut self, words: &[&str]) -> Vec<String> {
        let mut topics: Vec<CreateTopic> = Vec::new();
        for word in words.iter().filter(|word| **word != "validate") {
            if let Some(name) = word.strip_prefix("topic:") {
                topics.push(CreateTopic {
                    name: name.into(),
                    partitions: -1,
                    replication_factor: -1,
                    assignments: Vec::new(),
                    configs: Vec::new(),
                });
                continue;
            }
            let topic = topics.last_mut().unwrap();
            match word.split_once('=').unwrap() {
                ("partitions", count) => topic.partitions = count.parse().unwrap(),
                ("factor", count) => topic.replication_factor = count.parse().unwrap(),
                ("assign", parts) => {
                    for part in parts.split(';') {
                        let (index, replicas) = part.split_once(':').unwrap();
                        topic.assignments.push((index.parse().unwrap(), numbers(replicas)));
                    }
                }
                (key, text) => topic.configs.push((key.into(), value(text))),
            }
        }
        let mut next = self.topics;
        let outcome = command::create_topics(
            &self.image,
            &self.config,
            &topics,
            words.contains(&"validate"),
            &mut Permits::unlimited(),
            &mut || {
                next += 1;
                TopicId([next; 16])
            },
        );
        self.topics = next;
        let mut answers = self.commit_outcome(outcome);
        answers.sort_by(|left, right| left.0.cmp(&right.0));
        let line =
            |(name, answer): (String, Result<command::CreatedTopic, CommandError>)| match answer {
                Err(error) => format!("{name} {}", described(&error)),
                Ok(created) => format!(
                    "{name} NONE partitions={} factor={} id=some",
                    created.partitions, created.replication_factor
                ),
            };
        answers.into_iter().map(line).collect()
    }

    fn delete(&mut self, words: &[&str]) -> Vec<String> {
        let topic = |word: &&str| match word.strip_prefix("id:") {
            Some(_) => TopicRef::Id(TopicId([255; 16])),
            None => TopicRef::Name((*word).into()),
        };
        let topics: Vec<_> = words.iter().map(topic).collect();
        let outcome =
            command::delete_topics(&self.image, &self.config, &topics, &mut Permits::unlimited());
        let mut lines: Vec<_> = self
            .commit_outcome(outcome)
            .into_iter()
            .map(|(topic, answer)| {
                let name = match topic {
                    TopicRef::Name(name) => name,
                    TopicRef::Id(_) => "null".into(),
                };
                format!("{name} {}", result(answer.map(drop)))
            })
            .collect();
        lines.sort();
        lines
    }

    fn grow(&mut self, words: &[&str]) -> Vec<String> {
        let mut topics: Vec<GrowTopic> = Vec::new();
        for word in words.iter().filter(|word| **word != "validate") {
            if let Some(name) = word.strip_prefix("topic:") {
                topics.push(GrowTopic { name: name.into(), count: 0, assignments: None });
                continue;
            }
            let topic = topics.last_mut().unwrap();
            match word.split_once('=').unwrap() {
                ("count", count) => topic.count = count.parse().unwrap(),
                (_, parts) => topic.assignments = Some(parts.split(';').map(numbers).collect()),
            }
        }
        let validate = words.contains(&"validate");
        let outcome =
            command::create_partitions(&self.image, &topics, validate, &mut Permits::unlimited());
        let answers = self.commit_outcome(outcome);
        let mut lines: Vec<_> = answers
            .into_iter()
            .map(|(name, answer)| format!("{name} {}", result(answer)))
            .collect();
        lines.sort();
        lines
    }

    fn alter(&mut self, words: &[&str]) -> Vec<String> {
        let mut resources: Vec<ResourceChange> = Vec::new();
        for word in words.iter().filter(|word| **word != "validate") {
            let (head, rest) = word.split_once(':').unwrap();
            let operation = match head {
                "set" => ConfigOperation::Set,
                "delete" => ConfigOperation::Delete,
                "append" => ConfigOperation::Append,
                "subtract" => ConfigOperation::Subtract,
                kind => {
                    let resource = ConfigResource::new(resource_kind(kind), rest);
                    resources.push(ResourceChange { resource, changes: Vec::new() });
                    continue;
                }
            };
            let (name, text) = match rest.split_once('=') {
                Some((name, text)) => (name, value(text)),
                None => (rest, None),
            };
            let change = ConfigChange { name: name.into(), operation, value: text };
            resources.last_mut().unwrap().changes.push(change);
        }
        let validate = words.contains(&"validate");
        let outcome = command::alter_configs(&self.image, &self.config, &resources, validate);
        self.config_lines(outcome)
    }

    fn replace(&mut self, words: &[&str]) -> Vec<String> {
        let mut resources: Vec<ResourceReplacement> = Vec::new();
        for word in words.iter().filter(|word| **word != "validate") {
            match word.split_once('=') {
                Some((name, text)) => {
                    let settings = &mut resources.last_mut().unwrap().settings;
                    settings.push((name.into(), value(text)));
                }
                None => {
                    let (kind, name) = word.split_once(':').unwrap();
                    let resource = ConfigResource::new(resource_kind(kind), name);
                    resources.push(ResourceReplacement { resource, settings: Vec::new() });
                }
            }
        }
        let validate = words.contains(&"validate");
        let outcome = command::replace_configs(&self.image, &self.config, &resources, validate);
        self.config_lines(outcome)
    }

    fn config_lines(&mut self, outcome: Outcome<command::ConfigAnswers>) -> Vec<String> {
        let mut lines: Vec<_> = self
            .commit_outcome(outcome)
            .into_iter()
            .map(|(resource, answer)| format!("{} {}", named(&resource), result(answer)))
            .collect();
        lines.sort();
        lines
    }

    /// Without the keys that Kafka does not have.
    fn describe(&self, words: &[&str]) -> Vec<String> {
        let (kind, name) = words[0].split_once(':').unwrap();
        let resource = ConfigResource::new(resource_kind(kind), name);
        let described = command::describe_configs(&self.image, &self.config, &resource);
        let entries = match described {
            Err(error) => return vec![format!("{} {}", named(&resource), self::described(&error))],
            Ok(entries) => entries,
        };
        let mut lines = vec![format!("{} NONE", named(&resource))];
        let keys = &words[1..];
        let mut shown: Vec<_> = entries
            .iter()
            .filter(|one| !one.name.starts_with("corelog."))
            .filter(|one| keys.is_empty() || keys.contains(&one.name.as_str()))
            .map(entry)
            .collect();
        shown.sort();
        lines.extend(shown);
        lines
    }
}

fn entry(entry: &Effective) -> String {
    let null = || "null".to_owned();
    let synonyms: Vec<_> = entry
        .synonyms
        .iter()
        .map(|one| {
            let value = one.value.clone().unwrap_or_else(null);
            format!("{}={value}@{}", one.name, one.source.code())
        })
        .collect();
    format!(
        "{}={} source={}{}{} type={} [{}]",
        entry.name,
        entry.value.clone().unwrap_or_else(null),
        entry.source.code(),
        if entry.read_only { " read-only" } else { "" },
        if entry.sensitive { " sensitive" } else { "" },
        entry.kind.map_or(0, ValueKind::to_wire),
        synonyms.join(" ")
    )
}

fn result(answer: Result<(), CommandError>) -> String {
    answer.map_or_else(|error| described(&error), |()| "NONE".to_owned())
}

fn described(error: &CommandError) -> String {
    let name = match error.kind {
        CommandErrorKind::ThrottlingQuotaExceeded => "THROTTLING_QUOTA_EXCEEDED",
        CommandErrorKind::ResourceNotFound => "RESOURCE_NOT_FOUND",
        CommandErrorKind::DuplicateResource => "DUPLICATE_RESOURCE",
        CommandErrorKind::UnacceptableCredential => "UNACCEPTABLE_CREDENTIAL",
        CommandErrorKind::UnsupportedSaslMechanism => "UNSUPPORTED_SASL_MECHANISM",
        CommandErrorKind::UnknownTopicOrPartition => "UNKNOWN_TOPIC_OR_PARTITION",
        CommandErrorKind::InvalidTopic => "INVALID_TOPIC_EXCEPTION",
        CommandErrorKind::InvalidRequest => "INVALID_REQUEST",
        CommandErrorKind::TopicAlreadyExists => "TOPIC_ALREADY_EXISTS",
        CommandErrorKind::InvalidPartitions => "INVALID_PARTITIONS",
        CommandErrorKind::InvalidReplicationFactor => "INVALID_REPLICATION_FACTOR",
        CommandErrorKind::InvalidReplicaAssignment => "INVALID_REPLICA_ASSIGNMENT",
        CommandErrorKind::InvalidConfig => "INVALID_CONFIG",
        CommandErrorKind::PolicyViolation => "POLICY_VIOLATION",
        CommandErrorKind::TopicDeletionDisabled => "TOPIC_DELETION_DISABLED",
        CommandErrorKind::StaleBrokerEpoch => "STALE_BROKER_EPOCH",
        CommandErrorKind::PreferredLeaderNotAvailable => "PREFERRED_LEADER_NOT_AVAILABLE",
        CommandErrorKind::EligibleLeadersNotAvailable => "ELIGIBLE_LEADERS_NOT_AVAILABLE",
        CommandErrorKind::ElectionNotNeeded => "ELECTION_NOT_NEEDED",
        CommandErrorKind::NoReassignmentInProgress => "NO_REASSIGNMENT_IN_PROGRESS",
        CommandErrorKind::UnknownTopicId => "UNKNOWN_TOPIC_ID",
        CommandErrorKind::DuplicateBrokerRegistration => "DUPLICATE_BROKER_REGISTRATION",
        CommandErrorKind::BrokerIdNotRegistered => "BROKER_ID_NOT_REGISTERED",
        CommandErrorKind::UnsupportedVersion => "UNSUPPORTED_VERSION",
        CommandErrorKind::UnknownServerError => "UNKNOWN_SERVER_ERROR",
    };
    format!("{name} \"{}\"", error.message)
}

fn named(resource: &ConfigResource) -> String {
    let kind = match resource.kind {
        ResourceKind::Topic => "topic".to_owned(),
        ResourceKind::Broker => "broker".to_owned(),
        ResourceKind::BrokerLogger => "broker-logger".to_owned(),
        ResourceKind::ClientMetrics => "client-metrics".to_owned(),
        ResourceKind::Group => "group".to_owned(),
        ResourceKind::Other(code) => code.to_string(),
    };
    format!("{kind}:{}", resource.name)
}

fn resource_kind(name: &str) -> ResourceKind {
    match name {
        "topic" => ResourceKind::Topic,
        "broker" => ResourceKind::Broker,
        "broker-logger" => ResourceKind::BrokerLogger,
        "client-metrics" => ResourceKind::ClientMetrics,
        "group" => ResourceKind::Group,
        code => ResourceKind::from_wire(code.parse().unwrap()),
    }
}

fn value(text: &str) -> Option<String> {
    (text != "null").then(|| text.to_owned())
}

fn numbers(text: &str) -> Vec<i32> {
    text.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().unwrap()).collect()
}

#[test]
fn every_command_is_answered_as_kafka_answers_it() {
    let mut node = Node::new();
    let mut lines = CASES.lines().peekable();
    let mut wrong = Vec::new();
    let mut commands = 0;
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut expected = Vec::new();
        while let Some(answer) = lines.next_if(|line| line.starts_with("  ")) {
            expected.push(answer[2..].to_owned());
        }
        commands += 1;
        let found = node.run(line);
        let found: BTreeMap<_, _> = found.iter().enumerate().collect();
        for (at, expected) in expected.iter().enumerate() {
            match found.get(&at) {
                Some(found) if same(found, expected) => {}
                found => wrong.push(format!("{line}\n  kafka {expected}\n  ours  {found:?}")),
            }
        }
        if found.len() != expected.len() {
            wrong.push(format!(
                "{line}\n  kafka {} answers\n  ours  {}",
                expected.len(),
                found.len()
            ));
        }
    }
    assert!(150 < commands, "{commands}");
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

/// Of these refusals only the code counts: the words are ours.
const OWN_WORDS: [&str; 1] = ["share.auto.offset.reset"];

/// Kafka changes these while it runs; ours are read at the start only, and refused as such.
const AT_START_ONLY: [&str; 2] = ["listeners", "listener.security.protocol.map"];

/// Kafka leaves some messages out; ours says something.
fn same(found: &str, expected: &str) -> bool {
    let read_at_start = |key: &str| {
        expected.starts_with(&format!("{key}=")) && found.replace(" read-only", "") == expected
            || expected.ends_with(&format!("must be specified: [{key}]\""))
                && found.ends_with(&format!("dynamically: [{key}]\""))
    };
    if AT_START_ONLY.iter().any(|key| read_at_start(key)) {
        return true;
    }
    let code = |line: &str| line.split(" \"").next().unwrap_or_default().to_owned();
    let own = OWN_WORDS.iter().any(|key| expected.contains(&format!("configuration {key}")));
    let silent = own || !expected.contains(" \"") || expected.ends_with("\"\"");
    found == expected || silent && code(found) == code(expected)
}

#[test]
fn the_broker_of_the_cases_is_the_only_one() {
    let node = Node::new();
    let ids: Vec<BrokerId> = node.image.brokers().map(|broker| broker.id).collect();
    assert_eq!(ids, [node.config.node_id]);
}
