//! The cluster as a whole, and what lies on its disks.

use wire::messages::{
    DescribeClusterRequest, DescribeLogDirsRequest,
    describe_log_dirs_request::DescribableLogDirTopic,
};

use super::Admin;
use crate::{ClientError, Target, TopicPartition, check};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    pub cluster_id: String,
    pub controller: Option<i32>,
    pub brokers: Vec<ClusterBroker>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterBroker {
    pub id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
    pub fenced: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirectory {
    pub path: String,
    /// Not 0 if the directory cannot be used.
    pub error_code: i16,
    pub total_bytes: Option<i64>,
    pub usable_bytes: Option<i64>,
    pub replicas: Vec<ReplicaSize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSize {
    pub partition: TopicPartition,
    pub bytes: i64,
    pub offset_lag: i64,
    /// Being moved here from another directory.
    pub future: bool,
}

impl Admin {
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, ClientError> {
        let ask = async || {
            let connection = self.client.connection(Target::Any).await?;
            let version = connection.version::<DescribeClusterRequest>()?;
            let request = DescribeClusterRequest {
                include_fenced_brokers: version >= 2,
                ..DescribeClusterRequest::default()
            };
            let response = connection.call_in_version(version, &request).await?;
            let doing = || "describe the cluster".to_owned();
            check(response.error_code, response.error_message.as_deref(), doing)?;
            Ok::<_, ClientError>(response)
        };
        let response = self.client.retry().run(ask).await?;
        let brokers = response.brokers.into_iter().map(|broker| ClusterBroker {
            id: broker.broker_id,
            host: broker.host,
            port: broker.port,
            rack: broker.rack,
            fenced: broker.is_fenced,
        });
        Ok(ClusterDescription {
            cluster_id: response.cluster_id,
            controller: (response.controller_id >= 0).then_some(response.controller_id),
            brokers: brokers.collect(),
        })
    }

    /// What one broker has on its disks, of all topics or of the named partitions.
    pub async fn log_directories(
        &self,
        broker: i32,
        topics: Option<&[(String, Vec<i32>)]>,
    ) -> Result<Vec<LogDirectory>, ClientError> {
        let topic = |(topic, partitions): &(String, Vec<i32>)| DescribableLogDirTopic {
            topic: topic.clone(),
            partitions: partitions.clone(),
            ..DescribableLogDirTopic::default()
        };
        let request = DescribeLogDirsRequest {
            topics: topics.map(|topics| topics.iter().map(topic).collect()),
            ..DescribeLogDirsRequest::default()
        };
        let ask = async || {
            let response = self.client.call(Target::Node(broker), &request).await?;
            check(response.error_code, None, || format!("look at the disks of broker {broker}"))?;
            Ok::<_, ClientError>(response.results)
        };
        let directories = self.client.retry().run(ask).await?;
        Ok(directories.into_iter().map(directory).collect())
    }
}

fn directory(
    result: wire::messages::describe_log_dirs_response::DescribeLogDirsResult,
) -> LogDirectory {
    let mut replicas = Vec::new();
    for topic in result.topics {
        for partition in topic.partitions {
            replicas.push(ReplicaSize {
                partition: TopicPartition::new(&topic.name, partition.partition_index),
                bytes: partition.partition_size,
                offset_lag: partition.offset_lag,
                future: partition.is_future_key,
            });
        }
    }
    LogDirectory {
        path: result.log_dir,
        error_code: result.error_code,
        total_bytes: (result.total_bytes >= 0).then_some(result.total_bytes),
        usable_bytes: (result.usable_bytes >= 0).then_some(result.usable_bytes),
        replicas,
    }
}
