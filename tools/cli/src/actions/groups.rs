//! Consumer groups as a user wants to see them: where each partition stands, how far that is from
//! the end, and who reads it.

use std::collections::{BTreeMap, BTreeSet};

use client::admin::{Admin, GroupDescription, OffsetSpec};
use client::{ClientError, IsolationLevel, TopicPartition};
use serde::Serialize;
use wire::ErrorCode;

use crate::exit::Failure;

/// One partition of a group, or a member without partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    pub topic: Option<String>,
    pub partition: Option<i32>,
    pub leader_epoch: Option<i32>,
    pub committed: Option<i64>,
    pub log_end: Option<i64>,
    pub lag: Option<i64>,
    pub reader: Option<Reader>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reader {
    pub member: String,
    pub host: String,
    pub client: String,
}

/// A group that exists; `None` for one that does not.
pub async fn find(admin: &Admin, group: &str) -> Result<Option<GroupDescription>, Failure> {
    match admin.describe_group(group).await {
        Ok(description) if description.state == "Dead" => Ok(None),
        Ok(description) => Ok(Some(description)),
        Err(ClientError::Server(error)) if error.code() == ErrorCode::GroupIdNotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The partitions that the group has committed or reads, sorted; members without partitions last.
pub async fn standings(admin: &Admin, group: &GroupDescription) -> Result<Vec<Standing>, Failure> {
    let committed = admin.committed_offsets(&group.id, None, false).await?;
    let mut readers = BTreeMap::new();
    let mut idle = Vec::new();
    for member in &group.members {
        let reader = Reader {
            member: member.id.clone(),
            host: member.client_host.clone(),
            client: member.client_id.clone(),
        };
        if member.assignment.is_empty() {
            idle.push(reader.clone());
        }
        for partition in &member.assignment {
            readers.insert(partition.clone(), reader.clone());
        }
    }
    let all: BTreeSet<TopicPartition> = committed.keys().chain(readers.keys()).cloned().collect();
    let ends = ends(admin, all.iter(), OffsetSpec::Latest).await?;
    let mut standings: Vec<Standing> = all
        .into_iter()
        .map(|partition| {
            let found = committed.get(&partition);
            let offset = found.map(|found| found.offset);
            let log_end = ends.get(&partition).copied().flatten();
            Standing {
                leader_epoch: found.and_then(|found| found.leader_epoch),
                committed: offset,
                log_end,
                lag: offset.zip(log_end).map(|(offset, end)| end.saturating_sub(offset)),
                reader: readers.remove(&partition),
                topic: Some(partition.topic),
                partition: Some(partition.partition),
            }
        })
        .collect();
    standings.extend(idle.into_iter().map(|reader| Standing {
        topic: None,
        partition: None,
        leader_epoch: None,
        committed: None,
        log_end: None,
        lag: None,
        reader: Some(reader),
    }));
    Ok(standings)
}

/// An offset of each partition; `None` where the partition has none, or is not there any more.
pub async fn ends(
    admin: &Admin,
    partitions: impl Iterator<Item = &TopicPartition>,
    spec: OffsetSpec,
) -> Result<BTreeMap<TopicPartition, Option<i64>>, Failure> {
    let wanted: Vec<_> = partitions.map(|partition| (partition.clone(), spec)).collect();
    // A partition that was deleted shall not hold up the others until all retries are used.
    let known = admin.topics(None).await?;
    let exists = |partition: &TopicPartition| {
        known.iter().any(|topic| {
            topic.name == partition.topic && topic.partition(partition.partition).is_some()
        })
    };
    let (there, gone): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|(partition, _)| exists(partition));
    let mut found: BTreeMap<_, _> =
        gone.into_iter().map(|(partition, _)| (partition, None)).collect();
    for (partition, result) in admin.list_offsets(&there, IsolationLevel::ReadUncommitted).await? {
        found.insert(partition, result.ok().and_then(|offset| offset.offset));
    }
    Ok(found)
}
