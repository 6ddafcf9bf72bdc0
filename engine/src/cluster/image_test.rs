//! The image as a whole: what its records make of it, and that its own records make it again.

use codec::{UnknownTags, Uuid};

use crate::cluster::command::{
    self, CreateTopic, Registration, fence_broker, register_broker, unfence_broker,
};
use crate::cluster::{ApplyError, ClusterImage, ConfigResource, Endpoint, Permits};
use crate::config::BrokerConfig;
use crate::records::metadata::client_quota_record::EntityData;
use crate::records::metadata::{
    AbortTransactionRecord, AccessControlEntryRecord, BeginTransactionRecord, ClientQuotaRecord,
    ConfigRecord, EndTransactionRecord, FenceBrokerRecord, MetadataRecord, NoOpRecord,
    PartitionChangeRecord, PartitionRecord, ProducerIdsRecord, RemoveTopicRecord, TopicRecord,
    UserScramCredentialRecord,
};
use crate::types::{BrokerId, Offset, PartitionId, PartitionIndex, ProducerId, TopicId};

const NONE: UnknownTags = UnknownTags(Vec::new());

pub(super) fn config() -> BrokerConfig {
    let read = BrokerConfig::from_properties(b"node.id=1", std::path::Path::new("/"));
    read.unwrap().0
}

pub(super) fn broker(number: u32) -> BrokerId {
    BrokerId::new(number).unwrap()
}

/// A formatted cluster with usable brokers 1 to `count`.
pub(super) fn cluster(count: u32) -> ClusterImage {
    let mut image = ClusterImage::new("test");
    apply_all(&mut image, command::format(&config()));
    for number in 1..=count {
        let asked = Registration {
            id: broker(number),
            incarnation: Uuid([number.to_le_bytes()[0]; 16]),
            endpoints: vec![Endpoint {
                name: "PLAINTEXT".into(),
                host: "h".into(),
                port: 9092,
                security_protocol: 0,
            }],
            rack: None,
            directories: vec![Uuid([9; 16])],
        };
        let epoch = Offset::new(number.into()).unwrap();
        let registered = register_broker(&image, &asked, epoch, false).unwrap();
        apply_all(&mut image, registered.records);
        let unfenced = unfence_broker(&image, broker(number));
        apply_all(&mut image, unfenced.records);
    }
    image
}

pub(super) fn apply_all(image: &mut ClusterImage, records: Vec<MetadataRecord>) {
    for record in &records {
        image.apply(record).unwrap();
    }
}

pub(super) fn create(
    image: &mut ClusterImage,
    name: &str,
    partitions: i32,
    factor: i16,
) -> TopicId {
    let id = TopicId([name.as_bytes()[0]; 16]);
    let topic = CreateTopic {
        name: name.into(),
        partitions,
        replication_factor: factor,
        assignments: Vec::new(),
        configs: vec![("retention.ms".into(), Some("5".into()))],
    };
    let created = command::create_topics(
        image,
        &config(),
        &[topic],
        false,
        &mut Permits::unlimited(),
        &mut || id,
    );
    assert!(created.answers[0].1.is_ok(), "{:?}", created.answers);
    apply_all(image, created.records);
    id
}

fn partition(topic: TopicId, index: u32) -> PartitionId {
    PartitionId { topic, index: PartitionIndex::new(index).unwrap() }
}

fn everything() -> Vec<MetadataRecord> {
    let entity = vec![
        EntityData { entity_type: "user".into(), entity_name: None, unknown_tagged_fields: NONE },
        EntityData {
            entity_type: "client-id".into(),
            entity_name: Some("c".into()),
            unknown_tagged_fields: NONE,
        },
    ];
    let quota = ClientQuotaRecord {
        entity,
        key: "producer_byte_rate".into(),
        value: 5.5,
        remove: false,
        unknown_tagged_fields: NONE,
    };
    let access = AccessControlEntryRecord { id: Uuid([4; 16]), ..Default::default() };
    let scram = UserScramCredentialRecord { name: "u".into(), mechanism: 1, ..Default::default() };
    let ids = ProducerIdsRecord { next_producer_id: 2000, ..Default::default() };
    let other = ConfigRecord {
        resource_type: 99,
        resource_name: "later".into(),
        name: "k".into(),
        value: Some("v".into()),
        unknown_tagged_fields: NONE,
    };
    vec![quota.into(), access.into(), scram.into(), ids.into(), other.into()]
}

