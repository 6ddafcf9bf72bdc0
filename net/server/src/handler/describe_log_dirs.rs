//! How much each partition takes of each data folder, and how much is free.

use std::collections::{BTreeMap, HashMap, HashSet};

use engine::broker::LogDir;
use wire::ErrorCode;
use wire::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use wire::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use crate::context::{Caller, Context};

/// Partitions by topic; without it, all.
type Wanted = Option<HashMap<String, HashSet<i32>>>;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let wanted: Wanted = request.topics.map(|topics| {
        let mut wanted: HashMap<String, HashSet<i32>> = HashMap::new();
        for topic in topics {
            wanted.entry(topic.topic).or_default().extend(topic.partitions);
        }
        wanted
    });
    let dirs = context.broker.log_dirs().await;
    DescribeLogDirsResponse {
        error_code: ErrorCode::None.code(),
        results: dirs.into_iter().map(|dir| describe(dir, wanted.as_ref())).collect(),
        ..DescribeLogDirsResponse::default()
    }
}

fn describe(dir: LogDir, wanted: Option<&HashMap<String, HashSet<i32>>>) -> DescribeLogDirsResult {
    if dir.offline.is_some() {
        return DescribeLogDirsResult {
            error_code: ErrorCode::KafkaStorageError.code(),
            log_dir: dir.path.display().to_string(),
            ..DescribeLogDirsResult::default()
        };
    }
    let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for found in dir.partitions {
        let (topic, partition_index) = (found.topic.as_str(), found.partition.index.to_wire());
        let is_wanted = wanted.is_none_or(|wanted| {
            wanted.get(topic).is_some_and(|indexes| indexes.contains(&partition_index))
        });
        if is_wanted {
            topics.entry(topic.to_owned()).or_default().push(DescribeLogDirsPartition {
                partition_index,
                partition_size: wire_bytes(Some(found.size_bytes)),
                ..DescribeLogDirsPartition::default()
            });
        }
    }
    DescribeLogDirsResult {
        error_code: ErrorCode::None.code(),
        log_dir: dir.path.display().to_string(),
        topics: topics
            .into_iter()
            .map(|(name, mut partitions)| {
                partitions.sort_by_key(|partition| partition.partition_index);
                DescribeLogDirsTopic { name, partitions, ..DescribeLogDirsTopic::default() }
            })
            .collect(),
        total_bytes: wire_bytes(dir.total_bytes),
        usable_bytes: wire_bytes(dir.usable_bytes),
        ..DescribeLogDirsResult::default()
    }
}

/// Unknown is -1.
fn wire_bytes(bytes: Option<u64>) -> i64 {
    bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}
