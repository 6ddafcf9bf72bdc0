//! Replies and records as text. Member ids end in a UUID that counts from one in these dialogues,
//! so `client#1` stands for the whole.

use bytes::Bytes;
use codec::{Message, Reader};
use engine::group::{
    Beat, Committed, DescribedTopic, GroupError, MemberId, Output, Partitions, RecordBytes, Reply,
};
use engine::records::consumer_protocol::ConsumerProtocolAssignment;
use engine::records::group::{GroupKey, GroupValue};
use engine::types::TopicId;

use crate::cluster::Topics;

const UUID_START: &str = "-00000000-0000-0000-0000-0000000000";

/// `client#1` for a whole member id.
pub fn short_member(id: &str) -> String {
    match id.split_once(UUID_START) {
        Some((client, number)) => {
            let number = u64::from_str_radix(number, 16).expect("the end of a UUID");
            format!("{client}#{number}")
        }
        None => id.to_owned(),
    }
}

/// The whole member id of `client#1`.
pub fn long_member(id: &str) -> String {
    match id.split_once('#') {
        Some((client, number)) => {
            let number: u8 = number.parse().expect("a small number");
            format!("{client}{UUID_START}{number:02x}")
        }
        None => id.to_owned(),
    }
}

fn name(id: Option<&MemberId>) -> String {
    id.map_or_else(|| "-".to_owned(), |id| short_member(id.as_str()))
}

fn or_dash(text: Option<&str>) -> &str {
    text.unwrap_or("-")
}

/// `UnknownMemberId` for the error, `ok` for none.
fn outcome(error: Option<GroupError>) -> String {
    error.map_or_else(|| "ok".to_owned(), |error| format!("{error:?}"))
}

/// `t/0+1,u/2` for a set of partitions, `-` for the empty one.
fn set(partitions: &Partitions, known: &Topics) -> String {
    let topics = partitions.iter().map(|(topic, indexes)| {
        let indexes: Vec<String> = indexes.iter().map(ToString::to_string).collect();
        format!("{}/{}", known.name_of(*topic), indexes.join("+"))
    });
    none_or_dash(topics.collect())
}

fn described(topics: &[DescribedTopic]) -> String {
    let topics = topics.iter().map(|topic| {
        let indexes: Vec<String> = topic.partitions.iter().map(ToString::to_string).collect();
        format!("{}/{}", topic.name, indexes.join("+"))
    });
    none_or_dash(topics.collect())
}

/// Topics with partitions, as a record has them.
fn stored<'a>(topics: impl Iterator<Item = (codec::Uuid, &'a Vec<i32>)>, known: &Topics) -> String {
    let topics = topics.map(|(topic, indexes)| {
        let indexes: Vec<String> = indexes.iter().map(ToString::to_string).collect();
        format!("{}/{}", known.name_of(TopicId(topic.0)), indexes.join("+"))
    });
    none_or_dash(topics.collect())
}

fn none_or_dash(words: Vec<String>) -> String {
    if words.is_empty() { "-".to_owned() } else { words.join(",") }
}

/// What a consumer is given under the classic protocol, if the bytes are that.
fn given(bytes: &Bytes) -> Option<String> {
    let mut reader = Reader::new(bytes.clone());
    let version = reader.i16().ok()?;
    let read = ConsumerProtocolAssignment::decode(&mut reader, version).ok()?;
    reader.finish().ok()?;
    let topics = read.assigned_partitions.iter().map(|topic| {
        let indexes: Vec<String> = topic.partitions.iter().map(ToString::to_string).collect();
        format!("{}/{}", topic.topic, indexes.join("+"))
    });
    Some(none_or_dash(topics.collect()))
}

/// Text where it is text; the topics of a subscription; else how many bytes.
fn bytes(bytes: &Bytes) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    if let Some(given) = given(bytes) {
        return given;
    }
    if let Some(topics) = topics(bytes) {
        return topics;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("\"{text}\""),
        Err(_) => format!("{} bytes", bytes.len()),
    }
}

