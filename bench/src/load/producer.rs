//! Produces with raw requests: the batch is encoded once and its bytes are shared by every request.

use std::{
    collections::VecDeque,
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use client::{CallError, Connection, ConnectionOptions, RawCall, batch::ProducerStamp, runtime};
use futures_util::future::{Either, select};
use wire::{ErrorCode, Uuid, messages::ProduceRequest};

use super::{
    Acknowledge, Identity, Ledger, NumberedBatch, Pace, ProduceLoad,
    ledger::{Turns, due_after},
    report::float,
    target::Loaded,
    template::Template,
    window::{Load, Recorder, Tally, Window},
};
use crate::BenchError;

/// What may wait to be written on a connection whose requests have no answer.
const UNWRITTEN_BYTES_MAX: usize = 4 << 20;

/// One connection's part of a load, before it is opened.
#[derive(Clone, Debug)]
pub struct ProducerPlan {
    load: ProduceLoad,
    batch: Arc<NumberedBatch>,
    topic: String,
    topic_id: Uuid,
    /// Of the leader.
    address: String,
    /// In the order of its turns.
    partitions: Vec<i32>,
    number: u64,
    interval: Option<Duration>,
    identity: Option<Identity>,
}

/// The connections of a load, and what they will have written. There are as many identities as
/// connections, or none.
pub fn plan(
    load: &ProduceLoad,
    loaded: &Loaded,
    batch: &Arc<NumberedBatch>,
    identities: &[Identity],
) -> Result<(Vec<ProducerPlan>, Ledger), BenchError> {
    load.check()?;
    let interval = interval(load, batch);
    let connections = u64::try_from(load.connections).unwrap_or(u64::MAX);
    let mut ledger = Ledger::new(batch, connections, interval);
    let mut plans = Vec::with_capacity(load.connections);
    for (number, connection) in (0..).zip(0..load.connections) {
        let nothing =
            || BenchError::NothingMeasured { last: "no partition has a leader".to_owned() };
        let (address, partitions) = loaded.rotation(connection).ok_or_else(nothing)?;
        let step = u64::try_from(partitions.len()).unwrap_or(u64::MAX);
        for (first, partition) in (0..).zip(&partitions) {
            ledger.add(partition.index, number, Turns { first, step });
        }
        let identity = identities.get(connection).copied();
        if let Some(identity) = identity {
            ledger.identify(number, identity);
        }
        plans.push(ProducerPlan {
            load: load.clone(),
            batch: Arc::clone(batch),
            topic: loaded.topic.clone(),
            topic_id: loaded.topic_id,
            address: address.to_owned(),
            partitions: partitions.iter().map(|partition| partition.index).collect(),
            number,
            interval,
            identity,
        });
    }
    Ok((plans, ledger))
}

/// Open loop: the time between two requests of all connections together.
fn interval(load: &ProduceLoad, batch: &NumberedBatch) -> Option<Duration> {
    let work = Work::of(load, batch);
    let requests_per_second = match load.pace {
        Pace::AsFastAsPossible => return None,
        Pace::BytesPerSecond(bytes) => bytes / float(work.bytes),
        Pace::RecordsPerSecond(records) => records / float(work.records),
    };
    Some(Duration::try_from_secs_f64(1.0 / requests_per_second).unwrap_or(Duration::MAX))
}

/// What one request moves.
struct Work {
    records: u64,
    bytes: u64,
}

impl Work {
    fn of(load: &ProduceLoad, batch: &NumberedBatch) -> Self {
        Self {
            records: u64::try_from(load.batch_records).unwrap_or(u64::MAX),
            bytes: u64::try_from(batch.bytes().len()).unwrap_or(u64::MAX),
        }
    }
}

/// One connection with its requests.
pub struct Producer {
    connection: Connection,
    version: i16,
    templates: Vec<Template>,
    plan: ProducerPlan,
    connections: u64,
    load: Load,
    turn: u64,
}

impl ProducerPlan {
    pub async fn open(self) -> Result<Producer, BenchError> {
        let connection = Connection::open(&self.address, &ConnectionOptions::default()).await?;
        let version = connection.version::<ProduceRequest>()?;
        let mut templates = Vec::with_capacity(self.partitions.len());
        let topic = (self.topic.as_str(), self.topic_id);
        for partition in &self.partitions {
            templates.push(Template::produce(&self.load, version, topic, *partition, &self.batch)?);
        }
        let Work { records, bytes } = Work::of(&self.load, &self.batch);
        Ok(Producer {
            connection,
            version,
            templates,
            connections: u64::try_from(self.load.connections).unwrap_or(u64::MAX),
            load: Load { records, bytes },
            plan: self,
            turn: 0,
        })
    }
}

/// A request on its way, and when it was due.
struct Sent {
    call: RawCall,
    due: Instant,
}

impl Producer {
    pub async fn run(mut self, window: &Window, begin: Instant) -> Tally {
        let mut recorder = Recorder::new(window, begin);
        if let Err(error) = self.load(&mut recorder).await {
            recorder.tally.error(error.to_string());
        }
        recorder.tally.turns.insert(self.plan.number, self.turn);
        recorder.tally
    }

    async fn load(&mut self, recorder: &mut Recorder) -> Result<(), CallError> {
        let in_flight = self.plan.load.in_flight;
        let mut sent: VecDeque<Sent> = VecDeque::with_capacity(in_flight);
        let mut template = 0;
        loop {
            let now = runtime::now();
            if recorder.is_over(now) {
                break;
            }
            let next_due = self.next_due(recorder.begin);
            if sent.len() < in_flight && next_due.is_none_or(|due| due <= now) {
                if let Some(due) = next_due {
                    recorder.sending(due, now);
                }
                sent.extend(self.send(template, next_due.unwrap_or(now), recorder).await?);
                self.turn = self.turn.strict_add(1);
                template = template.strict_add(1) % self.templates.len();
            } else {
                self.wait(&mut sent, next_due, recorder).await?;
            }
            runtime::yield_if_needed().await;
        }
        while let Some(Sent { call, due }) = sent.pop_front() {
            let correlation_id = call.correlation_id;
            self.take(call.await?, correlation_id, due, recorder);
        }
        Ok(())
    }

    /// Connections take turns, so that requests leave evenly spread.
    fn next_due(&self, begin: Instant) -> Option<Instant> {
        Some(begin + due_after(self.plan.interval?, self.number()))
    }

    fn number(&self) -> u64 {
        super::ledger::number(self.plan.number, self.turn, self.connections)
    }

    /// Who sends this turn's batch, if that counts.
    fn stamp(&self) -> Option<ProducerStamp> {
        let step = u64::try_from(self.templates.len()).unwrap_or(u64::MAX);
        let turns = Turns { first: self.turn.checked_rem(step)?, step };
        let identity = self.plan.identity?;
        Some(identity.stamp(turns, self.turn, self.plan.batch.record_count()))
    }

    /// The request, if it has an answer to wait for.
    async fn send(
        &self,
        template: usize,
        due: Instant,
        recorder: &mut Recorder,
    ) -> Result<Option<Sent>, CallError> {
        let (number, stamp) = (self.number(), self.stamp());
        let template = self.templates.get(template).expect("a turn is one of the templates");
        if self.plan.load.acks != Acknowledge::None {
            let call = self.connection.start_raw(|id| template.frame(id, number, stamp))?;
            return Ok(Some(Sent { call, due }));
        }
        self.connection.send_raw(|id| template.frame(id, number, stamp))?;
        self.connection.written_down_to(UNWRITTEN_BYTES_MAX).await?;
        recorder.count(runtime::now(), self.load);
        Ok(None)
    }

    /// Until the oldest request is answered, or the next one may leave.
    async fn wait(
        &self,
        sent: &mut VecDeque<Sent>,
        next_due: Option<Instant>,
        recorder: &mut Recorder,
    ) -> Result<(), CallError> {
        let is_full = sent.len() >= self.plan.load.in_flight;
        let Some(oldest) = sent.front_mut() else {
            if let Some(due) = next_due {
                runtime::sleep_until(due).await;
            }
            return Ok(());
        };
        let answer = match next_due.filter(|_| !is_full) {
            None => Pin::new(&mut oldest.call).await?,
            Some(due) => {
                let timer = pin!(runtime::sleep_until(due));
                match select(Pin::new(&mut oldest.call), timer).await {
                    Either::Left((answer, _)) => answer?,
                    Either::Right(((), _)) => return Ok(()),
                }
            }
        };
        let (correlation_id, due) = (oldest.call.correlation_id, oldest.due);
        sent.pop_front();
        self.take(answer, correlation_id, due, recorder);
        Ok(())
    }

    fn take(&self, answer: Bytes, correlation_id: i32, due: Instant, recorder: &mut Recorder) {
        let decoded = wire::decode_response::<ProduceRequest>(answer, self.version, correlation_id);
        let response = match decoded {
            Ok(response) => response,
            Err(error) => return recorder.tally.error(error.to_string()),
        };
        let mut answers = response.responses.iter().flat_map(|topic| &topic.partition_responses);
        match answers.find(|answer| answer.error_code != 0) {
            None => recorder.count_since(due, self.load),
            Some(refused) => recorder.tally.error(error_name(refused.error_code)),
        }
    }
}

pub fn error_name(code: i16) -> String {
    ErrorCode::from_code(code).map_or_else(|| code.to_string(), |code| code.name().to_owned())
}
