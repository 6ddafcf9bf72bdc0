//! The tables of `kafka-consumer-groups`. Column by column they are Kafka's, since scripts cut
//! them by position.

use std::collections::BTreeMap;

use client::TopicPartition;
use client::admin::{GroupDescription, GroupListing, GroupMember};

use crate::actions::groups::Standing;

/// A column is at least so wide if what stands in it decides.
const WIDTH_MIN: usize = 15;
/// By which a list of groups is wider than its names.
const LISTING_GAP: usize = 10;

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(str::len).max().unwrap_or(0).max(WIDTH_MIN)
}

fn dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

pub fn offsets(group: &str, standings: &[Standing], verbose: bool) -> String {
    let topics = standings.iter().filter_map(|standing| standing.topic.as_deref());
    let readers = || standings.iter().filter_map(|standing| standing.reader.as_ref());
    let group_width = width(std::iter::once(group));
    let topic_width = width(topics);
    let member_width = width(readers().map(|reader| reader.member.as_str()));
    let host_width = width(readers().map(|reader| reader.host.as_str()));
    let mut text = String::from("\n");
    let mut row = |cells: [&str; 10]| {
        let [group, topic, partition, epoch, current, end, lag, member, host, client] = cells;
        let epoch = if verbose { format!("{epoch:<15} ") } else { String::new() };
        text.push_str(&format!(
            "{group:<group_width$} {topic:<topic_width$} {partition:<10} {epoch}{current:<15} \
             {end:<15} {lag:<15} {member:<member_width$} {host:<host_width$} {client}\n"
        ));
    };
    row([
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ]);
    for standing in standings {
        let reader = standing.reader.as_ref();
        row([
            group,
            &dash(standing.topic.as_ref()),
            &dash(standing.partition),
            &dash(standing.leader_epoch),
            &dash(standing.committed),
            &dash(standing.log_end),
            &dash(standing.lag),
            &dash(reader.map(|reader| &reader.member)),
            &dash(reader.map(|reader| &reader.host)),
            &dash(reader.map(|reader| &reader.client)),
        ]);
    }
    text
}

pub fn members(group: &GroupDescription, verbose: bool) -> String {
    let with_instance = group.members.iter().any(|member| member.instance_id.is_some());
    let all = || group.members.iter();
    let group_width = width(std::iter::once(group.id.as_str()));
    let member_width = width(all().map(|member| member.id.as_str()));
    let instance_width = width(all().filter_map(|member| member.instance_id.as_deref()));
    let instance_width = instance_width.max("GROUP-INSTANCE-ID".len());
    let host_width = width(all().map(|member| member.client_host.as_str()));
    let client_width = width(all().map(|member| member.client_id.as_str()));
    let mut text = String::from("\n");
    let mut row = |cells: [&str; 7]| {
        let [group, member, instance, host, client, count, assignment] = cells;
        let instance = match with_instance {
            true => format!("{instance:<instance_width$} "),
            false => String::new(),
        };
        text.push_str(&format!(
            "{group:<group_width$} {member:<member_width$} {instance}{host:<host_width$} \
             {client:<client_width$} {count:<15} {assignment}\n"
        ));
    };
    // Members of the classic protocol are marked as long as the group changes its protocol.
    let is_mixed = all().any(|member| upgraded(member) == Some(false));
    let details = |[current_epoch, current, target_epoch, target, upgraded]: [&str; 5]| {
        if !verbose {
            return String::new();
        }
        let upgraded = if is_mixed { format!(" {upgraded}") } else { String::new() };
        format!("{current_epoch:<15} {current:<20} {target_epoch:<15} {target:<20}{upgraded}")
    };
    row([
        "GROUP",
        "CONSUMER-ID",
        "GROUP-INSTANCE-ID",
        "HOST",
        "CLIENT-ID",
        "#PARTITIONS",
        &details([
            "CURRENT-EPOCH",
            "CURRENT-ASSIGNMENT",
            "TARGET-EPOCH",
            "TARGET-ASSIGNMENT",
            "UPGRADED",
        ]),
    ]);
    for member in &group.members {
        let target = member.target.as_ref();
        row([
            &group.id,
            &member.id,
            member.instance_id.as_deref().unwrap_or_default(),
            &member.client_host,
            &member.client_id,
            &member.assignment.len().to_string(),
            &details([
                &dash(target.map(|target| target.epoch)),
                &assignment(&member.assignment),
                &dash(group.epochs.map(|epochs| epochs.target)),
                &dash(target.map(|target| assignment(&target.assignment))),
                &dash(upgraded(member)),
            ]),
        ]);
    }
    text
}

fn upgraded(member: &GroupMember) -> Option<bool> {
    member.target.as_ref().and_then(|target| target.is_upgraded)
}

/// `topic:0,1;other:2`.
fn assignment(partitions: &[TopicPartition]) -> String {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for TopicPartition { topic, partition } in partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    let topics = topics.into_iter().map(|(topic, mut partitions)| {
        partitions.sort_unstable();
        let partitions: Vec<String> = partitions.iter().map(ToString::to_string).collect();
        format!("{topic}:{}", partitions.join(","))
    });
    let text = topics.collect::<Vec<_>>().join(";");
    if text.is_empty() { "-".to_owned() } else { text }
}

