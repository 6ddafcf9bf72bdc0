//! Settings of clients as Kafka's tools take them, `key=value`. A key that this client does not
//! have is refused: one that is silently ignored may cost somebody the safety it stands for.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use client::batch::Compression;
use client::consumer::{ConsumerOptions, GroupOptions, OffsetReset};
use client::group::Assignors;
use client::producer::{Acks, ProducerOptions};
use client::{ClientOptions, IsolationLevel};

use crate::exit::Failure;

/// The lines of a properties file.
pub fn read_file(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    let lines = engine::config::parse_properties(&bytes)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    Ok(lines.into_iter().map(|line| (line.key, line.value)).collect())
}

/// `key=value`; an empty value is one.
pub fn pair(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err(Failure::usage(format!("{text:?}: expected KEY=VALUE"))),
    }
}

/// All that the properties of a consumer say.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    pub client: ClientOptions,
    pub consumer: ConsumerOptions,
    /// Without a `group.id` the group's name is empty.
    pub group: GroupOptions,
    /// Whether a property decided about commits, and not the default.
    pub commits_decided: bool,
}

#[derive(Clone, Debug)]
pub struct ProducerSettings {
    pub client: ClientOptions,
    pub producer: ProducerOptions,
}

impl ConsumerSettings {
    pub fn new(bootstrap: &str) -> Self {
        let mut client = ClientOptions::new(bootstrap);
        client.allow_auto_topic_creation = true;
        Self {
            client,
            consumer: ConsumerOptions::default(),
            group: GroupOptions::new(""),
            commits_decided: false,
        }
    }

    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        let (consumer, group) = (&mut self.consumer, &mut self.group);
        match key {
            "group.id" => group.member.group = value.to_owned(),
            "group.instance.id" => group.member.instance_id = Some(value.to_owned()),
            "session.timeout.ms" => group.member.session_timeout = millis(key, value)?,
            "heartbeat.interval.ms" => group.member.heartbeat_interval = millis(key, value)?,
            "max.poll.interval.ms" => group.member.rebalance_timeout = millis(key, value)?,
            "partition.assignment.strategy" => group.member.assignors = assignors(key, value)?,
            "auto.offset.reset" => consumer.offset_reset = offset_reset(key, value)?,
            "isolation.level" => consumer.isolation = isolation(key, value)?,
            "fetch.min.bytes" => consumer.fetch_bytes_min = number(key, value)?,
            "fetch.max.bytes" => consumer.fetch_bytes_max = number(key, value)?,
            "fetch.max.wait.ms" => consumer.fetch_wait = millis(key, value)?,
            "max.partition.fetch.bytes" => consumer.partition_bytes_max = number(key, value)?,
            "max.poll.records" => consumer.poll_records_max = number(key, value)?,
            "enable.auto.commit" => {
                self.commits_decided = true;
                match boolean(key, value)? {
                    true => {
                        group.auto_commit.get_or_insert(Duration::from_secs(5));
                    }
                    false => group.auto_commit = None,
                }
            }
            "auto.commit.interval.ms" => {
                let interval = millis(key, value)?;
                if let Some(current) = &mut group.auto_commit {
                    *current = interval;
                }
            }
            "group.protocol" if value.eq_ignore_ascii_case("classic") => {}
            _ => set_client(&mut self.client, key, value)?,
        }
        Ok(())
    }
}

impl ProducerSettings {
    pub fn new(bootstrap: &str) -> Self {
        let mut client = ClientOptions::new(bootstrap);
        client.allow_auto_topic_creation = true;
        Self { client, producer: ProducerOptions::default() }
    }

    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        let producer = &mut self.producer;
        match key {
            "acks" => producer.acks = acks(key, value)?,
            "compression.type" => producer.compression = compression(key, value)?,
            "linger.ms" => producer.linger = millis(key, value)?,
            "batch.size" => producer.batch_bytes_max = number::<usize>(key, value)?.max(1),
            "buffer.memory" => producer.buffer_bytes_max = number(key, value)?,
            "delivery.timeout.ms" => producer.delivery_timeout = millis(key, value)?,
            "retries" => producer.retries_max = Some(number(key, value)?),
            "max.in.flight.requests.per.connection" => {
                producer.in_flight_max = number(key, value)?;
            }
            "enable.idempotence" => producer.idempotent = boolean(key, value)?,
            _ => set_client(&mut self.client, key, value)?,
        }
        Ok(())
    }
}

