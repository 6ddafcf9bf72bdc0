//! The quorum that keeps the cluster's metadata (KIP-595, KIP-853).

use wire::Uuid;
use wire::messages::{
    DescribeQuorumRequest,
    describe_quorum_request::{PartitionData, TopicData},
    describe_quorum_response::ReplicaState,
};

use super::Admin;
use crate::{ClientError, Target, check};

const METADATA_TOPIC: &str = "__cluster_metadata";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    pub leader: i32,
    pub leader_epoch: i32,
    pub high_watermark: i64,
    pub voters: Vec<QuorumReplica>,
    pub observers: Vec<QuorumReplica>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumReplica {
    pub id: i32,
    pub directory: Uuid,
    pub log_end: i64,
    /// Since 1970, in milliseconds.
    pub last_fetch: Option<i64>,
    pub last_caught_up: Option<i64>,
    /// `LISTENER://HOST:PORT` of a voter, as far as the broker tells.
    pub endpoints: Vec<String>,
}

impl Admin {
    pub async fn describe_quorum(&self) -> Result<Quorum, ClientError> {
        let request = DescribeQuorumRequest {
            topics: vec![TopicData {
                topic_name: METADATA_TOPIC.to_owned(),
                partitions: vec![PartitionData::default()],
                ..TopicData::default()
            }],
            ..DescribeQuorumRequest::default()
        };
        let ask = async || {
            let response = self.client.call(Target::Any, &request).await?;
            let doing = || "describe the metadata quorum".to_owned();
            check(response.error_code, response.error_message.as_deref(), doing)?;
            let found = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
            let found = found.ok_or(ClientError::Incomplete { api: "DescribeQuorum" })?;
            check(found.error_code, found.error_message.as_deref(), doing)?;
            let endpoints = |id: i32| {
                let node = response.nodes.iter().filter(move |node| node.node_id == id);
                node.flat_map(|node| &node.listeners)
                    .map(|at| format!("{}://{}:{}", at.name, at.host, at.port))
                    .collect::<Vec<_>>()
            };
            let replica = |state: ReplicaState| {
                let known = |time: i64| (time >= 0).then_some(time);
                QuorumReplica {
                    id: state.replica_id,
                    directory: state.replica_directory_id,
                    log_end: state.log_end_offset,
                    last_fetch: known(state.last_fetch_timestamp),
                    last_caught_up: known(state.last_caught_up_timestamp),
                    endpoints: endpoints(state.replica_id),
                }
            };
            Ok::<_, ClientError>(Quorum {
                leader: found.leader_id,
                leader_epoch: found.leader_epoch,
                high_watermark: found.high_watermark,
                voters: found.current_voters.into_iter().map(replica).collect(),
                observers: found.observers.into_iter().map(replica).collect(),
            })
        };
        self.client.retry().run(ask).await
    }
}

impl Quorum {
    pub fn leading_voter(&self) -> Option<&QuorumReplica> {
        self.voters.iter().find(|voter| voter.id == self.leader)
    }
}
