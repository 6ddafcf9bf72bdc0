//! The cluster's metadata log on disk: the newest snapshot and the records after it are the image;
//! a decision counts when its records are durable here.

use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;
use codec::{DecodeError, EncodeError, Message, UnknownTags, Writer};
use thiserror::Error;

use crate::cluster::snapshot::{Snapshot, SnapshotError, SnapshotId};
use crate::cluster::{ApplyError, ClusterImage};
use crate::io::{IoError, Runtime};
use crate::log::{
    AppendContext, AppendError, Log, LogError, LogFenced, LogOptions, NotDurable, OpenError,
    Opening, Origin, ReadError, Receipt,
};
use crate::record::{
    BatchBuilder, Batches, Compression, ControlRecord, ControlRecordError, RecordError,
};
use crate::records::metadata::MetadataRecord;
use crate::records::raft::LeaderChangeMessage;
use crate::records::raft::leader_change_message::Voter;
use crate::types::limits::{
    METADATA_BATCH_BYTES_MAX, METADATA_READ_BYTES, METADATA_SNAPSHOT_BYTES_MAX,
};
use crate::types::{BrokerId, LeaderEpoch, Offset, Timestamp, TopicId};

/// The folder of the metadata log within the metadata folder.
pub const METADATA_FOLDER: &str = "__cluster_metadata-0";

pub struct MetadataLog {
    runtime: Runtime,
    folder: PathBuf,
    log: Rc<Log>,
    epoch: LeaderEpoch,
    /// Where the newest snapshot ends.
    snapshot_end: Offset,
    bytes_since_snapshot: u64,
    /// What Kafka's quorum wrote about itself, its version and its voters: a Kafka that takes the
    /// folder back would not know without them who may vote.
    quorum: Vec<ControlRecord>,
}

