//! Takes records in: each batch is checked where its bytes landed, gets its place in the log, and
//! the answer follows when it is as safe as the producer asks.

mod admission;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use engine::broker::{
    Acks, Append, AppendFailure, AppendTicket, Appended, Isolation, ListOffsetAsk, OffsetSpec,
};
use engine::log::AppendError;
use engine::record::RecordError;
use engine::types::{Offset, PartitionId, Timestamp, TopicId};
use futures_util::future::poll_immediate;
use wire::messages::produce_request::PartitionProduceData;
use wire::messages::produce_response::{
    BatchIndexAndErrorMessage, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use wire::messages::{ProduceRequest, ProduceResponse};
use wire::{ErrorCode, Slices, Uuid};

use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::image;

/// The first version with topic ids instead of names (KIP-516).
const VERSION_TOPIC_IDS: i16 = 13;
/// The first version that names the leader to a client which asks the wrong node (KIP-951).
const VERSION_NODE_ENDPOINTS: i16 = 10;
/// By this name Kafka's own tools may write to internal topics.
const ADMIN_CLIENT_ID: &str = "__admin_client";
/// The place and bit in a batch that say it belongs to a transaction.
const ATTRIBUTES_LOW_BYTE: usize = 22;
const TRANSACTIONAL_BIT: u8 = 0x10;

/// A request whose records have their place in the log, or never will.
pub(crate) struct Submitted {
    topics: Vec<SubmittedTopic>,
    acks: Option<Acks>,
    /// Only appends that wait for other replicas can take longer than the disk.
    deadline: Option<Instant>,
    names_leaders: bool,
    context: Rc<Context>,
}

struct SubmittedTopic {
    name: String,
    id: Uuid,
    partitions: Vec<(i32, Outcome)>,
}

enum Outcome {
    Waiting(PartitionId, AppendTicket),
    Refused(Refusal),
}

/// What the response says about records that are not in the log.
struct Refusal {
    error: ErrorCode,
    message: Option<String>,
    records: Vec<BatchIndexAndErrorMessage>,
    /// Who leads instead, and in which epoch.
    leader: Option<(i32, i32)>,
    /// The partition whose start the producer is told, as Kafka does if it got as far as the log.
    reached: Option<PartitionId>,
}

pub(crate) enum Produced {
    Response(ProduceResponse),
    /// The producer does not want to know.
    NoResponse,
    /// The producer does not want to know, but something went wrong: as with Kafka, it learns that
    /// by losing its connection.
    Failed {
        reason: String,
    },
}

/// Gives every batch its place, in the order of the request.
pub(crate) async fn submit(
    context: &Rc<Context>,
    caller: &Caller,
    request: ProduceRequest,
) -> Submitted {
    let acks = acks(request.acks);
    let is_transactional = request
        .topic_data
        .iter()
        .flat_map(|topic| &topic.partition_data)
        .any(|partition| partition.records.as_ref().is_some_and(is_transactional));
    let refused = (is_transactional && request.transactional_id.is_none())
        .then_some(ErrorCode::TransactionalIdAuthorizationFailed);
    let rules = Rules { context, caller, acks, refused };
    let mut submitted = Submitted {
        topics: Vec::with_capacity(request.topic_data.len()),
        acks,
        deadline: deadline(acks, request.timeout_ms),
        names_leaders: VERSION_NODE_ENDPOINTS <= caller.version,
        context: Rc::clone(context),
    };
    let mut checked = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        let mut partitions = Vec::with_capacity(topic.partition_data.len());
        for partition in last_of_each(topic.partition_data) {
            let index = partition.index;
            let placed = rules.place(&topic.name, topic.topic_id, partition);
            let outcome = match placed {
                // What may open a transaction is placed when all of the request is admitted.
                Ok(append) if is_transactional => Checked::Held(append),
                Ok(append) => Checked::Done(submit_one(context, append).await),
                Err(refusal) => Checked::Done(Outcome::Refused(refusal)),
            };
            partitions.push((index, outcome));
            socket::yield_if_needed().await;
        }
        checked.push((topic.name, topic.topic_id, partitions));
    }
    if let Some(id) = request.transactional_id.as_deref().filter(|_| is_transactional) {
        let held = checked.iter_mut().flat_map(|(_, _, partitions)| partitions);
        let held = held.map(|(_, outcome)| outcome);
        admission::admit(context, caller.version, id, held.collect()).await;
    }
    for (name, id, held) in checked {
        let mut partitions = Vec::with_capacity(held.len());
        for (index, outcome) in held {
            let outcome = match outcome {
                Checked::Held(append) => submit_one(context, append).await,
                Checked::Done(outcome) => outcome,
            };
            partitions.push((index, outcome));
        }
        submitted.topics.push(SubmittedTopic { name, id, partitions });
    }
    submitted
}

