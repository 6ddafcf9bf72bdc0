//! What a member can speak: the assignment strategies it offers, in its order of preference. All
//! members of a generation share one, else the leader could not read what the others subscribe to.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::group::Protocol;

/// The type of groups whose metadata is a consumer's subscription, which the coordinator may read.
pub(crate) const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// A member's protocols; names are distinct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Protocols(Vec<Protocol>);

impl Protocols {
    /// Of two protocols with one name the first counts. The metadata is copied: a member lives
    /// long, and a slice would keep the whole request frame in memory with it.
    pub(crate) fn new(offered: &[Protocol]) -> Self {
        let mut names = BTreeSet::new();
        let distinct = offered.iter().filter(|protocol| names.insert(protocol.name.as_str()));
        let own = |protocol: &Protocol| Protocol {
            name: protocol.name.clone(),
            metadata: Bytes::copy_from_slice(&protocol.metadata),
        };
        Self(distinct.map(own).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn all(&self) -> &[Protocol] {
        &self.0
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|protocol| protocol.name.as_str())
    }

    /// What the member says under this protocol.
    pub(crate) fn metadata(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().find(|protocol| protocol.name == name).map(|protocol| &protocol.metadata)
    }
}

/// The topics of a consumer's subscription: a version, then an array of strings, whatever follows.
/// `None` if the bytes are something else; the group's topics are then unknown.
pub(crate) fn subscribed_topics(metadata: &[u8]) -> Option<Vec<&str>> {
    let (_version, rest) = metadata.split_first_chunk::<2>()?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    // Each name takes two bytes at least, so the count is bounded by what there is to read.
    if count > rest.len() / 2 {
        return None;
    }
    let mut topics = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let length = usize::try_from(i16::from_be_bytes(*length)).ok()?;
        let (name, after) = after.split_at_checked(length)?;
        topics.push(std::str::from_utf8(name).ok()?);
        rest = after;
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topics_of_a_subscription_are_read_whatever_its_version() {
        let bytes = [0, 3, 0, 0, 0, 2, 0, 1, b'a', 0, 2, b'b', b'c', 9, 9, 9];
        assert_eq!(subscribed_topics(&bytes), Some(vec!["a", "bc"]));
    }

    #[test]
    fn bytes_that_are_no_subscription_are_refused() {
        assert_eq!(subscribed_topics(&[]), None);
        assert_eq!(subscribed_topics(&[0, 0, 0x7f, 0xff, 0xff, 0xff]), None);
        assert_eq!(subscribed_topics(&[0, 0, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(subscribed_topics(&[0, 0, 0, 0, 0, 1, 0, 9, b'a']), None);
        assert_eq!(subscribed_topics(&[0, 0, 0, 0, 0, 1, 0, 1, 0xff]), None);
    }

    #[test]
    fn of_two_protocols_with_one_name_the_first_counts() {
        let protocol = |metadata: &'static str| Protocol {
            name: "range".to_owned(),
            metadata: Bytes::from_static(metadata.as_bytes()),
        };
        let protocols = Protocols::new(&[protocol("1"), protocol("2")]);
        assert_eq!(protocols.metadata("range"), Some(&Bytes::from_static(b"1")));
        assert_eq!(protocols.names().count(), 1);
    }
}
