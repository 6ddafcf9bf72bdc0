//! ShareFetch: a member says what became of records, and is given others. It waits for some if there are
//! none; what it says is decided meanwhile.

use std::time::{Duration, Instant};

use engine::broker::{Reservation, ShareError, ShareFetchAsk, ShareFetched, SharePartitionRead};
use engine::share::{AcquireMode, SessionId};
use engine::types::{PartitionId, TopicId};
use wire::messages::share_fetch_response::{
    AcquiredRecords, PartitionData, ShareFetchableTopicResponse,
};
use wire::messages::{ShareFetchRequest, ShareFetchResponse};
use wire::{ErrorCode, Slices, Uuid};

use super::acknowledgement::{Said, acknowledge};
use super::{VERSION_RENEW, close_if_last, key, lock_millis, session_error};
use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::fetch_session::SessionEpoch;
use crate::handler::fetch::{Fetched, deadline};
use crate::image;
use crate::share_session::{OpenedShare, SharePlace, ShareSessionError};

/// What is read of one partition for one answer; a first batch may be larger.
const PARTITION_BYTES_MAX: usize = 1024 * 1024;
/// The number of the mode in which no record more than was asked for is given out.
const MODE_RECORD_LIMIT: i8 = 1;

/// What is fetched for one request.
struct Plan {
    group: String,
    member: String,
    session: SessionId,
    partitions: Vec<PartitionId>,
    wait_max: Duration,
    bytes_min: usize,
    bytes_max: usize,
    records_max: u64,
    mode: AcquireMode,
}

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: ShareFetchRequest,
) -> Fetched<ShareFetchResponse> {
    let key = key(request.group_id.as_ref(), request.member_id.as_ref());
    let epoch = SessionEpoch(request.share_session_epoch);
    let is_renewing = VERSION_RENEW <= caller.version && request.is_renew_ack;
    let (asked, said, forgotten) = read(&request);
    if let Err(error) = check(&request, epoch, &asked, !said.is_empty(), is_renewing) {
        return refused(error);
    }
    let opened = {
        let mut sessions = context.share_sessions.borrow_mut();
        if epoch == SessionEpoch::FINAL {
            let last = OpenedShare { id: SessionId(0), places: Vec::new(), is_new: false };
            sessions.is_known(&key).then_some(last).ok_or(ShareSessionError::NotFound)
        } else {
            sessions.open(&key, context.connection, epoch, &asked, &forgotten)
        }
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return refused(session_error(error)),
    };
    let image = context.broker.image();
    let mut told: Vec<(SharePlace, PartitionData)> = Vec::new();
    let (mut places, mut partitions) = (Vec::new(), Vec::new());
    for place in opened.places.iter().filter(|_| !is_renewing) {
        match image::partition_by_id(&image, place.topic, place.index) {
            Ok(partition) => {
                places.push(*place);
                partitions.push(partition);
            }
            Err(error) => told.push((*place, data(*place, error))),
        }
    }
    let is_urgent = !told.is_empty();
    let plan = plan(context, &request, caller.version, &key, opened.id, partitions, is_urgent);
    let (acknowledged, (fetched, held)) = futures_util::future::join(
        acknowledge(context, &key, said, is_renewing),
        fetch(context, &plan),
    )
    .await;
    for (place, fetched) in places.into_iter().zip(fetched) {
        let is_news = match &fetched {
            Ok(fetched) => opened.is_new || !fetched.acquired.is_empty(),
            Err(_) => true,
        };
        if is_news {
            told.push((place, found(place, fetched)));
        }
    }
    for (place, error) in acknowledged {
        let known = told.iter_mut().find(|(told, _)| *told == place);
        match known {
            Some((_, data)) => data.acknowledge_error_code = error.code(),
            None => {
                let mut data = data(place, ErrorCode::None);
                data.acknowledge_error_code = error.code();
                told.push((place, data));
            }
        }
    }
    close_if_last(context, &key, epoch);
    let response = ShareFetchResponse {
        acquisition_lock_timeout_ms: lock_millis(context, &key.0),
        responses: topics(told),
        ..ShareFetchResponse::default()
    };
    Fetched { response, held }
}

type Read = (Vec<SharePlace>, Vec<(SharePlace, Vec<Said>)>, Vec<SharePlace>);

/// The partitions that are named, what is said of their records, and the partitions to forget.
fn read(request: &ShareFetchRequest) -> Read {
    let (mut asked, mut said) = (Vec::new(), Vec::new());
    for topic in &request.topics {
        let id = TopicId(topic.topic_id.0);
        for partition in &topic.partitions {
            let place = SharePlace { topic: id, index: partition.partition_index };
            asked.push(place);
            if partition.acknowledgement_batches.is_empty() {
                continue;
            }
            let batches = partition.acknowledgement_batches.iter().map(|batch| Said {
                first: batch.first_offset,
                last: batch.last_offset,
                types: batch.acknowledge_types.clone(),
            });
            said.push((place, batches.collect()));
        }
    }
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        let id = TopicId(topic.topic_id.0);
        topic.partitions.iter().map(move |index| SharePlace { topic: id, index: *index })
    });
    (asked, said, forgotten.collect())
}

