//! The keeper of one partition of `__share_group_state`. Decisions stand on the state with all that is
//! on its way to the log; what is read stands on what has arrived.

use std::collections::{BTreeMap, VecDeque};

use crate::coordinator::{AppendFailure, Now, RequestId, Ticket};
use crate::share::format::{ShareRecord, encode};
use crate::share::state::pruning::Pruning;
use crate::share::state::stored::{Stored, Update};
use crate::share::{
    Input, Output, ReadState, Reply, Request, ShareKey, ShareStateError, StateBatch, StateEpoch,
    StateOptions, Summary, WriteState,
};
use crate::types::{LeaderEpoch, Offset};

/// A pure state machine: feed it the log with `replay`, then call `loaded`, then step.
#[derive(Debug)]
pub struct Coordinator {
    options: StateOptions,
    pub(super) queues: BTreeMap<ShareKey, Queue>,
    last: u64,
    appending: BTreeMap<Ticket, Appending>,
    unwritable: Vec<Ticket>,
    pub(super) pruning: Pruning,
}

/// Invariant: `current` is `durable` with the records of `pending` applied in their order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) current: Option<Stored>,
    pub(super) durable: Option<Stored>,
    pending: VecDeque<(Ticket, ShareRecord)>,
}

#[derive(Debug)]
struct Appending {
    key: ShareKey,
    /// Who is told that it is stored.
    request: Option<RequestId>,
    /// Reads that came meanwhile.
    reads: Vec<(RequestId, Request)>,
}

impl Queue {
    pub(super) fn is_nothing(&self) -> bool {
        self.current.is_none() && self.durable.is_none() && self.pending.is_empty()
    }
}

impl Coordinator {
    pub fn new(options: StateOptions) -> Self {
        Self {
            options,
            queues: BTreeMap::new(),
            last: 0,
            appending: BTreeMap::new(),
            unwritable: Vec::new(),
            pruning: Pruning::default(),
        }
    }

    /// Takes one input at a time.
    pub fn step(&mut self, now: Now, input: Input, outputs: &mut Vec<Output>) {
        match input {
            Input::Request { id, request } => self.request(now, id, request, outputs),
            Input::Appended { ticket, at } => {
                self.ended(now, ticket, Ok(at), outputs);
                self.prune(now, outputs);
            }
            Input::AppendFailed { ticket, failure } => {
                self.ended(now, ticket, Err(failure), outputs);
            }
            Input::TopicDeleted { topic } => {
                let of_topic = |key: &&ShareKey| key.partition.topic == topic;
                let keys: Vec<ShareKey> = self.queues.keys().filter(of_topic).cloned().collect();
                for key in
                    keys.into_iter().filter(|key| self.current(key).is_some()).collect::<Vec<_>>()
                {
                    self.append(key, ShareRecord::Snapshot(None), None, outputs);
                }
            }
        }
        while let Some(ticket) = self.unwritable.pop() {
            self.ended(now, ticket, Err(AppendFailure::TooLarge), outputs);
        }
    }

    fn request(&mut self, now: Now, id: RequestId, request: Request, outputs: &mut Vec<Output>) {
        let decided = match &request {
            Request::Initialize { key, state_epoch, start } => {
                self.initialize(now, key, *state_epoch, *start).map(|record| (key, record))
            }
            Request::Write { key, write } => {
                self.write(now, key, write).map(|record| (key, Some(record)))
            }
            Request::Delete { key } => {
                let is_known = self.current(key).is_some();
                Ok((key, is_known.then_some(ShareRecord::Snapshot(None))))
            }
            Request::Read { key, .. } | Request::Summary { key } => {
                let last = self.queues.get(key).and_then(|queue| queue.pending.back());
                match last.and_then(|(ticket, _)| self.appending.get_mut(ticket)) {
                    Some(appending) => appending.reads.push((id, request)),
                    None => self.read(now, id, request, outputs),
                }
                return;
            }
        };
        match decided {
            Ok((key, Some(record))) => {
                let key = key.clone();
                self.append(key, record, Some(id), outputs);
            }
            Ok((_, None)) => {
                outputs.push(Output::Reply { request: id, reply: Reply::Done(Ok(())) })
            }
            Err(error) => {
                outputs.push(Output::Reply { request: id, reply: Reply::Done(Err(error)) })
            }
        }
    }

