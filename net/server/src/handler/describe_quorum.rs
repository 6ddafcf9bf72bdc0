//! The controllers and how far each of them has come (KIP-595, KIP-836, KIP-853). A node is its own only
//! controller, and has always caught up.

use engine::broker::QuorumState;
use engine::cluster::command::METADATA;
use wire::ErrorCode;
use wire::Uuid;
use wire::messages::describe_quorum_request::TopicData as Asked;
use wire::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use wire::messages::{DescribeQuorumRequest, DescribeQuorumResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;

/// The first version that says when a replica was heard of (KIP-836).
const VERSION_TIMES: i16 = 1;
/// The first version with the controllers' folders and listeners (KIP-853).
const VERSION_NODES: i16 = 2;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    // As in Kafka one request is about the one partition that there is.
    let is_metadata = match request.topics.as_slice() {
        [topic] => {
            topic.topic_name == METADATA
                && matches!(topic.partitions.as_slice(), [one] if one.partition_index == 0)
        }
        _ => false,
    };
    if !is_metadata {
        return DescribeQuorumResponse {
            topics: request.topics.into_iter().map(unknown).collect(),
            ..DescribeQuorumResponse::default()
        };
    }
    match context.broker.describe_quorum().await {
        Ok(state) => DescribeQuorumResponse {
            topics: vec![metadata(context, caller.version, state)],
            nodes: if VERSION_NODES <= caller.version {
                vec![controller(context)]
            } else {
                Vec::new()
            },
            ..DescribeQuorumResponse::default()
        },
        Err(error) => DescribeQuorumResponse {
            error_code: error.error_code().code(),
            error_message: None,
            ..DescribeQuorumResponse::default()
        },
    }
}

fn unknown(asked: Asked) -> TopicData {
    let partitions = asked.partitions.into_iter().map(|one| PartitionData {
        partition_index: one.partition_index,
        error_code: ErrorCode::UnknownTopicOrPartition.code(),
        error_message: Some("This server does not host this topic-partition.".to_owned()),
        ..PartitionData::default()
    });
    TopicData {
        topic_name: asked.topic_name,
        partitions: partitions.collect(),
        ..TopicData::default()
    }
}

fn metadata(context: &Context, version: i16, state: QuorumState) -> TopicData {
    let (node, now) = (context.broker.node(), socket::wall_clock_millis());
    let image = context.broker.image();
    let directories = image.broker(node).map(|broker| broker.directories.as_slice());
    let mut voter = ReplicaState {
        replica_id: node.to_wire(),
        log_end_offset: state.end.to_wire(),
        ..ReplicaState::default()
    };
    if VERSION_TIMES <= version {
        voter.last_fetch_timestamp = now;
        voter.last_caught_up_timestamp = now;
    }
    if VERSION_NODES <= version {
        // With several folders the cluster does not say in which one the metadata is.
        voter.replica_directory_id = match directories {
            Some([only]) => *only,
            Some(_) | None => Uuid::ZERO,
        };
    }
    let partition = PartitionData {
        leader_id: node.to_wire(),
        leader_epoch: state.epoch.to_wire(),
        high_watermark: state.end.to_wire(),
        current_voters: vec![voter],
        ..PartitionData::default()
    };
    TopicData {
        topic_name: METADATA.to_owned(),
        partitions: vec![partition],
        ..TopicData::default()
    }
}

/// With the controller's listeners as the file has them.
fn controller(context: &Context) -> Node {
    let config = context.broker.config();
    let listeners = config.listeners.iter();
    let listeners = listeners.filter(|one| config.controller_listeners.contains(&one.name));
    let listeners = listeners.map(|one| Listener {
        name: one.name.to_string(),
        host: one.host.clone().unwrap_or_default(),
        port: one.port,
        ..Listener::default()
    });
    Node {
        node_id: context.broker.node().to_wire(),
        listeners: listeners.collect(),
        ..Node::default()
    }
}
