//! A coordinator, its clock and its log, driven line by line.

use std::collections::BTreeMap;
use std::rc::Rc;

use codec::Uuid;
use engine::group::{
    AppendFailure, ConsumerOptions, Coordinator, GroupOptions, Input, Marker, Migration, Now,
    Output, RecordBytes, RequestId, Ticket,
};
use engine::types::{Millis, ProducerId, Timestamp, TopicId, TopicName};

use crate::cluster::Topics;
use crate::command::{Command, topic_id};
use crate::show;

/// The wall clock starts far from the monotonic one, so that mixing them up shows.
const WALL_START: i64 = 1_000_000;

pub struct Dialogue {
    options: GroupOptions,
    coordinator: Coordinator,
    monotonic: u64,
    requests: u64,
    joins: u8,
    /// Appends are committed as they come, unless the dialogue holds them.
    holds_appends: bool,
    under_way: BTreeMap<Ticket, Vec<Logged>>,
    log: Vec<Logged>,
    topics: Topics,
}

/// What the log has.
enum Logged {
    /// With the producer whose transaction it is part of.
    Record(Option<ProducerId>, RecordBytes),
    End(Marker),
}

impl Dialogue {
    pub fn new() -> Self {
        let options =
            GroupOptions { initial_rebalance_delay: Millis(0), ..GroupOptions::default() };
        let consumer = ConsumerOptions { assignment_interval: Millis(0), ..options.consumer };
        let options = GroupOptions { consumer, ..options };
        let mut dialogue = Self {
            coordinator: Coordinator::new(options.clone()),
            options,
            monotonic: 0,
            requests: 0,
            joins: 0,
            holds_appends: false,
            under_way: BTreeMap::new(),
            log: Vec::new(),
            topics: Topics::new(),
        };
        dialogue.tell();
        dialogue.coordinator.loaded(dialogue.now(), &mut Vec::new());
        dialogue
    }

    fn now(&self) -> Now {
        let wall = WALL_START + i64::try_from(self.monotonic).expect("a short dialogue");
        Now { monotonic: Millis(self.monotonic), wall: Timestamp(wall) }
    }

    /// Tells the coordinator of the topics as they are now.
    fn tell(&mut self) {
        self.coordinator.set_cluster(Rc::new(self.topics.clone()));
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
            "advance" => self.advance(first_number(&command)),
            "appended" => {
                let ticket = Ticket(first_number(&command));
                self.commit(ticket)
            }
            "failed" => {
                let ticket = Ticket(first_number(&command));
                self.under_way.remove(&ticket);
                let failure = match command.plain.get(1).map(String::as_str) {
                    Some("too-large") => AppendFailure::TooLarge,
                    Some("unavailable") => AppendFailure::Unavailable,
                    Some("not-leader") => AppendFailure::NotLeader,
                    Some("storage") => AppendFailure::Storage,
                    other => panic!("an append does not fail by {other:?}"),
                };
                self.step(Input::AppendFailed { ticket, failure })
            }
            "topic-deleted" => {
                let name = command.plain.first().expect("a topic");
                self.step(Input::TopicDeleted {
                    name: TopicName::new(name).expect("a topic's name"),
                    id: topic_id(&command.text("id", "0")),
                })
            }
            "reload" => self.reload(),
            "topic" => {
                let name = command.plain.first().expect("a topic").clone();
                let count = u32::try_from(command.number("partitions", 3)).expect("a count");
                let place = u8::try_from(self.topics.0.len()).expect("few topics") + 1;
                let id = self.topics.0.get(&name).map_or_else(|| TopicId([place; 16]), |it| it.0);
                self.topics.0.insert(name, (id, count));
                self.tell();
                Vec::new()
            }
            "no-topic" => {
                self.topics.0.remove(command.plain.first().expect("a topic"));
                self.tell();
                Vec::new()
            }
            _ => {
                self.requests += 1;
                self.joins += u8::from(command.verb == "join");
                let mut unique = Uuid([0; 16]);
                unique.0[15] = self.joins;
                let request = command.request(unique, &self.topics);
                self.step(Input::Request { id: RequestId(self.requests), request })
            }
        }
    }

    fn set_options(&mut self, command: &Command) {
        let millis = |text: &String| Millis(text.parse().expect("a span of time"));
        for (name, value) in &command.named {
            match name.as_str() {
                "initial-delay" => self.options.initial_rebalance_delay = millis(value),
                "session-min" => self.options.session_timeout_min = millis(value),
                "session-max" => self.options.session_timeout_max = millis(value),
                "members-max" => self.options.members_max = value.parse().expect("a number"),
                "metadata-max" => {
                    self.options.offset_metadata_units_max = value.parse().expect("a number");
                }
                "retention" => self.options.offsets_retention = millis(value),
                "interval" => self.options.consumer.assignment_interval = millis(value),
                "consumers-max" => {
                    self.options.consumer.members_max = value.parse().expect("a number");
                }
                "migration" => {
                    self.options.consumer.migration = Migration {
                        upgrade: matches!(value.as_str(), "both" | "upgrade"),
                        downgrade: matches!(value.as_str(), "both" | "downgrade"),
                    };
                }
                "check" => self.options.offsets_retention_check_interval = millis(value),
                other => panic!("there is no option {other}"),
            }
        }
        if self.requests == 0 {
            self.coordinator = Coordinator::new(self.options.clone());
            self.tell();
            self.coordinator.loaded(self.now(), &mut Vec::new());
        } else {
            self.coordinator.set_options(self.options.clone());
        }
    }

    /// One input, and the commits that follow from it.
    fn step(&mut self, input: Input) -> Vec<String> {
        let mut outputs = Vec::new();
        self.coordinator.step(self.now(), input, &mut outputs);
        let mut shown = Vec::new();
        self.take(outputs, &mut shown);
        shown
    }

    fn take(&mut self, outputs: Vec<Output>, shown: &mut Vec<String>) {
        let mut tickets = Vec::new();
        for output in outputs {
            shown.extend(show::output(&output, &self.topics));
            match output {
                Output::Append { ticket, records, transaction } => {
                    let producer = transaction.map(|one| one.producer_id);
                    let records = records.into_iter().map(|one| Logged::Record(producer, one));
                    self.under_way.insert(ticket, records.collect());
                    tickets.push(ticket);
                }
                Output::AppendMarker { ticket, marker } => {
                    self.under_way.insert(ticket, vec![Logged::End(marker)]);
                    tickets.push(ticket);
                }
                Output::Reply { .. } => {}
            }
        }
        for ticket in tickets {
            if !self.holds_appends {
                shown.extend(self.commit(ticket));
            }
        }
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
        let mut shown: Vec<String> =
            outputs.iter().flat_map(|output| show::output(output, &self.topics)).collect();
        self.tell();
        let now = self.now();
        for logged in &self.log {
            match logged {
                Logged::Record(None, (key, value)) => {
                    let replayed = self.coordinator.replay(now, key, value.as_ref());
                    replayed.expect("a readable log");
                }
                Logged::Record(Some(producer), (key, value)) => {
                    let value = value.as_ref();
                    let replayed =
                        self.coordinator.replay_in_transaction(now, *producer, key, value);
                    replayed.expect("a readable log");
                }
                Logged::End(end) => self.coordinator.replay_end(end.producer_id, end.result),
            }
        }
        let mut outputs = Vec::new();
        self.coordinator.loaded(now, &mut outputs);
        self.take(outputs, &mut shown);
        shown
    }
}

fn first_number(command: &Command) -> u64 {
    command.plain.first().expect("a number").parse().expect("a number")
}
