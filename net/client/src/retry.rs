//! Trying again, for a bounded time. A broker that starts, moves a leader or a coordinator answers
//! with errors that pass; a client that gives up on the first of them is of no use.

use std::time::Duration;

use crate::error::Retriable;

#[derive(Clone, Debug)]
pub struct RetryOptions {
    /// No attempt starts later than this after the first.
    pub give_up_after: Duration,
    /// `None`: as many as time allows.
    pub attempts_max: Option<u32>,
    pub backoff_min: Duration,
    pub backoff_max: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            give_up_after: Duration::from_secs(60),
            attempts_max: None,
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(1),
        }
    }
}

impl RetryOptions {
    /// One attempt.
    pub fn never() -> Self {
        Self { give_up_after: Duration::ZERO, ..Self::default() }
    }

    /// Attempts until one succeeds, fails for good, or the time is up; returns the last result.
    pub async fn run<T, E: Retriable>(
        &self,
        mut attempt: impl AsyncFnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let start = socket::now();
        let mut backoff = self.backoff_min;
        let mut attempts: u32 = 0;
        loop {
            attempts = attempts.saturating_add(1);
            let error = match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let elapsed = socket::now().saturating_duration_since(start);
            let is_last = self.attempts_max.is_some_and(|max| max <= attempts);
            if is_last || !error.retriable() || elapsed.saturating_add(backoff) > self.give_up_after
            {
                return Err(error);
            }
            socket::sleep(backoff).await;
            backoff = backoff.saturating_mul(2).min(self.backoff_max);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Failure {
        passes: bool,
    }

    impl Retriable for Failure {
        fn retriable(&self) -> bool {
            self.passes
        }
    }

    fn options(give_up_ms: u64) -> RetryOptions {
        RetryOptions {
            give_up_after: Duration::from_millis(give_up_ms),
            attempts_max: None,
            backoff_min: Duration::from_millis(1),
            backoff_max: Duration::from_millis(4),
        }
    }

    fn attempts(give_up_ms: u64, passes: bool, succeed_at: u32) -> (u32, bool) {
        let mut count = 0;
        let result = socket::block_on(options(give_up_ms).run(async || {
            count += 1;
            if count == succeed_at { Ok(()) } else { Err(Failure { passes }) }
        }));
        (count, result.unwrap().is_ok())
    }

    #[test]
    fn an_error_that_passes_is_tried_again() {
        assert_eq!(attempts(10_000, true, 4), (4, true));
    }

    #[test]
    fn an_error_that_stays_is_returned_at_once() {
        assert_eq!(attempts(10_000, false, 4), (1, false));
    }

    #[test]
    fn the_time_is_bounded() {
        let (count, succeeded) = attempts(30, true, u32::MAX);
        assert!(2 < count && count < 31 && !succeeded, "{count}");
    }
}
