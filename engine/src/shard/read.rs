//! Reading from the partitions of one core, bounded by what the reader may see.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::{Either, select};

use crate::log::{Log, ReadError};
use crate::shard::Shard;
use crate::shard::ask::Each;
use crate::shard::partition::Partition;
use crate::shard::request::{
    AbortedTransaction, EpochEnd, Isolation, PartitionError, ReadOutcome, ReadRequest,
};
use crate::types::{LeaderEpoch, Offset, PartitionId};

impl From<ReadError> for PartitionError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OutOfRange { log_start, log_end, .. } => {
                Self::OffsetOutOfRange { log_start, high_watermark: log_end }
            }
            ReadError::Corrupt { .. } => Self::Corrupt { reason: error.to_string() },
            ReadError::Io(_) => Self::Storage { reason: error.to_string() },
            ReadError::Closed => Self::UnknownTopicOrPartition,
        }
    }
}

impl Shard {
    /// Answers in the order asked. Once `bytes_max` is used up the rest come back empty.
    pub async fn read(&self, reads: Vec<ReadRequest>, bytes_max: usize) -> Each<ReadOutcome> {
        self.open_together(reads.iter().map(|read| read.partition)).await;
        let mut outcomes = Vec::with_capacity(reads.len());
        let mut bytes_left = bytes_max;
        let mut has_bytes = false;
        for mut read in reads {
            read.max_bytes = read.max_bytes.min(bytes_left);
            read.at_least_one &= !has_bytes;
            let outcome = self.read_one(&read).await;
            if let Ok(outcome) = &outcome {
                let bytes = outcome.records_bytes();
                has_bytes |= bytes > 0;
                bytes_left = bytes_left.saturating_sub(bytes);
            }
            outcomes.push(outcome);
            self.runtime.yield_if_needed().await;
        }
        outcomes
    }

    async fn read_one(&self, read: &ReadRequest) -> Result<ReadOutcome, PartitionError> {
        let partition = self.led_partition(read.partition, read.current_leader_epoch)?;
        let log = partition.log().await?;
        let view = View::of(&log);
        let mut outcome = ReadOutcome {
            high_watermark: view.high_watermark,
            last_stable: view.last_stable,
            log_start: view.log_start,
            records: Vec::new(),
            aborted: Vec::new(),
            diverging: None,
        };
        if let Some(epoch) = read.last_fetched_epoch
            && let Some(diverging) = diverging(&log, epoch, read.from)?
        {
            outcome.diverging = Some(diverging);
            return Ok(outcome);
        }
        if read.from < view.log_start || log.ends().log_end < read.from {
            return Err(PartitionError::OffsetOutOfRange {
                log_start: view.log_start,
                high_watermark: view.high_watermark,
            });
        }
        let bound = match read.isolation {
            Isolation::ReadUncommitted => view.high_watermark,
            Isolation::ReadCommitted => view.last_stable,
        };
        if bound <= read.from || (read.max_bytes == 0 && !read.at_least_one) {
            return Ok(outcome);
        }
        let slice = log.read(read.from, bound, read.max_bytes, read.at_least_one).await;
        if matches!(slice, Err(ReadError::Io(_))) {
            partition.suspect_folder();
        }
        let slice = slice?;
        if matches!(read.isolation, Isolation::ReadCommitted) {
            outcome.aborted = log
                .aborted_transactions(read.from, slice.next_offset)
                .await?
                .into_iter()
                .map(|aborted| AbortedTransaction {
                    producer_id: aborted.producer_id,
                    first_offset: aborted.first_offset,
                })
                .collect();
        }
        outcome.records = slice.slices;
        Ok(outcome)
    }

    /// Returns when a partition grows beyond what was seen of it, leaves, or the time is over.
    pub async fn wait(&self, seen: Vec<(PartitionId, Offset)>, at_most: Duration) {
        let (sender, woken) = oneshot::channel();
        let wake = Rc::new(RefCell::new(Some(sender)));
        let mut tickets: Vec<(Rc<Partition>, u64)> = Vec::with_capacity(seen.len());
        let mut is_due = false;
        for (id, offset) in seen {
            let Ok(partition) = self.led_partition(id, None) else {
                is_due = true;
                break;
            };
            if partition.high_watermark().is_some_and(|end| offset < end) {
                is_due = true;
                break;
            }
            let key = partition.waiters.borrow_mut().add(offset, Rc::clone(&wake));
            tickets.push((partition, key));
        }
        if !is_due {
            let stop = self.stopping.wait();
            let sleep = self.runtime.sleep(at_most);
            futures_util::pin_mut!(stop, sleep);
            match select(woken, select(sleep, stop)).await {
                Either::Left(_) | Either::Right(_) => {}
            }
        }
        for (partition, key) in tickets {
            partition.waiters.borrow_mut().remove(key);
        }
    }
}

/// What readers may see of a log at one moment.
pub struct View {
    pub log_start: Offset,
    pub last_stable: Offset,
    pub high_watermark: Offset,
}

impl View {
    /// With one replica all that is on disk is committed.
    pub fn of(log: &Log) -> Self {
        let ends = log.ends();
        let high_watermark = ends.durable_end;
        let unstable = log.producers(|producers| {
            producers.on_high_watermark(high_watermark);
            producers.first_unstable_offset()
        });
        // Of a transaction whose first records were deleted a reader begins where the log does.
        let last_stable =
            unstable.map_or(high_watermark, |at| at.max(ends.log_start).min(high_watermark));
        Self { log_start: ends.log_start, last_stable, high_watermark }
    }
}

/// Where a reader that holds records of `epoch` up to `from` parts from this log, if it does.
fn diverging(
    log: &Log,
    epoch: LeaderEpoch,
    from: Offset,
) -> Result<Option<EpochEnd>, PartitionError> {
    let Some((found, end)) = log.epoch_end(epoch) else {
        let ends = log.ends();
        return Err(PartitionError::OffsetOutOfRange {
            log_start: ends.log_start,
            high_watermark: ends.durable_end,
        });
    };
    let parts = found < epoch || end < from;
    Ok(parts.then_some(EpochEnd { epoch: Some(found), end: Some(end) }))
}
