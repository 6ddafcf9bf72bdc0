//! Random dialogues: several producers fight for few ids, appends are late or fail, the partition goes
//! and comes back, markers are told twice. What must hold is written down as what was promised.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use engine::record::TransactionResult;
use engine::txn::{
    AddPartitions, AppendFailure, Coordinator, EndTransaction, Identity, InitProducerId, Input,
    ListTransactions, Markers, Now, Output, RecordBytes, Reply, Request, RequestId, Ticket,
    TopicPartition, TransactionState, TransactionVersion, TransactionalId, TxnOptions,
};
use engine::types::{Millis, PartitionIndex, ProducerId, Timestamp, TopicName};

const LIVES: u64 = 400;
const STEPS: usize = 300;
const IDS: u64 = 3;

/// A small generator of its own: a life is repeated by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        let bound = u64::try_from(all.len()).expect("a small number");
        let place = if bound == 0 { return None } else { self.below(bound) };
        all.get(usize::try_from(place).expect("a small number")).cloned()
    }
}

/// What a request claimed, to judge its answer by.
#[derive(Clone)]
struct Asked {
    request: Request,
    /// The newest identity that somebody had been given for the id by then.
    newest: Option<Identity>,
}

struct Life {
    random: Random,
    coordinator: Coordinator,
    options: TxnOptions,
    now: u64,
    next_request: u64,
    next_id: u64,
    log: Vec<RecordBytes>,
    under_way: VecDeque<(Ticket, Vec<RecordBytes>)>,
    marking: Vec<Markers>,
    wants_id: bool,
    owed: BTreeMap<RequestId, Asked>,
    /// Every identity that was given for an id, the newest last.
    given: BTreeMap<TransactionalId, Vec<Identity>>,
    /// Partitions whose addition was acknowledged since the id's last decision.
    added: BTreeMap<TransactionalId, BTreeSet<TopicPartition>>,
    decided: BTreeMap<(TransactionalId, Identity), Markers>,
    /// Decisions of which every partition has been told. In version 1 of the protocol the next one may
    /// be of the same identity.
    marked: BTreeSet<(TransactionalId, Identity)>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let options = TxnOptions {
            abort_interval: Millis(500),
            expire_interval: Millis(5_000),
            id_expiration: Millis(20_000),
            version: if seed.is_multiple_of(4) {
                TransactionVersion::V1
            } else {
                TransactionVersion::V2
            },
            ..TxnOptions::default()
        };
        let mut life = Self {
            random: Random(seed),
            coordinator: Coordinator::new(options.clone()),
            options,
            now: 0,
            next_request: 0,
            next_id: 0,
            log: Vec::new(),
            under_way: VecDeque::new(),
            marking: Vec::new(),
            wants_id: false,
            owed: BTreeMap::new(),
            given: BTreeMap::new(),
            added: BTreeMap::new(),
            decided: BTreeMap::new(),
            marked: BTreeSet::new(),
        };
        let mut outputs = Vec::new();
        life.coordinator.loaded(life.time(), &mut outputs);
        life.take(outputs);
        life
    }

    fn time(&self) -> Now {
        let wall = i64::try_from(self.now).expect("a short life");
        Now { monotonic: Millis(self.now), wall: Timestamp(1_000_000 + wall) }
    }

    fn step(&mut self, input: Input) {
        let mut outputs = Vec::new();
        self.coordinator.step(self.time(), input, &mut outputs);
        self.take(outputs);
    }

    fn take(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Append { ticket, records } => self.under_way.push_back((ticket, records)),
                Output::Mark(markers) => self.decide(markers),
                Output::NeedProducerId => self.wants_id = true,
                Output::Reply { request, reply } => {
                    let asked = self.owed.remove(&request).expect("each request is answered once");
                    self.judge(&asked, &reply);
                }
            }
        }
    }

    /// A decision is one for all times, and reaches every partition that was added before it.
    fn decide(&mut self, markers: Markers) {
        let key = (markers.id.clone(), markers.producer);
        let is_next = self.marked.remove(&key);
        match self.decided.get(&key).filter(|_| !is_next) {
            Some(before) => assert_eq!(*before, markers, "a decision does not change"),
            None => {
                let added = self.added.remove(&markers.id).unwrap_or_default();
                assert!(added.is_subset(&markers.partitions), "{added:?} in {markers:?}");
                self.decided.insert(key, markers.clone());
            }
        }
        self.marking.push(markers);
    }

    fn judge(&mut self, asked: &Asked, reply: &Reply) {
        match (&asked.request, reply) {
            (Request::InitProducerId(init), Reply::InitProducerId(Ok(given))) => {
                let all = self.given.entry(init.id.clone()).or_default();
                let is_again = init.expected.is_some() && all.last() == Some(given);
                assert!(is_again || !all.contains(given), "{given} is given twice");
                all.push(*given);
                // Its producer is the only one now, and whatever was open has ended.
                let open = self.added.get(&init.id);
                assert!(open.is_none_or(BTreeSet::is_empty), "{open:?} is still open");
            }
            (Request::AddPartitions(add), Reply::AddPartitions(Ok(()))) => {
                let producer = add.producer.expect("it was added");
                assert!(asked.newest <= Some(producer), "a fenced producer adds");
                let added = self.added.entry(add.id.clone()).or_default();
                added.extend(add.partitions.iter().cloned());
            }
            (Request::EndTransaction(end), Reply::EndTransaction(Ok(next)))
                if end.result == TransactionResult::Commit =>
            {
                let producer = end.producer.expect("it was ended");
                let ended = self.decided.iter().any(|((id, marked), markers)| {
                    *id == end.id
                        && markers.result == TransactionResult::Commit
                        && marked.producer_id == producer.producer_id
                        && (marked.epoch == producer.epoch
                            || marked.epoch.get() == producer.epoch.get() + 1)
                });
                assert!(ended, "{producer} was told of a commit that nobody decided");
                if let Some(next) = next {
                    self.given.entry(end.id.clone()).or_default().push(*next);
                }
            }
            (Request::EndTransaction(end), Reply::EndTransaction(Ok(Some(next)))) => {
                self.given.entry(end.id.clone()).or_default().push(*next);
            }
            _ => {}
        }
    }

    fn ask(&mut self, request: Request) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        let transactional = match &request {
            Request::InitProducerId(init) => Some(&init.id),
            Request::AddPartitions(add) => Some(&add.id),
            Request::EndTransaction(end) => Some(&end.id),
            Request::VerifyPartitions(_) | Request::Describe(_) | Request::List(_) => None,
        };
        let newest = transactional.and_then(|id| self.given.get(id)?.iter().max().copied());
        self.owed.insert(id, Asked { request: request.clone(), newest });
        self.step(Input::Request { id, request });
    }

    fn producer(&mut self, id: &TransactionalId) -> Option<Identity> {
        let all = self.given.get(id).cloned().unwrap_or_default();
        let newest = all.last().copied();
        if self.random.below(5) == 0 { self.random.pick(&all) } else { newest }
    }

    fn act(&mut self) {
        let id = TransactionalId::new(&format!("tx-{}", self.random.below(IDS)));
        let version = match (self.options.version, self.random.below(3)) {
            (TransactionVersion::V2, 0..=1) => TransactionVersion::V2,
            _ => TransactionVersion::V0,
        };
        match self.random.below(16) {
            0 => {
                let expected = if self.random.below(2) == 0 { self.producer(&id) } else { None };
                let timeout = Millis(1_000 + self.random.below(3_000));
                self.ask(Request::InitProducerId(InitProducerId { id, timeout, expected }));
            }
            1..=4 => {
                let producer = self.producer(&id);
                let index = u32::try_from(self.random.below(4)).expect("small");
                let partition = TopicPartition {
                    topic: TopicName::new("t").expect("a name"),
                    index: PartitionIndex::new(index).expect("an index"),
                };
                let partitions = BTreeSet::from([partition]);
                self.ask(Request::AddPartitions(AddPartitions {
                    id,
                    producer,
                    partitions,
                    version,
                }));
            }
            5..=6 => {
                let producer = self.producer(&id);
                let commits = self.random.below(3) > 0;
                let result =
                    if commits { TransactionResult::Commit } else { TransactionResult::Abort };
                self.ask(Request::EndTransaction(EndTransaction { id, producer, result, version }));
            }
            7..=11 => self.commit_next(),
            12 => {
                let failing = self.random.below(4) == 0;
                if let Some((ticket, _)) = self.under_way.front().filter(|_| failing) {
                    let ticket = *ticket;
                    self.under_way.pop_front();
                    let failure = AppendFailure::Unavailable;
                    self.step(Input::AppendFailed { ticket, failure });
                }
            }
            13 => {
                let marking = self.marking.clone();
                if let Some(markers) = self.random.pick(&marking) {
                    // Whoever tells the partitions says so once.
                    self.marking.retain(|other| *other != markers);
                    self.tell_marked(markers);
                }
            }
            14 => {
                self.now += self.random.below(700);
                self.step(Input::Tick);
                self.answer_id();
            }
            _ => {
                if self.random.below(10) == 0 {
                    self.reload();
                } else {
                    self.answer_id();
                }
            }
        }
    }

    fn tell_marked(&mut self, markers: Markers) {
        self.marked.insert((markers.id.clone(), markers.producer));
        self.step(Input::Marked { id: markers.id, producer: markers.producer });
    }

    fn commit_next(&mut self) {
        if let Some((ticket, records)) = self.under_way.pop_front() {
            self.log.extend(records);
            self.step(Input::Appended { ticket });
        }
    }

    fn answer_id(&mut self) {
        if !std::mem::take(&mut self.wants_id) {
            return;
        }
        if self.random.below(5) == 0 {
            self.step(Input::NoProducerId);
            return;
        }
        self.next_id += 1;
        let producer_id = ProducerId::new(self.next_id).expect("an id");
        self.step(Input::ProducerId { producer_id });
    }

    /// What is on its way is in the log, or not.
    fn reload(&mut self) {
        let next = Coordinator::new(self.options.clone());
        let mut outputs = Vec::new();
        std::mem::replace(&mut self.coordinator, next).unload(&mut outputs);
        self.take(outputs);
        for _ in 0..self.random.below(3) {
            if let Some((_, records)) = self.under_way.pop_front() {
                self.log.extend(records);
            }
        }
        self.under_way.clear();
        self.marking.clear();
        self.wants_id = false;
        for (key, value) in &self.log {
            self.coordinator.replay(key, value.as_ref()).expect("a readable log");
        }
        let mut outputs = Vec::new();
        self.coordinator.loaded(self.time(), &mut outputs);
        self.take(outputs);
    }

    /// Nothing is in the way any more: everything comes to its end.
    fn quiesce(&mut self) {
        for _ in 0..200 {
            self.now += 1_000;
            self.step(Input::Tick);
            while std::mem::take(&mut self.wants_id) {
                self.next_id += 1;
                let producer_id = ProducerId::new(self.next_id).expect("an id");
                self.step(Input::ProducerId { producer_id });
            }
            while !self.under_way.is_empty() {
                self.commit_next();
            }
            for markers in std::mem::take(&mut self.marking) {
                self.tell_marked(markers);
            }
        }
        assert!(self.owed.is_empty(), "every request is answered");
        let mut outputs = Vec::new();
        let request = Request::List(ListTransactions {
            states: Some(BTreeSet::from([
                TransactionState::Ongoing,
                TransactionState::PrepareCommit,
                TransactionState::PrepareAbort,
            ])),
            ..ListTransactions::default()
        });
        let id = RequestId(u64::MAX);
        self.coordinator.step(self.time(), Input::Request { id, request }, &mut outputs);
        let nothing = Output::Reply { request: id, reply: Reply::List(Vec::new()) };
        assert_eq!(outputs, [nothing], "nothing stays open");
    }
}

#[test]
fn a_coordinator_keeps_its_word_in_random_dialogues() {
    for seed in 0..LIVES {
        let mut life = Life::new(seed);
        for _ in 0..STEPS {
            life.act();
        }
        life.quiesce();
    }
}
