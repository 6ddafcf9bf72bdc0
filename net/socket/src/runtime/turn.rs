//! Makes a busy core look at its sockets and timers every millisecond.
//!
//! The runtime polls them when no task is ready, or when its preempt timer has fired. That timer is
//! by default so slow (100 ms) that every answer would wait for it, and when it is fast it makes
//! the runtime oversleep (see `heartbeat`). So a task that has used up its core's millisecond
//! waits for something that only a poll can deliver.

use std::{
    cell::{Cell, RefCell},
    io::{PipeReader, PipeWriter, Write},
    rc::Rc,
    time::{Duration, Instant},
};

use glommio::io::PollableFd;

use super::now;

const TURN: Duration = Duration::from_millis(1);
/// As [`TURN`], for who moves so much that others would wait for it at each of their steps.
const BULK_TURN: Duration = Duration::from_micros(200);

thread_local! {
    /// When a task of this core last waited for a poll.
    static LAST_TURN: Cell<Option<Instant>> = const { Cell::new(None) };
    static ALWAYS_READABLE: RefCell<Option<AlwaysReadable>> = const { RefCell::new(None) };
}

/// A pipe with a byte in it that nobody takes out.
struct AlwaysReadable {
    reader: Rc<PipeReader>,
    _writer: PipeWriter,
}

/// Lets other tasks run, and input arrive, if this core has not polled for a millisecond. Every
/// loop that may spin without waiting calls it; it costs a look at the clock.
pub async fn yield_if_needed() {
    turn(TURN).await;
}

/// As [`yield_if_needed`], between the pieces of something large.
pub async fn bulk_turn() {
    turn(BULK_TURN).await;
}

async fn turn(length: Duration) {
    let now = now();
    let since_last = LAST_TURN.get().map(|last| now.saturating_duration_since(last));
    if since_last.is_some_and(|since_last| since_last < length) {
        return;
    }
    LAST_TURN.set(Some(now));
    // The first call on a core has used up nothing yet.
    if since_last.is_some() {
        poll_once().await;
    }
}

/// Waits until the executor has polled. If the system has no descriptor left for a pipe, other
/// tasks get their turn at least.
async fn poll_once() {
    let Some(reader) = always_readable() else {
        return super::yield_now().await;
    };
    let polled = match PollableFd::new(reader) {
        Ok(watched) => watched.readable().await.is_ok(),
        Err(_) => false,
    };
    if !polled {
        super::yield_now().await;
    }
}

fn always_readable() -> Option<Rc<PipeReader>> {
    ALWAYS_READABLE.with_borrow_mut(|slot| {
        if slot.is_none() {
            let (reader, mut writer) = std::io::pipe().ok()?;
            writer.write_all(&[1]).ok()?;
            *slot = Some(AlwaysReadable { reader: Rc::new(reader), _writer: writer });
        }
        slot.as_ref().map(|pipe| Rc::clone(&pipe.reader))
    })
}
