//! What a fetch request asks for, with names and ids resolved and numbers brought into bounds.

use std::time::Duration;

use engine::broker::{Isolation, ReadRequest};
use engine::types::{LeaderEpoch, Offset, PartitionId, TopicId};
use wire::ErrorCode;
use wire::messages::FetchRequest;

use crate::context::Context;
use crate::fetch_session::{Position, SessionKey, TopicKey};
use crate::image;
use crate::isolation::isolation;

/// The first version that says in a tag who is reading.
const NO_REPLICA: i32 = -1;

/// The partitions that the request names, each once; of one that is named twice the last counts.
pub(super) struct Asked {
    pub positions: Vec<(SessionKey, Position)>,
    pub forgotten: Vec<SessionKey>,
}

impl Asked {
    pub fn read(request: &FetchRequest, uses_topic_ids: bool) -> Self {
        let key = |name: &str, id: wire::Uuid, index: i32| {
            let topic = if uses_topic_ids {
                TopicKey::Id(TopicId(id.0))
            } else {
                TopicKey::Name(name.to_owned())
            };
            SessionKey { topic, index }
        };
        let mut positions: Vec<(SessionKey, Position)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for topic in &request.topics {
            for asked in &topic.partitions {
                let key = key(&topic.topic, topic.topic_id, asked.partition);
                let position = Position {
                    fetch_offset: asked.fetch_offset,
                    log_start_offset: asked.log_start_offset,
                    max_bytes: asked.partition_max_bytes,
                    current_leader_epoch: asked.current_leader_epoch,
                    last_fetched_epoch: asked.last_fetched_epoch,
                };
                let place = *places.entry(key.clone()).or_insert(positions.len());
                match positions.get_mut(place) {
                    Some((_, earlier)) => *earlier = position,
                    None => positions.push((key, position)),
                }
            }
        }
        let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
            let indexes = topic.partitions.iter();
            indexes.map(|index| key(&topic.topic, topic.topic_id, *index))
        });
        Self { positions, forgotten: forgotten.collect() }
    }
}

pub(super) enum Target {
    Read(ReadRequest),
    Refused(ErrorCode),
}

pub(super) struct Plan {
    pub positions: Vec<(SessionKey, Position)>,
    /// One for each position.
    pub targets: Vec<Target>,
    pub wait_max: Duration,
    pub bytes_min: usize,
    pub bytes_max: usize,
}

impl Plan {
    /// `None` if the isolation level is none. The client may not be given more than `at_once_max` at once.
    pub fn new(
        context: &Context,
        request: &FetchRequest,
        positions: Vec<(SessionKey, Position)>,
        at_once_max: usize,
    ) -> Option<Self> {
        let isolation = isolation(request.isolation_level)?;
        let is_replica = [request.replica_id, request.replica_state.replica_id]
            .into_iter()
            .any(|replica| NO_REPLICA < replica);
        let image = context.broker.image();
        let target = |(key, position): &(SessionKey, Position)| {
            let id = match &key.topic {
                TopicKey::Id(topic) => image::partition_by_id(&image, *topic, key.index)?,
                TopicKey::Name(name) => image::partition_by_name(&image, name, key.index)
                    .ok_or(ErrorCode::UnknownTopicOrPartition)?,
            };
            // Nobody follows the partitions of this node.
            if is_replica { Err(ErrorCode::NotLeaderOrFollower) } else { Ok((id, *position)) }
        };
        let targets = positions.iter().map(|asked| match target(asked) {
            Ok((id, position)) => read_of(id, position, isolation),
            Err(error) => Target::Refused(error),
        });
        let targets = targets.collect();
        let broker_bytes_max = usize::try_from(context.broker.config().fetching.response_bytes_max);
        let bytes_max = bounded(request.max_bytes).min(broker_bytes_max.unwrap_or(usize::MAX));
        let bytes_max = bytes_max.min(at_once_max);
        let wait_max = u64::try_from(request.max_wait_ms).unwrap_or(0);
        Some(Self {
            positions,
            targets,
            wait_max: Duration::from_millis(wait_max),
            bytes_min: bounded(request.min_bytes).min(bytes_max),
            bytes_max,
        })
    }

    pub fn reads(&self) -> Vec<ReadRequest> {
        let read = |target: &Target| match target {
            Target::Read(request) => Some(request.clone()),
            Target::Refused(_) => None,
        };
        self.targets.iter().filter_map(read).collect()
    }

    /// The most that one read brings, but for a first batch that is larger.
    pub fn reserved_bytes(&self) -> usize {
        let partition_bytes = self.targets.iter().map(|target| match target {
            Target::Read(request) => request.max_bytes,
            Target::Refused(_) => 0,
        });
        partition_bytes.fold(0, usize::saturating_add).min(self.bytes_max)
    }
}

fn read_of(partition: PartitionId, position: Position, isolation: Isolation) -> Target {
    let Some(from) = Offset::from_wire(position.fetch_offset) else {
        return Target::Refused(ErrorCode::OffsetOutOfRange);
    };
    Target::Read(ReadRequest {
        partition,
        from,
        max_bytes: bounded(position.max_bytes),
        current_leader_epoch: LeaderEpoch::from_wire(position.current_leader_epoch),
        last_fetched_epoch: LeaderEpoch::from_wire(position.last_fetched_epoch),
        isolation,
        at_least_one: true,
    })
}

/// A negative number of bytes is none.
fn bounded(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use wire::messages::fetch_request::{FetchPartition, FetchTopic};

    use super::*;

    #[test]
    fn of_a_partition_that_is_named_twice_the_last_counts() {
        let at = |partition, fetch_offset| FetchPartition {
            partition,
            fetch_offset,
            ..FetchPartition::default()
        };
        let topic = FetchTopic {
            topic: "a".to_owned(),
            partitions: vec![at(0, 1), at(1, 2), at(0, 3)],
            ..FetchTopic::default()
        };
        let request = FetchRequest { topics: vec![topic], ..FetchRequest::default() };
        let asked = Asked::read(&request, false).positions;
        let asked: Vec<_> = asked.iter().map(|(key, at)| (key.index, at.fetch_offset)).collect();
        assert_eq!(asked, [(0, 3), (1, 2)]);
    }

    #[test]
    fn a_negative_number_of_bytes_is_none() {
        assert_eq!((bounded(-1), bounded(0), bounded(7)), (0, 0, 7));
    }
}
