//! Reads records: from partitions that the caller names, or from those that a group gives it.
//!
//! One fetch is always under way to each broker that leads a partition of ours, also between two
//! polls; so the next records are usually here when they are asked for.

mod error;
mod fetcher;
mod grouped;
mod session;
mod visible;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

pub use error::ConsumeError;
pub use grouped::GroupOptions;

use crate::{
    Client, ClientError, IsolationLevel, TimestampType, TopicPartition,
    admin::{Admin, OffsetSpec},
    batch::Record,
};
use fetcher::Fetcher;
use grouped::Grouped;

/// Where reading a partition starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartFrom {
    Earliest,
    /// Only what is written from now on.
    Latest,
    Offset(i64),
    /// The first record that is not older (milliseconds since 1970); as `Latest` if there is none.
    Timestamp(i64),
}

/// What to do where there is no offset to go on from: none committed, or not there any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OffsetReset {
    Earliest,
    #[default]
    Latest,
    Fail,
}

#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    pub isolation: IsolationLevel,
    pub offset_reset: OffsetReset,
    /// A broker waits until it has this much, or until `fetch_wait` has passed.
    pub fetch_bytes_min: i32,
    pub fetch_wait: Duration,
    pub fetch_bytes_max: i32,
    pub partition_bytes_max: i32,
    /// That one poll returns.
    pub poll_records_max: usize,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            isolation: IsolationLevel::ReadUncommitted,
            offset_reset: OffsetReset::Latest,
            fetch_bytes_min: 1,
            fetch_wait: Duration::from_millis(500),
            fetch_bytes_max: 50 << 20,
            partition_bytes_max: 1 << 20,
            poll_records_max: 500,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumedRecord {
    pub partition: TopicPartition,
    pub record: Record,
    pub timestamp_type: TimestampType,
    /// The leader's that appended the record; `None` if it did not say.
    pub leader_epoch: Option<i32>,
}

#[derive(Debug)]
pub struct Consumer {
    client: Client,
    options: ConsumerOptions,
    fetcher: Fetcher,
    /// Fetched and not yet handed out, with the offset that follows.
    ready: VecDeque<(ConsumedRecord, i64)>,
    /// The offset after the last record handed out, for each partition that is read.
    positions: BTreeMap<TopicPartition, i64>,
    grouped: Option<Grouped>,
}

impl Consumer {
    pub fn new(client: Client, options: ConsumerOptions) -> Self {
        let fetcher = Fetcher::new(client.clone(), options.clone());
        Self {
            client,
            options,
            fetcher,
            ready: VecDeque::new(),
            positions: BTreeMap::new(),
            grouped: None,
        }
    }

    /// Reads these partitions, and no others.
    pub async fn assign(
        &mut self,
        partitions: &[(TopicPartition, StartFrom)],
    ) -> Result<(), ConsumeError> {
        let mut positions = BTreeMap::new();
        for (partition, start) in partitions {
            positions.insert(partition.clone(), self.find_start(partition, *start).await?);
        }
        // What is read already starts anew too.
        self.read_only(BTreeMap::new());
        self.read_only(positions);
        Ok(())
    }

    /// Joins a group and reads what it assigns, of these topics. The group is joined in `poll`.
    pub fn subscribe(&mut self, topics: &[String], options: GroupOptions) {
        self.grouped = Some(Grouped::new(self.client.clone(), topics, options));
        self.read_only(BTreeMap::new());
    }

    /// Records, at most as many as the options allow. Waits up to `at_most` for the first of them
    /// and returns none after that. In a group it must be called often enough: at least once per
    /// `rebalance_timeout`.
    pub async fn poll(&mut self, at_most: Duration) -> Result<Vec<ConsumedRecord>, ConsumeError> {
        let deadline = socket::now() + at_most;
        loop {
            self.attend_to_group().await?;
            if !self.ready.is_empty() {
                return Ok(self.hand_out());
            }
            let left = deadline.saturating_duration_since(socket::now());
            if left.is_zero() {
                return Ok(Vec::new());
            }
            let slice = left.min(self.patience());
            for fetched in self.fetcher.fetch(slice).await? {
                self.ready.extend(fetched.records);
                if let Some(error) = fetched.lost {
                    self.reset(&fetched.partition, error).await?;
                }
            }
            socket::yield_if_needed().await;
        }
    }

