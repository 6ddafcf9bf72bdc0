//! The coordinator of one partition of `__transaction_state`: it finds the transaction that an input
//! is about, lets the rules beside this file decide, and keeps the account of appends and deadlines.

use std::collections::BTreeMap;

use crate::coordinator::Timers;
use crate::txn::end::{End, next_of};
use crate::txn::init::{self, Takeover};
use crate::txn::options::RETRY_PAUSE;
use crate::txn::step::{Appends, Step, Timer};
use crate::txn::transaction::{Pending, Transaction};
use crate::txn::{
    AddPartitions, AppendFailure, EndTransaction, Identity, InitProducerId, Input, Now, Output,
    Reply, Request, RequestId, Ticket, TransactionState, TransactionalId, TxnError, TxnOptions,
};
use crate::types::limits::TXN_TOMBSTONES_PER_APPEND_MAX;
use crate::types::{Millis, ProducerId};

/// A pure state machine: inputs and the time go in; replies, records and markers come out. It holds
/// every transactional id whose name hashes to its partition.
#[derive(Debug)]
pub struct Coordinator {
    pub(crate) options: TxnOptions,
    pub(crate) transactions: BTreeMap<TransactionalId, Transaction>,
    timers: Timers<Timer>,
    appends: Appends,
    /// Requests that wait for a new producer id.
    pub(crate) parked: Vec<(RequestId, Request)>,
    /// A producer id that nobody has yet.
    spare: Option<ProducerId>,
    is_id_asked: bool,
}

impl Coordinator {
    /// A coordinator without transactions: feed it the log with `replay`, then call `loaded`, then
    /// step.
    pub fn new(options: TxnOptions) -> Self {
        Self {
            options,
            transactions: BTreeMap::new(),
            timers: Timers::default(),
            appends: Appends::default(),
            parked: Vec::new(),
            spare: None,
            is_id_asked: false,
        }
    }

