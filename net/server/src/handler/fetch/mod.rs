//! Hands out records, from a session or from what the request names, and waits for some if there
//! are too few. The records leave as the slices in which the engine holds them.

mod answer;
mod plan;

use std::time::{Duration, Instant};

use engine::broker::{PartitionError, ReadOutcome, Reservation};
use engine::types::{Offset, PartitionId};
use wire::ErrorCode;
use wire::messages::{FetchRequest, FetchResponse};

use crate::context::{Caller, Context};
use crate::fetch_session::{FetchSessions, Opened, SessionEpoch, SessionError};
use answer::{Told, respond};
use plan::{Asked, Plan, Target};

/// The first version with topic ids instead of names (KIP-516).
const VERSION_TOPIC_IDS: i16 = 13;

pub(crate) struct Fetched<R> {
    pub response: R,
    /// The memory of the records, until they are sent.
    pub held: Option<Reservation>,
}

impl Fetched<FetchResponse> {
    fn refused(error: ErrorCode) -> Self {
        Self::empty(FetchResponse { error_code: error.code(), ..FetchResponse::default() })
    }

    fn empty(response: FetchResponse) -> Self {
        Self { response, held: None }
    }
}

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: FetchRequest,
) -> Fetched<FetchResponse> {
    let uses_topic_ids = VERSION_TOPIC_IDS <= caller.version;
    let asked = Asked::read(&request, uses_topic_ids);
    let (id, epoch) = (request.session_id, SessionEpoch(request.session_epoch));
    let opened = context.fetch_sessions.borrow_mut().open(
        id,
        epoch,
        uses_topic_ids,
        &asked.positions,
        &asked.forgotten,
        socket::now(),
    );
    let (positions, is_incremental, wants_session) = match opened {
        Ok(Opened::Full { wants_session }) => (asked.positions, false, wants_session),
        Ok(Opened::Incremental { positions }) => (positions, true, false),
        Ok(Opened::Emptied) => return Fetched::empty(FetchResponse::default()),
        Err(error) => return Fetched::refused(session_error(error)),
    };
    let at_once_max = caller.limits.as_ref().map_or(usize::MAX, |one| one.consumed_at_once_max());
    let Some(plan) = Plan::new(context, &request, positions, at_once_max) else {
        return Fetched::refused(ErrorCode::UnknownServerError);
    };
    let (outcomes, held) = read(context, &plan).await;
    if is_too_much(caller, records_bytes(&outcomes)) {
        return nothing_yet(context, id, epoch, is_incremental);
    }
    let mut told = answer::told(context, &plan, outcomes);
    let mut sessions = context.fetch_sessions.borrow_mut();
    let session_id = if is_incremental {
        let Some(id) = keep_news(&mut sessions, id, epoch, &mut told) else {
            // Another request of the same session, or an eviction, has come between.
            let error_code = ErrorCode::InvalidFetchSessionEpoch.code();
            let response = FetchResponse { error_code, session_id: id, ..FetchResponse::default() };
            return Fetched::empty(response);
        };
        id
    } else if wants_session {
        begin_session(&mut sessions, uses_topic_ids, &plan, &told)
    } else {
        0
    };
    drop(sessions);
    Fetched { response: respond(context, caller.version, session_id, told), held }
}

/// Whether the client has used up what it may use of the node. What it would have been given is not counted
/// then; it asks again.
fn is_too_much(caller: &Caller, bytes: usize) -> bool {
    let Some(limits) = &caller.limits else { return false };
    caller.charge_time();
    let is_held_back = !caller.throttle().is_zero();
    caller.slow_down(limits.may_consume(socket::now(), bytes, is_held_back));
    !caller.throttle().is_zero()
}