#[test]
fn the_records_of_an_image_make_the_same_image_again() {
    let mut image = cluster(3);
    create(&mut image, "a.topic", 5, 3);
    create(&mut image, "b", 1, 1);
    apply_all(&mut image, everything());
    let mut again = ClusterImage::new("test");
    apply_all(&mut again, image.to_records());
    assert!(again == image);
    assert_eq!(again.to_records(), image.to_records());
    assert_eq!(image.partition_count(), 6);
    assert_eq!(image.next_producer_id(), ProducerId::new(2000).unwrap());
}

#[test]
fn a_clone_does_not_see_what_is_applied_later() {
    let mut image = cluster(1);
    let id = create(&mut image, "a", 1, 1);
    let before = image.clone();
    let record = PartitionChangeRecord {
        partition_id: 0,
        topic_id: Uuid(id.0),
        leader: -1,
        ..Default::default()
    };
    image.apply(&record.into()).unwrap();
    assert_eq!(before.partition(partition(id, 0)).unwrap().leader, Some(broker(1)));
    let after = image.partition(partition(id, 0)).unwrap();
    assert_eq!(after.leader, None);
    assert_eq!(after.leader_epoch.get(), 1);
    assert_eq!(after.partition_epoch, 1);
    assert_eq!(after.in_sync, [broker(1)]);
}

#[test]
fn a_removed_topic_takes_its_settings_and_frees_its_name() {
    let mut image = cluster(1);
    let id = create(&mut image, "a.b", 2, 1);
    assert!(!image.settings(&ConfigResource::topic("a.b")).is_empty());
    let record = RemoveTopicRecord { topic_id: Uuid(id.0), unknown_tagged_fields: NONE };
    image.apply(&record.clone().into()).unwrap();
    assert!(image.settings(&ConfigResource::topic("a.b")).is_empty());
    assert_eq!(image.partition_count(), 0);
    assert_eq!(image.apply(&record.into()), Err(ApplyError::NoTopic { topic: id }));
    create(&mut image, "a_b", 1, 1);
}

#[test]
fn impossible_records_are_errors_and_change_nothing() {
    let mut image = cluster(1);
    let id = create(&mut image, "a", 1, 1);
    let before = image.clone();
    let unknown = Uuid([77; 16]);
    let impossible: Vec<MetadataRecord> = vec![
        TopicRecord { name: "a".into(), topic_id: unknown, unknown_tagged_fields: NONE }.into(),
        TopicRecord { name: "x".into(), topic_id: Uuid(id.0), unknown_tagged_fields: NONE }.into(),
        TopicRecord { name: "a/b".into(), topic_id: unknown, unknown_tagged_fields: NONE }.into(),
        PartitionRecord { partition_id: 0, topic_id: unknown, ..Default::default() }.into(),
        PartitionRecord { partition_id: -1, topic_id: Uuid(id.0), ..Default::default() }.into(),
        PartitionChangeRecord { partition_id: 7, topic_id: Uuid(id.0), ..Default::default() }
            .into(),
        FenceBrokerRecord { id: 1, epoch: 999, unknown_tagged_fields: NONE }.into(),
        FenceBrokerRecord { id: 5, epoch: 1, unknown_tagged_fields: NONE }.into(),
        EndTransactionRecord { unknown_tagged_fields: NONE }.into(),
        ProducerIdsRecord { next_producer_id: -5, ..Default::default() }.into(),
    ];
    for record in impossible {
        assert!(image.apply(&record).is_err(), "{record:?}");
        assert!(image == before, "{record:?}");
    }
}

#[test]
fn a_transaction_counts_as_a_whole_or_not_at_all() {
    let mut image = ClusterImage::new("test");
    let begin = MetadataRecord::from(BeginTransactionRecord::default());
    let topic =
        TopicRecord { name: "t".into(), topic_id: Uuid([1; 16]), unknown_tagged_fields: NONE };
    image.apply(&begin).unwrap();
    image.apply(&topic.clone().into()).unwrap();
    assert_eq!(image.topic_count(), 0);
    assert_eq!(image.apply(&begin), Err(ApplyError::NestedTransaction));
    image.apply(&AbortTransactionRecord::default().into()).unwrap();
    assert!(image.is_empty());
    image.apply(&begin).unwrap();
    image.apply(&topic.into()).unwrap();
    image.apply(&EndTransactionRecord::default().into()).unwrap();
    assert_eq!(image.topic_count(), 1);
    image.apply(&NoOpRecord::default().into()).unwrap();
}