pub fn state(group: &GroupDescription, address: &str, verbose: bool) -> String {
    let coordinator = format!("{address}  ({})", group.coordinator);
    let group_width = width(std::iter::once(group.id.as_str()));
    let coordinator_width = coordinator.len().max(25);
    let row = |cells: [&str; 7]| {
        let [group, coordinator, strategy, state, epoch, target_epoch, count] = cells;
        let epochs = match verbose {
            true => format!("{epoch:<15} {target_epoch:<25} "),
            false => String::new(),
        };
        format!(
            "{group:<group_width$} {coordinator:<coordinator_width$} {strategy:<20} {state:<20} \
             {epochs}{count}\n"
        )
    };
    let strategy = if group.assignor.is_empty() { "-" } else { &group.assignor };
    let headings = row([
        "GROUP",
        "COORDINATOR (ID)",
        "ASSIGNMENT-STRATEGY",
        "STATE",
        "GROUP-EPOCH",
        "TARGET-ASSIGNMENT-EPOCH",
        "#MEMBERS",
    ]);
    let count = group.members.len().to_string();
    let values = row([
        &group.id,
        &coordinator,
        strategy,
        &group.state,
        &dash(group.epochs.map(|epochs| epochs.group)),
        &dash(group.epochs.map(|epochs| epochs.target)),
        &count,
    ]);
    format!("\n{headings}{values}")
}

/// Names alone, or with their kinds, states, or both.
pub fn listing(groups: &[GroupListing], with_kind: bool, with_state: bool) -> String {
    let mut text = String::new();
    let group_width = width(groups.iter().map(|group| group.id.as_str())).strict_add(LISTING_GAP);
    let mut row = |name: &str, kind: &str, state: &str| {
        text.push_str(&match (with_kind, with_state) {
            (false, false) => format!("{name}\n"),
            (true, false) => format!("{name:<group_width$} {kind:<20}\n"),
            (false, true) => format!("{name:<group_width$} {state:<20}\n"),
            (true, true) => format!("{name:<group_width$} {kind:<20} {state:<20}\n"),
        });
    };
    if with_kind || with_state {
        row("GROUP", "TYPE", "STATE");
    }
    for group in groups {
        let kind = capitalised(group.kind.as_deref().unwrap_or("Unknown"));
        row(&group.id, &kind, group.state.as_deref().unwrap_or("Unknown"));
    }
    text
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// New offsets of groups, as a reset shows them.
pub fn new_offsets<'a>(rows: impl Iterator<Item = (&'a str, &'a TopicPartition, i64)>) -> String {
    let rows: Vec<_> = rows.collect();
    let group_width = width(rows.iter().map(|(group, _, _)| *group));
    let topic_width = width(rows.iter().map(|(_, partition, _)| partition.topic.as_str()));
    let mut text = String::from("\n");
    let mut row = |group: &str, topic: &str, partition: &str, offset: &str| {
        text.push_str(&format!(
            "{group:<group_width$} {topic:<topic_width$} {partition:<10} {offset}\n"
        ));
    };
    row("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET");
    for (group, partition, offset) in rows {
        row(group, &partition.topic, &partition.partition.to_string(), &offset.to_string());
    }
    text
}

/// What became of deleting offsets.
pub fn deleted_offsets<'a>(rows: impl Iterator<Item = (&'a TopicPartition, String)>) -> String {
    let rows: Vec<_> = rows.collect();
    let topic_width = width(rows.iter().map(|(partition, _)| partition.topic.as_str()));
    let mut text = format!("\n{:<topic_width$} {:<10} {:<15}\n", "TOPIC", "PARTITION", "STATUS");
    for (TopicPartition { topic, partition }, status) in rows {
        text.push_str(&format!("{topic:<topic_width$} {partition:<10} {status:<15}\n"));
    }
    text
}

/// Every expected text is recorded from Kafka 4.3.1's own tool.
#[cfg(test)]
mod tests {
    use client::admin::{GroupEpochs, MemberTarget};

    use super::*;
    use crate::actions::groups::Reader;

    const MEMBER: &str = "console-consumer-dcde80db-0701-4ea7-b6a1-d1f71c2f44ca";

    fn standing(committed: Option<i64>, reader: bool) -> Standing {
        Standing {
            topic: Some("plain".to_owned()),
            partition: Some(0),
            leader_epoch: None,
            committed,
            log_end: Some(3),
            lag: committed.map(|committed| 3 - committed),
            reader: reader.then(|| Reader {
                member: MEMBER.to_owned(),
                host: "/127.0.0.1".to_owned(),
                client: "console-consumer".to_owned(),
            }),
        }
    }

