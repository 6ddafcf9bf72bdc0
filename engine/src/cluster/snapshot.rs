//! A snapshot of the metadata log: what a node reads instead of the log's beginning, and what a
//! formatted disk starts from. Without it a start would replay every record ever written.
//!
//! File `NNNNNNNNNNNNNNNNNNNN-EEEEEEEEEE.checkpoint`, of the first offset that it does not contain
//! and the epoch of the last one that it does; or `bootstrap.checkpoint`. Record batches back to
//! back, offsets counted from zero within the file:
//!
//! | batch | records |
//! |---|---|
//! | control | SnapshotHeader; KRaftVersion and KRaftVoters where the quorum has them |
//! | data, any number | framed metadata records as values, no keys |
//! | control | SnapshotFooter |
//!
//! A file without its footer is incomplete and is not used. Source: KIP-630.

use bytes::{Bytes, BytesMut};
use codec::{DecodeError, EncodeError, Message, Reader, UnknownTags, Writer};
use thiserror::Error;

use crate::record::{
    BatchBuilder, Batches, Compression, ControlRecord, ControlRecordError, RecordError,
};
use crate::records::metadata::MetadataRecord;
use crate::records::raft::{SnapshotFooterRecord, SnapshotHeaderRecord};
use crate::types::limits::METADATA_BATCH_BYTES_MAX;
use crate::types::{LeaderEpoch, Offset, Timestamp};

pub const BOOTSTRAP_FILE: &str = "bootstrap.checkpoint";

const SUFFIX: &str = ".checkpoint";

