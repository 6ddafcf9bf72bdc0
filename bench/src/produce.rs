//! Produces with raw requests: the batch is encoded once and its bytes are shared by every request.

use std::{
    collections::VecDeque,
    pin::{Pin, pin},
    time::{Duration, Instant},
};

use bytes::Bytes;
use client::{CallError, Connection, ConnectionOptions, RawCall, runtime};
use futures_util::future::{Either, join_all, select};
use wire::{ErrorCode, messages::ProduceRequest};

use crate::{
    Acknowledge, BenchError, Pace, ProduceOptions, Report,
    batches::{self, Template},
    report::float,
    target::{self, Loaded},
    window::{self, Load, Recorder, Tally, Window},
};

/// What may wait to be written on a connection whose requests have no answer.
const UNWRITTEN_BYTES_MAX: usize = 4 << 20;

/// Measures producing; blocks the calling thread until it is over.
pub fn produce(options: &ProduceOptions) -> Result<Report<ProduceOptions>, BenchError> {
    options.check()?;
    let loaded = runtime::block_on(async {
        if options.topic.create {
            target::create(&options.bootstrap, &options.topic).await?;
        }
        target::find(&options.bootstrap, &options.topic.name).await
    })??;
    let batch = batches::build(options, runtime::wall_clock_millis());
    let window = Window::new(options.warm_up_seconds, options.extent, options.cores);
    let scenario = options.clone();
    let work = move |core, window| {
        work_on_core(core, scenario.clone(), loaded.clone(), batch.clone(), window)
    };
    let (tally, times) = window::run(options.cores, &window, options.server_pid, work)?;
    Ok(window::report(options.clone(), &tally, &times))
}

async fn work_on_core(
    core: usize,
    options: ProduceOptions,
    loaded: Loaded,
    batch: Bytes,
    window: Window,
) -> Tally {
    let mine = (core..options.connections).step_by(options.cores);
    let mut tally = Tally::default();
    let mut ready = Vec::new();
    for number in mine {
        match prepare(number, &options, &loaded, &batch).await {
            Ok(prepared) => ready.push(prepared),
            Err(error) => tally.error(error.to_string()),
        }
    }
    let begin = window.wait_for_all();
    let work = ready.into_iter().map(|producer| producer.run(&window, begin));
    for one in join_all(work).await {
        tally.add(&one);
    }
    tally
}

/// One connection with its requests.
struct Producer {
    connection: Connection,
    version: i16,
    templates: Vec<Template>,
    in_flight: usize,
    answered: bool,
    load: Load,
    schedule: Option<Schedule>,
}

/// Open loop: when requests are due.
#[derive(Clone, Copy)]
struct Schedule {
    first_after: Duration,
    interval: Duration,
}

async fn prepare(
    number: usize,
    options: &ProduceOptions,
    loaded: &Loaded,
    batch: &Bytes,
) -> Result<Producer, BenchError> {
    let nothing = || BenchError::NothingMeasured { last: "no partition has a leader".to_owned() };
    let (address, partitions) = loaded.share(number).ok_or_else(nothing)?;
    let connection = Connection::open(address, &ConnectionOptions::default()).await?;
    let version = connection.version::<ProduceRequest>()?;
    let mut templates = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let index = partition.index;
        templates.push(Template::produce(options, version, loaded.topic_id, index, batch)?);
    }
    let load = Load {
        records: u64::try_from(options.records_per_batch).unwrap_or(u64::MAX),
        bytes: u64::try_from(batch.len()).unwrap_or(u64::MAX),
    };
    Ok(Producer {
        connection,
        version,
        templates,
        in_flight: options.in_flight,
        answered: options.acknowledge != Acknowledge::None,
        load,
        schedule: schedule(options, number, load),
    })
}

fn schedule(options: &ProduceOptions, number: usize, load: Load) -> Option<Schedule> {
    let requests_per_second = match options.pace {
        Pace::AsFastAsPossible => return None,
        Pace::BytesPerSecond(bytes) => bytes / float(load.bytes),
        Pace::RecordsPerSecond(records) => records / float(load.records),
    };
    let share = |count: usize| float(u64::try_from(count).unwrap_or(u64::MAX));
    let interval = share(options.connections) / requests_per_second;
    // Connections take turns, so that requests leave evenly spread.
    let first_after = interval * share(number) / share(options.connections);
    let duration = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Some(Schedule { first_after: duration(first_after), interval: duration(interval) })
}

/// A request on its way, and when it was due.
struct Sent {
    call: RawCall,
    due: Instant,
}

impl Producer {
    async fn run(self, window: &Window, begin: Instant) -> Tally {
        let mut recorder = Recorder::new(window, begin);
        if let Err(error) = self.load(&mut recorder).await {
            recorder.tally.error(error.to_string());
        }
        recorder.tally
    }

    async fn load(&self, recorder: &mut Recorder) -> Result<(), CallError> {
        let mut sent: VecDeque<Sent> = VecDeque::with_capacity(self.in_flight);
        let mut next_due = self.schedule.map(|schedule| recorder.begin + schedule.first_after);
        let mut templates = self.templates.iter().cycle();
        loop {
            let now = runtime::now();
            if recorder.is_over(now) {
                break;
            }
            let is_due = sent.len() < self.in_flight && next_due.is_none_or(|due| due <= now);
            if is_due && let Some(template) = templates.next() {
                let due = next_due.unwrap_or(now);
                if let (Some(next), Some(schedule)) = (&mut next_due, self.schedule) {
                    recorder.sending(due, now);
                    *next = due + schedule.interval;
                }
                sent.extend(self.send(template, due, recorder).await?);
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

    /// The request, if it has an answer to wait for.
    async fn send(
        &self,
        template: &Template,
        due: Instant,
        recorder: &mut Recorder,
    ) -> Result<Option<Sent>, CallError> {
        if self.answered {
            let call = self.connection.start_raw(|id| template.frame(id))?;
            return Ok(Some(Sent { call, due }));
        }
        self.connection.send_raw(|id| template.frame(id))?;
        self.connection.written_down_to(UNWRITTEN_BYTES_MAX).await?;
        recorder.count_unanswered(runtime::now(), self.load);
        Ok(None)
    }

    /// Until the oldest request is answered, or the next one may leave.
    async fn wait(
        &self,
        sent: &mut VecDeque<Sent>,
        next_due: Option<Instant>,
        recorder: &mut Recorder,
    ) -> Result<(), CallError> {
        let is_full = sent.len() >= self.in_flight;
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
            None => recorder.count(due, self.load),
            Some(refused) => recorder.tally.error(error_name(refused.error_code)),
        }
    }
}

pub fn error_name(code: i16) -> String {
    ErrorCode::from_code(code).map_or_else(|| code.to_string(), |code| code.name().to_owned())
}
