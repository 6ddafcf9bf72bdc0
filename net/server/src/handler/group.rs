//! What the handlers of all group APIs share.

use engine::group::{GroupError, MemberId, Reply, Request};
use futures_util::future::{Either, select};

use crate::context::Context;

/// Asks for something that may take as long as a rebalance. A stopping node does not wait for it:
/// the client looks for the coordinator's next home.
pub(crate) async fn patiently(
    context: &Context,
    group_id: &str,
    request: Request,
) -> Result<Reply, GroupError> {
    let stopping = context.broker.stopping();
    let answer = std::pin::pin!(context.broker.group(group_id, request));
    match select(answer, stopping.wait()).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), _)) => Err(GroupError::NotCoordinator),
    }
}

/// The error for an answer that is not the asked kind of reply: the coordinator's, or the one for
/// what cannot happen.
pub(crate) fn unexpected(answer: Result<Reply, GroupError>) -> GroupError {
    match answer {
        Err(error) => error,
        Ok(_) => GroupError::UnknownServerError,
    }
}

/// A client without a member id writes an empty one.
pub(crate) fn member(member_id: &str) -> Option<MemberId> {
    (!member_id.is_empty()).then(|| MemberId::new(member_id))
}

pub(crate) fn member_text(member: Option<&MemberId>) -> String {
    member.map(MemberId::to_string).unwrap_or_default()
}
