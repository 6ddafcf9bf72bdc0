//! Records of topics, one after the other, until enough were shown, none came for too long, or
//! somebody stopped it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use client::consumer::{ConsumedRecord, Consumer, ConsumerOptions, GroupOptions, StartFrom};
use client::{Client, TopicPartition};

use crate::exit::Failure;
use crate::signals;

pub struct Consume {
    pub source: Source,
    pub options: ConsumerOptions,
    pub records_max: Option<u64>,
    /// How long no record may come.
    pub idle_max: Option<Duration>,
}

pub enum Source {
    Partitions(Vec<(TopicPartition, StartFrom)>),
    Group { topics: Vec<String>, options: Box<GroupOptions> },
}

/// Why reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Enough,
    Idle,
    Stopped,
}

/// How long it takes until a stop is noticed.
const ATTENTION: Duration = Duration::from_millis(100);

/// Set by the first SIGINT or SIGTERM; the second ends the process at once.
pub fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let setter = Arc::clone(&flag);
    signals::on_stop(move || setter.store(true, Ordering::Relaxed))?;
    Ok(flag)
}

/// Hands what arrives to `show`, in the order in which it arrives.
pub async fn run(
    client: Client,
    consume: Consume,
    stop: &AtomicBool,
    mut show: impl FnMut(&[ConsumedRecord]) -> Result<(), Failure>,
) -> Result<End, Failure> {
    let Consume { source, options, records_max, idle_max } = consume;
    let mut consumer = Consumer::new(client, options);
    match source {
        Source::Partitions(partitions) => consumer.assign(&partitions).await?,
        Source::Group { topics, options } => consumer.subscribe(&topics, *options),
    }
    let mut left = records_max.unwrap_or(u64::MAX);
    let mut last_record_at = socket::now();
    let end = loop {
        if left == 0 {
            break Ok(End::Enough);
        }
        if stop.load(Ordering::Relaxed) {
            break Ok(End::Stopped);
        }
        let patience = idle_max.map_or(Duration::MAX, |idle_max| {
            idle_max.saturating_sub(socket::now().saturating_duration_since(last_record_at))
        });
        if patience.is_zero() {
            break Ok(End::Idle);
        }
        let polled = consumer.poll(patience.min(ATTENTION)).await?;
        if polled.is_empty() {
            continue;
        }
        last_record_at = socket::now();
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(polled.len());
        let (shown, beyond) = polled.split_at(count);
        left = left.saturating_sub(shown.len() as u64);
        if let Err(failure) = show(shown) {
            break Err(failure);
        }
        hand_back(&mut consumer, beyond).await?;
    };
    consumer.close().await?;
    end
}

/// What was polled and not shown does not count as read.
async fn hand_back(consumer: &mut Consumer, beyond: &[ConsumedRecord]) -> Result<(), Failure> {
    let mut first = BTreeMap::new();
    for consumed in beyond {
        first.entry(consumed.partition.clone()).or_insert(consumed.record.offset);
    }
    for (partition, offset) in first {
        consumer.seek(&partition, StartFrom::Offset(offset)).await?;
    }
    Ok(())
}

/// All partitions of some topics, each to be read from the same place.
pub async fn all_partitions(
    client: &Client,
    topics: &[String],
    start: StartFrom,
) -> Result<Vec<(TopicPartition, StartFrom)>, Failure> {
    let mut partitions = Vec::new();
    for name in topics {
        let find = async || client.topic(name).await;
        let topic = client.retry().run(find).await?;
        let all = topic.partitions.iter();
        partitions.extend(all.map(|partition| (TopicPartition::new(name, partition.index), start)));
    }
    Ok(partitions)
}