    fn group(with_member: bool) -> GroupDescription {
        let member = GroupMember {
            id: MEMBER.to_owned(),
            instance_id: None,
            client_id: "console-consumer".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            assignment: vec![TopicPartition::new("plain", 0)],
            target: None,
        };
        GroupDescription {
            id: if with_member { "g2" } else { "g1" }.to_owned(),
            state: if with_member { "Stable" } else { "Empty" }.to_owned(),
            protocol_type: "consumer".to_owned(),
            assignor: if with_member { "range" } else { "" }.to_owned(),
            coordinator: 0,
            epochs: None,
            members: if with_member { vec![member] } else { Vec::new() },
        }
    }

    #[test]
    fn offsets_stand_in_kafkas_columns() {
        assert_eq!(
            offsets("g1", &[standing(Some(1), false)], false),
            include_str!("golden/describe.out")
        );
        assert_eq!(
            offsets("g2", &[standing(None, true)], false),
            include_str!("golden/describe2.out")
        );
        assert_eq!(
            offsets("g2", &[standing(Some(3), true)], true),
            include_str!("golden/describe2-verbose.out")
        );
    }

    #[test]
    fn members_stand_in_kafkas_columns() {
        assert_eq!(members(&group(false), false), include_str!("golden/members.out"));
        assert_eq!(members(&group(true), false), include_str!("golden/members2.out"));
        assert_eq!(members(&group(true), true), include_str!("golden/members2-verbose.out"));
    }

    fn newer(id: &str, epoch: i32, members: Vec<GroupMember>) -> GroupDescription {
        GroupDescription {
            id: id.to_owned(),
            state: "Reconciling".to_owned(),
            protocol_type: "consumer".to_owned(),
            assignor: "range".to_owned(),
            coordinator: 1,
            epochs: Some(GroupEpochs { group: epoch, target: epoch }),
            members,
        }
    }

    fn reconciling(id: &str, holds: &[i32], target: MemberTarget) -> GroupMember {
        GroupMember {
            id: id.to_owned(),
            instance_id: None,
            client_id: "raw".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            assignment: plain(holds),
            target: Some(target),
        }
    }

    fn plain(indexes: &[i32]) -> Vec<TopicPartition> {
        indexes.iter().map(|index| TopicPartition::new("plain", *index)).collect()
    }

    fn target(epoch: i32, indexes: &[i32], is_upgraded: bool) -> MemberTarget {
        MemberTarget { epoch, assignment: plain(indexes), is_upgraded: Some(is_upgraded) }
    }

    #[test]
    fn epochs_and_targets_of_the_newer_protocol_stand_in_kafkas_columns() {
        let fixed = Some("i".to_owned());
        let one = GroupMember {
            instance_id: fixed,
            ..reconciling("member-b", &[], target(3, &[0, 1], true))
        };
        let other = reconciling("member-a", &[0, 1, 2], target(2, &[2], true));
        let group = newer("g", 3, vec![one, other]);
        assert_eq!(members(&group, true), include_str!("golden/members-newer-verbose.out"));
        let shown = state(&group, "127.0.0.1:21810", true);
        assert_eq!(shown, include_str!("golden/state-newer-verbose.out"));
    }

    #[test]
    fn members_of_the_classic_protocol_are_marked_while_a_group_changes_over() {
        let old = "raw-638cfa99-a669-45d3-ac8c-3b7d26eda66b";
        let old = reconciling(old, &[0, 1, 2], target(1, &[2], false));
        let new = reconciling("member-n", &[], target(2, &[0, 1], true));
        let group = newer("h", 2, vec![old, new]);
        assert_eq!(members(&group, true), include_str!("golden/members-mixed-verbose.out"));
    }

    #[test]
    fn states_stand_in_kafkas_columns() {
        let address = "127.0.0.1:21810";
        assert_eq!(state(&group(false), address, false), include_str!("golden/state.out"));
        assert_eq!(state(&group(true), address, false), include_str!("golden/state2.out"));
        assert_eq!(state(&group(true), address, true), include_str!("golden/state2-verbose.out"));
    }

    #[test]
    fn lists_and_resets_stand_in_kafkas_columns() {
        let listed = |id: &str| GroupListing {
            id: id.to_owned(),
            protocol_type: "consumer".to_owned(),
            state: Some("Empty".to_owned()),
            kind: Some("classic".to_owned()),
            coordinator: 0,
        };
        let groups = ["console-consumer-20447", "g1", "console-consumer-82498"].map(listed);
        assert_eq!(listing(&groups, false, true), include_str!("golden/list-state.out"));
        assert_eq!(listing(&groups, true, false), include_str!("golden/list-type.out"));
        let partition = TopicPartition::new("plain", 0);
        assert_eq!(
            new_offsets([("g1", &partition, 0)].into_iter()),
            include_str!("golden/reset-dry.out")
        );
        let deleted = deleted_offsets([(&partition, "Successful".to_owned())].into_iter());
        let recorded = include_str!("golden/delete-offsets.out");
        assert_eq!(
            format!("Request succeeded for deleting offsets from group g1.\n{deleted}"),
            recorded
        );
    }
}
