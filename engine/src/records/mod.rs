//! The records that the engine keeps, in Kafka's own form: bytes that a Kafka cluster can read.

pub(crate) mod frame;

#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod consumer_protocol;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod group;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod metadata;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod raft;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod share;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod storage;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod transaction;

use codec::CatalogEntry;

/// Every record of every family.
pub const CATALOGS: [&[CatalogEntry]; 7] = [
    consumer_protocol::CATALOG,
    group::CATALOG,
    metadata::CATALOG,
    raft::CATALOG,
    share::CATALOG,
    storage::CATALOG,
    transaction::CATALOG,
];

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use codec::{DecodeError, Uuid};

    use super::group::{GroupKey, GroupValue, OffsetCommitKey, OffsetCommitValue};
    use super::metadata::{MetadataRecord, NoOpRecord, TopicRecord};

    #[test]
    fn a_metadata_record_stands_in_its_frame() {
        let topic =
            TopicRecord { name: "a".to_owned(), topic_id: Uuid([7; 16]), ..TopicRecord::default() };
        let record = MetadataRecord::from(topic);
        let bytes = record.encode(record.latest_version()).unwrap();
        let mut expected = vec![1, 2, 0, 2, b'a'];
        expected.extend([7; 16]);
        expected.push(0);
        assert_eq!(bytes, expected);
        assert_eq!(MetadataRecord::decode(&bytes), Ok(record));
    }

    #[test]
    fn an_unknown_frame_or_record_is_refused() {
        let decode = |bytes: &'static [u8]| MetadataRecord::decode(&Bytes::from_static(bytes));
        assert_eq!(decode(&[1, 20, 0, 0]), Ok(NoOpRecord::default().into()));
        assert_eq!(
            decode(&[2, 20, 0, 0]),
            Err(DecodeError::UnknownFrame { version: 2, expected: 1 })
        );
        assert_eq!(
            decode(&[1, 99, 0, 0]),
            Err(DecodeError::UnknownKind { family: "MetadataRecord", kind: 99 })
        );
        assert_eq!(decode(&[1, 20, 0, 0, 0]), Err(DecodeError::TrailingBytes { remaining: 1 }));
    }

    #[test]
    fn a_group_key_names_its_type_and_a_value_its_version() {
        let key: GroupKey =
            OffsetCommitKey { group: "g".to_owned(), topic: "t".to_owned(), partition: 3 }.into();
        let bytes = key.encode().unwrap();
        assert_eq!(bytes, [0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 3].as_slice());
        assert_eq!(GroupKey::decode(&bytes), Ok(key.clone()));

        let value: GroupValue = OffsetCommitValue {
            offset: 5,
            leader_epoch: 2,
            commit_timestamp: 9,
            ..OffsetCommitValue::default()
        }
        .into();
        let bytes = value.encode(3).unwrap();
        let mut expected = vec![0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0];
        expected.extend(9_i64.to_be_bytes());
        assert_eq!(bytes, expected);
        assert_eq!(GroupValue::decode(key.kind(), &bytes), Ok(value));
    }
}
