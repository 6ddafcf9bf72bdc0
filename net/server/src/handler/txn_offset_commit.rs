//! Keeps a consumer's positions as part of a transaction: they count when it is committed.

use engine::broker::{Admission, NotAdmitted};
use engine::group::{
    CommitPartition, CommitTopic, Generation, GroupId, InTransaction, InstanceId, OffsetCommit,
    Reply, Request,
};
use engine::txn::{TransactionVersion, TransactionalId, TxnError};
use engine::types::{LeaderEpoch, PartitionIndex};
use wire::ErrorCode;
use wire::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use wire::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use wire::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use crate::context::{Caller, Context};
use crate::error::{Coded, code_of};
use crate::handler::group::{self, member};
use crate::handler::transaction::identity;
use crate::image;

/// The first version that adds the group's partition to the transaction itself (KIP-890).
const VERSION_BUMPS_EPOCH: i16 = 5;
/// The first version whose clients know that a transaction may have to be aborted.
const VERSION_ABORTABLE: i16 = 4;
/// Clients before this one give up when they hear that a coordinator is loading.
const VERSION_KNOWS_LOADING: i16 = 2;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let image = context.broker.image();
    let is_known = |topic: &str, index: i32| image::partition_by_name(&image, topic, index);
    let mut commits = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let Some((name, id)) = image::topic_name(&image, &topic.name) else { continue };
        let asked = topic.partitions.iter();
        let known = asked.filter(|one| is_known(&topic.name, one.partition_index).is_some());
        let partitions: Vec<CommitPartition> = known
            .filter_map(|one| {
                Some(CommitPartition {
                    index: PartitionIndex::from_wire(one.partition_index)?,
                    offset: one.committed_offset,
                    leader_epoch: LeaderEpoch::from_wire(one.committed_leader_epoch),
                    metadata: one.committed_metadata.clone(),
                })
            })
            .collect();
        if !partitions.is_empty() {
            commits.push(CommitTopic { name, id: Some(id), partitions });
        }
    }
    let outcome = if commits.is_empty() {
        Ok(Vec::new())
    } else {
        commit(context, caller, &request, commits).await
    };
    let code = |topic: &str, index: i32| {
        if is_known(topic, index).is_none() {
            return ErrorCode::UnknownTopicOrPartition;
        }
        match &outcome {
            Ok(outcomes) => {
                let found = outcomes.iter().find(|(name, at, _)| name == topic && *at == index);
                found.map_or(ErrorCode::UnknownServerError, |(_, _, code)| *code)
            }
            Err(code) => *code,
        }
    };
    answer(&request.topics, |topic, index| {
        let code = code(topic, index);
        let is_loading = code == ErrorCode::CoordinatorLoadInProgress;
        if is_loading && caller.version < VERSION_KNOWS_LOADING {
            ErrorCode::CoordinatorNotAvailable
        } else {
            code
        }
    })
}

async fn commit(
    context: &Context,
    caller: &Caller,
    request: &TxnOffsetCommitRequest,
    topics: Vec<CommitTopic>,
) -> Result<Vec<(String, i32, ErrorCode)>, ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let producer = identity(request.producer_id, request.producer_epoch)
        .ok_or(ErrorCode::InvalidProducerIdMapping)?;
    let admission = Admission {
        id: TransactionalId::new(&request.transactional_id),
        producer,
        version: if VERSION_BUMPS_EPOCH <= caller.version {
            TransactionVersion::V2
        } else {
            TransactionVersion::V0
        },
    };
    let admitted = context.broker.admit_offsets(&admission, &request.group_id).await;
    let guard = admitted.map_err(|error| not_admitted(&error, caller.version))?;
    let commit = OffsetCommit {
        group: GroupId::new(&request.group_id),
        generation: Generation::from_wire(request.generation_id),
        member: member(&request.member_id),
        instance: request.group_instance_id.as_deref().map(InstanceId::new),
        retention: None,
        group_id_not_found_supported: false,
        transaction: Some(InTransaction {
            producer_id: producer.producer_id,
            epoch: producer.epoch,
            guard,
        }),
        topics,
    };
    let answer = context.broker.group(&request.group_id, Request::OffsetCommit(commit)).await;
    let committed = match answer {
        Ok(Reply::OffsetCommit(committed)) => committed,
        other => return Err(group::unexpected(other).error_code()),
    };
    let outcomes = committed.into_iter().flat_map(|topic| {
        let name = topic.name.as_str().to_owned();
        topic.partitions.into_iter().map(move |(index, error)| {
            let code = ErrorCode::from_code(code_of(error.as_ref()));
            let code = code.unwrap_or(ErrorCode::UnknownServerError);
            (name.clone(), index.to_wire(), code)
        })
    });
    Ok(outcomes.collect())
}

/// A group's clients know other errors than a producer's.
fn not_admitted(error: &NotAdmitted, version: i16) -> ErrorCode {
    match error {
        NotAdmitted::Partition(_) => ErrorCode::NotCoordinator,
        NotAdmitted::Transaction(TxnError::ProducerFenced) => ErrorCode::InvalidProducerEpoch,
        NotAdmitted::Transaction(TxnError::TransactionAbortable) if version < VERSION_ABORTABLE => {
            ErrorCode::InvalidTxnState
        }
        NotAdmitted::Transaction(error) => error.error_code(),
    }
}

fn answer(
    topics: &[TxnOffsetCommitRequestTopic],
    code: impl Fn(&str, i32) -> ErrorCode,
) -> TxnOffsetCommitResponse {
    let topics = topics.iter().map(|topic| {
        let one = |one: &TxnOffsetCommitRequestPartition| TxnOffsetCommitResponsePartition {
            partition_index: one.partition_index,
            error_code: code(&topic.name, one.partition_index).code(),
            ..TxnOffsetCommitResponsePartition::default()
        };
        let mut partitions: Vec<_> = topic.partitions.iter().map(one).collect();
        // As in Kafka, what needs no coordinator to be refused comes first.
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        partitions.sort_by_key(|partition| partition.error_code != unknown);
        TxnOffsetCommitResponseTopic {
            name: topic.name.clone(),
            partitions,
            ..TxnOffsetCommitResponseTopic::default()
        }
    });
    TxnOffsetCommitResponse { topics: topics.collect(), ..TxnOffsetCommitResponse::default() }
}
