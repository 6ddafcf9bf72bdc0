//! A queue begins: as it was when its state was last written, else where the group's settings say.

use std::time::Duration;

use crate::shard::Shard;
use crate::shard::read::View;
use crate::shard::request::{Isolation, ListOffsetAsk, OffsetSpec};
use crate::shard::share::{QueueHost, ShareError, ShareReset, ShareSettings};
use crate::share::{
    QueueState, ReadState, Reply, Request, ShareQueue, ShareStateError, StateEpoch,
};
use crate::types::{Offset, Timestamp};

/// How often a keeper that loads is asked again, and after how long.
const ATTEMPTS_MAX: u32 = 200;
const PAUSE: Duration = Duration::from_millis(20);

impl QueueHost {
    pub(super) async fn read_state(
        &self,
        shard: &Shard,
    ) -> Result<(ShareQueue, StateEpoch), ShareError> {
        let leader_epoch = Some(self.partition.leader_epoch.get());
        let mut attempts = 0;
        let state = loop {
            let request = Request::Read { key: self.key.clone(), leader_epoch };
            match shard.share_state(&self.key, request).await {
                Ok(Reply::Read(Ok(state))) => break state,
                Ok(Reply::Read(Err(error))) => return Err(error.into()),
                Err(ShareStateError::CoordinatorLoadInProgress) if attempts < ATTEMPTS_MAX => {
                    attempts += 1;
                    self.runtime.sleep(PAUSE).await;
                }
                Err(error) => return Err(error.into()),
                Ok(_) => return Err(ShareError::CoordinatorNotAvailable),
            }
        };
        let log = self.partition.log().await?;
        let log_start = View::of(&log).log_start;
        let ReadState { state_epoch, start, batches } = state;
        let mut queue = match start {
            Some(start) => ShareQueue::new(QueueState { start, batches }),
            None => ShareQueue::begin_at(self.first_offset(shard).await?),
        };
        queue.log_starts_at(log_start);
        Ok((queue, state_epoch))
    }

    /// Where a queue begins of which nothing is known.
    async fn first_offset(&self, shard: &Shard) -> Result<Offset, ShareError> {
        let settings = ShareSettings::of(&shard.image(), &shard.config, &self.key.group);
        let spec = match settings.reset {
            ShareReset::Earliest => OffsetSpec::Earliest,
            ShareReset::Latest => OffsetSpec::Latest,
            ShareReset::ByDuration(span) => {
                let now = self.runtime.wall_clock().0;
                OffsetSpec::At(Timestamp(now.saturating_sub_unsigned(span.0)))
            }
        };
        let list = async |spec| {
            let ask = ListOffsetAsk {
                partition: self.key.partition,
                spec,
                isolation: Isolation::ReadUncommitted,
                current_leader_epoch: None,
            };
            let listed = shard.list_offsets(vec![ask]).await.pop();
            let listed = listed.ok_or(ShareError::UnknownTopicOrPartition)?;
            Ok::<_, ShareError>(listed?.offset)
        };
        // Nothing is that young: what comes next is.
        match list(spec).await? {
            Some(offset) => Ok(offset),
            None => Ok(list(OffsetSpec::Latest).await?.unwrap_or(Offset::ZERO)),
        }
    }
}