    fn current(&self, key: &ShareKey) -> Option<&Stored> {
        self.queues.get(key).and_then(|queue| queue.current.as_ref())
    }

    /// The same epoch again is no change, an older one comes too late.
    fn initialize(
        &self,
        now: Now,
        key: &ShareKey,
        state_epoch: StateEpoch,
        start: Option<Offset>,
    ) -> Result<Option<ShareRecord>, ShareStateError> {
        let current = self.current(key);
        if current.is_some_and(|current| state_epoch < current.state_epoch) {
            return Err(ShareStateError::FencedStateEpoch);
        }
        let is_same = |one: &Stored| {
            one.state_epoch == state_epoch && (start.is_none() || one.start == start)
        };
        if current.is_some_and(is_same) {
            return Ok(None);
        }
        let stored = Stored {
            snapshot_epoch: current.map_or(0, |current| current.snapshot_epoch.saturating_add(1)),
            state_epoch,
            leader_epoch: current.map_or(LeaderEpoch::ZERO, |current| current.leader_epoch),
            start,
            done_count: start.map(|_| 0),
            created: now.wall,
            written: now.wall,
            batches: BTreeMap::new(),
            updates: 0,
        };
        Ok(Some(ShareRecord::Snapshot(Some(stored))))
    }

    fn write(
        &self,
        now: Now,
        key: &ShareKey,
        write: &WriteState,
    ) -> Result<ShareRecord, ShareStateError> {
        let current = self.current(key).ok_or(ShareStateError::UnknownTopicOrPartition)?;
        let leader_epoch = write.leader_epoch.unwrap_or(current.leader_epoch);
        if leader_epoch < current.leader_epoch {
            return Err(ShareStateError::FencedLeaderEpoch);
        }
        if write.state_epoch < current.state_epoch {
            return Err(ShareStateError::FencedStateEpoch);
        }
        let update = Update {
            snapshot_epoch: current.snapshot_epoch,
            leader_epoch,
            start: write.start,
            done_count: write.done_count,
            batches: write.batches.clone(),
        };
        if current.updates < self.options.updates_per_snapshot {
            return Ok(ShareRecord::Update(update));
        }
        let mut next = current.clone();
        next.apply(&update);
        next.snapshot_epoch = current.snapshot_epoch.saturating_add(1);
        next.written = now.wall;
        next.updates = 0;
        Ok(ShareRecord::Snapshot(Some(next)))
    }

    fn read(&mut self, now: Now, id: RequestId, request: Request, outputs: &mut Vec<Output>) {
        let reply = match request {
            Request::Read { key, leader_epoch } => {
                let found = self.read_state(&key, leader_epoch);
                // A new leader fences those before it.
                if let (Ok(_), Some(epoch)) = (&found, leader_epoch)
                    && self.current(&key).is_some_and(|current| current.leader_epoch < epoch)
                    && let Ok(record) = self.write(now, &key, &of_leader(epoch, &found))
                {
                    self.append(key, record, None, outputs);
                }
                Reply::Read(found)
            }
            Request::Summary { key } => {
                let durable = self.queues.get(&key).and_then(|queue| queue.durable.as_ref());
                let summary = durable.map(|stored| Summary {
                    state_epoch: stored.state_epoch,
                    leader_epoch: stored.leader_epoch,
                    start: stored.start,
                    done_count: stored.done_count,
                });
                Reply::Summary(summary.ok_or(ShareStateError::UnknownTopicOrPartition))
            }
            Request::Initialize { .. } | Request::Write { .. } | Request::Delete { .. } => {
                unreachable!("only reads wait for what is on its way")
            }
        };
        outputs.push(Output::Reply { request: id, reply });
    }