async fn submit_one(context: &Context, append: Append) -> Outcome {
    let id = append.partition;
    Outcome::Waiting(id, context.broker.submit_append(append).await)
}

/// Records on their way to their place.
enum Checked {
    Held(Append),
    Done(Outcome),
}

impl Submitted {
    /// Waits for every append, in order. Only the request that is next in line waits, so at most
    /// one timer runs per connection.
    pub async fn settled(mut self) -> Produced {
        let mut responses = Vec::with_capacity(self.topics.len());
        let mut leaders: BTreeMap<i32, NodeEndpoint> = BTreeMap::new();
        let mut first_error = None;
        for topic in std::mem::take(&mut self.topics) {
            let mut partition_responses = Vec::with_capacity(topic.partitions.len());
            for (index, outcome) in topic.partitions {
                let settled = match outcome {
                    Outcome::Waiting(id, ticket) => {
                        let settled = until(ticket, self.deadline).await;
                        settled.map_err(|failure| self.refusal(id, &failure))
                    }
                    Outcome::Refused(refusal) => Err(refusal),
                };
                let response = match settled {
                    Ok(appended) => accepted(index, appended),
                    Err(refusal) => {
                        first_error.get_or_insert(refusal.error);
                        let leader = refusal.leader.map(|(leader, _)| leader);
                        if let Some(node) = leader.and_then(|id| image::broker(&self.context, id)) {
                            leaders.insert(node.id, node_endpoint(node));
                        }
                        let log_start = self.log_start(refusal.reached).await;
                        refused(index, refusal, log_start)
                    }
                };
                partition_responses.push(response);
            }
            if !partition_responses.is_empty() {
                responses.push(TopicProduceResponse {
                    name: topic.name,
                    topic_id: topic.id,
                    partition_responses,
                    ..TopicProduceResponse::default()
                });
            }
        }
        match (self.acks, first_error) {
            (Some(Acks::None), None) => Produced::NoResponse,
            (Some(Acks::None), Some(error)) => {
                let reason =
                    format!("a produce request without an answer failed: {}", error.name());
                Produced::Failed { reason }
            }
            (Some(Acks::Leader | Acks::All) | None, _) => Produced::Response(ProduceResponse {
                responses,
                node_endpoints: leaders.into_values().collect(),
                ..ProduceResponse::default()
            }),
        }
    }
}

impl Submitted {
    /// Whether the client waits for a response.
    pub fn is_answered(&self) -> bool {
        self.acks != Some(Acks::None)
    }

    fn refusal(&self, partition: PartitionId, failure: &Failure) -> Refusal {
        let error = match failure {
            Failure::Append(failure) => failure.error_code(),
            Failure::Late => ErrorCode::RequestTimedOut,
        };
        let is_elsewhere = self.names_leaders && error == ErrorCode::NotLeaderOrFollower;
        let leader =
            is_elsewhere.then(|| image::leader(&self.context.broker.image(), partition)).flatten();
        let reached = is_of_producer(failure).then_some(partition);
        Refusal { leader, reached, ..Refusal::from(error) }
    }

    /// -1 where the partition was not reached or is not here.
    async fn log_start(&self, reached: Option<PartitionId>) -> i64 {
        let Some(partition) = reached else { return -1 };
        let (spec, isolation) = (OffsetSpec::Earliest, Isolation::ReadUncommitted);
        let ask = ListOffsetAsk { partition, spec, isolation, current_leader_epoch: None };
        let answer = self.context.broker.list_offsets(vec![ask]).await.pop();
        let start = answer.and_then(Result::ok).and_then(|listed| listed.offset);
        start.map_or(-1, Offset::to_wire)
    }
}

/// Why records that were submitted are not acknowledged.
enum Failure {
    Append(AppendFailure),
    Late,
}

/// What decides over one partition's records, before they reach its log.
struct Rules<'a> {
    context: &'a Context,
    caller: &'a Caller,
    acks: Option<Acks>,
    /// Set if the whole request is refused.
    refused: Option<ErrorCode>,
}

impl Rules<'_> {
    fn place(&self, name: &str, id: Uuid, data: PartitionProduceData) -> Result<Append, Refusal> {
        if let Some(error) = self.refused {
            return Err(error.into());
        }
        let image = self.context.broker.image();
        let partition = if VERSION_TOPIC_IDS <= self.caller.version {
            image::partition_by_id(&image, TopicId(id.0), data.index)?
        } else {
            image::partition_by_name(&image, name, data.index)
                .ok_or(ErrorCode::UnknownTopicOrPartition)?
        };
        let acks = self.acks.ok_or(ErrorCode::InvalidRequiredAcks)?;
        let broker = &self.context.broker;
        let rules = self.context.topics.of(broker, partition.topic);
        let rules = rules.ok_or(ErrorCode::UnknownTopicOrPartition)?;
        if image::is_internal(rules.topic.as_str()) && self.caller.client_id != ADMIN_CLIENT_ID {
            return Err(ErrorCode::InvalidTopicException.into());
        }
        let records = data.records.unwrap_or_default();
        let now = Timestamp(socket::wall_clock_millis());
        let options = rules.check_options(self.caller.version, now);
        let checked = engine::record::check(&records.into_bytes(), &options)
            .map_err(|error| invalid(&error, partition, rules.topic.as_str()))?;
        Ok(Append { partition, batches: vec![checked], acks, leader_epoch: None, guard: None })
    }
}

