//! Sets all settings of a resource at once; what is not named goes back to its default.

use engine::cluster::command::ResourceReplacement;
use wire::messages::alter_configs_response::AlterConfigsResourceResponse;
use wire::messages::{AlterConfigsRequest, AlterConfigsResponse};

use crate::context::{Caller, Context};
use crate::handler::config_resource::{self, Altered, Resource};

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let resources = request.resources.into_iter().map(|resource| {
        let id = Resource::new(resource.resource_type, &resource.resource_name);
        let names = resource.configs.iter().map(|config| config.name.as_str());
        let replacement = config_resource::alterable(context, &id, names, false).map(|target| {
            let settings = resource.configs.iter();
            ResourceReplacement {
                resource: target,
                settings: settings.map(|one| (one.name.clone(), one.value.clone())).collect(),
            }
        });
        (id, replacement)
    });
    let altered = Altered::split(resources.collect());
    let answers = context.broker.replace_configs(altered.commands(), request.validate_only).await;
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
    AlterConfigsResponse { responses: responses.collect(), ..AlterConfigsResponse::default() }
}
