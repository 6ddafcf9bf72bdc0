//! Against a real broker, Apache Kafka or Corelog: `BOOTSTRAP=127.0.0.1:9092 cargo test -p
//! corelog-client --test live -- --ignored --test-threads 1`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;

use client::{
    Client, ClientOptions, IsolationLevel, TopicPartition,
    admin::{
        Admin, CommittedOffset, ConfigChange, ConfigResource, ConfigSource, NewPartitions,
        NewTopic, OffsetSpec,
    },
};

fn client() -> Client {
    let bootstrap = std::env::var("BOOTSTRAP").unwrap_or_else(|_| "127.0.0.1:9092".to_owned());
    Client::new(ClientOptions::new(&bootstrap))
}

async fn fresh_topic(admin: &Admin, name: &str, partitions: i32) -> String {
    let name = format!("{name}-{}", socket::wall_clock_millis());
    let topic = NewTopic {
        name: name.clone(),
        partitions: Some(partitions),
        replication_factor: Some(1),
        ..NewTopic::default()
    };
    let created = admin.create_topics(&[topic], false).await.unwrap();
    created[0].1.as_ref().unwrap();
    name
}

#[test]
#[ignore = "needs a broker"]
fn a_topic_lives_from_creation_to_deletion() {
    socket::block_on(async {
        let admin = Admin::new(client());
        let topic = fresh_topic(&admin, "live-admin", 2).await;
        let found = admin.topics(Some(std::slice::from_ref(&topic))).await.unwrap();
        assert_eq!(found[0].partitions.len(), 2);

        let again = NewTopic { name: topic.clone(), ..NewTopic::default() };
        let error = admin.create_topics(&[again], false).await.unwrap().remove(0).1.unwrap_err();
        assert_eq!(error.code(), wire::ErrorCode::TopicAlreadyExists, "{error}");

        let more = NewPartitions { topic: topic.clone(), total: 5, assignment: None };
        admin.create_partitions(&[more], false).await.unwrap()[0].1.as_ref().unwrap();
        let grown = async || {
            let found = admin.topics(Some(std::slice::from_ref(&topic))).await.unwrap();
            found[0].partitions.len() == 5
        };
        while !grown().await {
            socket::sleep(std::time::Duration::from_millis(20)).await;
        }

        let resource = ConfigResource::topic(&topic);
        let (name, value) = ("retention.ms".to_owned(), "123456".to_owned());
        let change = ConfigChange::Set { name: name.clone(), value };
        admin.alter_configs(&resource, &[change], false).await.unwrap()[0].1.as_ref().unwrap();
        let entry = async || {
            let entries = admin.describe_configs(&resource, Some(std::slice::from_ref(&name)));
            entries.await.unwrap().remove(0)
        };
        while entry().await.value.as_deref() != Some("123456") {
            socket::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(entry().await.source, ConfigSource::Topic);

        let cluster = admin.describe_cluster().await.unwrap();
        let directories = admin.log_directories(cluster.brokers[0].id, None).await.unwrap();
        let replicas = directories.iter().flat_map(|directory| &directory.replicas);
        assert!(replicas.filter(|replica| replica.partition.topic == topic).count() == 5);

        admin.delete_topics(std::slice::from_ref(&topic)).await.unwrap()[0].1.as_ref().unwrap();
        while !admin.topics(None).await.unwrap().iter().all(|known| known.name != topic) {
            socket::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .unwrap();
}

#[test]
#[ignore = "needs a broker"]
fn offsets_of_a_group_are_set_read_and_deleted() {
    socket::block_on(async {
        let admin = Admin::new(client());
        let topic = fresh_topic(&admin, "live-offsets", 1).await;
        let group = format!("{topic}-group");
        let partition = TopicPartition::new(&topic, 0);
        let committed =
            CommittedOffset { offset: 0, leader_epoch: None, metadata: "note".to_owned() };
        let offsets = BTreeMap::from([(partition.clone(), committed)]);
        let altered = admin.alter_committed_offsets(&group, &offsets).await.unwrap();
        altered[0].1.as_ref().unwrap();
        assert_eq!(admin.committed_offsets(&group, None, true).await.unwrap(), offsets);

        let listed = admin.list_groups(&[], &[]).await.unwrap();
        assert!(listed.iter().any(|listing| listing.id == group));
        assert_eq!(admin.describe_group(&group).await.unwrap().members, []);

        let wanted = [(partition.clone(), OffsetSpec::Latest)];
        let found = admin.list_offsets(&wanted, IsolationLevel::ReadCommitted).await.unwrap();
        assert_eq!(found[0].1.as_ref().unwrap().offset, Some(0));
        let records = admin.delete_records(&[(partition.clone(), None)]).await.unwrap();
        assert_eq!(records[0].1.as_ref().unwrap(), &0);

        let partitions = std::slice::from_ref(&partition);
        let deleted = admin.delete_committed_offsets(&group, partitions).await.unwrap();
        deleted[0].1.as_ref().unwrap();
        assert!(admin.committed_offsets(&group, None, true).await.unwrap().is_empty());
        admin.alter_committed_offsets(&group, &offsets).await.unwrap();
        admin.delete_groups(std::slice::from_ref(&group)).await.unwrap()[0].1.as_ref().unwrap();
        admin.delete_topics(&[topic]).await.unwrap();
    })
    .unwrap();
}
