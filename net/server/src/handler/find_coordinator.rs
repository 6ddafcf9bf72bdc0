//! Which broker coordinates a group or a transaction. The topic that keeps them is made when it is
//! first asked for.

use wire::ErrorCode;
use wire::messages::find_coordinator_response::Coordinator;
use wire::messages::{FindCoordinatorRequest, FindCoordinatorResponse};

use crate::context::{Caller, Context};
use crate::image::{self, Node};

/// The first version that asks for several coordinators at a time.
const VERSION_KEYS: i16 = 4;
/// The first version that knows coordinators of share groups.
const VERSION_SHARE: i16 = 6;

/// What coordinators are there for.
#[derive(Clone, Copy)]
enum KeyType {
    Group,
    Transaction,
    Share,
}

impl KeyType {
    fn from_wire(key_type: i8) -> Option<Self> {
        match key_type {
            0 => Some(Self::Group),
            1 => Some(Self::Transaction),
            2 => Some(Self::Share),
            _ => None,
        }
    }
}

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let keys = if caller.version < VERSION_KEYS {
        vec![request.key.clone()]
    } else {
        request.coordinator_keys
    };
    let mut coordinators = Vec::with_capacity(keys.len());
    for key in keys {
        let found = find(context, caller.version, request.key_type, &key).await;
        let mut answer = coordinator(key, found);
        if KeyType::from_wire(request.key_type).is_none() {
            let message = format!("{} is no kind of coordinator", request.key_type);
            answer.error_message = Some(message);
        }
        coordinators.push(answer);
    }
    if VERSION_KEYS <= caller.version {
        return FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() };
    }
    let only = coordinators.pop().unwrap_or_default();
    let error = ErrorCode::from_code(only.error_code).unwrap_or(ErrorCode::UnknownServerError);
    // These versions spell out success, too.
    let message = if error.is_error() { error.message() } else { error.name() };
    FindCoordinatorResponse {
        error_code: only.error_code,
        error_message: Some(message.to_owned()),
        node_id: only.node_id,
        host: only.host,
        port: only.port,
        ..FindCoordinatorResponse::default()
    }
}

async fn find(context: &Context, version: i16, key_type: i8, key: &str) -> Result<Node, ErrorCode> {
    match KeyType::from_wire(key_type).ok_or(ErrorCode::InvalidRequest)? {
        KeyType::Group => {
            let ensured = context.broker.ensure_offsets_topic().await;
            ensured.map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
            // Every group is coordinated by the only broker there is.
            image::broker(context, context.broker.node().to_wire())
                .ok_or(ErrorCode::CoordinatorNotAvailable)
        }
        KeyType::Transaction => {
            let ensured = context.broker.ensure_transactions_topic().await;
            ensured.map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
            // Every transaction is coordinated by the only broker there is.
            image::broker(context, context.broker.node().to_wire())
                .ok_or(ErrorCode::CoordinatorNotAvailable)
        }
        KeyType::Share if VERSION_SHARE <= version && is_share_key(key) => {
            let ensured = context.broker.ensure_share_state_topic().await;
            ensured.map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
            // Every queue's state is kept by the only broker there is.
            image::broker(context, context.broker.node().to_wire())
                .ok_or(ErrorCode::CoordinatorNotAvailable)
        }
        KeyType::Share => Err(ErrorCode::InvalidRequest),
    }
}

/// `group:topic-id:partition`, where the group may contain colons.
fn is_share_key(key: &str) -> bool {
    let mut parts = key.rsplitn(3, ':');
    let is_index = parts.next().is_some_and(|index| index.parse::<i32>().is_ok());
    let is_topic_id = parts.next().is_some_and(|id| id.parse::<wire::Uuid>().is_ok());
    is_index && is_topic_id && parts.next().is_some_and(|group| !group.is_empty())
}

fn coordinator(key: String, found: Result<Node, ErrorCode>) -> Coordinator {
    match found {
        Ok(node) => Coordinator {
            key,
            node_id: node.id,
            host: node.host,
            port: node.port,
            error_message: Some(String::new()),
            ..Coordinator::default()
        },
        Err(error) => Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code: error.code(),
            error_message: Some(String::new()),
            ..Coordinator::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_key_names_group_topic_and_partition() {
        assert!(is_share_key("g:AAAAAAAAAAAAAAAAAAAAAQ:0"));
        assert!(is_share_key("a:b:AAAAAAAAAAAAAAAAAAAAAQ:7"));
        for key in ["", "bad", "g:0", "g:x:0", "g:AAAAAAAAAAAAAAAAAAAAAQ:x"] {
            assert!(!is_share_key(key), "{key}");
        }
    }
}
