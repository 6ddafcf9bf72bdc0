//! What is loaded: a topic's partitions, and who leads them. It is found out once, before the clock
//! runs, and then given to all cores.

use std::collections::BTreeMap;

use client::{
    Client, ClientError, ClientOptions, IsolationLevel, TopicMetadata, TopicPartition,
    admin::{Admin, NewTopic, OffsetSpec},
};
use wire::{ErrorCode, Uuid};

use crate::{BenchError, TopicOptions};

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
    /// Whom the connection of this number speaks to, and about what: connections are dealt out
    /// over the leaders, and each connection begins with another partition.
    pub fn share(&self, connection: usize) -> Option<(&str, Vec<Partition>)> {
        let count = self.leaders.len();
        let (address, partitions) = self.leaders.get(connection.checked_rem(count)?)?;
        let mut partitions = partitions.clone();
        let turn = (connection / count).checked_rem(partitions.len())?;
        partitions.rotate_left(turn);
        Some((address, partitions))
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
    fn connections_are_dealt_out_over_leaders_and_their_partitions() {
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
                let (address, partitions) = loaded.share(connection).unwrap();
                (address, partitions[0].index)
            })
            .collect();
        assert_eq!(shares, [("a", 0), ("b", 1), ("a", 2), ("b", 1), ("a", 0)]);
    }
}
