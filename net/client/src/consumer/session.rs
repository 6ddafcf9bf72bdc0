//! A fetch session with one broker (KIP-227): the broker remembers which partitions are read and
//! from where, so that a request names only what has changed since the last.

use std::collections::BTreeMap;

use wire::{
    Uuid,
    messages::{
        FetchRequest,
        fetch_request::{FetchPartition, FetchTopic, ForgottenTopic},
    },
};

use super::ConsumerOptions;
use crate::TopicPartition;

/// From where a partition is read, and by which id its topic goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub topic_id: Uuid,
    pub fetch_offset: i64,
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, Default)]
pub struct Session {
    id: i32,
    /// Of the next request; 0 begins a session.
    epoch: i32,
    /// What the broker remembers.
    known: BTreeMap<TopicPartition, Reading>,
}

impl Session {
    /// The next request, after which the broker reads exactly `wanted`.
    pub fn request(
        &mut self,
        wanted: &BTreeMap<TopicPartition, Reading>,
        options: &ConsumerOptions,
    ) -> FetchRequest {
        let is_new = self.epoch == 0;
        if is_new {
            self.known.clear();
        }
        let mut topics: Vec<FetchTopic> = Vec::new();
        for (partition, reading) in wanted {
            if self.known.get(partition) != Some(reading) {
                add(&mut topics, partition, reading, options);
            }
        }
        let mut forgotten: Vec<ForgottenTopic> = Vec::new();
        for (partition, reading) in &self.known {
            // A topic that was made anew under its old name has another id: the old one must go.
            if wanted.get(partition).is_none_or(|other| other.topic_id != reading.topic_id) {
                forgotten.push(ForgottenTopic {
                    topic: partition.topic.clone(),
                    topic_id: reading.topic_id,
                    partitions: vec![partition.partition],
                    ..ForgottenTopic::default()
                });
            }
        }
        self.known = wanted.clone();
        FetchRequest {
            max_wait_ms: i32::try_from(options.fetch_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: options.fetch_bytes_min,
            max_bytes: options.fetch_bytes_max,
            isolation_level: options.isolation.to_wire(),
            session_id: self.id,
            session_epoch: self.epoch,
            topics,
            forgotten_topics_data: forgotten,
            ..FetchRequest::default()
        }
    }

    /// The broker has answered in this session, or without one (0).
    pub fn answered(&mut self, session_id: i32) {
        self.id = session_id;
        // The epoch counts from 1 to 2³¹−1 and around; without a session every request is whole.
        self.epoch = match self.epoch {
            _ if session_id == 0 => 0,
            i32::MAX => 1,
            epoch => epoch.strict_add(1),
        };
    }

    /// The broker remembers nothing, or nobody knows what: begin anew.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

fn add(
    topics: &mut Vec<FetchTopic>,
    partition: &TopicPartition,
    reading: &Reading,
    options: &ConsumerOptions,
) {
    let entry = FetchPartition {
        partition: partition.partition,
        current_leader_epoch: reading.leader_epoch,
        fetch_offset: reading.fetch_offset,
        partition_max_bytes: options.partition_bytes_max,
        ..FetchPartition::default()
    };
    match topics.last_mut().filter(|topic| topic.topic == partition.topic) {
        Some(topic) => topic.partitions.push(entry),
        None => topics.push(FetchTopic {
            topic: partition.topic.clone(),
            topic_id: reading.topic_id,
            partitions: vec![entry],
            ..FetchTopic::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(offsets: &[(i32, i64)]) -> BTreeMap<TopicPartition, Reading> {
        let reading =
            |fetch_offset| Reading { topic_id: Uuid::ZERO, fetch_offset, leader_epoch: 1 };
        let entry =
            |(index, offset): &(i32, i64)| (TopicPartition::new("t", *index), reading(*offset));
        offsets.iter().map(entry).collect()
    }

    fn named(request: &FetchRequest) -> Vec<(i32, i64)> {
        let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
        partitions.map(|partition| (partition.partition, partition.fetch_offset)).collect()
    }

    #[test]
    fn only_what_changed_is_named_and_what_is_not_read_any_more_is_forgotten() {
        let options = ConsumerOptions::default();
        let mut session = Session::default();
        let first = session.request(&wanted(&[(0, 5), (1, 6), (2, 7)]), &options);
        assert_eq!((first.session_id, first.session_epoch), (0, 0));
        assert_eq!(named(&first), [(0, 5), (1, 6), (2, 7)]);

        session.answered(99);
        let second = session.request(&wanted(&[(0, 5), (1, 8)]), &options);
        assert_eq!((second.session_id, second.session_epoch), (99, 1));
        assert_eq!(named(&second), [(1, 8)]);
        assert_eq!(second.forgotten_topics_data[0].partitions, [2]);

        session.forget();
        let third = session.request(&wanted(&[(0, 5)]), &options);
        assert_eq!((third.session_id, third.session_epoch), (0, 0));
        assert_eq!(named(&third), [(0, 5)]);
        assert!(third.forgotten_topics_data.is_empty());
    }

    #[test]
    fn a_broker_without_sessions_is_told_everything_each_time() {
        let options = ConsumerOptions::default();
        let mut session = Session::default();
        for _ in 0..3 {
            let request = session.request(&wanted(&[(0, 5)]), &options);
            assert_eq!((request.session_epoch, named(&request)), (0, vec![(0, 5)]));
            session.answered(0);
        }
    }

    #[test]
    fn the_epoch_goes_around_without_passing_zero() {
        let mut session = Session { id: 3, epoch: i32::MAX, known: BTreeMap::new() };
        session.answered(3);
        assert_eq!(session.epoch, 1);
    }
}
