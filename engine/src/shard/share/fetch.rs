//! Giving records out: what the log has from the first free record on is read, offered to the queue, and
//! of what was read that leaves which holds something that was given out.

use std::collections::BTreeSet;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use crate::log::Log;
use crate::record::{Batch, Batches, ControlRecord, TransactionResult};
use crate::shard::Shard;
use crate::shard::read::View;
use crate::shard::request::Isolation;
use crate::shard::share::{
    NEVER, QueueHost, ShareError, ShareFetchAsk, ShareFetched, ShareSeen, ShareSettings,
};
use crate::share::{Acquired, Holder, Offered, ShareKey, Wanted};
use crate::types::{Offset, ProducerId};

/// So often one look reads on where nobody may be given what was read.
const READS_MAX: u32 = 16;

impl Shard {
    /// Answers in the order asked; what is left of the bounds goes to the next.
    pub async fn share_fetch(
        self: &Rc<Self>,
        ask: ShareFetchAsk,
    ) -> Vec<Result<ShareFetched, ShareError>> {
        self.open_together(ask.partitions.iter().map(|one| one.partition)).await;
        let holder = Rc::new(Holder { member: ask.member.clone(), session: ask.session });
        let mut bytes_left = ask.bytes_max;
        let mut records_left = ask.records_max;
        let mut answers = Vec::with_capacity(ask.partitions.len());
        for one in &ask.partitions {
            let key = ShareKey { group: ask.group.clone(), partition: one.partition };
            let wanted = Wanted { records_max: records_left, mode: ask.mode };
            let bytes_max = one.bytes_max.min(bytes_left);
            let host = self.queue(&key);
            let fetched = match host {
                Ok(host) => host.fetch(self, &holder, wanted, bytes_max, ask.bytes_min).await,
                Err(error) => Err(error),
            };
            if let Ok(fetched) = &fetched {
                bytes_left = bytes_left.saturating_sub(fetched.records.len());
                records_left = records_left.saturating_sub(fetched.record_count());
            }
            answers.push(fetched);
            self.runtime.yield_if_needed().await;
        }
        answers
    }
}

/// What was read from a log.
struct Found {
    batches: Vec<Batch>,
    offered: Vec<Offered>,
    bytes: usize,
}

impl QueueHost {
    async fn fetch(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        holder: &Rc<Holder>,
        wanted: Wanted,
        bytes_max: usize,
        bytes_min: usize,
    ) -> Result<ShareFetched, ShareError> {
        self.ready().await?;
        let log = self.partition.log().await?;
        let settings = ShareSettings::of(&shard.image(), &shard.config, &self.key.group);
        for _ in 0..READS_MAX {
            let view = View::of(&log);
            let version = self.version();
            let bound = match settings.isolation {
                Isolation::ReadUncommitted => view.high_watermark,
                Isolation::ReadCommitted => view.last_stable,
            };
            let (from, end_of_queue, has_room) = self.with(|queue| {
                queue.log_starts_at(view.log_start);
                (queue.next_offset(), queue.end(), queue.has_room(&settings.queue))
            })?;
            let end = if has_room { view.high_watermark } else { NEVER };
            let seen = Some(ShareSeen { key: self.key.clone(), version, end });
            let nothing = ShareFetched { seen, ..ShareFetched::default() };
            if bound <= from || !has_room || bytes_max == 0 || wanted.records_max == 0 {
                return Ok(nothing);
            }
            // What is free of the queue may be little; behind its end everything is.
            let more = u32::try_from(wanted.records_max).unwrap_or(u32::MAX);
            let enough = end_of_queue.advance(more);
            let found = find(&log, from..bound, enough, bytes_max, settings.isolation).await;
            if matches!(found, Err(ShareError::Storage)) {
                self.partition.suspect_folder();
            }
            let found = found?;
            if found.bytes < bytes_min {
                return Ok(nothing);
            }
            let now = shard.now();
            let (acquired, has_moved) = self.with(|queue| {
                let given =
                    queue.acquire(now, holder, from, &found.offered, wanted, &settings.queue);
                (given, from < queue.next_offset())
            })?;
            self.store();
            if !acquired.is_empty() {
                let records = with_given(&found.batches, &acquired);
                return Ok(ShareFetched { records, acquired, ..nothing });
            }
            if !has_moved {
                return Ok(nothing);
            }
        }
        Ok(ShareFetched::default())
    }
}

async fn find(
    log: &Rc<Log>,
    range: std::ops::Range<Offset>,
    enough: Offset,
    bytes_max: usize,
    isolation: Isolation,
) -> Result<Found, ShareError> {
    let read = async || {
        let slice = log.read(range.start, range.end, bytes_max, true).await?;
        let aborted = match isolation {
            Isolation::ReadUncommitted => Vec::new(),
            Isolation::ReadCommitted => {
                log.aborted_transactions(range.start, slice.next_offset).await?
            }
        };
        Ok((slice, aborted))
    };
    let read: Result<_, crate::log::ReadError> = read().await;
    let (slice, mut aborted) =
        read.map_err(|error| ShareError::from(crate::shard::PartitionError::from(error)))?;
    aborted.sort_by_key(|one| one.first_offset);
    let mut aborted = aborted.into_iter().peekable();
    let bytes = slice.bytes();
    let mut undone: BTreeSet<ProducerId> = BTreeSet::new();
    let (mut batches, mut offered) = (Vec::new(), Vec::new());
    for batch in Batches::new(slice.into_bytes()) {
        let batch = batch.map_err(|_| ShareError::Corrupt)?;
        let header = batch.header();
        if enough <= header.base_offset() {
            break;
        }
        while let Some(one) = aborted.next_if(|one| one.first_offset <= header.last_offset()) {
            undone.insert(one.producer_id);
        }
        let producer = header.producer_id().filter(|_| header.is_transactional());
        let is_undone = producer.is_some_and(|producer| undone.contains(&producer));
        if header.is_control()
            && let Some(producer) = producer
            && is_abort(&batch)
        {
            undone.remove(&producer);
        }
        offered.push(Offered {
            first: header.base_offset(),
            end: header.next_offset(),
            has_records: !header.is_control() && !is_undone && header.record_count() != 0,
        });
        batches.push(batch);
    }
    Ok(Found { batches, offered, bytes })
}

fn is_abort(batch: &Batch) -> bool {
    let first = batch.records().ok().and_then(|mut records| records.next()?.ok());
    let control = first.and_then(|record| ControlRecord::decode(&record).ok());
    matches!(control, Some(ControlRecord::EndTransaction { result: TransactionResult::Abort, .. }))
}

/// The batches that hold something of what was given out.
fn with_given(batches: &[Batch], given: &[Acquired]) -> Bytes {
    let has_some = |batch: &&Batch| {
        let (first, end) = (batch.header().base_offset(), batch.header().next_offset());
        given.iter().any(|one| one.first < end && first < one.end)
    };
    let chosen: Vec<&Batch> = batches.iter().filter(has_some).collect();
    if let [only] = chosen.as_slice() {
        return only.bytes().clone();
    }
    let mut joined = BytesMut::with_capacity(chosen.iter().map(|batch| batch.bytes().len()).sum());
    chosen.iter().for_each(|batch| joined.extend_from_slice(batch.bytes()));
    joined.freeze()
}
