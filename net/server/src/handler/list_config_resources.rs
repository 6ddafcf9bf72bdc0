//! What can have settings, for tools (KIP-714, KIP-1142).

use std::collections::BTreeSet;

use engine::cluster::{ClusterImage, ResourceKind};
use wire::ErrorCode;
use wire::messages::list_config_resources_response::ConfigResource;
use wire::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use crate::context::{Caller, Context};
use crate::image;

/// The first version that can ask for a type; before, it is that of client metrics.
const VERSION_TYPES: i16 = 1;

const KINDS: [ResourceKind; 5] = [
    ResourceKind::Topic,
    ResourceKind::Broker,
    ResourceKind::BrokerLogger,
    ResourceKind::ClientMetrics,
    ResourceKind::Group,
];

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let kinds: BTreeSet<ResourceKind> = if caller.version < VERSION_TYPES {
        BTreeSet::from([ResourceKind::ClientMetrics])
    } else if request.resource_types.is_empty() {
        BTreeSet::from(KINDS)
    } else {
        request.resource_types.into_iter().map(ResourceKind::from_wire).collect()
    };
    if kinds.iter().any(|kind| !KINDS.contains(kind)) {
        return ListConfigResourcesResponse {
            error_code: ErrorCode::UnsupportedVersion.code(),
            ..ListConfigResourcesResponse::default()
        };
    }
    let image = context.broker.image();
    let config_resources = kinds
        .into_iter()
        .flat_map(|kind| {
            let names = names(context, &image, kind).into_iter();
            names.map(move |name| resource(kind, name))
        })
        .collect();
    ListConfigResourcesResponse { config_resources, ..ListConfigResourcesResponse::default() }
}

/// Topics and brokers are listed with and without settings of their own, the others only with them.
fn names(context: &Context, image: &ClusterImage, kind: ResourceKind) -> Vec<String> {
    match kind {
        ResourceKind::Topic => image.topics().map(|topic| topic.name.to_string()).collect(),
        ResourceKind::Broker | ResourceKind::BrokerLogger => {
            image::brokers(context).into_iter().map(|node| node.id.to_string()).collect()
        }
        ResourceKind::ClientMetrics | ResourceKind::Group => image
            .configured()
            .filter(|(resource, settings)| resource.kind == kind && !settings.is_empty())
            .map(|(resource, _)| resource.name.to_string())
            .collect(),
        ResourceKind::Other(_) => Vec::new(),
    }
}

fn resource(kind: ResourceKind, resource_name: String) -> ConfigResource {
    ConfigResource { resource_name, resource_type: kind.to_wire(), ..ConfigResource::default() }
}
