//! Records for members of share groups, and what they say of them: ShareFetch and ShareAcknowledge.

mod acknowledge;
mod acknowledgement;
mod fetch;

pub(crate) use acknowledge::handle as acknowledge;
pub(crate) use fetch::handle as fetch;

use wire::ErrorCode;

use crate::context::Context;
use crate::fetch_session::SessionEpoch;
use crate::share_session::{ShareSessionError, ShareSessionKey};

/// The first version that can renew locks (KIP-1222).
const VERSION_RENEW: i16 = 2;

fn session_error(error: ShareSessionError) -> ErrorCode {
    match error {
        ShareSessionError::NotFound => ErrorCode::ShareSessionNotFound,
        ShareSessionError::InvalidEpoch => ErrorCode::InvalidShareSessionEpoch,
        ShareSessionError::LimitReached => ErrorCode::ShareSessionLimitReached,
    }
}

/// The group and the member of a request that may leave either out.
fn key(group: Option<&String>, member: Option<&String>) -> ShareSessionKey {
    (group.cloned().unwrap_or_default(), member.cloned().unwrap_or_default())
}

/// Ends the session if the request was its last.
fn close_if_last(context: &Context, key: &ShareSessionKey, epoch: SessionEpoch) {
    if epoch != SessionEpoch::FINAL {
        return;
    }
    let closed = context.share_sessions.borrow_mut().close(key);
    if let Some(closed) = closed {
        context.broker.share_release(&closed.group, &closed.partitions, closed.session);
    }
}

/// How long a member has records to itself.
fn lock_millis(context: &Context, group: &str) -> i32 {
    let duration = context.broker.share_settings(group).queue.lock_duration;
    i32::try_from(duration.0).unwrap_or(i32::MAX)
}
