//! Tells the coordinator that a member is alive, and learns from it that the group rebalances.

use std::rc::Rc;

use wire::{ErrorCode, messages::HeartbeatRequest};

use super::{GroupError, member::Shared};

/// Ends when the member is dropped or has left.
pub async fn beat(shared: Rc<Shared>) {
    while !shared.closed.get() {
        socket::sleep(shared.options.heartbeat_interval).await;
        let identity = shared.identity.borrow().clone();
        let is_member = !identity.member_id.is_empty() && identity.generation >= 0;
        if shared.closed.get() || shared.joining.get() || !is_member {
            continue;
        }
        let request = HeartbeatRequest {
            group_id: shared.options.group.clone(),
            generation_id: identity.generation,
            member_id: identity.member_id.clone(),
            group_instance_id: shared.options.instance_id.clone(),
            ..HeartbeatRequest::default()
        };
        match send(&shared, &request).await {
            // What concerns an earlier membership is not about this one.
            Ok(code) if *shared.identity.borrow() == identity && !shared.joining.get() => {
                shared.learn(code);
            }
            Ok(_) => {}
            Err(_unreachable) => shared.coordinator.set(None),
        }
    }
}

async fn send(shared: &Shared, request: &HeartbeatRequest) -> Result<ErrorCode, GroupError> {
    let target = shared.coordinator().await?;
    let response = shared.client.call(target, request).await?;
    Ok(ErrorCode::from_code(response.error_code).unwrap_or(ErrorCode::UnknownServerError))
}
