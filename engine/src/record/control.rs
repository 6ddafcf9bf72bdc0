//! What a control batch says: the end of a transaction, or an event of the metadata quorum.
//! Consumers never see these records; whoever reads a log must understand them.
//!
//! | key field | bytes | | value of an end of transaction | bytes |
//! |---|---|---|---|---|
//! | version, 0 | 2 | | version, 0 | 2 |
//! | type | 2 | | coordinator epoch | 4 |
//!
//! | type | control record |
//! |---|---|
//! | 0, 1 | abort, commit |
//! | 2 | leader change |
//! | 3, 4 | snapshot header, snapshot footer |
//! | 5, 6 | KRaft version, KRaft voters |
//!
//! Source: KIP-98 for transactions, KIP-595, KIP-630 and KIP-853 for the quorum. A later version
//! only appends fields, so a reader takes any version that is not negative.

use bytes::{Buf, BufMut, Bytes};
use thiserror::Error;

use crate::record::item::Record;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionResult {
    Abort,
    Commit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlRecord {
    EndTransaction {
        result: TransactionResult,
        coordinator_epoch: i32,
    },
    /// The quorum's values are messages of their own; here they stay bytes.
    LeaderChange(Bytes),
    SnapshotHeader(Bytes),
    SnapshotFooter(Bytes),
    KraftVersion(Bytes),
    KraftVoters(Bytes),
    /// A type that a later Kafka has added; readers pass it by.
    Unknown {
        type_id: i16,
        value: Bytes,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ControlRecordError {
    #[error("the control record has no key or one that is cut")]
    Key,
    #[error("the control record has no value or one that is cut")]
    Value,
    #[error("the control record has version {version}")]
    Version { version: i16 },
}

const VERSION: i16 = 0;

impl ControlRecord {
    pub fn decode(record: &Record) -> Result<Self, ControlRecordError> {
        let mut key = record.key.clone().ok_or(ControlRecordError::Key)?;
        take_version(&mut key).map_err(|error| error.unwrap_or(ControlRecordError::Key))?;
        let type_id = key.try_get_i16().map_err(|_cut| ControlRecordError::Key)?;
        let value = record.value.clone().ok_or(ControlRecordError::Value)?;
        match type_id {
            0 => Self::decode_end(TransactionResult::Abort, value),
            1 => Self::decode_end(TransactionResult::Commit, value),
            2 => Ok(Self::LeaderChange(value)),
            3 => Ok(Self::SnapshotHeader(value)),
            4 => Ok(Self::SnapshotFooter(value)),
            5 => Ok(Self::KraftVersion(value)),
            6 => Ok(Self::KraftVoters(value)),
            _ => Ok(Self::Unknown { type_id, value }),
        }
    }

    pub fn key(&self) -> Bytes {
        let mut key = Vec::with_capacity(4);
        key.put_i16(VERSION);
        key.put_i16(self.type_id());
        Bytes::from(key)
    }

    pub fn value(&self) -> Bytes {
        match self {
            Self::EndTransaction { coordinator_epoch, .. } => {
                let mut value = Vec::with_capacity(6);
                value.put_i16(VERSION);
                value.put_i32(*coordinator_epoch);
                Bytes::from(value)
            }
            Self::LeaderChange(value)
            | Self::SnapshotHeader(value)
            | Self::SnapshotFooter(value)
            | Self::KraftVersion(value)
            | Self::KraftVoters(value)
            | Self::Unknown { value, .. } => value.clone(),
        }
    }

    fn type_id(&self) -> i16 {
        match self {
            Self::EndTransaction { result: TransactionResult::Abort, .. } => 0,
            Self::EndTransaction { result: TransactionResult::Commit, .. } => 1,
            Self::LeaderChange(_) => 2,
            Self::SnapshotHeader(_) => 3,
            Self::SnapshotFooter(_) => 4,
            Self::KraftVersion(_) => 5,
            Self::KraftVoters(_) => 6,
            Self::Unknown { type_id, .. } => *type_id,
        }
    }

    fn decode_end(result: TransactionResult, mut value: Bytes) -> Result<Self, ControlRecordError> {
        take_version(&mut value).map_err(|error| error.unwrap_or(ControlRecordError::Value))?;
        let coordinator_epoch = value.try_get_i32().map_err(|_cut| ControlRecordError::Value)?;
        Ok(Self::EndTransaction { result, coordinator_epoch })
    }
}

/// Fails with `None` if the bytes are cut.
fn take_version(bytes: &mut Bytes) -> Result<(), Option<ControlRecordError>> {
    let version = bytes.try_get_i16().map_err(|_cut| None)?;
    if version < VERSION { Err(Some(ControlRecordError::Version { version })) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: Option<&'static [u8]>, value: Option<&'static [u8]>) -> Record {
        let key = key.map(Bytes::from_static);
        Record { key, value: value.map(Bytes::from_static), ..Record::default() }
    }

    #[test]
    fn a_commit_marker_has_kafkas_bytes() {
        let commit = TransactionResult::Commit;
        let marker = ControlRecord::EndTransaction { result: commit, coordinator_epoch: 7 };
        assert_eq!(marker.key().as_ref(), [0, 0, 0, 1]);
        assert_eq!(marker.value().as_ref(), [0, 0, 0, 0, 0, 7]);
        let read = record(Some(&[0, 0, 0, 1]), Some(&[0, 0, 0, 0, 0, 7]));
        assert_eq!(ControlRecord::decode(&read).unwrap(), marker);
    }

    #[test]
    fn a_type_or_version_of_the_future_is_read_and_a_negative_version_is_not() {
        let unknown = ControlRecord::decode(&record(Some(&[0, 3, 0, 99]), Some(&[1])));
        assert!(matches!(unknown, Ok(ControlRecord::Unknown { type_id: 99, .. })));
        let negative = ControlRecord::decode(&record(Some(&[0xff, 0xff, 0, 1]), Some(&[])));
        assert_eq!(negative, Err(ControlRecordError::Version { version: -1 }));
    }

    #[test]
    fn a_cut_control_record_is_an_error() {
        let key = ControlRecord::decode(&record(Some(&[0, 0, 0]), Some(&[])));
        assert_eq!(key, Err(ControlRecordError::Key));
        let value = ControlRecord::decode(&record(Some(&[0, 0, 0, 1]), Some(&[0, 0, 0])));
        assert_eq!(value, Err(ControlRecordError::Value));
        assert_eq!(ControlRecord::decode(&record(None, None)), Err(ControlRecordError::Key));
    }
}