fn topics(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes.strip_prefix(&[0, 0, 0, 0, 0])?;
    let (count, after) = rest.split_first()?;
    rest = after;
    let mut topics = Vec::new();
    for _ in 0..*count {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (topic, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        topics.push(std::str::from_utf8(topic).ok()?);
        rest = after;
    }
    Some(topics.join("+"))
}

pub fn output(output: &Output, known: &Topics) -> Vec<String> {
    match output {
        Output::Reply { request, reply } => {
            let mut lines = self::reply(reply, known).into_iter();
            let first = lines.next().unwrap_or_default();
            let mut shown = vec![format!("#{} {first}", request.0)];
            shown.extend(lines.map(|line| format!("   {line}")));
            shown
        }
        Output::Append { ticket, records, transaction } => {
            let part = transaction
                .map_or_else(String::new, |one| format!(" in {}:{}", one.producer_id, one.epoch));
            let records = records.iter().map(|it| record(it, known));
            records.map(|text| format!("append {}{part} {text}", ticket.0)).collect()
        }
        Output::AppendMarker { ticket, marker } => {
            let producer = format!("{}:{}", marker.producer_id, marker.epoch);
            vec![format!("append {} {:?} of {producer}", ticket.0, marker.result)]
        }
    }
}

fn reply(reply: &Reply, known: &Topics) -> Vec<String> {
    match reply {
        Reply::ConsumerHeartbeat(Ok(Beat::Member { member, epoch, assignment, .. })) => {
            let has =
                assignment.as_ref().map_or_else(|| "the same".to_owned(), |it| set(it, known));
            vec![format!("beat {} epoch={epoch} has {has}", short_member(member.as_str()))]
        }
        Reply::ConsumerHeartbeat(Ok(Beat::Left { member })) => {
            vec![format!("beat {} left", short_member(member.as_str()))]
        }
        Reply::ConsumerHeartbeat(Ok(Beat::Away { member })) => {
            vec![format!("beat {} away", short_member(member.as_str()))]
        }
        Reply::ConsumerHeartbeat(Err(error)) => vec![format!("beat {error:?}")],
        Reply::DescribeConsumerGroup(Ok(found)) => {
            let first = format!(
                "describe-consumers {} epoch={} target={} {}",
                found.state,
                found.epoch,
                found.target_epoch.map_or_else(|| "-".to_owned(), |it| it.to_string()),
                found.assignor
            );
            let members = found.members.iter().map(|member| {
                let instance = member.instance.as_ref().map(|id| id.as_str());
                let reads = match (&member.regex, member.topics.join("+")) {
                    (Some(regex), topics) => format!("{topics}~{regex}"),
                    (None, topics) => topics,
                };
                format!(
                    "{} instance={} {} epoch={} reads {reads} has {} of {}",
                    short_member(member.member.as_str()),
                    or_dash(instance),
                    if member.is_classic { "classic" } else { "consumer" },
                    member.epoch,
                    described(&member.assignment),
                    described(&member.target)
                )
            });
            std::iter::once(first).chain(members).collect()
        }
        Reply::DescribeConsumerGroup(Err(error)) => vec![format!("describe-consumers {error:?}")],
        // Share groups have tests of their own; no dialogue here is with one.
        Reply::ShareHeartbeat(_)
        | Reply::StreamsHeartbeat(_)
        | Reply::DescribeStreamsGroup(_)
        | Reply::DescribeShareGroup(_)
        | Reply::ShareQueues(_)
        | Reply::ShareInitialized(_)
        | Reply::AlterShareOffsets(_) => vec![format!("{reply:?}")],
        Reply::JoinGroup(Ok(joined)) => {
            let mut first = format!(
                "join ok gen={} {}/{} leader={} member={}",
                joined.generation,
                or_dash(joined.protocol_type.as_deref()),
                or_dash(joined.protocol.as_deref()),
                name(joined.leader.as_ref()),
                short_member(joined.member.as_str()),
            );
            if joined.skip_assignment {
                first.push_str(" skip-assignment");
            }
            let members = joined.members.iter().map(|member| {
                let instance = member.instance.as_ref().map(|id| id.as_str());
                format!(
                    "{} instance={} {}",
                    short_member(member.member.as_str()),
                    or_dash(instance),
                    bytes(&member.metadata)
                )
            });
            std::iter::once(first).chain(members).collect()
        }
        Reply::JoinGroup(Err(refused)) => {
            vec![format!("join {:?} member={}", refused.error, name(refused.member.as_ref()))]
        }
        Reply::SyncGroup(Ok(synced)) => vec![format!(
            "sync ok {}/{} {}",
            or_dash(synced.protocol_type.as_deref()),
            or_dash(synced.protocol.as_deref()),
            bytes(&synced.assignment)
        )],
        Reply::SyncGroup(Err(error)) => vec![format!("sync {error:?}")],
        Reply::Heartbeat(outcome) => vec![format!("heartbeat {}", self::outcome(outcome.err()))],
        Reply::LeaveGroup(Ok(members)) => {
            let members = members.iter().map(|left| {
                let instance = left.instance.as_ref().map(|id| id.as_str());
                format!(
                    "{} instance={} {}",
                    name(left.member.as_ref()),
                    or_dash(instance),
                    outcome(left.error)
                )
            });
            std::iter::once("leave ok".to_owned()).chain(members).collect()
        }
        Reply::LeaveGroup(Err(error)) => vec![format!("leave {error:?}")],
        Reply::OffsetCommit(topics) => {
            let partitions = topics.iter().flat_map(|topic| {
                topic
                    .partitions
                    .iter()
                    .map(|(index, error)| format!("{}/{index} {}", topic.name, outcome(*error)))
            });
            vec![format!("commit {}", partitions.collect::<Vec<_>>().join(", "))]
        }
        Reply::OffsetFetch(Ok(topics)) => {
            let partitions = topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|(index, found)| match found {
                    Ok(Some(found)) => format!("{}/{index}@{}", topic.name, committed(found)),
                    Ok(None) => format!("{}/{index} none", topic.name),
                    Err(error) => format!("{}/{index} {error:?}", topic.name),
                })
            });
            let text = partitions.collect::<Vec<_>>().join(", ");
            vec![format!("fetch {}", if text.is_empty() { "nothing" } else { &text })]
        }
        Reply::OffsetFetch(Err(error)) => vec![format!("fetch {error:?}")],
        Reply::OffsetDelete(Ok(topics)) => {
            let partitions = topics.iter().flat_map(|topic| {
                topic
                    .partitions
                    .iter()
                    .map(|(index, error)| format!("{}/{index} {}", topic.name, outcome(*error)))
            });
            vec![format!("delete-offsets {}", partitions.collect::<Vec<_>>().join(", "))]
        }
        Reply::OffsetDelete(Err(error)) => vec![format!("delete-offsets {error:?}")],
        Reply::DescribeGroup(Ok(described)) => {
            let first = format!(
                "describe {} {}/{}",
                described.state,
                or_dash(Some(described.protocol_type.as_str()).filter(|text| !text.is_empty())),
                or_dash(Some(described.protocol.as_str()).filter(|text| !text.is_empty())),
            );
            let members = described.members.iter().map(|member| {
                let instance = member.instance.as_ref().map(|id| id.as_str());
                format!(
                    "{} instance={} {}{} reads {} has {}",
                    short_member(member.member.as_str()),
                    or_dash(instance),
                    member.client_id,
                    member.client_host,
                    bytes(&member.metadata),
                    bytes(&member.assignment)
                )
            });
            std::iter::once(first).chain(members).collect()
        }
        Reply::DescribeGroup(Err(error)) => vec![format!("describe {error:?}")],
        Reply::DeleteGroup(outcome) => vec![format!("delete {}", self::outcome(outcome.err()))],
        Reply::EndTransaction(Ok(())) => vec!["end ok".to_owned()],
        Reply::EndTransaction(Err(failure)) => vec![format!("end {failure:?}")],
        Reply::ListGroups(groups) => {
            let groups = groups.iter().map(|group| {
                let kind = Some(group.protocol_type.as_str()).filter(|text| !text.is_empty());
                format!("{} {} {}", group.group, group.state, or_dash(kind))
            });
            std::iter::once("list".to_owned()).chain(groups).collect()
        }
    }
}