impl From<ErrorCode> for Refusal {
    fn from(error: ErrorCode) -> Self {
        Self { error, message: None, records: Vec::new(), leader: None, reached: None }
    }
}

/// Of a partition that is named twice Kafka takes the last.
fn last_of_each(partitions: Vec<PartitionProduceData>) -> Vec<PartitionProduceData> {
    let mut places: HashMap<i32, usize> = HashMap::with_capacity(partitions.len());
    let mut last: Vec<PartitionProduceData> = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let place = *places.entry(partition.index).or_insert(last.len());
        match last.get_mut(place) {
            Some(earlier) => *earlier = partition,
            None => last.push(partition),
        }
    }
    last
}

fn acks(acks: i16) -> Option<Acks> {
    match acks {
        0 => Some(Acks::None),
        1 => Some(Acks::Leader),
        -1 => Some(Acks::All),
        _ => None,
    }
}

fn deadline(acks: Option<Acks>, timeout_ms: i32) -> Option<Instant> {
    match acks {
        Some(Acks::All) => {
            let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
            socket::now().checked_add(timeout)
        }
        Some(Acks::None | Acks::Leader) | None => None,
    }
}

fn is_transactional(records: &Slices) -> bool {
    let bits = records.iter().flatten().nth(ATTRIBUTES_LOW_BYTE);
    bits.is_some_and(|bits| bits & TRANSACTIONAL_BIT != 0)
}

async fn until(mut ticket: AppendTicket, deadline: Option<Instant>) -> Result<Appended, Failure> {
    let settled = match (poll_immediate(&mut ticket).await, deadline) {
        (Some(settled), _) => settled,
        (None, None) => ticket.await,
        (None, Some(deadline)) => {
            let left = deadline.saturating_duration_since(socket::now());
            socket::timeout(left, ticket).await.map_err(|_| Failure::Late)?
        }
    };
    settled.map_err(Failure::Append)
}

/// As with Kafka, only two refusals come with a sentence: of a format that nobody knows, and of
/// records one by one.
fn invalid(error: &RecordError, partition: PartitionId, topic: &str) -> Refusal {
    let records: Vec<_> = error
        .rejected_records()
        .iter()
        .map(|record| BatchIndexAndErrorMessage {
            batch_index: i32::try_from(record.batch_index).unwrap_or(i32::MAX),
            batch_index_error_message: Some(record.message.clone()),
            ..BatchIndexAndErrorMessage::default()
        })
        .collect();
    tracing::debug!(topic, partition = %partition.index, %error, "records refused");
    let is_explained = !records.is_empty() || matches!(error, RecordError::MagicUnknown { .. });
    Refusal {
        message: is_explained.then(|| error.to_string()),
        records,
        reached: error.is_of_log().then_some(partition),
        ..Refusal::from(error.error_code())
    }
}

/// A batch whose producer id, epoch or sequence does not fit what the log has.
fn is_of_producer(failure: &Failure) -> bool {
    matches!(failure, Failure::Append(AppendFailure::Log(AppendError::Producer(_))))
}

fn accepted(index: i32, appended: Appended) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        base_offset: appended.base_offset.to_wire(),
        log_append_time_ms: appended.log_append_time.map_or(-1, |time| time.0),
        log_start_offset: appended.log_start.to_wire(),
        ..PartitionProduceResponse::default()
    }
}

fn refused(index: i32, refusal: Refusal, log_start_offset: i64) -> PartitionProduceResponse {
    let mut response = PartitionProduceResponse {
        index,
        error_code: refusal.error.code(),
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset,
        record_errors: refusal.records,
        error_message: refusal.message,
        ..PartitionProduceResponse::default()
    };
    if let Some((leader, epoch)) = refusal.leader {
        response.current_leader.leader_id = leader;
        response.current_leader.leader_epoch = epoch;
    }
    response
}

fn node_endpoint(node: image::Node) -> NodeEndpoint {
    NodeEndpoint {
        node_id: node.id,
        host: node.host,
        port: node.port,
        rack: node.rack,
        ..NodeEndpoint::default()
    }
}