    /// The offset after the last record that was handed out.
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.positions.get(partition).copied()
    }

    /// All partitions that are read now, with their positions.
    pub const fn positions(&self) -> &BTreeMap<TopicPartition, i64> {
        &self.positions
    }

    /// How many records a partition had beyond the position when it was last fetched.
    pub fn lag(&self, partition: &TopicPartition) -> Option<i64> {
        let end = self.fetcher.high_watermark(partition)?;
        Some(end.saturating_sub(self.position(partition)?).max(0))
    }

    /// Goes on elsewhere in a partition that is read.
    pub async fn seek(
        &mut self,
        partition: &TopicPartition,
        start: StartFrom,
    ) -> Result<(), ConsumeError> {
        let offset = self.find_start(partition, start).await?;
        if let Some(position) = self.positions.get_mut(partition) {
            *position = offset;
            self.ready.retain(|(record, _)| record.partition != *partition);
            self.fetcher.seek(partition, offset);
        }
        Ok(())
    }

    /// Commits the positions of all partitions to the group.
    pub async fn commit(&mut self) -> Result<(), ConsumeError> {
        match &mut self.grouped {
            Some(grouped) => grouped.commit(&self.positions).await,
            None => Err(ConsumeError::NoGroup),
        }
    }

    /// Commits if commits are automatic, leaves the group, and ends.
    pub async fn close(mut self) -> Result<(), ConsumeError> {
        match self.grouped.take() {
            Some(grouped) => grouped.close(&self.positions).await,
            None => Ok(()),
        }
    }

    fn read_only(&mut self, positions: BTreeMap<TopicPartition, i64>) {
        self.ready.retain(|(record, _)| positions.contains_key(&record.partition));
        self.fetcher.read_only(&positions);
        self.positions = positions;
    }

    fn hand_out(&mut self) -> Vec<ConsumedRecord> {
        let count = self.ready.len().min(self.options.poll_records_max);
        let mut records = Vec::with_capacity(count);
        for (record, next_offset) in self.ready.drain(..count) {
            if let Some(position) = self.positions.get_mut(&record.partition) {
                *position = next_offset;
            }
            records.push(record);
        }
        records
    }

    /// How long to wait before the group must be looked at again.
    fn patience(&self) -> Duration {
        if self.grouped.is_some() { Duration::from_millis(200) } else { Duration::MAX }
    }

    async fn attend_to_group(&mut self) -> Result<(), ConsumeError> {
        let Some(grouped) = &mut self.grouped else { return Ok(()) };
        let Some(change) = grouped.attend(&self.positions).await? else { return Ok(()) };
        let mut positions = BTreeMap::new();
        let positions_hold = change.positions_hold;
        if !positions_hold {
            self.read_only(BTreeMap::new());
        }
        for (partition, committed) in change.assigned {
            let offset = match (self.positions.get(&partition), committed) {
                (Some(position), _) => *position,
                (None, Some(offset)) => offset,
                (None, None) => {
                    let start = self.start_without_offset(&partition)?;
                    self.find_start(&partition, start).await?
                }
            };
            positions.insert(partition, offset);
        }
        self.read_only(positions);
        Ok(())
    }

    fn start_without_offset(&self, partition: &TopicPartition) -> Result<StartFrom, ConsumeError> {
        match self.options.offset_reset {
            OffsetReset::Earliest => Ok(StartFrom::Earliest),
            OffsetReset::Latest => Ok(StartFrom::Latest),
            OffsetReset::Fail => Err(ConsumeError::NoOffset { partition: partition.clone() }),
        }
    }

    async fn reset(
        &mut self,
        partition: &TopicPartition,
        error: crate::ServerError,
    ) -> Result<(), ConsumeError> {
        let start = match self.options.offset_reset {
            OffsetReset::Earliest => StartFrom::Earliest,
            OffsetReset::Latest => StartFrom::Latest,
            OffsetReset::Fail => return Err(ConsumeError::Refused(error)),
        };
        self.seek(partition, start).await
    }

    async fn find_start(
        &self,
        partition: &TopicPartition,
        start: StartFrom,
    ) -> Result<i64, ConsumeError> {
        let spec = match start {
            StartFrom::Offset(offset) => return Ok(offset),
            StartFrom::Earliest => OffsetSpec::Earliest,
            StartFrom::Latest => OffsetSpec::Latest,
            StartFrom::Timestamp(timestamp) => OffsetSpec::At(timestamp),
        };
        if let Some(offset) = self.find_offset(partition, spec).await? {
            return Ok(offset);
        }
        let end = self.find_offset(partition, OffsetSpec::Latest).await?;
        end.ok_or_else(|| ClientError::Incomplete { api: "ListOffsets" }.into())
    }

    async fn find_offset(
        &self,
        partition: &TopicPartition,
        spec: OffsetSpec,
    ) -> Result<Option<i64>, ConsumeError> {
        let admin = Admin::new(self.client.clone());
        let wanted = [(partition.clone(), spec)];
        let found = admin.list_offsets(&wanted, self.options.isolation).await?;
        let (_, found) =
            found.into_iter().next().ok_or(ClientError::Incomplete { api: "ListOffsets" })?;
        Ok(found.map_err(ConsumeError::Refused)?.offset)
    }
}
