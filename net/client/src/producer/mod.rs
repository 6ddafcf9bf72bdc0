//! Sends records: gathers them into batches per partition, keeps several batches of a broker in
//! flight, and tries again what may succeed later.
//!
//! Order is kept per partition. With idempotence the broker removes what arrives twice and refuses what
//! arrives too early, so a partition may have several batches in flight; without it has one.

mod accumulator;
mod attempt;
mod error;
mod identity;
mod partitioner;
mod sender;
mod window;

use std::{rc::Rc, time::Duration};

use futures_channel::oneshot;

pub use error::{ProduceError, ProducerError};
pub use partitioner::{Partitioner, murmur2};

use crate::{
    Client,
    batch::{Compression, Record},
};
use accumulator::Accumulator;
use sender::Sender;

/// Whose disks a record must be on before it counts as sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acks {
    /// Nobody's; the broker does not even answer.
    None,
    Leader,
    /// Of all replicas in sync.
    #[default]
    All,
}

impl Acks {
    pub const fn to_wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

#[derive(Clone, Debug)]
pub struct ProducerOptions {
    pub acks: Acks,
    pub compression: Compression,
    /// How long a batch waits for more records.
    pub linger: Duration,
    /// Before compression.
    pub batch_bytes_max: usize,
    /// Of all records that are not acknowledged yet; who sends more waits.
    pub buffer_bytes_max: usize,
    /// From the moment a record is given until it has failed for good.
    pub delivery_timeout: Duration,
    /// `None`: as often as time allows.
    pub retries_max: Option<u32>,
    /// Batches of one partition that are on their way at a time, if the producer is idempotent.
    pub in_flight_max: usize,
    /// Needs `Acks::All`.
    pub idempotent: bool,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            compression: Compression::None,
            linger: Duration::from_millis(5),
            batch_bytes_max: 16 << 10,
            buffer_bytes_max: 32 << 20,
            delivery_timeout: Duration::from_secs(120),
            retries_max: None,
            in_flight_max: BATCHES_REMEMBERED,
            idempotent: true,
        }
    }
}

/// A broker remembers so many batches of a producer in each partition: of more it could not tell whether
/// they came before.
const BATCHES_REMEMBERED: usize = 5;

/// Where a record went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub partition: i32,
    /// `None` with `Acks::None`, and for a batch that the broker had already.
    pub offset: Option<i64>,
    /// If the topic's timestamps are the broker's.
    pub log_append_time: Option<i64>,
}

/// The fate of one record, to be awaited or dropped.
pub type DeliveryFuture = oneshot::Receiver<Result<Delivery, Rc<ProduceError>>>;

/// Cheap to clone. Call [`Producer::flush`] before the last clone is dropped: what is still
/// gathered then is sent in the background, but nobody learns its fate.
#[derive(Clone, Debug)]
pub struct Producer {
    shared: Rc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    client: Client,
    options: ProducerOptions,
    accumulator: Accumulator,
    sender: Sender,
}

impl Producer {
    pub fn new(client: Client, options: ProducerOptions) -> Result<Self, ProducerError> {
        if options.idempotent && options.acks != Acks::All {
            return Err(ProducerError::IdempotenceNeedsAllAcks);
        }
        if options.batch_bytes_max == 0 || options.buffer_bytes_max < options.batch_bytes_max {
            return Err(ProducerError::BufferTooSmall {
                batch_bytes_max: options.batch_bytes_max,
                buffer_bytes_max: options.buffer_bytes_max,
            });
        }
        let accumulator = Accumulator::new(options.compression, options.batch_bytes_max);
        let shared = Shared { client, options, accumulator, sender: Sender::default() };
        Ok(Self { shared: Rc::new(shared) })
    }

    /// Gives a record to the producer; waits while its buffer is full. The returned future
    /// resolves when the record is acknowledged, or has failed for good.
    ///
    /// Without a partition the record's key decides, as in Kafka's own clients; without a key
    /// records stay with one partition until its batch is full.
    pub async fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: Record,
    ) -> Result<DeliveryFuture, ProduceError> {
        let shared = &self.shared;
        let count = shared.partition_count(topic).await?;
        if let Some(partition) = partition
            && !(0..count).contains(&partition)
        {
            return Err(ProduceError::NoSuchPartition { topic: topic.to_owned(), partition });
        }
        let bytes = accumulator::record_bytes(&record);
        if bytes > shared.options.buffer_bytes_max {
            let bytes_max = shared.options.buffer_bytes_max;
            return Err(ProduceError::TooLarge { bytes, bytes_max });
        }
        while !shared.accumulator.has_room(bytes, shared.options.buffer_bytes_max) {
            shared.accumulator.room().wait().await;
        }
        let key = record.key.as_deref();
        let partition = shared.accumulator.partition_for(topic, partition, key, count);
        let (delivery, is_new) = shared.accumulator.append(topic, partition, &record);
        if is_new {
            sender::attend(&self.shared, topic, partition);
        }
        Ok(delivery)
    }

    /// Sends one record and waits for its fate.
    pub async fn send_and_wait(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: Record,
    ) -> Result<Delivery, Rc<ProduceError>> {
        let delivery = self.send(topic, partition, record).await?;
        match delivery.await {
            Ok(result) => result,
            Err(oneshot::Canceled) => Err(Rc::new(ProduceError::Closed)),
        }
    }

    /// Sends everything that has gathered, without lingering, and waits for its fate.
    pub async fn flush(&self) {
        let accumulator = &self.shared.accumulator;
        accumulator.hurry(true);
        while !accumulator.is_empty() {
            accumulator.room().wait().await;
        }
        accumulator.hurry(false);
    }
}

impl Shared {
    /// Without sequence numbers a batch that fails would be overtaken by the next.
    fn in_flight_max(&self) -> usize {
        let asked = if self.options.idempotent { self.options.in_flight_max } else { 1 };
        asked.clamp(1, BATCHES_REMEMBERED)
    }

    async fn partition_count(&self, topic: &str) -> Result<i32, ProduceError> {
        let find = async || self.client.topic(topic).await;
        let found = match self.client.topic(topic).await {
            Ok(found) => found,
            Err(_) => self.client.retry().run(find).await?,
        };
        i32::try_from(found.partitions.len())
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| ProduceError::NoSuchPartition { topic: topic.to_owned(), partition: 0 })
    }
}