fn check(
    request: &ShareFetchRequest,
    epoch: SessionEpoch,
    asked: &[SharePlace],
    says_something: bool,
    is_renewing: bool,
) -> Result<(), ErrorCode> {
    // Who begins has nothing yet to speak of.
    if epoch == SessionEpoch::INITIAL && says_something {
        return Err(ErrorCode::InvalidRequest);
    }
    if epoch == SessionEpoch::FINAL && !asked.is_empty() && !says_something {
        return Err(ErrorCode::InvalidRequest);
    }
    // Who renews is busy with what it has.
    let wants_records = request.max_records != 0
        || request.max_bytes != 0
        || request.min_bytes != 0
        || request.max_wait_ms != 0;
    if is_renewing && wants_records { Err(ErrorCode::InvalidRequest) } else { Ok(()) }
}

fn plan(
    context: &Context,
    request: &ShareFetchRequest,
    version: i16,
    (group, member): &(String, String),
    session: SessionId,
    partitions: Vec<PartitionId>,
    is_urgent: bool,
) -> Plan {
    let bounded = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
    let broker_max = usize::try_from(context.broker.config().fetching.response_bytes_max);
    let bytes_max = bounded(request.max_bytes).min(broker_max.unwrap_or(usize::MAX));
    let is_exact = VERSION_RENEW <= version && request.share_acquire_mode == MODE_RECORD_LIMIT;
    let wait_max = u64::try_from(request.max_wait_ms).unwrap_or(0);
    Plan {
        group: group.clone(),
        member: member.clone(),
        session,
        partitions,
        wait_max: Duration::from_millis(if is_urgent { 0 } else { wait_max }),
        bytes_min: bounded(request.min_bytes).min(bytes_max),
        bytes_max,
        records_max: u64::try_from(request.max_records).unwrap_or(0),
        mode: if is_exact { AcquireMode::RecordLimit } else { AcquireMode::BatchOptimized },
    }
}

type Outcomes = Vec<Result<ShareFetched, ShareError>>;

/// Asks until something is given out, something is wrong, or the time is over.
async fn fetch(context: &Context, plan: &Plan) -> (Outcomes, Option<Reservation>) {
    if plan.partitions.is_empty() {
        return (Vec::new(), None);
    }
    let (broker, stopping) = (&context.broker, context.broker.stopping());
    let deadline: Instant = deadline(plan.wait_max);
    let most = plan.partitions.len().saturating_mul(PARTITION_BYTES_MAX).min(plan.bytes_max);
    loop {
        let mut held = broker.budget().reserve(most).await;
        let left = deadline.saturating_duration_since(socket::now());
        let is_last = left.is_zero() || stopping.is_set();
        let partitions = plan.partitions.iter().map(|partition| SharePartitionRead {
            partition: *partition,
            bytes_max: PARTITION_BYTES_MAX,
        });
        let ask = ShareFetchAsk {
            group: plan.group.clone(),
            member: plan.member.clone(),
            session: plan.session,
            partitions: partitions.collect(),
            bytes_max: plan.bytes_max,
            // At the end of the time anything is enough.
            bytes_min: if is_last { 0 } else { plan.bytes_min },
            records_max: plan.records_max,
            mode: plan.mode,
        };
        let fetched = broker.share_fetch(ask).await;
        let is_over = |one: &Result<ShareFetched, ShareError>| {
            one.as_ref().map_or(true, |one| !one.acquired.is_empty())
        };
        if is_last || fetched.iter().any(is_over) {
            held.shrink_to(fetched.iter().flatten().map(|one| one.records.len()).sum());
            return (fetched, Some(held));
        }
        let seen = fetched.into_iter().flatten().filter_map(|one| one.seen).collect();
        drop(held);
        broker.share_wait(seen, left).await;
    }
}

fn found(place: SharePlace, fetched: Result<ShareFetched, ShareError>) -> PartitionData {
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(error) => return data(place, error.error_code()),
    };
    let acquired = fetched.acquired.iter().map(|one| AcquiredRecords {
        first_offset: one.first.to_wire(),
        last_offset: one.end.to_wire().saturating_sub(1),
        delivery_count: i16::try_from(one.deliveries).unwrap_or(i16::MAX),
        ..AcquiredRecords::default()
    });
    PartitionData {
        records: std::iter::once(fetched.records).collect(),
        acquired_records: acquired.collect(),
        ..data(place, ErrorCode::None)
    }
}

fn data(place: SharePlace, error: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index: place.index,
        error_code: error.code(),
        records: Slices::default(),
        ..PartitionData::default()
    }
}

fn topics(told: Vec<(SharePlace, PartitionData)>) -> Vec<ShareFetchableTopicResponse> {
    let mut topics: Vec<ShareFetchableTopicResponse> = Vec::new();
    for (place, data) in told {
        let topic_id = Uuid(place.topic.0);
        match topics.iter_mut().find(|topic| topic.topic_id == topic_id) {
            Some(topic) => topic.partitions.push(data),
            None => topics.push(ShareFetchableTopicResponse {
                topic_id,
                partitions: vec![data],
                ..ShareFetchableTopicResponse::default()
            }),
        }
    }
    topics
}

fn refused(error: ErrorCode) -> Fetched<ShareFetchResponse> {
    let response = ShareFetchResponse { error_code: error.code(), ..ShareFetchResponse::default() };
    Fetched { response, held: None }
}