/// An answer without partitions, of which the session remembers nothing.
fn nothing_yet(
    context: &Context,
    id: i32,
    asked_with: SessionEpoch,
    is_incremental: bool,
) -> Fetched<FetchResponse> {
    if !is_incremental {
        return Fetched::empty(FetchResponse::default());
    }
    let mut sessions = context.fetch_sessions.borrow_mut();
    let is_same = sessions.answering(id, asked_with).is_some();
    let error = if is_same { ErrorCode::None } else { ErrorCode::InvalidFetchSessionEpoch };
    let error_code = error.code();
    Fetched::empty(FetchResponse { error_code, session_id: id, ..FetchResponse::default() })
}

fn session_error(error: SessionError) -> ErrorCode {
    match error {
        SessionError::IdNotFound => ErrorCode::FetchSessionIdNotFound,
        SessionError::InvalidEpoch => ErrorCode::InvalidFetchSessionEpoch,
        SessionError::TopicIds => ErrorCode::FetchSessionTopicIdError,
    }
}

/// Leaves out what the session has told before. `None` if the session has moved on.
fn keep_news(
    sessions: &mut FetchSessions,
    id: i32,
    epoch: SessionEpoch,
    told: &mut Vec<Told>,
) -> Option<i32> {
    let session = sessions.answering(id, epoch)?;
    told.retain(|told| session.show(&told.key, told.shown()));
    Some(id)
}

/// 0 if there is no room for a session: the client goes on with full requests.
fn begin_session(
    sessions: &mut FetchSessions,
    uses_topic_ids: bool,
    plan: &Plan,
    told: &[Told],
) -> i32 {
    let Some(id) = sessions.create(uses_topic_ids, &plan.positions, socket::now()) else {
        return 0;
    };
    if let Some(session) = sessions.created(id) {
        for told in told {
            session.show(&told.key, told.shown());
        }
    }
    id
}

type Outcomes = Vec<Result<ReadOutcome, PartitionError>>;

/// Reads until there is enough, something is wrong, or the time is over.
async fn read(context: &Context, plan: &Plan) -> (Outcomes, Option<Reservation>) {
    let reads = plan.reads();
    if reads.is_empty() {
        return (Vec::new(), None);
    }
    let (broker, stopping) = (&context.broker, context.broker.stopping());
    let deadline = deadline(plan.wait_max);
    loop {
        // What is claimed before the read is the most that it can bring; most reads bring less.
        let mut held = broker.budget().reserve(plan.reserved_bytes()).await;
        let outcomes = broker.read(reads.clone(), plan.bytes_max).await;
        let bytes = records_bytes(&outcomes);
        let left = deadline.saturating_duration_since(socket::now());
        let is_enough = plan.bytes_min <= bytes || outcomes.iter().any(is_urgent);
        if is_enough || left.is_zero() || stopping.is_set() {
            held.shrink_to(bytes);
            return (outcomes, Some(held));
        }
        let seen = seen(plan, &outcomes);
        drop((held, outcomes));
        broker.wait_for_data(&seen, left).await;
    }
}

pub(crate) fn deadline(wait_max: Duration) -> Instant {
    let now = socket::now();
    now.checked_add(wait_max).unwrap_or(now)
}

fn records_bytes(outcomes: &Outcomes) -> usize {
    outcomes.iter().flatten().map(ReadOutcome::records_bytes).fold(0, usize::saturating_add)
}

/// Something the client has to know at once.
fn is_urgent(outcome: &Result<ReadOutcome, PartitionError>) -> bool {
    outcome.as_ref().map_or(true, |outcome| outcome.diverging.is_some())
}

/// How far each partition has been seen: what grows beyond that is worth another read.
fn seen(plan: &Plan, outcomes: &Outcomes) -> Vec<(PartitionId, Offset)> {
    let read = plan.targets.iter().filter_map(|target| match target {
        Target::Read(request) => Some(request.partition),
        Target::Refused(_) => None,
    });
    read.zip(outcomes)
        .filter_map(|(id, outcome)| outcome.as_ref().ok().map(|read| (id, read.high_watermark)))
        .collect()
}
