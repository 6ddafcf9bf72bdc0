//! Waiting, and not waiting for too long.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};

use super::now;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time is up")]
pub struct Elapsed;

pub async fn sleep(duration: Duration) {
    glommio::timer::sleep(duration).await;
}

/// Returns at once if the moment has passed.
pub async fn sleep_until(moment: Instant) {
    let duration = moment.saturating_duration_since(now());
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

/// The future's output, or [`Elapsed`] if it takes longer than `duration`; the future is dropped
/// then, so it must be one that may be.
pub async fn timeout<T>(duration: Duration, future: impl Future<Output = T>) -> Result<T, Elapsed> {
    match select(pin!(future), pin!(sleep(duration))).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(((), _)) => Err(Elapsed),
    }
}