/// What clients of every kind have.
pub fn set_client(client: &mut ClientOptions, key: &str, value: &str) -> Result<(), Failure> {
    match key {
        "bootstrap.servers" => client.bootstrap = ClientOptions::new(value).bootstrap,
        "client.id" => value.clone_into(&mut client.connection.client_id),
        "request.timeout.ms" => client.connection.request_timeout = millis(key, value)?,
        "default.api.timeout.ms" | "max.block.ms" => {
            client.retry.give_up_after = millis(key, value)?;
        }
        "send.buffer.bytes" => client.connection.connect.send_buffer_bytes = buffer(key, value)?,
        "receive.buffer.bytes" => {
            client.connection.connect.receive_buffer_bytes = buffer(key, value)?;
        }
        "retry.backoff.ms" => client.retry.backoff_min = millis(key, value)?,
        "retry.backoff.max.ms" => client.retry.backoff_max = millis(key, value)?,
        "metadata.max.age.ms" => client.metadata_age_max = millis(key, value)?,
        "allow.auto.create.topics" => client.allow_auto_topic_creation = boolean(key, value)?,
        "security.protocol" if value == "PLAINTEXT" => {}
        "security.protocol" => {
            return Err(Failure::usage(format!(
                "security.protocol={value}: this client speaks PLAINTEXT only"
            )));
        }
        _ => {
            return Err(Failure::usage(format!(
                "the property {key} has no meaning for this client; leave it out"
            )));
        }
    }
    Ok(())
}

/// Kafka's -1 leaves the size to the kernel.
fn buffer(key: &str, value: &str) -> Result<Option<usize>, Failure> {
    Ok(usize::try_from(number::<i64>(key, value)?).ok())
}

pub fn number<T: FromStr>(key: &str, value: &str) -> Result<T, Failure> {
    value.trim().parse().map_err(|_| {
        Failure::usage(format!("{key}={value}: expected a number that is not too large"))
    })
}

pub fn boolean(key: &str, value: &str) -> Result<bool, Failure> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Failure::usage(format!("{key}={value}: expected true or false"))),
    }
}

pub fn acks(key: &str, value: &str) -> Result<Acks, Failure> {
    match value {
        "0" => Ok(Acks::None),
        "1" => Ok(Acks::Leader),
        "all" | "-1" => Ok(Acks::All),
        _ => Err(Failure::usage(format!("{key}={value}: expected 0, 1 or all"))),
    }
}

pub fn compression(key: &str, value: &str) -> Result<Compression, Failure> {
    Compression::from_name(value).ok_or_else(|| {
        Failure::usage(format!("{key}={value}: expected none, gzip, snappy, lz4 or zstd"))
    })
}

pub fn isolation(key: &str, value: &str) -> Result<IsolationLevel, Failure> {
    match value {
        "read_uncommitted" => Ok(IsolationLevel::ReadUncommitted),
        "read_committed" => Ok(IsolationLevel::ReadCommitted),
        _ => Err(Failure::usage(format!(
            "{key}={value}: expected read_uncommitted or read_committed"
        ))),
    }
}

fn millis(key: &str, value: &str) -> Result<Duration, Failure> {
    number(key, value).map(Duration::from_millis)
}

fn offset_reset(key: &str, value: &str) -> Result<OffsetReset, Failure> {
    match value {
        "earliest" => Ok(OffsetReset::Earliest),
        "latest" => Ok(OffsetReset::Latest),
        "none" => Ok(OffsetReset::Fail),
        _ => Err(Failure::usage(format!("{key}={value}: expected earliest, latest or none"))),
    }
}

fn assignors(key: &str, value: &str) -> Result<Assignors, Failure> {
    let class = |name: &str| name.trim().rsplit('.').next().unwrap_or_default().to_owned();
    let classes: Vec<String> = value.split(',').map(class).collect();
    let classes: Vec<&str> = classes.iter().map(String::as_str).collect();
    match classes.as_slice() {
        ["RangeAssignor"] => Ok(Assignors::Range),
        ["RoundRobinAssignor"] => Ok(Assignors::RoundRobin),
        ["CooperativeStickyAssignor"] => Ok(Assignors::CooperativeSticky),
        ["RangeAssignor", "CooperativeStickyAssignor"] => Ok(Assignors::RangeOrCooperativeSticky),
        _ => Err(Failure::usage(format!(
            "{key}={value}: expected RangeAssignor, RoundRobinAssignor, \
             CooperativeStickyAssignor, or the first and the last together"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_that_means_nothing_here_is_refused() {
        let mut settings = ConsumerSettings::new("a:1,b:2");
        assert!(settings.set("session.timeout.ms", "6000").is_ok());
        assert_eq!(settings.group.member.session_timeout, Duration::from_secs(6));
        for (key, value) in [("fetch.min.byte", "1"), ("isolation.level", "x"), ("acks", "all")] {
            assert!(settings.set(key, value).is_err(), "{key}");
        }
        assert!(settings.set("security.protocol", "SSL").is_err());
    }

    #[test]
    fn producers_and_consumers_share_the_settings_of_clients() {
        let mut settings = ProducerSettings::new("a:1");
        settings.set("bootstrap.servers", "b:1, c:2").ok().unwrap();
        settings.set("acks", "1").ok().unwrap();
        assert_eq!(settings.client.bootstrap, ["b:1", "c:2"]);
        assert_eq!(settings.producer.acks, Acks::Leader);
    }
}