fn committed(found: &Committed) -> String {
    let mut text = found.offset.to_string();
    if let Some(epoch) = found.leader_epoch {
        text.push_str(&format!(":{epoch}"));
    }
    if !found.metadata.is_empty() {
        text.push_str(&format!("~{}", found.metadata));
    }
    text
}

/// A record of the log, as anybody who knows the format would read it.
pub fn record((key, value): &RecordBytes, known: &Topics) -> String {
    let key = GroupKey::decode(key).expect("a key that can be read");
    let value =
        value.as_ref().map(|it| GroupValue::decode(key.kind(), it).expect("a readable value"));
    match (key, value) {
        (GroupKey::OffsetCommit(key), Some(GroupValue::OffsetCommit(value))) => {
            let mut text = format!(
                "offset {} {}/{}@{}:{} at {}",
                key.group,
                key.topic,
                key.partition,
                value.offset,
                value.leader_epoch,
                value.commit_timestamp
            );
            if !value.metadata.is_empty() {
                text.push_str(&format!(" ~{}", value.metadata));
            }
            if value.expire_timestamp != -1 {
                text.push_str(&format!(" until {}", value.expire_timestamp));
            }
            text
        }
        (GroupKey::OffsetCommit(key), None) => {
            format!("offset {} {}/{} tombstone", key.group, key.topic, key.partition)
        }
        (GroupKey::GroupMetadata(key), Some(GroupValue::GroupMetadata(value))) => {
            let members: Vec<String> = value
                .members
                .iter()
                .map(|member| {
                    let id = short_member(&member.member_id);
                    format!("{id} {}", bytes(&member.assignment))
                })
                .collect();
            let kind = Some(value.protocol_type.as_str()).filter(|text| !text.is_empty());
            format!(
                "group {} gen={} {}/{} leader={} [{}]",
                key.group,
                value.generation,
                or_dash(kind),
                or_dash(value.protocol.as_deref()),
                value.leader.as_deref().map_or_else(|| "-".to_owned(), short_member),
                members.join(", ")
            )
        }
        (GroupKey::GroupMetadata(key), None) => format!("group {} tombstone", key.group),
        (key, value) => consumer_record(&key, value, known),
    }
}

