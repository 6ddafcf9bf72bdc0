//! `partition.metadata`: which topic a partition's folder belongs to. A topic may be deleted and
//! created again under the same name; by name alone a broker that was away would serve the old
//! topic's records as the new one's.
//!
//! ```text
//! version: 0
//! topic_id: HKDkfTKFRsmVJTZCdm9qyw     URL-safe base64 without padding
//! ```
//!
//! There is no line feed at the end and no checksum. Source: KIP-516.

use codec::Uuid;
use thiserror::Error;

use crate::types::TopicId;

/// The file's name in a partition's folder.
pub const FILE: &str = "partition.metadata";

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PartitionMetadataError {
    #[error("the file does not have the lines 'version: 0' and 'topic_id: …'")]
    Lines,
    #[error("version '{found}' is not 0")]
    Version { found: String },
    #[error("'{found}' is not a topic id")]
    TopicId { found: String },
}

pub fn encode(topic: TopicId) -> Vec<u8> {
    format!("version: 0\ntopic_id: {topic}").into_bytes()
}

pub fn decode(bytes: &[u8]) -> Result<TopicId, PartitionMetadataError> {
    let text = std::str::from_utf8(bytes).map_err(|_not_utf8| PartitionMetadataError::Lines)?;
    let mut lines = text.lines();
    let version = field(lines.next(), "version").ok_or(PartitionMetadataError::Lines)?;
    if version != "0" {
        return Err(PartitionMetadataError::Version { found: version.to_owned() });
    }
    let id = field(lines.next(), "topic_id").ok_or(PartitionMetadataError::Lines)?;
    match id.parse::<Uuid>() {
        Ok(uuid) if uuid != Uuid::ZERO => Ok(TopicId(uuid.0)),
        Ok(_) | Err(_) => Err(PartitionMetadataError::TopicId { found: id.to_owned() }),
    }
}

fn field<'a>(line: Option<&'a str>, name: &str) -> Option<&'a str> {
    let (found, value) = line?.split_once(':')?;
    (found == name).then(|| value.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_is_kafkas() {
        let mut id = [0; 16];
        id[15] = 1;
        let text = b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ";
        assert_eq!(encode(TopicId(id)), text);
        assert_eq!(decode(text), Ok(TopicId(id)));
    }

    #[test]
    fn a_torn_or_foreign_file_is_refused() {
        use PartitionMetadataError::{Lines, TopicId, Version};
        assert_eq!(decode(b""), Err(Lines));
        assert_eq!(decode(b"version: 0\n"), Err(Lines));
        assert_eq!(decode(b"topic_id: x\nversion: 0"), Err(Lines));
        assert_eq!(decode(b"version: 1\n"), Err(Version { found: "1".into() }));
        let zero = "AAAAAAAAAAAAAAAAAAAAAA".to_owned();
        let no_topic = decode(format!("version: 0\ntopic_id: {zero}").as_bytes());
        assert_eq!(no_topic, Err(TopicId { found: zero }));
        let cut = decode(b"version: 0\ntopic_id: AAAA");
        assert_eq!(cut, Err(TopicId { found: "AAAA".into() }));
    }

    proptest! {
        #[test]
        fn every_topic_comes_back(id: [u8; 16]) {
            prop_assume!(id != [0; 16]);
            prop_assert_eq!(decode(&encode(TopicId(id))), Ok(TopicId(id)));
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
