//! New offsets for a group: which partitions, and where in each. Planned first and shown; carried
//! out only if the user says so.

use std::collections::{BTreeMap, BTreeSet};

use client::TopicPartition;
use client::admin::{Admin, CommittedOffset, OffsetSpec};

use crate::actions::groups::{self, ends};
use crate::exit::Failure;

/// Where in its partitions a group shall go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    Earliest,
    Latest,
    /// Where it stands; without a commit at the end.
    Current,
    Offset(i64),
    Shift(i64),
    /// The first record that is not older.
    Instant(i64),
    Given(BTreeMap<TopicPartition, i64>),
}

/// Which partitions are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that the group has committed.
    Committed,
    /// Topics, each with some of its partitions or with all.
    Topics(Vec<(String, Option<Vec<i32>>)>),
}

/// A plan, and what a user should know about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub offsets: BTreeMap<TopicPartition, i64>,
    pub remarks: Vec<String>,
}

/// `topic`, or `topic:0,1,2`.
pub fn parse_scope(text: &str) -> Result<(String, Option<Vec<i32>>), Failure> {
    let Some((topic, list)) = text.split_once(':') else { return Ok((text.to_owned(), None)) };
    let wrong = |_| Failure::usage(format!("{text:?}: expected TOPIC or TOPIC:0,1,2"));
    let indexes: Result<Vec<i32>, _> = list.split(',').map(|part| part.trim().parse()).collect();
    Ok((topic.to_owned(), Some(indexes.map_err(wrong)?)))
}

/// Works out the new offsets and changes nothing.
pub async fn plan(admin: &Admin, group: &str, scope: &Scope, goal: &Goal) -> Result<Plan, Failure> {
    let partitions = partitions(admin, group, scope, goal).await?;
    let found = async |spec| ends(admin, partitions.iter(), spec).await;
    let mut plan = Plan::default();
    match goal {
        Goal::Earliest => plan.offsets = existing(found(OffsetSpec::Earliest).await?),
        Goal::Latest => plan.offsets = existing(found(OffsetSpec::Latest).await?),
        Goal::Instant(instant) => {
            let latest = found(OffsetSpec::Latest).await?;
            for (partition, offset) in found(OffsetSpec::At(*instant)).await? {
                if let Some(offset) = offset.or(latest.get(&partition).copied().flatten()) {
                    plan.offsets.insert(partition, offset);
                }
            }
        }
        Goal::Current | Goal::Shift(_) => {
            let committed = admin.committed_offsets(group, None, false).await?;
            let latest = found(OffsetSpec::Latest).await?;
            let by = if let Goal::Shift(by) = goal { *by } else { 0 };
            for partition in &partitions {
                let current = committed.get(partition).map(|committed| committed.offset);
                match (current, by) {
                    (Some(current), by) => {
                        plan.offsets.insert(partition.clone(), current.saturating_add(by));
                    }
                    (None, 0) => {
                        if let Some(end) = latest.get(partition).copied().flatten() {
                            plan.offsets.insert(partition.clone(), end);
                        }
                    }
                    (None, _) => {
                        return Err(Failure::failed(format!(
                            "cannot shift the offset of {partition}: group {group:?} has not \
                             committed one"
                        )));
                    }
                }
            }
        }
        Goal::Offset(offset) => {
            plan.offsets = partitions.iter().map(|one| (one.clone(), *offset)).collect();
        }
        Goal::Given(offsets) => plan.offsets.clone_from(offsets),
    }
    if matches!(goal, Goal::Offset(_) | Goal::Shift(_) | Goal::Given(_)) {
        keep_within_log(admin, &mut plan).await?;
    }
    Ok(plan)
}

/// Writes a plan into the group, which must have no members.
pub async fn carry_out(
    admin: &Admin,
    group: &str,
    offsets: &BTreeMap<TopicPartition, i64>,
) -> Result<(), Failure> {
    let commits = offsets.iter().map(|(partition, offset)| {
        let commit =
            CommittedOffset { offset: *offset, leader_epoch: None, metadata: String::new() };
        (partition.clone(), commit)
    });
    for (_, outcome) in admin.alter_committed_offsets(group, &commits.collect()).await? {
        outcome?;
    }
    Ok(())
}

/// Offsets can be reset only while nobody reads.
pub async fn check_inactive(admin: &Admin, group: &str) -> Result<(), Failure> {
    match groups::find(admin, group).await? {
        Some(found) if !["Empty", "Dead"].contains(&found.state.as_str()) => {
            Err(Failure::failed(format!(
                "offsets can only be reset while the group is inactive, but the group {group:?} \
                 is {}; stop its consumers first",
                found.state
            )))
        }
        _ => Ok(()),
    }
}

async fn partitions(
    admin: &Admin,
    group: &str,
    scope: &Scope,
    goal: &Goal,
) -> Result<BTreeSet<TopicPartition>, Failure> {
    if let Goal::Given(offsets) = goal {
        return Ok(offsets.keys().cloned().collect());
    }
    let topics = match scope {
        Scope::Committed => {
            let committed = admin.committed_offsets(group, None, false).await?;
            return Ok(committed.into_keys().collect());
        }
        Scope::Topics(topics) => topics,
    };
    let mut partitions = BTreeSet::new();
    for (name, indexes) in topics {
        match indexes {
            Some(indexes) => {
                partitions.extend(indexes.iter().map(|index| TopicPartition::new(name, *index)));
            }
            None => {
                let found = admin.topics(Some(std::slice::from_ref(name))).await?;
                for topic in found {
                    client::check(topic.error_code, None, || format!("find topic {name:?}"))?;
                    let all = topic.partitions.iter();
                    partitions.extend(all.map(|one| TopicPartition::new(name, one.index)));
                }
            }
        }
    }
    Ok(partitions)
}

/// Partitions that are not there have no place to go on from.
fn existing(found: BTreeMap<TopicPartition, Option<i64>>) -> BTreeMap<TopicPartition, i64> {
    found.into_iter().filter_map(|(partition, offset)| Some((partition, offset?))).collect()
}

/// An offset outside of the log becomes the nearer end of it.
async fn keep_within_log(admin: &Admin, plan: &mut Plan) -> Result<(), Failure> {
    let earliest = ends(admin, plan.offsets.keys(), OffsetSpec::Earliest).await?;
    let latest = ends(admin, plan.offsets.keys(), OffsetSpec::Latest).await?;
    for (partition, offset) in &mut plan.offsets {
        let bounds = (earliest.get(partition).copied().flatten(), latest.get(partition).copied());
        let (Some(start), Some(Some(end))) = bounds else {
            return Err(Failure::failed(format!("there is no partition {partition}")));
        };
        if *offset < start {
            plan.remarks.push(format!(
                "New offset ({offset}) is lower than earliest offset for topic partition \
                 {partition}. Value will be set to {start}"
            ));
            *offset = start;
        } else if end < *offset {
            plan.remarks.push(format!(
                "New offset ({offset}) is higher than latest offset for topic partition \
                 {partition}. Value will be set to {end}"
            ));
            *offset = end;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_topic_or_some_of_its_partitions() {
        assert_eq!(parse_scope("a").ok(), Some(("a".to_owned(), None)));
        assert_eq!(parse_scope("a:0, 2").ok(), Some(("a".to_owned(), Some(vec![0, 2]))));
        assert!(parse_scope("a:x").is_err());
    }
}
