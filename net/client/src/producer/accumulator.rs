//! Gathers records into batches, one open batch per partition. Small batches are what makes a
//! broker slow: its cost is per batch, hardly per record.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::Rc,
    time::{Duration, Instant},
};

use futures_channel::oneshot;

use super::{Delivery, DeliveryFuture, Partitioner, ProduceError};
use crate::{
    TopicPartition,
    batch::{BatchBuilder, Compression, Record},
    signal::Signal,
};

pub type Promise = oneshot::Sender<Result<Delivery, Rc<ProduceError>>>;

#[derive(Debug)]
pub struct Accumulator {
    compression: Compression,
    batch_bytes_max: usize,
    queues: RefCell<HashMap<TopicPartition, Queue>>,
    partitioner: RefCell<Partitioner>,
    /// Of all records without a fate.
    buffered_bytes: Cell<usize>,
    hurrying: Cell<bool>,
    changed: Signal,
    room: Signal,
}

/// Invariant: records wait here only while a task attends to the queue.
#[derive(Debug, Default)]
struct Queue {
    open: Option<Gathered>,
    full: VecDeque<Gathered>,
    attended: bool,
}

/// A batch, and whom to tell about its records.
#[derive(Debug)]
pub struct Gathered {
    pub builder: BatchBuilder,
    pub promises: Vec<Promise>,
    pub since: Instant,
    /// What it takes of the buffer.
    pub bytes: usize,
}

/// What the task of a partition does next.
pub enum Next {
    Send(Gathered),
    /// Until something changes, or this has passed.
    Wait(Duration),
    /// Nothing is left, but the task has other work.
    Nothing,
    /// Nothing is left; the task ends, and the queue is unattended.
    Rest,
}

/// About what a record takes of the buffer.
pub fn record_bytes(record: &Record) -> usize {
    BatchBuilder::new(Compression::None).len_with(record)
}

impl Accumulator {
    pub fn new(compression: Compression, batch_bytes_max: usize) -> Self {
        let turn = u32::try_from(socket::wall_clock_millis() & 0xffff).unwrap_or(0);
        Self {
            compression,
            batch_bytes_max,
            queues: RefCell::default(),
            partitioner: RefCell::new(Partitioner::starting_at(turn)),
            buffered_bytes: Cell::new(0),
            hurrying: Cell::new(false),
            changed: Signal::default(),
            room: Signal::default(),
        }
    }

    /// One record always fits into an empty buffer.
    pub fn has_room(&self, bytes: usize, bytes_max: usize) -> bool {
        self.is_empty() || self.buffered_bytes.get().saturating_add(bytes) <= bytes_max
    }

    pub fn is_empty(&self) -> bool {
        self.buffered_bytes.get() == 0
    }

    /// Set whenever records have met their fate.
    pub const fn room(&self) -> &Signal {
        &self.room
    }

    /// Set whenever a batch has begun or become full, or hurry begins.
    pub const fn changed(&self) -> &Signal {
        &self.changed
    }

    /// While hurrying no batch lingers.
    pub fn hurry(&self, hurrying: bool) {
        self.hurrying.set(hurrying);
        self.changed.set();
    }

    pub fn partition_for(
        &self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        partition_count: i32,
    ) -> i32 {
        partition.unwrap_or_else(|| {
            self.partitioner.borrow_mut().partition_for(topic, key, partition_count)
        })
    }

    /// Where to learn the record's fate, and whether the queue needs a task to attend to it.
    pub fn append(&self, topic: &str, partition: i32, record: &Record) -> (DeliveryFuture, bool) {
        let (promise, delivery) = oneshot::channel();
        let bytes = record_bytes(record);
        self.buffered_bytes.set(self.buffered_bytes.get().strict_add(bytes));
        let mut queues = self.queues.borrow_mut();
        let queue = queues.entry(TopicPartition::new(topic, partition)).or_default();
        let overflows = |open: &mut Gathered| open.builder.len_with(record) > self.batch_bytes_max;
        if let Some(full) = queue.open.take_if(overflows) {
            queue.full.push_back(full);
            self.partitioner.borrow_mut().leave(topic, partition);
            self.changed.set();
        }
        if queue.open.is_none() {
            self.changed.set();
        }
        let open = queue.open.get_or_insert_with(|| Gathered {
            builder: BatchBuilder::new(self.compression),
            promises: Vec::new(),
            since: socket::now(),
            bytes: 0,
        });
        open.builder.append(record);
        open.promises.push(promise);
        open.bytes = open.bytes.strict_add(bytes);
        (delivery, !std::mem::replace(&mut queue.attended, true))
    }

    /// `is_idle`: the task has nothing else to do, and may end.
    pub fn next(
        &self,
        partition: &TopicPartition,
        linger: Duration,
        now: Instant,
        is_idle: bool,
    ) -> Next {
        let mut queues = self.queues.borrow_mut();
        let Some(queue) = queues.get_mut(partition) else { return Next::Rest };
        if let Some(full) = queue.full.pop_front() {
            return Next::Send(full);
        }
        let Some(open) = &queue.open else {
            if !is_idle {
                return Next::Nothing;
            }
            queue.attended = false;
            return Next::Rest;
        };
        let left = linger.saturating_sub(now.saturating_duration_since(open.since));
        if !left.is_zero() && !self.hurrying.get() {
            return Next::Wait(left);
        }
        self.partitioner.borrow_mut().leave(&partition.topic, partition.partition);
        queue.open.take().map_or(Next::Rest, Next::Send)
    }

    /// These bytes have met their fate.
    pub fn release(&self, bytes: usize) {
        self.buffered_bytes.set(self.buffered_bytes.get().strict_sub(bytes));
        self.room.set();
    }
}