#[test]
fn a_broker_that_goes_hands_its_leadership_to_the_in_sync_set_and_gets_it_back_if_alone() {
    let mut image = cluster(2);
    let wide = create(&mut image, "wide", 2, 2);
    let narrow = create(&mut image, "narrow", 2, 1);
    let fenced = fence_broker(&image, broker(1));
    apply_all(&mut image, fenced.records);
    for index in 0..2 {
        let one = image.partition(partition(wide, index)).unwrap();
        assert_eq!(one.leader, Some(broker(2)));
        assert_eq!(one.in_sync, [broker(2)]);
    }
    let alone = |image: &ClusterImage| {
        let partitions = image.topic(narrow).unwrap().partitions.clone();
        let own = partitions.values().find(|one| one.replicas == [broker(1)]).cloned();
        own.unwrap()
    };
    assert_eq!(alone(&image).leader, None);
    assert_eq!(alone(&image).in_sync, [broker(1)]);
    let unfenced = unfence_broker(&image, broker(1));
    apply_all(&mut image, unfenced.records);
    assert_eq!(alone(&image).leader, Some(broker(1)));
    assert_eq!(alone(&image).leader_epoch.get(), 2);
    assert!(unfence_broker(&image, broker(1)).records.is_empty());
}

#[test]
fn a_hundred_thousand_partitions_fit_and_come_back() {
    let mut image = cluster(1);
    let before = image.clone();
    for number in 0..10_u8 {
        let name = format!("{}", char::from(b'a' + number));
        create(&mut image, &name, 10_000, 1);
    }
    assert_eq!(image.partition_count(), 100_000);
    assert_eq!(before.partition_count(), 0);
    let mut again = ClusterImage::new("test");
    apply_all(&mut again, image.to_records());
    assert!(again == image);
}

#[test]
fn producer_ids_are_never_given_twice() {
    let mut image = cluster(1);
    let mut starts = Vec::new();
    for _ in 0..3 {
        let block = command::allocate_producer_ids(&image, broker(1), 1).unwrap();
        starts.push(block.answers.start.get());
        apply_all(&mut image, block.records);
    }
    assert_eq!(starts, [0, 1000, 2000]);
    assert!(command::allocate_producer_ids(&image, broker(1), 9).is_err());
    assert!(command::allocate_producer_ids(&image, broker(2), 1).is_err());
}

/// So Kafka's controller leaves the partitions of a single broker that it has stopped in order.
#[test]
fn an_eligible_replica_leads_and_is_in_sync_when_its_broker_is_back() {
    let mut image = cluster(1);
    let topic = create(&mut image, "t", 1, 1);
    let fenced = fence_broker(&image, broker(1));
    apply_all(&mut image, fenced.records);
    let stopped = PartitionChangeRecord {
        partition_id: 0,
        topic_id: Uuid(topic.0),
        isr: Some(Vec::new()),
        leader: -1,
        eligible_leader_replicas: Some(vec![1]),
        ..PartitionChangeRecord::default()
    };
    apply_all(&mut image, vec![stopped.into()]);
    let back = unfence_broker(&image, broker(1));
    apply_all(&mut image, back.records);
    let id = PartitionId { topic, index: PartitionIndex::new(0).unwrap() };
    let partition = image.partition(id).unwrap();
    assert_eq!(partition.leader, Some(broker(1)));
    assert_eq!(partition.in_sync, [broker(1)]);
    assert!(partition.eligible_leaders.is_empty());
}

#[test]
fn the_topic_of_offsets_is_created_with_the_settings_of_its_coordinator() {
    let mut image = cluster(3);
    let topics = [command::consumer_offsets(&config())];
    let mut next = 0;
    let outcome = command::create_topics(
        &image,
        &config(),
        &topics,
        false,
        &mut Permits::unlimited(),
        &mut || {
            next += 1;
            TopicId([next; 16])
        },
    );
    for (name, answer) in &outcome.answers {
        let created = answer.as_ref().unwrap();
        assert_eq!((created.partitions, created.replication_factor), (50, 3), "{name}");
    }
    apply_all(&mut image, outcome.records);
    let settings = image.settings(&ConfigResource::topic("__consumer_offsets"));
    assert_eq!(settings.get("cleanup.policy").map(String::as_str), Some("compact"));
    assert!(command::is_internal("__consumer_offsets"));
}

#[test]
fn topics_whose_names_collide_make_the_same_image_whichever_came_first() {
    let image = |names: [(&str, u8); 2]| {
        let mut image = ClusterImage::new("test");
        for (name, id) in names {
            let topic_id = Uuid([id; 16]);
            let record = TopicRecord { name: name.into(), topic_id, unknown_tagged_fields: NONE };
            image.apply(&record.into()).unwrap();
        }
        image
    };
    assert_eq!(image([("a_b", 1), ("a.b", 2)]), image([("a.b", 2), ("a_b", 1)]));
}
