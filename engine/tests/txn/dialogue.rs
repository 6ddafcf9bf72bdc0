//! A coordinator, its clock and its log, driven line by line.

use std::collections::BTreeMap;

use engine::txn::{
    AppendFailure, Coordinator, Input, Markers, Now, Output, RecordBytes, Reply, RequestId, Ticket,
    TransactionVersion, TransactionalId, TxnOptions,
};
use engine::types::{Millis, ProducerId, Timestamp};

use crate::command::{Command, millis};
use crate::show;

/// The wall clock starts far from the monotonic one, so that mixing them up shows.
const WALL_START: i64 = 1_000_000;

pub struct Dialogue {
    options: TxnOptions,
    coordinator: Coordinator,
    monotonic: u64,
    /// How far the wall clock was set.
    wall_set: i64,
    requests: u64,
    /// Appends are committed as they come, unless the dialogue holds them.
    holds_appends: bool,
    holds_ids: bool,
    next_id: u64,
    under_way: BTreeMap<Ticket, Vec<RecordBytes>>,
    marking: BTreeMap<TransactionalId, Markers>,
    log: Vec<RecordBytes>,
}

impl Dialogue {
    pub fn new() -> Self {
        let options = TxnOptions::default();
        let mut dialogue = Self {
            coordinator: Coordinator::new(options.clone()),
            options,
            monotonic: 0,
            wall_set: 0,
            requests: 0,
            holds_appends: false,
            holds_ids: false,
            next_id: 1000,
            under_way: BTreeMap::new(),
            marking: BTreeMap::new(),
            log: Vec::new(),
        };
        dialogue.coordinator.loaded(dialogue.now(), &mut Vec::new());
        dialogue
    }

    fn now(&self) -> Now {
        let wall = WALL_START + i64::try_from(self.monotonic).expect("a short dialogue");
        Now { monotonic: Millis(self.monotonic), wall: Timestamp(wall + self.wall_set) }
    }

    /// Carries out one line and says what came of it.
    pub fn line(&mut self, line: &str) -> Vec<String> {
        let command = Command::parse(line);
        match command.verb.as_str() {
            "options" => {
                self.set_options(&command);
                Vec::new()
            }
            "hold" => {
                self.holds_appends = true;
                Vec::new()
            }
            "release" => {
                self.holds_appends = false;
                let tickets: Vec<Ticket> = self.under_way.keys().copied().collect();
                tickets.into_iter().flat_map(|ticket| self.commit(ticket)).collect()
            }
            "hold-ids" => {
                self.holds_ids = true;
                Vec::new()
            }
            "id" => {
                self.holds_ids = false;
                self.give_id()
            }
            "no-id" => self.step(Input::NoProducerId),
            "set-clock" => {
                self.wall_set += command.plain.first().expect("a span").parse::<i64>().expect("ms");
                Vec::new()
            }
            "advance" => self.advance(command.number(0)),
            "appended" => self.commit(Ticket(command.number(0))),
            "failed" => {
                let ticket = Ticket(command.number(0));
                self.under_way.remove(&ticket);
                let failure = match command.plain.get(1).map(String::as_str) {
                    Some("too-large") => AppendFailure::TooLarge,
                    Some("unavailable") => AppendFailure::Unavailable,
                    Some("storage") => AppendFailure::Storage,
                    other => panic!("an append does not fail by {other:?}"),
                };
                self.step(Input::AppendFailed { ticket, failure })
            }
            "marked" => {
                let markers = self.marking.get(&command.id()).expect("markers under way").clone();
                self.step(Input::Marked { id: markers.id, producer: markers.producer })
            }
            "raise" => {
                self.raise(&command);
                Vec::new()
            }
            "reload" => self.reload(),
            _ => {
                self.requests += 1;
                let request = command.request();
                self.step(Input::Request { id: RequestId(self.requests), request })
            }
        }
    }

    fn set_options(&mut self, command: &Command) {
        for (name, value) in &command.named {
            match name.as_str() {
                "timeout-max" => self.options.timeout_max = millis(value),
                "abort" => self.options.abort_interval = millis(value),
                "expiration" => self.options.id_expiration = millis(value),
                "expire" => self.options.expire_interval = millis(value),
                "version" => {
                    let level = value.parse().expect("a level");
                    self.options.version = TransactionVersion::of_level(level);
                }
                other => panic!("there is no option {other}"),
            }
        }
        assert_eq!(self.requests, 0, "options come first");
        self.coordinator = Coordinator::new(self.options.clone());
        self.coordinator.loaded(self.now(), &mut Vec::new());
    }

