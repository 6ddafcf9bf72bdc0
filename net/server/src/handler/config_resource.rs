//! What the three configuration APIs share: which resources can be changed here at all, and how the
//! controller's answers find their way back.

use std::collections::BTreeSet;

use engine::broker::ControlError;
use engine::cluster::command::CommandError;
use engine::cluster::{ConfigResource, ResourceKind};
use wire::ErrorCode;

use crate::context::Context;
use crate::error::Coded;

/// A resource as the request names it, and as the response names it back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Resource {
    pub kind: i8,
    pub name: String,
}

impl Resource {
    pub fn new(kind: i8, name: &str) -> Self {
        Self { kind, name: name.to_owned() }
    }

    pub fn kind(&self) -> ResourceKind {
        ResourceKind::from_wire(self.kind)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub error: ErrorCode,
    pub message: Option<String>,
}

impl Refusal {
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self { error: ErrorCode::InvalidRequest, message: Some(message.into()) }
    }

    pub fn invalid_config(message: impl Into<String>) -> Self {
        Self { error: ErrorCode::InvalidConfig, message: Some(message.into()) }
    }
}

/// The resource for the controller, if its settings can be changed through this broker.
pub(super) fn alterable<'a>(
    context: &Context,
    resource: &Resource,
    mut names: impl Iterator<Item = &'a str>,
    knows_loggers: bool,
) -> Result<ConfigResource, Refusal> {
    let mut seen = BTreeSet::new();
    if !names.by_ref().all(|name| seen.insert(name)) {
        return Err(Refusal::invalid_request("a key is named more than once"));
    }
    match resource.kind() {
        ResourceKind::Topic if resource.name.is_empty() => {
            return Err(Refusal::invalid_request("there are no settings that all topics share"));
        }
        ResourceKind::Broker if !resource.name.is_empty() => own_node(context, &resource.name)?,
        ResourceKind::BrokerLogger if knows_loggers => {
            own_node(context, &resource.name)?;
            return Err(Refusal::invalid_config(
                "log levels cannot be changed while the broker runs; RUST_LOG sets them at start",
            ));
        }
        ResourceKind::BrokerLogger | ResourceKind::Other(_) => {
            let message = format!("resources of type {} have no settings", resource.kind);
            return Err(Refusal::invalid_request(message));
        }
        ResourceKind::Topic
        | ResourceKind::Broker
        | ResourceKind::ClientMetrics
        | ResourceKind::Group => {}
    }
    Ok(ConfigResource::new(resource.kind(), &resource.name))
}

/// A broker answers for itself only.
pub(super) fn own_node(context: &Context, name: &str) -> Result<(), Refusal> {
    let node = context.broker.node().to_wire();
    match name.parse::<i32>() {
        Ok(id) if id == node => Ok(()),
        Ok(id) => {
            let message = format!("this is broker {node}, and the settings of {id} are asked for");
            Err(Refusal::invalid_request(message))
        }
        Err(_) => Err(Refusal::invalid_request(format!("'{name}' is not the id of a broker"))),
    }
}

/// The controller's answers, one for each resource.
type ConfigAnswers = Vec<(ConfigResource, Result<(), CommandError>)>;

/// The resources of a request in their order: refused here, or put to the controller.
pub(super) struct Altered<C> {
    resources: Vec<(Resource, Result<C, Refusal>)>,
}

impl<C: Clone> Altered<C> {
    /// Of a resource that is named twice nobody knows what is wanted.
    pub fn split(mut resources: Vec<(Resource, Result<C, Refusal>)>) -> Self {
        let mut seen = BTreeSet::new();
        let twice: BTreeSet<Resource> = resources
            .iter()
            .filter(|(resource, _)| !seen.insert(resource.clone()))
            .map(|(resource, _)| resource.clone())
            .collect();
        for (resource, command) in &mut resources {
            if twice.contains(resource) {
                *command = Err(Refusal::invalid_request("a resource may appear only once"));
            }
        }
        Self { resources }
    }

    pub fn commands(&self) -> Vec<C> {
        self.resources.iter().filter_map(|(_, command)| command.clone().ok()).collect()
    }

    /// `None` for what has been changed.
    pub fn answered(
        self,
        answers: Result<ConfigAnswers, ControlError>,
    ) -> Vec<(Resource, Option<Refusal>)> {
        let (mut answers, whole) = match answers {
            Ok(answers) => (answers.into_iter(), None),
            Err(error) => {
                (Vec::new().into_iter(), Some(Refusal { error: error.error_code(), message: None }))
            }
        };
        let mut next = || match answers.next() {
            Some((_, Ok(()))) => None,
            Some((_, Err(error))) => {
                Some(Refusal { error: error.error_code(), message: Some(error.message) })
            }
            None => whole
                .clone()
                .or(Some(Refusal { error: ErrorCode::UnknownServerError, message: None })),
        };
        let refusals = self.resources.into_iter().map(|(resource, command)| match command {
            Ok(_) => (resource, next()),
            Err(refusal) => (resource, Some(refusal)),
        });
        refusals.collect()
    }
}

pub(super) fn outcome(refusal: Option<Refusal>) -> (ErrorCode, Option<String>) {
    refusal.map_or((ErrorCode::None, None), |refusal| (refusal.error, refusal.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(name: &str) -> Resource {
        Resource::new(2, name)
    }

    #[test]
    fn answers_return_to_the_resources_that_were_asked_about() {
        let refusal = Refusal::invalid_request("no");
        let altered = Altered::split(vec![
            (resource("a"), Ok(1)),
            (resource("b"), Err(refusal.clone())),
            (resource("c"), Ok(3)),
        ]);
        assert_eq!(altered.commands(), [1, 3]);
        let answer = |name| (ConfigResource::topic(name), Ok(()));
        let answered = altered.answered(Ok(vec![answer("a"), answer("c")]));
        let expected =
            [(resource("a"), None), (resource("b"), Some(refusal)), (resource("c"), None)];
        assert_eq!(answered, expected);
    }

    #[test]
    fn a_resource_that_is_named_twice_is_not_changed() {
        let twice = vec![(resource("a"), Ok(1)), (resource("a"), Ok(2)), (resource("b"), Ok(3))];
        assert_eq!(Altered::split(twice).commands(), [3]);
    }

    #[test]
    fn a_controller_that_does_not_answer_refuses_all() {
        let altered = Altered::split(vec![(resource("a"), Ok(1))]);
        let answered = altered.answered(Err(ControlError::Stopping));
        assert_eq!(answered[0].1.as_ref().unwrap().error, ErrorCode::NotController);
    }
}
