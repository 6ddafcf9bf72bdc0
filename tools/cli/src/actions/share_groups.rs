//! Share groups: where their queues shall begin.

use client::TopicPartition;
use client::admin::{Admin, OffsetSpec};

use super::groups::ends;
use super::topics::{self, Selection};
use crate::exit::Failure;

/// A topic with some of its partitions, or with all.
pub type TopicScope = (String, Option<Vec<i32>>);

/// Where the queues of some partitions shall begin; decided, and not yet done.
pub type Plan = Vec<(TopicPartition, i64)>;

/// Topics with some of their partitions or with all; `None` stands for what the group has read.
pub async fn plan(
    admin: &Admin,
    group: &str,
    topics: Option<&[TopicScope]>,
    spec: OffsetSpec,
) -> Result<Plan, Failure> {
    let partitions = match topics {
        None => {
            let read = admin.describe_share_offsets(group).await?;
            read.into_iter().map(|offset| offset.partition).collect()
        }
        Some(topics) => existing(admin, topics).await?,
    };
    let found = ends(admin, partitions.iter(), spec).await?;
    let latest = ends(admin, partitions.iter(), OffsetSpec::Latest).await?;
    let end = |partition: &TopicPartition| latest.get(partition).copied().flatten();
    let begin = |(partition, offset): (TopicPartition, Option<i64>)| {
        // None is as young as asked: what comes next is.
        let offset = offset.or_else(|| end(&partition))?;
        Some((partition, offset))
    };
    Ok(found.into_iter().filter_map(begin).collect())
}

async fn existing(admin: &Admin, wanted: &[TopicScope]) -> Result<Vec<TopicPartition>, Failure> {
    let known = topics::list(admin, &Selection::all(false)).await?;
    let mut partitions = Vec::new();
    for (name, indexes) in wanted {
        let Some(topic) = known.iter().find(|topic| topic.name == *name) else {
            return Err(Failure::failed(format!("there is no topic {name}")));
        };
        for partition in &topic.partitions {
            if indexes.as_ref().is_none_or(|wanted| wanted.contains(&partition.index)) {
                partitions.push(TopicPartition::new(name, partition.index));
            }
        }
    }
    Ok(partitions)
}
