//! The APIs that this broker answers. What is not here is not advertised, and a client that asks
//! for it all the same loses its connection, as with Kafka.

use std::ops::RangeInclusive;

use wire::ApiKey;

macro_rules! answered {
    ($($api:ident),* $(,)?) => {
        /// An API with a handler.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(clippy::enum_variant_names, reason = "one of Kafka's APIs is called ApiVersions")]
        pub(crate) enum Api {
            $($api),*
        }

        impl Api {
            /// In the order of their keys.
            pub const ALL: &[Self] = &[$(Self::$api),*];

            pub const fn key(self) -> ApiKey {
                match self {
                    $(Self::$api => ApiKey::$api),*
                }
            }
        }
    };
}

answered! {
    Produce,
    Fetch,
    ListOffsets,
    Metadata,
    OffsetCommit,
    OffsetFetch,
    FindCoordinator,
    JoinGroup,
    Heartbeat,
    LeaveGroup,
    SyncGroup,
    DescribeGroups,
    ListGroups,
    ApiVersions,
    CreateTopics,
    DeleteTopics,
    DeleteRecords,
    InitProducerId,
    OffsetForLeaderEpoch,
    AddPartitionsToTxn,
    AddOffsetsToTxn,
    EndTxn,
    WriteTxnMarkers,
    TxnOffsetCommit,
    DescribeAcls,
    CreateAcls,
    DeleteAcls,
    DescribeConfigs,
    AlterConfigs,
    DescribeLogDirs,
    CreatePartitions,
    DeleteGroups,
    ElectLeaders,
    IncrementalAlterConfigs,
    AlterPartitionReassignments,
    ListPartitionReassignments,
    OffsetDelete,
    DescribeClientQuotas,
    AlterClientQuotas,
    DescribeUserScramCredentials,
    AlterUserScramCredentials,
    DescribeQuorum,
    DescribeCluster,
    DescribeProducers,
    DescribeTransactions,
    ListTransactions,
    ConsumerGroupHeartbeat,
    ConsumerGroupDescribe,
    ListConfigResources,
    DescribeTopicPartitions,
    ShareGroupHeartbeat,
    ShareGroupDescribe,
    ShareFetch,
    ShareAcknowledge,
    StreamsGroupHeartbeat,
    StreamsGroupDescribe,
    DescribeShareGroupOffsets,
    AlterShareGroupOffsets,
    DeleteShareGroupOffsets,
}

impl Api {
    pub fn of(key: ApiKey) -> Option<Self> {
        Self::ALL.iter().copied().find(|api| api.key() == key)
    }

    /// As ApiVersions tells clients. Of Produce the oldest three are told but not answered, since
    /// older clients look for them (KIP-896).
    pub fn advertised(self) -> RangeInclusive<i16> {
        self.key().advertised_versions().expect("every API with a handler has a stable version")
    }

    pub fn answers(self, version: i16) -> bool {
        self.advertised().contains(&version) && self.key().valid_versions().contains(&version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Apache Kafka 4.3.1 answers to ApiVersions on a broker's listener, for these APIs.
    const KAFKA: [(i16, i16, i16); 59] = [
        (0, 0, 13),
        (1, 4, 18),
        (2, 1, 11),
        (3, 0, 13),
        (8, 2, 10),
        (9, 1, 10),
        (10, 0, 6),
        (11, 0, 9),
        (12, 0, 4),
        (13, 0, 5),
        (14, 0, 5),
        (15, 0, 6),
        (16, 0, 5),
        (18, 0, 4),
        (19, 2, 7),
        (20, 1, 6),
        (21, 0, 2),
        (22, 0, 5),
        (23, 2, 4),
        (24, 0, 5),
        (25, 0, 4),
        (26, 0, 5),
        (27, 1, 2),
        (28, 0, 5),
        (29, 1, 3),
        (30, 1, 3),
        (31, 1, 3),
        (32, 1, 4),
        (33, 0, 2),
        (35, 1, 5),
        (37, 0, 3),
        (42, 0, 2),
        (43, 0, 2),
        (44, 0, 1),
        (45, 0, 1),
        (46, 0, 0),
        (47, 0, 0),
        (48, 0, 1),
        (49, 0, 1),
        (50, 0, 0),
        (51, 0, 0),
        (55, 0, 2),
        (60, 0, 2),
        (61, 0, 0),
        (65, 0, 0),
        (66, 0, 2),
        (68, 0, 1),
        (69, 0, 1),
        (74, 0, 1),
        (75, 0, 0),
        (76, 1, 1),
        (77, 1, 1),
        (78, 1, 2),
        (79, 1, 2),
        (88, 0, 0),
        (89, 0, 0),
        (90, 0, 1),
        (91, 0, 0),
        (92, 0, 0),
    ];

    #[test]
    fn versions_are_those_of_kafka() {
        let ours: Vec<(i16, i16, i16)> = Api::ALL
            .iter()
            .map(|api| {
                let versions = api.advertised();
                (api.key().code(), *versions.start(), *versions.end())
            })
            .collect();
        assert_eq!(ours, KAFKA);
    }

    #[test]
    fn the_oldest_versions_of_produce_are_told_but_not_answered() {
        assert!(!Api::Produce.answers(2));
        assert!(Api::Produce.answers(3));
        assert!(!Api::InitProducerId.answers(6), "that version may still change");
    }

    /// The page between `begin` and `end` of this table is what a reader believes; it is made from
    /// the table that the server obeys.
    #[test]
    fn the_protocol_page_lists_what_is_answered() {
        let page = include_str!("../../../docs/protocol.md");
        let section =
            page.split("## What Corelog answers").nth(1).expect("the page has the section");
        let listed: Vec<(String, String)> = section
            .lines()
            .filter_map(|line| {
                let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
                let (key, name, versions) = (cells.next()?, cells.next()?, cells.next()?);
                key.parse::<i16>().ok()?;
                Some((format!("{key} {name}"), versions.to_owned()))
            })
            .collect();
        let answered: Vec<(String, String)> = Api::ALL
            .iter()
            .map(|api| {
                let versions = api.advertised();
                let key = api.key();
                let (low, high) = (*versions.start(), *versions.end());
                (format!("{} {}", key.code(), key.name()), format!("{low}-{high}"))
            })
            .collect();
        assert_eq!(listed, answered);
    }
}
