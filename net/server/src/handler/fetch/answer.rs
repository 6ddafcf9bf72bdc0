//! From what was read to the response: one entry for each partition that has something to say,
//! those of one topic together.

use std::collections::BTreeMap;

use engine::broker::{AbortedTransaction, Isolation, PartitionError, ReadOutcome};
use engine::types::{LeaderEpoch, Offset};
use wire::messages::FetchResponse;
use wire::messages::fetch_response::{
    AbortedTransaction as WireAborted, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch,
    NodeEndpoint, PartitionData,
};
use wire::{ErrorCode, Slices, Uuid};

use super::plan::{Plan, Target};
use crate::context::Context;
use crate::error::Coded;
use crate::fetch_session::{SessionKey, Shown, TopicKey};
use crate::image;

/// The first version that names the leader to a client which asks the wrong node (KIP-951).
const VERSION_NODE_ENDPOINTS: i16 = 16;

/// One partition's part of the answer.
pub(super) struct Told {
    pub key: SessionKey,
    data: PartitionData,
}

impl Told {
    pub fn shown(&self) -> Shown {
        Shown {
            high_watermark: self.data.high_watermark,
            log_start_offset: self.data.log_start_offset,
            has_records: self.data.records.as_ref().is_some_and(|records| !records.is_empty()),
            has_error: self.data.error_code != ErrorCode::None.code(),
            diverges: self.data.diverging_epoch != EpochEndOffset::default(),
        }
    }
}

pub(super) fn told(
    context: &Context,
    plan: &Plan,
    outcomes: Vec<Result<ReadOutcome, PartitionError>>,
) -> Vec<Told> {
    let mut outcomes = outcomes.into_iter();
    let told = plan.positions.iter().zip(&plan.targets).map(|((key, _), target)| {
        let data = match target {
            // Kafka finds this one in the log, and what the log refuses has no such list.
            Target::Refused(error @ ErrorCode::OffsetOutOfRange) => {
                PartitionData { aborted_transactions: None, ..refusal(key.index, *error) }
            }
            Target::Refused(error) => refusal(key.index, *error),
            Target::Read(read) => match outcomes.next() {
                Some(Ok(outcome)) => found(key.index, outcome, read.isolation),
                Some(Err(error)) => {
                    let mut data = refusal(key.index, error.error_code());
                    data.aborted_transactions = None;
                    if let Some((leader, epoch)) = led_elsewhere(context, &error, read.partition) {
                        data.current_leader.leader_id = leader;
                        data.current_leader.leader_epoch = epoch;
                    }
                    data
                }
                None => refusal(key.index, ErrorCode::UnknownServerError),
            },
        };
        Told { key: key.clone(), data }
    });
    told.collect()
}

pub(super) fn respond(
    context: &Context,
    version: i16,
    session_id: i32,
    told: Vec<Told>,
) -> FetchResponse {
    let mut responses: Vec<FetchableTopicResponse> = Vec::new();
    let mut leaders: BTreeMap<i32, NodeEndpoint> = BTreeMap::new();
    for Told { key, mut data } in told {
        if version < VERSION_NODE_ENDPOINTS {
            data.current_leader = LeaderIdAndEpoch::default();
        } else if let Some(node) = image::broker(context, data.current_leader.leader_id) {
            leaders.entry(node.id).or_insert_with(|| NodeEndpoint {
                node_id: node.id,
                host: node.host,
                port: node.port,
                rack: node.rack,
                ..NodeEndpoint::default()
            });
        }
        let (topic, topic_id) = match key.topic {
            TopicKey::Name(name) => (name, Uuid::ZERO),
            TopicKey::Id(id) => (String::new(), Uuid(id.0)),
        };
        match responses.last_mut() {
            Some(last) if last.topic == topic && last.topic_id == topic_id => {
                last.partitions.push(data);
            }
            Some(_) | None => responses.push(FetchableTopicResponse {
                topic,
                topic_id,
                partitions: vec![data],
                ..FetchableTopicResponse::default()
            }),
        }
    }
    FetchResponse {
        session_id,
        responses,
        node_endpoints: leaders.into_values().collect(),
        ..FetchResponse::default()
    }
}

fn found(partition_index: i32, outcome: ReadOutcome, isolation: Isolation) -> PartitionData {
    let aborted = outcome.aborted.iter().map(aborted).collect();
    PartitionData {
        partition_index,
        high_watermark: outcome.high_watermark.to_wire(),
        last_stable_offset: outcome.last_stable.to_wire(),
        log_start_offset: outcome.log_start.to_wire(),
        diverging_epoch: outcome.diverging.map_or_else(EpochEndOffset::default, |end| {
            EpochEndOffset {
                epoch: end.epoch.map_or(-1, LeaderEpoch::to_wire),
                end_offset: end.end.map_or(-1, Offset::to_wire),
                ..EpochEndOffset::default()
            }
        }),
        aborted_transactions: match isolation {
            Isolation::ReadUncommitted => None,
            Isolation::ReadCommitted => Some(aborted),
        },
        preferred_read_replica: -1,
        records: Some(outcome.records.into_iter().collect()),
        ..PartitionData::default()
    }
}

fn refusal(partition_index: i32, error: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code: error.code(),
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        aborted_transactions: Some(Vec::new()),
        preferred_read_replica: -1,
        records: Some(Slices::default()),
        ..PartitionData::default()
    }
}

fn aborted(transaction: &AbortedTransaction) -> WireAborted {
    WireAborted {
        producer_id: transaction.producer_id.to_wire(),
        first_offset: transaction.first_offset.to_wire(),
        ..WireAborted::default()
    }
}

/// The leader to tell a client about that came to the wrong node or with an old epoch.
fn led_elsewhere(
    context: &Context,
    error: &PartitionError,
    partition: engine::types::PartitionId,
) -> Option<(i32, i32)> {
    matches!(error, PartitionError::NotLeader | PartitionError::FencedLeaderEpoch)
        .then(|| image::leader(&context.broker.image(), partition))
        .flatten()
}