/// Which part of the log a snapshot stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// The first offset that is not in the snapshot.
    pub end: Offset,
    /// The epoch of the last record that is.
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    pub fn file_name(self) -> String {
        format!("{:020}-{:010}{SUFFIX}", self.end.get(), self.epoch.get())
    }

    /// `None` for a name of another form.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let (end, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let digits = |text: &str, width| {
            text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(end, 20) || !digits(epoch, 10) {
            return None;
        }
        let end = Offset::new(end.parse().ok()?)?;
        Some(Self { end, epoch: LeaderEpoch::new(epoch.parse().ok()?)? })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// When the last record that the snapshot contains was appended to the log; 0 if there is none.
    pub last_contained_time: Timestamp,
    /// What the quorum wrote about itself: KRaftVersion and KRaftVoters, in this order.
    pub quorum: Vec<ControlRecord>,
    pub records: Vec<MetadataRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Batch(#[from] RecordError),
    #[error(transparent)]
    Control(#[from] ControlRecordError),
    #[error(transparent)]
    Record(#[from] DecodeError),
    #[error("the snapshot does not begin with its header")]
    NoHeader,
    #[error("the snapshot ends without its footer: it was never finished")]
    NoFooter,
    #[error("{bytes} bytes follow the snapshot's footer")]
    Trailing { bytes: usize },
    #[error("a record of the snapshot has no value")]
    NoValue,
    #[error("a control record is in a place where none belongs")]
    MisplacedControl,
}

impl Snapshot {
    /// The whole file. `epoch` is the epoch of the snapshot's name, 0 for a bootstrap file.
    pub fn encode(&self, epoch: LeaderEpoch, now: Timestamp) -> Result<Bytes, EncodeError> {
        let mut file = File { bytes: BytesMut::new(), next: Offset::ZERO, epoch };
        let header = SnapshotHeaderRecord {
            version: 0,
            last_contained_log_timestamp: self.last_contained_time.0,
            unknown_tagged_fields: UnknownTags::default(),
        };
        let header = ControlRecord::SnapshotHeader(message(&header)?);
        let mut batch = file.batch().control();
        for record in std::iter::once(&header).chain(&self.quorum) {
            batch.append(now, Some(&record.key()), Some(&record.value()), &[]);
        }
        file.finish(batch);
        let mut batch = file.batch();
        for record in &self.records {
            let value = record.encode(record.latest_version())?;
            let more = batch.record_bytes(now, None, Some(&value), &[]);
            if !batch.is_empty() && METADATA_BATCH_BYTES_MAX < batch.plain_bytes() + more {
                file.finish(batch);
                batch = file.batch();
            }
            batch.append(now, None, Some(&value), &[]);
        }
        if !batch.is_empty() {
            file.finish(batch);
        }
        let footer =
            SnapshotFooterRecord { version: 0, unknown_tagged_fields: UnknownTags::default() };
        let footer = ControlRecord::SnapshotFooter(message(&footer)?);
        let mut batch = file.batch().control();
        batch.append(now, Some(&footer.key()), Some(&footer.value()), &[]);
        file.finish(batch);
        Ok(file.bytes.freeze())
    }

    pub fn decode(bytes: &Bytes) -> Result<Self, SnapshotError> {
        let mut reading = Reading { header: None, quorum: Vec::new(), records: Vec::new() };
        let mut batches = Batches::new(bytes.clone());
        while let Some(batch) = batches.next() {
            let batch = batch?;
            batch.verify_checksum()?;
            let is_control = batch.header().attributes().is_control();
            for record in batch.records()? {
                let record = record?;
                if !is_control {
                    reading.data(record.value.as_ref().ok_or(SnapshotError::NoValue)?)?;
                } else if reading.control(ControlRecord::decode(&record)?)? {
                    let bytes = batches.rest().len();
                    return if bytes == 0 {
                        reading.finish()
                    } else {
                        Err(SnapshotError::Trailing { bytes })
                    };
                }
            }
        }
        Err(SnapshotError::NoFooter)
    }
}

struct File {
    bytes: BytesMut,
    next: Offset,
    epoch: LeaderEpoch,
}

impl File {
    fn batch(&self) -> BatchBuilder {
        BatchBuilder::new(Compression::None).with_place(self.next, Some(self.epoch))
    }

    fn finish(&mut self, batch: BatchBuilder) {
        self.next = self.next.advance(batch.record_count());
        self.bytes.extend_from_slice(&batch.finish());
    }
}

struct Reading {
    header: Option<SnapshotHeaderRecord>,
    quorum: Vec<ControlRecord>,
    records: Vec<MetadataRecord>,
}

impl Reading {
    /// Whether it was the footer.
    fn control(&mut self, record: ControlRecord) -> Result<bool, SnapshotError> {
        match record {
            ControlRecord::SnapshotHeader(value) if self.header.is_none() => {
                self.header = Some(SnapshotHeaderRecord::decode(&mut Reader::new(value), 0)?);
                Ok(false)
            }
            ControlRecord::SnapshotFooter(_) => Ok(true),
            ControlRecord::KraftVersion(_) | ControlRecord::KraftVoters(_)
                if self.header.is_some() && self.records.is_empty() =>
            {
                self.quorum.push(record);
                Ok(false)
            }
            ControlRecord::Unknown { .. } => Ok(false),
            ControlRecord::SnapshotHeader(_)
            | ControlRecord::KraftVersion(_)
            | ControlRecord::KraftVoters(_)
            | ControlRecord::LeaderChange(_)
            | ControlRecord::EndTransaction { .. } => Err(SnapshotError::MisplacedControl),
        }
    }

    fn data(&mut self, value: &Bytes) -> Result<(), SnapshotError> {
        if self.header.is_none() {
            return Err(SnapshotError::NoHeader);
        }
        self.records.push(MetadataRecord::decode(value)?);
        Ok(())
    }

    fn finish(self) -> Result<Snapshot, SnapshotError> {
        let header = self.header.ok_or(SnapshotError::NoHeader)?;
        let last_contained_time = Timestamp(header.last_contained_log_timestamp);
        Ok(Snapshot { last_contained_time, quorum: self.quorum, records: self.records })
    }
}

fn message(message: &impl Message) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    message.encode(&mut writer, 0)?;
    Ok(writer.into_bytes())
}