    /// When the next `Tick` is due, on the monotonic clock.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.timers.next_deadline()
    }

    /// Takes one input at a time. `now.monotonic` never goes back.
    pub fn step(&mut self, now: Now, input: Input, outputs: &mut Vec<Output>) {
        match input {
            Input::Request { id, request } => self.request(now, id, request, outputs),
            Input::Tick => self.tick(now, outputs),
            Input::Appended { ticket } => self.appended(now, ticket, outputs),
            Input::AppendFailed { ticket, failure } => {
                self.append_failed(now, ticket, failure, outputs);
            }
            Input::ProducerId { producer_id } => {
                self.spare = Some(producer_id);
                self.is_id_asked = false;
                for (id, request) in std::mem::take(&mut self.parked) {
                    self.request(now, id, request, outputs);
                }
            }
            Input::NoProducerId => {
                self.is_id_asked = false;
                let error = TxnError::CoordinatorLoadInProgress;
                for (request, wanted) in std::mem::take(&mut self.parked) {
                    outputs.push(Output::Reply { request, reply: wanted.refused(error) });
                }
            }
            Input::Marked { id, producer } => self.marked(now, &id, producer, outputs),
        }
        while let Some(ticket) = self.appends.unwritable.pop() {
            self.append_failed(now, ticket, AppendFailure::TooLarge, outputs);
        }
    }

    fn request(&mut self, now: Now, id: RequestId, request: Request, outputs: &mut Vec<Output>) {
        if request.id().is_some_and(|id| id.as_str().is_empty()) {
            let reply = request.refused(TxnError::InvalidRequest);
            outputs.push(Output::Reply { request: id, reply });
            return;
        }
        if self.spare.is_none() && self.needs_id(&request) {
            self.parked.push((id, request));
            self.ask_for_id(outputs);
            return;
        }
        match request {
            Request::InitProducerId(init) => self.init(now, id, init, outputs),
            Request::AddPartitions(add) => self.add(now, id, &add, outputs),
            Request::VerifyPartitions(add) => {
                let verified = match self.transactions.get(&add.id) {
                    Some(transaction) => transaction.verify(&add),
                    None => Err(TxnError::InvalidProducerIdMapping),
                };
                let reply = Reply::VerifyPartitions(verified);
                outputs.push(Output::Reply { request: id, reply });
            }
            Request::EndTransaction(end) => self.end(now, id, &end, outputs),
            Request::Describe(transaction) => {
                let reply = Reply::Describe(self.describe(&transaction));
                outputs.push(Output::Reply { request: id, reply });
            }
            Request::List(filter) => {
                let reply = Reply::List(self.list(&filter, now.wall));
                outputs.push(Output::Reply { request: id, reply });
            }
        }
    }

    /// Whether the request may end with a producer id that nobody has had.
    fn needs_id(&self, request: &Request) -> bool {
        let is_exhausted = |id: &TransactionalId| {
            let stored = self.transactions.get(id).map(|found| &found.stored);
            stored.is_some_and(|stored| stored.as_ref().is_some_and(|one| one.is_exhausted()))
        };
        match request {
            Request::InitProducerId(init) => {
                self.is_timeout_valid(init.timeout)
                    && (!self.transactions.contains_key(&init.id) || is_exhausted(&init.id))
            }
            Request::EndTransaction(end) => end.version.bumps_epoch() && is_exhausted(&end.id),
            Request::AddPartitions(_)
            | Request::VerifyPartitions(_)
            | Request::Describe(_)
            | Request::List(_) => false,
        }
    }

    fn ask_for_id(&mut self, outputs: &mut Vec<Output>) {
        if !std::mem::replace(&mut self.is_id_asked, true) {
            outputs.push(Output::NeedProducerId);
        }
    }

    fn is_timeout_valid(&self, timeout: Millis) -> bool {
        Millis(0) < timeout && timeout <= self.options.timeout_max
    }

    fn init(&mut self, now: Now, id: RequestId, init: InitProducerId, outputs: &mut Vec<Output>) {
        if !self.is_timeout_valid(init.timeout) {
            let reply = Reply::InitProducerId(Err(TxnError::InvalidTransactionTimeout));
            outputs.push(Output::Reply { request: id, reply });
            return;
        }
        let spare = self.spare;
        let (transactions, mut step) = self.split(now, outputs);
        let Some(transaction) = transactions.get_mut(&init.id) else {
            let Some(new_id) = spare else { unreachable!("a new id waits for its producer id") };
            let mut transaction = Transaction::new(init.id.clone());
            let next = init::first(new_id, init.timeout, now.wall);
            let given = Reply::InitProducerId(Ok(next.stored.producer));
            step.store(&mut transaction, next, Some((id, given)));
            transactions.insert(init.id, transaction);
            self.spare = None;
            return;
        };
        let version = step.options.version;
        let next = match transaction.take_over(&init, spare, now.wall) {
            Ok(Takeover::Given(next)) => {
                let given = Reply::InitProducerId(Ok(next.stored.producer));
                Ok((next, given))
            }
            // The producer comes again, and is given the epoch after that of the abort.
            Ok(Takeover::Abort) => transaction
                .fence(version, spare, now.wall)
                .map(|next| (next, Reply::InitProducerId(Err(TxnError::ConcurrentTransactions)))),
            Err(error) => Err(error),
        };
        match next {
            Ok((next, reply)) => {
                let ids = [Some(next.stored.producer.producer_id), next.stored.next_producer_id];
                step.store(transaction, next, Some((id, reply)));
                self.use_spare(ids);
            }
            Err(error) => step.reply(id, Reply::InitProducerId(Err(error))),
        }
    }

    fn use_spare(&mut self, ids: [Option<ProducerId>; 2]) {
        if self.spare.is_some() && ids.contains(&self.spare) {
            self.spare = None;
        }
    }

    fn add(&mut self, now: Now, id: RequestId, add: &AddPartitions, outputs: &mut Vec<Output>) {
        let (transactions, mut step) = self.split(now, outputs);
        let Some(transaction) = transactions.get_mut(&add.id) else {
            step.reply(id, Reply::AddPartitions(Err(TxnError::InvalidProducerIdMapping)));
            return;
        };
        match transaction.add(add, now.wall) {
            Ok(Some(next)) => {
                step.store(transaction, next, Some((id, Reply::AddPartitions(Ok(())))));
            }
            Ok(None) => step.reply(id, Reply::AddPartitions(Ok(()))),
            Err(error) => step.reply(id, Reply::AddPartitions(Err(error))),
        }
    }

    fn end(&mut self, now: Now, id: RequestId, end: &EndTransaction, outputs: &mut Vec<Output>) {
        let spare = self.spare;
        let (transactions, mut step) = self.split(now, outputs);
        let decided = match transactions.get_mut(&end.id) {
            Some(transaction) => {
                transaction.end(end, spare, now.wall).map(|end| (transaction, end))
            }
            None => Err(TxnError::InvalidProducerIdMapping),
        };
        let told = |identity: Identity| {
            Reply::EndTransaction(Ok(end.version.bumps_epoch().then_some(identity)))
        };
        match decided {
            Ok((transaction, End::Decided(next))) => {
                let used = next.stored.next_producer_id;
                let reply = told(next_of(&next.stored));
                step.store(transaction, next, Some((id, reply)));
                self.use_spare([used, None]);
            }
            Ok((_, End::Already(identity))) => step.reply(id, told(identity)),
            Err(error) => step.reply(id, Reply::EndTransaction(Err(error))),
        }
    }

    fn marked(
        &mut self,
        now: Now,
        id: &TransactionalId,
        producer: Identity,
        outputs: &mut Vec<Output>,
    ) {
        let (transactions, mut step) = self.split(now, outputs);
        let Some(transaction) = transactions.get_mut(id) else { return };
        if transaction.stored.as_ref().is_some_and(|stored| stored.producer == producer) {
            transaction.complete_now(&mut step);
        }
    }

    fn tick(&mut self, now: Now, outputs: &mut Vec<Output>) {
        let mut wants_id = false;
        let mut spare = self.spare;
        let (transactions, mut step) = self.split(now, outputs);
        while let Some(timer) = step.timers.take_due(now.monotonic) {
            match timer {
                Timer::Abort => {
                    for one in transactions.values_mut().filter(|one| one.has_timed_out(now)) {
                        match one.fence(step.options.version, spare, now.wall) {
                            Ok(next) => {
                                if next.stored.next_producer_id.is_some() {
                                    spare = None;
                                }
                                step.store(one, next, None);
                            }
                            // It comes to its end at the next look, when there is an id.
                            Err(_) => wants_id = true,
                        }
                    }
                    step.set_timer(Timer::Abort, step.options.abort_interval);
                }
                Timer::Expire => {
                    let expiration = step.options.id_expiration;
                    let mut expired: Vec<_> = transactions
                        .values_mut()
                        .filter(|one| one.has_expired(now.wall, expiration))
                        .collect();
                    for part in expired.chunks_mut(TXN_TOMBSTONES_PER_APPEND_MAX) {
                        step.forget(part);
                    }
                    step.set_timer(Timer::Expire, step.options.expire_interval);
                }
                Timer::Complete(id) => {
                    if let Some(transaction) = transactions.get_mut(&id) {
                        transaction.complete_now(&mut step);
                    }
                }
            }
        }
        self.spare = spare;
        if wants_id {
            self.ask_for_id(outputs);
        }
    }

    fn appended(&mut self, now: Now, ticket: Ticket, outputs: &mut Vec<Output>) {
        let (transactions, mut step) = self.split(now, outputs);
        for id in step.appends.pending.remove(&ticket).unwrap_or_default() {
            let Some(transaction) = transactions.get_mut(&id) else { continue };
            let Some(Pending { next, answer, .. }) = transaction.pending.take() else { continue };
            match next {
                Some(next) => {
                    transaction.stored = Some(next.stored);
                    transaction.last_epoch = next.last_epoch;
                    transaction.set_timeout(now);
                    transaction.assert_invariants();
                    transaction.mark(&mut step);
                }
                None => {
                    transactions.remove(&id);
                }
            }
            if let Some((request, reply)) = answer {
                step.reply(request, reply);
            }
        }
    }

    fn append_failed(
        &mut self,
        now: Now,
        ticket: Ticket,
        failure: AppendFailure,
        outputs: &mut Vec<Output>,
    ) {
        let (transactions, mut step) = self.split(now, outputs);
        for id in step.appends.pending.remove(&ticket).unwrap_or_default() {
            let Some(transaction) = transactions.get_mut(&id) else { continue };
            let Some(Pending { answer, .. }) = transaction.pending.take() else { continue };
            match &transaction.stored {
                // Its first record: the id was never known.
                None => {
                    transactions.remove(&id);
                }
                Some(stored) if stored.state.is_prepared() => {
                    step.set_timer(Timer::Complete(id), RETRY_PAUSE);
                }
                Some(_) => {}
            }
            if let Some((request, reply)) = answer {
                step.reply(request, reply.refused(failure.into()));
            }
        }
    }

    /// The transactions, and what their rules may touch besides.
    pub(crate) fn split<'a>(
        &'a mut self,
        now: Now,
        outputs: &'a mut Vec<Output>,
    ) -> (&'a mut BTreeMap<TransactionalId, Transaction>, Step<'a>) {
        let step = Step {
            now,
            options: &self.options,
            timers: &mut self.timers,
            appends: &mut self.appends,
            outputs,
        };
        (&mut self.transactions, step)
    }
}

impl Transaction {
    /// Carries the decision out that the log has, if it has one.
    pub(crate) fn mark(&mut self, step: &mut Step<'_>) {
        let Some(markers) = self.markers() else { return };
        if markers.partitions.is_empty() {
            self.complete_now(step);
        } else {
            step.outputs.push(Output::Mark(markers));
        }
    }

    fn complete_now(&mut self, step: &mut Step<'_>) {
        if let Some(next) = self.complete(step.now.wall) {
            debug_assert!(next.stored.state != TransactionState::Ongoing);
            step.store(self, next, None);
        }
    }
}

impl Request {
    /// The reply that says no.
    pub(crate) fn refused(&self, error: TxnError) -> Reply {
        match self {
            Self::InitProducerId(_) => Reply::InitProducerId(Err(error)),
            Self::AddPartitions(_) => Reply::AddPartitions(Err(error)),
            Self::VerifyPartitions(_) => Reply::VerifyPartitions(Err(error)),
            Self::EndTransaction(_) => Reply::EndTransaction(Err(error)),
            Self::Describe(_) => Reply::Describe(Err(error)),
            Self::List(_) => Reply::List(Vec::new()),
        }
    }
}