    fn read_state(
        &self,
        key: &ShareKey,
        leader_epoch: Option<LeaderEpoch>,
    ) -> Result<ReadState, ShareStateError> {
        let durable = self.queues.get(key).and_then(|queue| queue.durable.as_ref());
        let stored = durable.ok_or(ShareStateError::UnknownTopicOrPartition)?;
        if leader_epoch.is_some_and(|epoch| epoch < stored.leader_epoch) {
            return Err(ShareStateError::FencedLeaderEpoch);
        }
        let batches: Vec<StateBatch> = stored.batches.values().copied().collect();
        Ok(ReadState { state_epoch: stored.state_epoch, start: stored.start, batches })
    }

    fn append(
        &mut self,
        key: ShareKey,
        record: ShareRecord,
        request: Option<RequestId>,
        outputs: &mut Vec<Output>,
    ) {
        self.last = self.last.strict_add(1);
        let ticket = Ticket(self.last);
        match encode(&key, &record) {
            Ok(records) => outputs.push(Output::Append { ticket, records }),
            Err(_) => self.unwritable.push(ticket),
        }
        let queue = self.queues.entry(key.clone()).or_default();
        record.apply_to(&mut queue.current);
        queue.pending.push_back((ticket, record));
        self.appending.insert(ticket, Appending { key, request, reads: Vec::new() });
    }

    /// Lets go of what is of no use, and writes a queue again that stands in the way of that.
    fn prune(&mut self, now: Now, outputs: &mut Vec<Output>) {
        if let Some(before) = self.pruning.next_forgotten() {
            outputs.push(Output::Forget { before });
        }
        let Some(key) = self.pruning.coldest(self.options.updates_per_snapshot).cloned() else {
            return;
        };
        let Some(queue) = self.queues.get(&key).filter(|queue| queue.pending.is_empty()) else {
            return;
        };
        let Some(mut next) = queue.current.clone() else { return };
        next.snapshot_epoch = next.snapshot_epoch.saturating_add(1);
        next.written = now.wall;
        next.updates = 0;
        self.append(key, ShareRecord::Snapshot(Some(next)), None, outputs);
    }

    fn ended(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: Result<Offset, AppendFailure>,
        outputs: &mut Vec<Output>,
    ) {
        let Some(Appending { key, request, reads }) = self.appending.remove(&ticket) else {
            return;
        };
        if let Some(queue) = self.queues.get_mut(&key) {
            let place = queue.pending.iter().position(|(at, _)| *at == ticket);
            let record = place.and_then(|place| queue.pending.remove(place));
            match (result, record) {
                (Ok(at), Some((_, record))) => {
                    record.apply_to(&mut queue.durable);
                    self.pruning.appended(at);
                    self.pruning.place(&key, &record, at);
                }
                (Ok(_) | Err(_), _) => {
                    queue.current.clone_from(&queue.durable);
                    for (_, record) in &queue.pending {
                        record.apply_to(&mut queue.current);
                    }
                }
            }
            if queue.is_nothing() {
                self.queues.remove(&key);
            }
        }
        if let Some(request) = request {
            let reply = Reply::Done(result.map(|_| ()).map_err(ShareStateError::from));
            outputs.push(Output::Reply { request, reply });
        }
        for (id, request) in reads {
            self.read(now, id, request, outputs);
        }
    }
}

/// Nothing but that there is a new leader.
fn of_leader(epoch: LeaderEpoch, found: &Result<ReadState, ShareStateError>) -> WriteState {
    WriteState {
        state_epoch: found.as_ref().map(|found| found.state_epoch).unwrap_or_default(),
        leader_epoch: Some(epoch),
        start: None,
        done_count: None,
        batches: Vec::new(),
    }
}
