//! Questions about offsets: by time, by epoch, the ends; and moving the start (DeleteRecords).

use crate::shard::Shard;
use crate::shard::ask::Each;
use crate::shard::read::View;
use crate::shard::request::{
    EpochEnd, EpochEndAsk, Isolation, ListOffsetAsk, ListedOffset, OffsetSpec, PartitionError,
};
use crate::types::{LeaderEpoch, Offset, PartitionId, Timestamp};

impl Shard {
    pub async fn list_offsets(&self, asks: Vec<ListOffsetAsk>) -> Each<ListedOffset> {
        self.open_together(asks.iter().map(|ask| ask.partition)).await;
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            answers.push(self.list_offset(ask).await);
            self.runtime.yield_if_needed().await;
        }
        answers
    }

    async fn list_offset(&self, ask: ListOffsetAsk) -> Result<ListedOffset, PartitionError> {
        let partition = self.led_partition(ask.partition, ask.current_leader_epoch)?;
        let log = partition.log().await?;
        // An empty log has no epoch of its own: what comes next has the leader's.
        let leader_epoch = partition.leader_epoch.get();
        let view = View::of(&log);
        let end = match ask.isolation {
            Isolation::ReadUncommitted => view.high_watermark,
            Isolation::ReadCommitted => view.last_stable,
        };
        let found = match ask.spec {
            OffsetSpec::Latest => at(end, leader_epoch),
            OffsetSpec::Earliest | OffsetSpec::EarliestLocal => {
                at(view.log_start, log.epoch_of(view.log_start).unwrap_or(leader_epoch))
            }
            // Nothing is tiered: there is no tiered offset and nothing waits for upload.
            OffsetSpec::LatestTiered | OffsetSpec::EarliestPendingUpload => ListedOffset::default(),
            OffsetSpec::MaxTimestamp => found_before(end, log.max_timestamp(end).await?),
            OffsetSpec::At(time) => found_before(end, log.offset_for_time(time, end).await?),
        };
        Ok(found)
    }

    pub async fn epoch_ends(&self, asks: Vec<EpochEndAsk>) -> Each<EpochEnd> {
        self.open_together(asks.iter().map(|ask| ask.partition)).await;
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            answers.push(self.epoch_end(ask).await);
        }
        answers
    }

    async fn epoch_end(&self, ask: EpochEndAsk) -> Result<EpochEnd, PartitionError> {
        let partition = self.led_partition(ask.partition, ask.current_leader_epoch)?;
        let log = partition.log().await?;
        Ok(match log.epoch_end(ask.epoch) {
            Some((epoch, end)) => EpochEnd { epoch: Some(epoch), end: Some(end) },
            None => EpochEnd::default(),
        })
    }

    /// Answers each partition's new start.
    pub async fn delete_records(&self, asks: Vec<(PartitionId, Option<Offset>)>) -> Each<Offset> {
        self.open_together(asks.iter().map(|(id, _)| *id)).await;
        let mut answers = Vec::with_capacity(asks.len());
        for (id, before) in asks {
            answers.push(self.delete_records_of(id, before).await);
        }
        answers
    }

    async fn delete_records_of(
        &self,
        id: PartitionId,
        before: Option<Offset>,
    ) -> Result<Offset, PartitionError> {
        let log = self.led_partition(id, None)?.log().await?;
        let view = View::of(&log);
        let before = before.unwrap_or(view.high_watermark);
        if view.high_watermark < before {
            return Err(PartitionError::OffsetOutOfRange {
                log_start: view.log_start,
                high_watermark: view.high_watermark,
            });
        }
        if view.log_start < before {
            log.truncate_prefix(before)
                .await
                .map_err(|error| PartitionError::Storage { reason: error.to_string() })?;
        }
        Ok(log.ends().log_start)
    }
}

fn at(offset: Offset, epoch: LeaderEpoch) -> ListedOffset {
    ListedOffset { offset: Some(offset), timestamp: None, leader_epoch: Some(epoch) }
}

fn found_before(end: Offset, found: Option<crate::log::TimedOffset>) -> ListedOffset {
    match found {
        Some(found) if found.offset < end => ListedOffset {
            offset: Some(found.offset),
            timestamp: Some::<Timestamp>(found.timestamp),
            leader_epoch: found.leader_epoch,
        },
        Some(_) | None => ListedOffset::default(),
    }
}
