//! What members of a consumer group tell each other through the broker, which does not look into
//! it: subscriptions and assignments, each behind a version number.

use bytes::Bytes;
use wire::{
    DecodeError, EncodeError, Message, Reader, Writer,
    messages::{
        ConsumerProtocolAssignment, ConsumerProtocolSubscription,
        consumer_protocol_assignment::TopicPartition as AssignedTopic,
        consumer_protocol_subscription::TopicPartition as OwnedTopic,
    },
};

use crate::TopicPartition;

/// The newest version that we know; a newer one is read as this, since it only appends.
const VERSION: i16 = 3;

/// What a member wants to read, and what it has read until now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    pub topics: Vec<String>,
    pub owned: Vec<TopicPartition>,
    /// Of the assignment that `owned` comes from; -1 if there is none.
    pub generation: i32,
    pub rack: Option<String>,
    pub user_data: Option<Bytes>,
}

pub fn encode_subscription(subscription: &Subscription) -> Result<Bytes, EncodeError> {
    let owned = |(topic, partitions)| OwnedTopic { topic, partitions };
    let message = ConsumerProtocolSubscription {
        topics: subscription.topics.clone(),
        user_data: subscription.user_data.clone(),
        owned_partitions: grouped(&subscription.owned).into_iter().map(owned).collect(),
        generation_id: subscription.generation,
        rack_id: subscription.rack.clone(),
    };
    encode(&message)
}

pub fn decode_subscription(bytes: &Bytes) -> Result<Subscription, DecodeError> {
    let message: ConsumerProtocolSubscription = decode(bytes)?;
    let owned = message.owned_partitions.into_iter().flat_map(|topic| {
        let name = topic.topic;
        topic.partitions.into_iter().map(move |partition| TopicPartition::new(&name, partition))
    });
    Ok(Subscription {
        topics: message.topics,
        owned: owned.collect(),
        generation: message.generation_id,
        rack: message.rack_id,
        user_data: message.user_data,
    })
}

pub fn encode_assignment(partitions: &[TopicPartition]) -> Result<Bytes, EncodeError> {
    let assigned = |(topic, partitions)| AssignedTopic { topic, partitions };
    let message = ConsumerProtocolAssignment {
        assigned_partitions: grouped(partitions).into_iter().map(assigned).collect(),
        ..ConsumerProtocolAssignment::default()
    };
    encode(&message)
}

/// No bytes at all are no partitions: so a broker answers a member that the leader has left out.
pub fn decode_assignment(bytes: &Bytes) -> Result<Vec<TopicPartition>, DecodeError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let message: ConsumerProtocolAssignment = decode(bytes)?;
    let partitions = message.assigned_partitions.into_iter().flat_map(|topic| {
        let name = topic.topic;
        topic.partitions.into_iter().map(move |partition| TopicPartition::new(&name, partition))
    });
    Ok(partitions.collect())
}

fn encode(message: &impl Message) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.i16(VERSION);
    message.encode(&mut writer, VERSION)?;
    Ok(writer.into_bytes())
}

fn decode<T: Message>(bytes: &Bytes) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes.clone());
    let version = reader.i16()?;
    T::decode(&mut reader, version.min(VERSION))
}

/// By topic, in the order in which the topics come first.
fn grouped(partitions: &[TopicPartition]) -> Vec<(String, Vec<i32>)> {
    let mut topics: Vec<(String, Vec<i32>)> = Vec::new();
    for partition in partitions {
        match topics.iter_mut().find(|(topic, _)| *topic == partition.topic) {
            Some((_, indexes)) => indexes.push(partition.partition),
            None => topics.push((partition.topic.clone(), vec![partition.partition])),
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_survives_the_wire() {
        let subscription = Subscription {
            topics: vec!["a".to_owned(), "b".to_owned()],
            owned: vec![TopicPartition::new("a", 1), TopicPartition::new("a", 4)],
            generation: 7,
            rack: Some("r".to_owned()),
            user_data: None,
        };
        let bytes = encode_subscription(&subscription).unwrap();
        assert_eq!(decode_subscription(&bytes).unwrap(), subscription);
    }

    #[test]
    fn the_first_version_of_a_subscription_is_read() {
        let bytes = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff");
        let subscription = decode_subscription(&bytes).unwrap();
        assert_eq!(subscription.topics, ["t"]);
        assert_eq!((subscription.owned.len(), subscription.generation), (0, -1));
    }

    #[test]
    fn an_assignment_survives_the_wire_and_no_bytes_are_no_partitions() {
        let partitions = vec![TopicPartition::new("a", 0), TopicPartition::new("b", 2)];
        let bytes = encode_assignment(&partitions).unwrap();
        assert_eq!(decode_assignment(&bytes).unwrap(), partitions);
        assert_eq!(decode_assignment(&Bytes::new()).unwrap(), []);
    }
}