/// A record of a group of the newer protocol.
fn consumer_record(key: &GroupKey, value: Option<GroupValue>, known: &Topics) -> String {
    let (kind, group, rest) = match key {
        GroupKey::ConsumerGroupMetadata(key) => ("epoch", &key.group_id, String::new()),
        GroupKey::ConsumerGroupPartitionMetadata(key) => {
            ("partition-metadata", &key.group_id, String::new())
        }
        GroupKey::ConsumerGroupMemberMetadata(key) => {
            ("member", &key.group_id, short_member(&key.member_id))
        }
        GroupKey::ConsumerGroupTargetAssignmentMetadata(key) => {
            ("target-epoch", &key.group_id, String::new())
        }
        GroupKey::ConsumerGroupTargetAssignmentMember(key) => {
            ("target", &key.group_id, short_member(&key.member_id))
        }
        GroupKey::ConsumerGroupCurrentMemberAssignment(key) => {
            ("current", &key.group_id, short_member(&key.member_id))
        }
        GroupKey::ConsumerGroupRegularExpression(key) => {
            ("regex", &key.group_id, key.regular_expression.clone())
        }
        other => panic!("no record of groups: {other:?}"),
    };
    let what = match value {
        None => "tombstone".to_owned(),
        Some(GroupValue::ConsumerGroupMetadata(value)) => value.epoch.to_string(),
        Some(GroupValue::ConsumerGroupMemberMetadata(value)) => {
            let regex = value.subscribed_topic_regex.unwrap_or_default();
            let classic = if value.classic_member_metadata.is_some() { " classic" } else { "" };
            format!(
                "instance={} reads {}~{regex}{classic}",
                or_dash(value.instance_id.as_deref()),
                value.subscribed_topic_names.join("+")
            )
        }
        Some(GroupValue::ConsumerGroupTargetAssignmentMetadata(value)) => {
            format!("{} at {}", value.assignment_epoch, value.assignment_timestamp)
        }
        Some(GroupValue::ConsumerGroupTargetAssignmentMember(value)) => {
            stored(value.topic_partitions.iter().map(|it| (it.topic_id, &it.partitions)), known)
        }
        Some(GroupValue::ConsumerGroupCurrentMemberAssignment(value)) => {
            let state = ["stable", "unrevoked", "unreleased"];
            let place = usize::try_from(value.state).expect("a state");
            let held = value.assigned_partitions.iter().map(|it| (it.topic_id, &it.partitions));
            let revoking = value.partitions_pending_revocation.iter();
            format!(
                "{} epoch={} after {} has {} revokes {}",
                state[place],
                value.member_epoch,
                value.previous_member_epoch,
                stored(held, known),
                stored(revoking.map(|it| (it.topic_id, &it.partitions)), known)
            )
        }
        Some(GroupValue::ConsumerGroupRegularExpression(value)) => value.topics.join("+"),
        Some(other) => panic!("no record of groups: {other:?}"),
    };
    [kind, group, &rest, &what]
        .into_iter()
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
