//! The brokers of the cluster, for tools (KIP-700, KIP-919, KIP-1073).

use wire::ErrorCode;
use wire::messages::describe_cluster_response::DescribeClusterBroker;
use wire::messages::{DescribeClusterRequest, DescribeClusterResponse};

use crate::authorized;
use crate::context::{Caller, Context};
use crate::image;

/// The kinds of endpoint that a client can ask for.
const ENDPOINT_BROKERS: i8 = 1;
const ENDPOINT_CONTROLLERS: i8 = 2;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    match request.endpoint_type {
        ENDPOINT_BROKERS => {}
        ENDPOINT_CONTROLLERS => {
            let message = "this endpoint is a broker's, and controllers were asked for";
            return refused(ErrorCode::MismatchedEndpointType, message.to_owned());
        }
        other => {
            let message = format!("there is no endpoint type {other}");
            return refused(ErrorCode::UnsupportedEndpointType, message);
        }
    }
    let brokers = if request.include_fenced_brokers {
        image::every_broker(context)
    } else {
        image::brokers(context)
    };
    let operations = request.include_cluster_authorized_operations;
    DescribeClusterResponse {
        endpoint_type: ENDPOINT_BROKERS,
        cluster_id: context.broker.image().cluster_id().to_owned(),
        controller_id: context.broker.node().to_wire(),
        brokers: brokers
            .into_iter()
            .map(|node| DescribeClusterBroker {
                broker_id: node.id,
                host: node.host,
                port: node.port,
                rack: node.rack,
                is_fenced: node.is_fenced,
                ..DescribeClusterBroker::default()
            })
            .collect(),
        cluster_authorized_operations: authorized::cluster(operations),
        ..DescribeClusterResponse::default()
    }
}

fn refused(error: ErrorCode, message: String) -> DescribeClusterResponse {
    DescribeClusterResponse {
        error_code: error.code(),
        error_message: Some(message),
        controller_id: -1,
        cluster_authorized_operations: authorized::NOT_ASKED,
        ..DescribeClusterResponse::default()
    }
}