#[derive(Debug, Error)]
pub enum MetadataError {
    #[error(transparent)]
    Io(#[from] IoError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    NotDurable(#[from] NotDurable),
    #[error(transparent)]
    Upkeep(#[from] LogError),
    #[error("a batch of the metadata log cannot be read: {0}")]
    Batch(#[from] RecordError),
    #[error("a control record of the metadata log cannot be read: {0}")]
    Control(#[from] ControlRecordError),
    #[error("a record of the metadata log cannot be read: {0}")]
    Decode(#[from] DecodeError),
    #[error("a record cannot be written: {0}")]
    Encode(#[from] EncodeError),
    #[error("a record of the metadata log does not fit what came before: {0}")]
    Apply(#[from] ApplyError),
    #[error("the snapshot {name} cannot be used: {source}")]
    Snapshot { name: String, source: SnapshotError },
    #[error("the metadata log starts at {log_start}, but the newest snapshot ends at {end}")]
    Gap { log_start: Offset, end: Offset },
}

impl MetadataLog {
    /// Reads snapshot and log. The image is that of a cluster named `cluster_id`.
    pub async fn open(
        runtime: &Runtime,
        folder: PathBuf,
        cluster_id: &str,
    ) -> Result<(Self, ClusterImage), MetadataError> {
        let directory = runtime.directory(&folder);
        directory.create().await?;
        let mut image = ClusterImage::new(cluster_id);
        let mut snapshot_end = Offset::ZERO;
        let mut quorum = Vec::new();
        let newest = directory
            .list()
            .await?
            .into_iter()
            .filter_map(|entry| SnapshotId::from_file_name(&entry.name))
            .max();
        if let Some(id) = newest {
            let name = id.file_name();
            let bytes = directory.read_file(&name, METADATA_SNAPSHOT_BYTES_MAX).await?;
            let snapshot = Snapshot::decode(&bytes.unwrap_or_default())
                .map_err(|source| MetadataError::Snapshot { name, source })?;
            for record in &snapshot.records {
                image.apply(record)?;
            }
            snapshot_end = id.end;
            quorum = snapshot.quorum;
        }
        let options = LogOptions {
            retention_age_max: None,
            retention_bytes_max: None,
            topic_id: Some(TopicId::METADATA),
            ..LogOptions::default()
        };
        let log = Log::open(runtime, folder.clone(), options, Opening::Recover).await?;
        let epoch = log.latest_epoch().map_or(LeaderEpoch::ZERO, next_epoch);
        let mut opened = Self {
            runtime: runtime.clone(),
            folder,
            log,
            epoch,
            snapshot_end,
            bytes_since_snapshot: 0,
            quorum,
        };
        opened.replay(&mut image).await?;
        Ok((opened, image))
    }

    async fn replay(&mut self, image: &mut ClusterImage) -> Result<(), MetadataError> {
        let ends = self.log.ends();
        if self.snapshot_end < ends.log_start {
            return Err(MetadataError::Gap { log_start: ends.log_start, end: self.snapshot_end });
        }
        let mut from = self.snapshot_end;
        while from < ends.durable_end {
            let slice = self.log.read(from, ends.durable_end, METADATA_READ_BYTES, true).await?;
            from = slice.next_offset;
            self.bytes_since_snapshot += slice.bytes() as u64;
            for batch in Batches::new(slice.into_bytes()) {
                let batch = batch?;
                let is_control = batch.header().is_control();
                for record in batch.records()? {
                    let record = record?;
                    if is_control {
                        self.learn_quorum(ControlRecord::decode(&record)?);
                    } else {
                        let value = record.value.unwrap_or_default();
                        image.apply(&MetadataRecord::decode(&value)?)?;
                    }
                }
            }
            self.runtime.yield_if_needed().await;
        }
        Ok(())
    }

    /// The newest version and the newest voters count.
    fn learn_quorum(&mut self, record: ControlRecord) {
        match record {
            ControlRecord::KraftVersion(_) | ControlRecord::KraftVoters(_) => {
                self.quorum.retain(|known| known.key() != record.key());
                self.quorum.push(record);
                self.quorum.sort_by_key(ControlRecord::key);
            }
            ControlRecord::EndTransaction { .. }
            | ControlRecord::LeaderChange(_)
            | ControlRecord::SnapshotHeader(_)
            | ControlRecord::SnapshotFooter(_)
            | ControlRecord::Unknown { .. } => {}
        }
    }

    /// Of this run: a controller that begins is one that was elected.
    pub const fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The offset of the next record.
    pub fn end(&self) -> Offset {
        self.log.ends().log_end
    }

    /// Begins this run's epoch, as a controller does that has won its election: with a record
    /// that names the leader and its voters.
    pub async fn begin_epoch(&self, node: BrokerId) -> Result<(), MetadataError> {
        let voter = || Voter { voter_id: node.to_wire(), ..Voter::default() };
        let message = LeaderChangeMessage {
            version: 0,
            leader_id: node.to_wire(),
            voters: vec![voter()],
            granting_voters: vec![voter()],
            unknown_tagged_fields: UnknownTags::default(),
        };
        let mut writer = Writer::default();
        message.encode(&mut writer, 0)?;
        let value = writer.finish().concat();
        let control = ControlRecord::LeaderChange(Bytes::from(value));
        let mut batch = BatchBuilder::new(Compression::None).control();
        let now = self.runtime.wall_clock();
        batch.append(now, Some(&control.key()), Some(&control.value()), &[]);
        self.append_batch(batch).await
    }

    /// Returns when the records are durable, in as few batches as fit.
    pub async fn append(&mut self, records: &[MetadataRecord]) -> Result<(), MetadataError> {
        let now = self.runtime.wall_clock();
        let mut batch = BatchBuilder::new(Compression::None);
        let mut ends = None;
        for record in records {
            let value = record.encode(record.latest_version())?;
            let more = batch.record_bytes(now, None, Some(&value), &[]);
            self.bytes_since_snapshot += more as u64;
            if !batch.is_empty() && METADATA_BATCH_BYTES_MAX < batch.plain_bytes() + more {
                let full = std::mem::replace(&mut batch, BatchBuilder::new(Compression::None));
                ends = Some(self.place(full, now).await?);
            }
            batch.append(now, None, Some(&value), &[]);
        }
        if !batch.is_empty() {
            ends = Some(self.place(batch, now).await?);
        }
        if let Some(end) = ends {
            self.log.durable(end).await?;
        }
        Ok(())
    }

    async fn append_batch(&self, batch: BatchBuilder) -> Result<(), MetadataError> {
        let end = self.place(batch, self.runtime.wall_clock()).await?;
        self.log.durable(end).await?;
        Ok(())
    }

    async fn place(&self, batch: BatchBuilder, now: Timestamp) -> Result<Receipt, MetadataError> {
        let batches = [batch.finish_checked()];
        let context = AppendContext::of(Origin::Coordinator);
        let appended = self.log.append_in_turn(&batches, self.epoch, &context, now).await?;
        Ok(appended.receipt)
    }

    /// Why nothing more can be appended, if that is so.
    pub fn fenced(&self) -> Option<LogFenced> {
        self.log.fenced()
    }

    pub fn bytes_since_snapshot(&self) -> u64 {
        self.bytes_since_snapshot
    }

    /// Writes the image as a snapshot, so that the next start replays only what comes after it,
    /// and removes older snapshots, and the records that the one before it stood for.
    pub async fn write_snapshot(&mut self, image: &ClusterImage) -> Result<(), MetadataError> {
        let end = self.log.ends().durable_end;
        if end == self.snapshot_end {
            return Ok(());
        }
        let now = self.runtime.wall_clock();
        let snapshot = Snapshot {
            last_contained_time: now,
            quorum: self.quorum.clone(),
            records: image.to_records(),
        };
        let id = SnapshotId { end, epoch: self.epoch };
        let bytes = snapshot.encode(self.epoch, now)?;
        let directory = self.runtime.directory(&self.folder);
        directory.write_file_atomically(&id.file_name(), bytes.to_vec()).await?;
        let before = std::mem::replace(&mut self.snapshot_end, end);
        self.bytes_since_snapshot = 0;
        for entry in directory.list().await? {
            if SnapshotId::from_file_name(&entry.name).is_some_and(|other| other < id) {
                directory.remove(&entry.name).await?;
            }
        }
        // Records from the snapshot before this one on stay: a log without any would have no epoch,
        // and Kafka starts on no such log.
        self.log.truncate_prefix(before).await?;
        Ok(())
    }

    pub async fn close(&self) -> Result<(), MetadataError> {
        self.log.close().await?;
        Ok(())
    }
}

fn next_epoch(epoch: LeaderEpoch) -> LeaderEpoch {
    LeaderEpoch::new(epoch.get().strict_add(1))
        .expect("no cluster has two thousand million leaders")
}
