//! Offsets of partitions: their ends, and the first record of a time.

use std::collections::BTreeMap;

use wire::messages::{
    ListOffsetsRequest,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    list_offsets_response::ListOffsetsPartitionResponse,
};

use super::offsets::{by_topic, item};
use super::{Admin, Outcomes};
use crate::{ClientError, IsolationLevel, Target, TopicPartition, check};

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    Earliest,
    /// The offset after the last record that the isolation level shows.
    Latest,
    /// Of the record with the largest timestamp.
    MaxTimestamp,
    /// Of the first record that is not older (milliseconds since 1970).
    At(i64),
    EarliestLocal,
    LatestTiered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    /// `None` if no record fits, for example none is as young as asked.
    pub offset: Option<i64>,
    pub timestamp: Option<i64>,
    pub leader_epoch: Option<i32>,
}

impl OffsetSpec {
    const fn to_wire(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::EarliestLocal => -4,
            Self::LatestTiered => -5,
            Self::At(timestamp) => timestamp,
        }
    }
}

impl Admin {
    /// Asks the leader of each partition.
    pub async fn list_offsets(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
    ) -> Result<Outcomes<TopicPartition, FoundOffset>, ClientError> {
        let mut found = self.ask_leaders(wanted, isolation).await;
        let mut outcomes = Vec::with_capacity(wanted.len());
        for (partition, spec) in wanted {
            let outcome = match found.remove(&(partition.clone(), spec.to_wire())) {
                Some(found) => Ok(found),
                // By itself, as often as it is worth it.
                None => {
                    let ask = async || self.list_offset(partition, *spec, isolation).await;
                    item(self.client.retry().run(ask).await)?
                }
            };
            outcomes.push((partition.clone(), outcome));
        }
        Ok(outcomes)
    }

    /// One attempt with as few requests as possible; what fails is left out. A request names a
    /// partition once.
    async fn ask_leaders(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
    ) -> BTreeMap<(TopicPartition, i64), FoundOffset> {
        let mut asks: BTreeMap<(i32, i64), Vec<TopicPartition>> = BTreeMap::new();
        for (partition, spec) in wanted {
            if let Ok(leader) = self.client.leader(&partition.topic, partition.partition).await {
                asks.entry((leader, spec.to_wire())).or_default().push(partition.clone());
            }
        }
        let mut found = BTreeMap::new();
        for ((leader, timestamp), partitions) in asks {
            for partitions in partitions.chunks(OFFSETS_PER_REQUEST_MAX) {
                let request = self.offsets_request(partitions, timestamp, isolation);
                let Ok(response) = self.client.call(Target::Node(leader), &request).await else {
                    continue;
                };
                for topic in response.topics {
                    let answers =
                        topic.partitions.into_iter().filter(|answer| answer.error_code == 0);
                    for answer in answers {
                        let partition = TopicPartition::new(&topic.name, answer.partition_index);
                        found.insert((partition, timestamp), found_offset(&answer));
                    }
                }
            }
        }
        found
    }

    fn offsets_request(
        &self,
        partitions: &[TopicPartition],
        timestamp: i64,
        isolation: IsolationLevel,
    ) -> ListOffsetsRequest {
        let partition = |partition_index| ListOffsetsPartition {
            partition_index,
            current_leader_epoch: -1,
            timestamp,
            ..ListOffsetsPartition::default()
        };
        let topics = by_topic(partitions).into_iter().map(|(name, partitions)| ListOffsetsTopic {
            name,
            partitions: partitions.into_iter().map(partition).collect(),
            ..ListOffsetsTopic::default()
        });
        ListOffsetsRequest {
            replica_id: -1,
            isolation_level: isolation.to_wire(),
            topics: topics.collect(),
            timeout_ms: self.timeout_ms(),
            ..ListOffsetsRequest::default()
        }
    }

    async fn list_offset(
        &self,
        partition: &TopicPartition,
        spec: OffsetSpec,
        isolation: IsolationLevel,
    ) -> Result<FoundOffset, ClientError> {
        let leader = self.client.leader(&partition.topic, partition.partition).await?;
        let partitions = std::slice::from_ref(partition);
        let request = self.offsets_request(partitions, spec.to_wire(), isolation);
        let response = self.client.call(Target::Node(leader), &request).await?;
        let found = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let found = found.ok_or(ClientError::Incomplete { api: "ListOffsets" })?;
        check(found.error_code, None, || format!("find an offset of {partition}"))
            .inspect_err(|_| self.client.forget(&partition.topic))?;
        Ok(found_offset(&found))
    }
}

fn found_offset(answer: &ListOffsetsPartitionResponse) -> FoundOffset {
    FoundOffset {
        offset: (answer.offset >= 0).then_some(answer.offset),
        timestamp: (answer.timestamp >= 0).then_some(answer.timestamp),
        leader_epoch: (answer.leader_epoch >= 0).then_some(answer.leader_epoch),
    }
}

/// So many partitions are asked for at a time; each is a look into an index.
const OFFSETS_PER_REQUEST_MAX: usize = 5000;
