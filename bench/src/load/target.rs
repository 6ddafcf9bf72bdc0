//! What is loaded: a topic's partitions, and who leads them. It is found out once, before the clock
//! runs, and then given to all cores.

use std::collections::BTreeMap;

use client::{
    Client, ClientError, ClientOptions, IsolationLevel, TopicMetadata, TopicPartition,
    admin::{Admin, NewTopic, OffsetSpec},
    runtime,
};
use wire::{ErrorCode, Uuid};

use super::TopicOptions;
use crate::BenchError;

#[derive(Clone, Debug)]
pub struct Loaded {
    pub topic: String,
    pub topic_id: Uuid,
    /// `HOST:PORT` of each leader, with its partitions.
    pub leaders: Vec<(String, Vec<Partition>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    pub index: i32,
    pub start: i64,
    pub end: i64,
}

impl Loaded {
    /// Partitions that a process of ours answers for, which knows nothing of metadata.
    pub fn single(address: &str, topic: &str, partitions: i32) -> Self {
        let partitions = (0..partitions).map(|index| Partition { index, start: 0, end: 0 });
        Self {
            topic: topic.to_owned(),
            topic_id: Uuid::ZERO,
            leaders: vec![(address.to_owned(), partitions.collect())],
        }
    }

    /// Whom the writing connection of this number speaks to, and about what: connections are dealt
    /// out over the leaders, and each goes round all partitions, beginning with another.
    pub fn rotation(&self, connection: usize) -> Option<(&str, Vec<Partition>)> {
        let count = self.leaders.len();
        let (address, partitions) = self.leaders.get(connection.checked_rem(count)?)?;
        let mut partitions = partitions.clone();
        let turn = (connection / count).checked_rem(partitions.len())?;
        partitions.rotate_left(turn);
        Some((address, partitions))
    }

    /// What each of about so many connections of one reader reads: every partition belongs to one
    /// of them, and each leader has one at least.
    pub fn shares(&self, connections: usize) -> Vec<(&str, Vec<Partition>)> {
        let per_leader = connections.div_ceil(self.leaders.len().max(1)).max(1);
        let mut shares = Vec::new();
        for (address, partitions) in &self.leaders {
            for number in 0..per_leader.min(partitions.len()) {
                let mine = partitions.iter().skip(number).step_by(per_leader).copied();
                shares.push((address.as_str(), mine.collect()));
            }
        }
        shares
    }

    pub fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.leaders.iter().flat_map(|(_, partitions)| partitions)
    }

    /// Of all partitions together.
    pub fn record_count(&self) -> u64 {
        let of = |partition: &Partition| {
            u64::try_from(partition.end.saturating_sub(partition.start)).unwrap_or(0)
        };
        self.partitions().map(of).sum()
    }
}

pub async fn create(bootstrap: &str, topic: &TopicOptions) -> Result<(), BenchError> {
    let admin = Admin::new(Client::new(ClientOptions::new(bootstrap)));
    let new = NewTopic {
        name: topic.name.clone(),
        partitions: Some(topic.partitions),
        replication_factor: Some(topic.replication_factor),
        configs: topic.configs.clone(),
        ..NewTopic::default()
    };
    for (_, result) in admin.create_topics(&[new], false).await? {
        match result {
            Err(error) if error.code() != ErrorCode::TopicAlreadyExists => {
                return Err(ClientError::from(error).into());
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

pub async fn delete(bootstrap: &str, topic: &str) -> Result<(), BenchError> {
    let admin = Admin::new(Client::new(ClientOptions::new(bootstrap)));
    for (_, result) in admin.delete_topics(&[topic.to_owned()]).await? {
        result.map_err(ClientError::from)?;
    }
    Ok(())
}

/// How many brokers a cluster has; blocks the calling thread.
pub fn broker_count(bootstrap: &str) -> Result<usize, BenchError> {
    let client = ClientOptions::new(bootstrap);
    runtime::block_on(async move {
        Ok(Client::new(client).ask_metadata(Some(&[])).await?.brokers.len())
    })?
}

/// Waits, within the client's bounds, until all partitions have leaders that answer.
pub async fn find(bootstrap: &str, topic: &str) -> Result<Loaded, BenchError> {
    let client = Client::new(ClientOptions::new(bootstrap));
    let admin = Admin::new(client.clone());
    let found = client.retry().run(async || client.topic(topic).await).await?;
    let mut leaders: BTreeMap<i32, Vec<Partition>> = BTreeMap::new();
    let starts = offsets(&admin, &found, OffsetSpec::Earliest).await?;
    let ends = offsets(&admin, &found, OffsetSpec::Latest).await?;
    for partition in &found.partitions {
        let index = partition.index;
        let leader = client.retry().run(async || client.leader(topic, index).await).await?;
        let (Some(&start), Some(&end)) = (starts.get(&index), ends.get(&index)) else {
            return Err(ClientError::Incomplete { api: "ListOffsets" }.into());
        };
        leaders.entry(leader).or_default().push(Partition { index, start, end });
    }
    let metadata = client.known_metadata();
    let leaders = leaders.into_iter().filter_map(|(leader, partitions)| {
        Some((metadata.brokers.get(&leader)?.address(), partitions))
    });
    Ok(Loaded { topic: topic.to_owned(), topic_id: found.id, leaders: leaders.collect() })
}

/// Of each partition.
async fn offsets(
    admin: &Admin,
    topic: &TopicMetadata,
    spec: OffsetSpec,
) -> Result<BTreeMap<i32, i64>, BenchError> {
    let wanted = topic.partitions.iter();
    let wanted = wanted.map(|partition| (TopicPartition::new(&topic.name, partition.index), spec));
    let wanted: Vec<_> = wanted.collect();
    let mut offsets = BTreeMap::new();
    for (name, found) in admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await? {
        let found = found.map_err(ClientError::from)?;
        offsets.insert(name.partition, found.offset.unwrap_or(0));
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_connections_are_dealt_out_over_leaders_and_their_partitions() {
        let partition = |index| Partition { index, start: 0, end: 0 };
        let loaded = Loaded {
            topic: "t".to_owned(),
            topic_id: Uuid::ZERO,
            leaders: vec![
                ("a".to_owned(), vec![partition(0), partition(2)]),
                ("b".to_owned(), vec![partition(1)]),
            ],
        };
        let shares: Vec<_> = (0..5)
            .map(|connection| {
                let (address, partitions) = loaded.rotation(connection).unwrap();
                (address, partitions[0].index)
            })
            .collect();
        assert_eq!(shares, [("a", 0), ("b", 1), ("a", 2), ("b", 1), ("a", 0)]);
    }

    #[test]
    fn a_reader_reads_every_partition_once() {
        let partition = |index| Partition { index, start: 0, end: 0 };
        let loaded = Loaded {
            topic: "t".to_owned(),
            topic_id: Uuid::ZERO,
            leaders: vec![
                ("a".to_owned(), (0..5).map(partition).collect()),
                ("b".to_owned(), vec![partition(5)]),
            ],
        };
        for connections in 1..8 {
            let shares = loaded.shares(connections);
            let mut read: Vec<_> =
                shares.iter().flat_map(|(_, mine)| mine.iter().map(|one| one.index)).collect();
            read.sort_unstable();
            assert_eq!(read, [0, 1, 2, 3, 4, 5], "{connections} connections");
            assert!(shares.iter().all(|(_, mine)| !mine.is_empty()));
        }
    }
}