    /// Takes the id over again and again until the producer has the epoch.
    fn raise(&mut self, command: &Command) {
        let wanted = command.number(1);
        let init = format!("init {}", command.id());
        for _ in 0..=wanted {
            let request = Command::parse(&init).request();
            let mut outputs = Vec::new();
            let input = Input::Request { id: RequestId(0), request };
            self.coordinator.step(self.now(), input, &mut outputs);
            let mut epoch = None;
            while let Some(output) = outputs.pop() {
                let answer = match output {
                    Output::Append { ticket, records } => {
                        self.log.extend(records);
                        Some(Input::Appended { ticket })
                    }
                    Output::Reply { reply: Reply::InitProducerId(Ok(given)), .. } => {
                        epoch = Some(u64::from(given.epoch.get()));
                        None
                    }
                    Output::NeedProducerId => {
                        self.next_id += 1;
                        let producer_id = ProducerId::new(self.next_id - 1).expect("an id");
                        Some(Input::ProducerId { producer_id })
                    }
                    other @ (Output::Reply { .. } | Output::Mark(_)) => {
                        panic!("{other:?} while epochs are raised")
                    }
                };
                if let Some(answer) = answer {
                    self.coordinator.step(self.now(), answer, &mut outputs);
                }
            }
            if epoch == Some(wanted) {
                return;
            }
        }
        panic!("the epoch never came to {wanted}");
    }

    /// One input, and what follows from it at once.
    fn step(&mut self, input: Input) -> Vec<String> {
        let mut outputs = Vec::new();
        self.coordinator.step(self.now(), input, &mut outputs);
        let mut shown = Vec::new();
        self.take(outputs, &mut shown);
        shown
    }

    fn take(&mut self, outputs: Vec<Output>, shown: &mut Vec<String>) {
        let mut tickets = Vec::new();
        let mut wants_id = false;
        for output in outputs {
            shown.extend(show::output(&output));
            match output {
                Output::Append { ticket, records } => {
                    self.under_way.insert(ticket, records);
                    tickets.push(ticket);
                }
                Output::Mark(markers) => {
                    self.marking.insert(markers.id.clone(), markers);
                }
                Output::NeedProducerId => wants_id = true,
                Output::Reply { .. } => {}
            }
        }
        if wants_id && !self.holds_ids {
            shown.extend(self.give_id());
        }
        for ticket in tickets {
            if !self.holds_appends {
                shown.extend(self.commit(ticket));
            }
        }
    }

    fn give_id(&mut self) -> Vec<String> {
        let producer_id = ProducerId::new(self.next_id).expect("an id");
        self.next_id += 1;
        self.step(Input::ProducerId { producer_id })
    }

    fn commit(&mut self, ticket: Ticket) -> Vec<String> {
        let Some(records) = self.under_way.remove(&ticket) else {
            return vec![format!("append {} is not under way", ticket.0)];
        };
        self.log.extend(records);
        self.step(Input::Appended { ticket })
    }

    /// Lets time pass, stopping at every deadline on the way.
    fn advance(&mut self, span: u64) -> Vec<String> {
        let end = self.monotonic + span;
        let mut shown = Vec::new();
        while let Some(deadline) = self.coordinator.next_deadline().filter(|it| it.0 <= end) {
            self.monotonic = self.monotonic.max(deadline.0);
            let outcome = self.step(Input::Tick);
            if !outcome.is_empty() {
                shown.push(format!("at {}", self.monotonic));
                shown.extend(outcome);
            }
        }
        self.monotonic = end;
        shown
    }

    /// The partition goes, and comes back with what its log holds.
    fn reload(&mut self) -> Vec<String> {
        let next = Coordinator::new(self.options.clone());
        let before = std::mem::replace(&mut self.coordinator, next);
        let mut outputs = Vec::new();
        before.unload(&mut outputs);
        self.under_way.clear();
        self.marking.clear();
        let mut shown: Vec<String> = outputs.iter().flat_map(show::output).collect();
        for (key, value) in &self.log {
            self.coordinator.replay(key, value.as_ref()).expect("a readable log");
        }
        let mut outputs = Vec::new();
        self.coordinator.loaded(self.now(), &mut outputs);
        self.take(outputs, &mut shown);
        shown
    }
}
