//! What a node answers that is its own cluster: commands that are about other brokers.

use crate::cluster::command::{
    self, CommandError, CommandErrorKind, Election, Registration, elect, elect_everywhere,
    fence_broker, reassign, register_broker, unfence_broker,
};
use crate::cluster::{ClusterImage, Permits};
use crate::config::BrokerConfig;
use crate::records::metadata::MetadataRecord;
use crate::types::{BrokerId, Offset, TopicId};

const NODE: i32 = 1;

fn id(id: i32) -> BrokerId {
    BrokerId::from_wire(id).unwrap()
}

fn commit(image: &mut ClusterImage, records: &[MetadataRecord]) {
    for record in records {
        image.apply(record).unwrap();
    }
}

fn register(image: &mut ClusterImage, broker: i32) {
    let registration = Registration {
        id: id(broker),
        incarnation: codec::Uuid([7; 16]),
        endpoints: Vec::new(),
        rack: None,
        directories: vec![codec::Uuid([8; 16])],
    };
    let offset = Offset::new(14).unwrap();
    let registered = register_broker(image, &registration, offset, false).unwrap();
    commit(image, &registered.records);
}

/// A node with topic `a` of two partitions.
fn node() -> ClusterImage {
    let text = format!("node.id={NODE}");
    let config =
        BrokerConfig::from_properties(text.as_bytes(), std::path::Path::new("/")).unwrap().0;
    let mut image = ClusterImage::new("alone");
    commit(&mut image, &command::format(&config));
    register(&mut image, NODE);
    let unfenced = unfence_broker(&image, id(NODE));
    commit(&mut image, &unfenced.records);
    let topic = command::CreateTopic {
        name: "a".into(),
        partitions: 2,
        replication_factor: 1,
        assignments: Vec::new(),
        configs: Vec::new(),
    };
    let created = command::create_topics(
        &image,
        &config,
        &[topic],
        false,
        &mut Permits::unlimited(),
        &mut || TopicId([1; 16]),
    );
    commit(&mut image, &created.records);
    image
}

fn kind(answer: Result<(), CommandError>) -> Option<CommandErrorKind> {
    answer.err().map(|refused| refused.kind)
}

#[test]
fn replicas_may_stay_where_they_are() {
    assert_eq!(reassign(&node(), "a", 1, Some(&[NODE])), Ok(()));
}

#[test]
fn replicas_move_to_no_broker_that_is_unknown_or_named_twice_and_not_to_none() {
    let image = node();
    for replicas in [&[9][..], &[NODE, 9], &[NODE, NODE], &[-1], &[]] {
        let refused = kind(reassign(&image, "a", 0, Some(replicas)));
        assert_eq!(refused, Some(CommandErrorKind::InvalidReplicaAssignment), "{replicas:?}");
    }
}

#[test]
fn replicas_do_not_move_to_a_broker_that_an_earlier_cluster_has_left_behind() {
    let mut image = node();
    register(&mut image, 2);
    for replicas in [&[2][..], &[NODE, 2]] {
        let refused = kind(reassign(&image, "a", 0, Some(replicas)));
        assert_eq!(refused, Some(CommandErrorKind::InvalidReplicaAssignment), "{replicas:?}");
    }
}

#[test]
fn nothing_is_under_way_that_could_be_cancelled() {
    let refused = kind(reassign(&node(), "a", 0, None));
    assert_eq!(refused, Some(CommandErrorKind::NoReassignmentInProgress));
}

#[test]
fn what_does_not_exist_is_neither_moved_nor_cancelled_nor_led() {
    let image = node();
    for (topic, index) in [("b", 0), ("a", 2), ("a", -1), ("", 0)] {
        for replicas in [None, Some(&[NODE][..])] {
            let refused = kind(reassign(&image, topic, index, replicas));
            assert_eq!(refused, Some(CommandErrorKind::UnknownTopicOrPartition), "{topic} {index}");
        }
        let refused = elect(&image, Election::Preferred, topic, index);
        assert_eq!(refused.kind, CommandErrorKind::UnknownTopicOrPartition, "{topic} {index}");
    }
}

#[test]
fn a_partition_that_its_first_replica_leads_needs_no_election() {
    let image = node();
    for election in [Election::Preferred, Election::Unclean] {
        let refused = elect(&image, election, "a", 0);
        assert_eq!(refused.kind, CommandErrorKind::ElectionNotNeeded);
        assert_eq!(elect_everywhere(election, image.topic_named("a").unwrap()).count(), 0);
    }
}

#[test]
fn a_partition_that_nobody_can_lead_says_so_for_either_kind_of_election() {
    let mut image = node();
    let fenced = fence_broker(&image, id(NODE));
    commit(&mut image, &fenced.records);
    for (election, expected) in [
        (Election::Preferred, CommandErrorKind::PreferredLeaderNotAvailable),
        (Election::Unclean, CommandErrorKind::EligibleLeadersNotAvailable),
    ] {
        assert_eq!(elect(&image, election, "a", 0).kind, expected);
        let everywhere: Vec<_> = elect_everywhere(election, image.topic_named("a").unwrap())
            .map(|(index, refused)| (index.to_wire(), refused.kind))
            .collect();
        assert_eq!(everywhere, [(0, expected), (1, expected)]);
    }
}
