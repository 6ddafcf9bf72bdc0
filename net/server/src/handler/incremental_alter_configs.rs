//! Changes settings key by key (KIP-339); what is not named stays as it is.

use engine::cluster::command::{ConfigChange, ConfigOperation, ResourceChange};
use wire::ErrorCode;
use wire::messages::incremental_alter_configs_request::AlterConfigsResource;
use wire::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use wire::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use crate::context::{Caller, Context};
use crate::handler::config_resource::{self, Altered, Refusal, Resource};

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let resources = request.resources.into_iter().map(|resource| {
        let id = Resource::new(resource.resource_type, &resource.resource_name);
        let names = resource.configs.iter().map(|config| config.name.as_str());
        let change = config_resource::alterable(context, &id, names, true).and_then(|target| {
            Ok(ResourceChange { resource: target, changes: changes(&resource)? })
        });
        (id, change)
    });
    let altered = Altered::split(resources.collect());
    let answers = context.broker.alter_configs(altered.commands(), request.validate_only).await;
    let responses = altered.answered(answers).into_iter().map(|(id, refusal)| {
        let (error, error_message) = config_resource::outcome(refusal);
        AlterConfigsResourceResponse {
            error_code: error.code(),
            error_message,
            resource_type: id.kind,
            resource_name: id.name,
            ..AlterConfigsResourceResponse::default()
        }
    });
    IncrementalAlterConfigsResponse {
        responses: responses.collect(),
        ..IncrementalAlterConfigsResponse::default()
    }
}

fn changes(resource: &AlterConfigsResource) -> Result<Vec<ConfigChange>, Refusal> {
    let change = |config: &wire::messages::incremental_alter_configs_request::AlterableConfig| {
        let operation = match config.config_operation {
            0 => ConfigOperation::Set,
            1 => ConfigOperation::Delete,
            2 => ConfigOperation::Append,
            3 => ConfigOperation::Subtract,
            _ => return Err(Refusal { error: ErrorCode::UnknownServerError, message: None }),
        };
        Ok(ConfigChange { name: config.name.clone(), operation, value: config.value.clone() })
    };
    resource.configs.iter().map(change).collect()
}
