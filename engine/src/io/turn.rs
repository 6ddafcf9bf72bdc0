//! Keeps a busy core polling, and an idle one awake. The runtime looks at disks, sockets and timers
//! when no task is ready or its preempt timer has fired; a fast timer makes it park while tasks are
//! ready, for ever if nothing else happens. So the timer is slow, tasks that have had their
//! millisecond wait for something that only a poll can deliver, and a heartbeat ends any
//! oversleeping (`docs/decisions/runtime-may-park-with-ready-tasks.md`).

use std::cell::{Cell, RefCell};
use std::io::{PipeReader, PipeWriter, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use glommio::io::PollableFd;

use crate::io::sleep::Sleep;
use crate::io::uring::clock;

/// How long the tasks of a core run between two polls.
const TURN: Duration = Duration::from_millis(1);
/// How long a core can oversleep.
const HEARTBEAT: Duration = Duration::from_millis(10);

thread_local! {
    static LAST_POLL: Cell<Option<Instant>> = const { Cell::new(None) };
    static PIPE: RefCell<Option<Pipe>> = const { RefCell::new(None) };
}

/// Always readable: nobody takes out the byte that is in it.
struct Pipe {
    reader: Rc<PipeReader>,
    _writer: PipeWriter,
}

/// Runs until the executor ends.
pub(super) fn start_heartbeat() {
    let beat = async {
        loop {
            Sleep::new(HEARTBEAT).await;
        }
    };
    drop(glommio::spawn_local(beat).detach());
}

pub(super) async fn yield_if_needed() {
    let now = clock();
    let since_poll = LAST_POLL.get().map(|last| now.saturating_duration_since(last));
    if since_poll.is_some_and(|since_poll| since_poll < TURN) {
        return;
    }
    LAST_POLL.set(Some(now));
    // The first call on a core has used up nothing yet.
    if since_poll.is_some() {
        poll_once().await;
    }
}

/// Without a descriptor left for a pipe other tasks get their turn at least.
async fn poll_once() {
    let watched = pipe().map(PollableFd::new);
    let has_polled = match watched {
        Some(Ok(reader)) => reader.readable().await.is_ok(),
        Some(Err(_)) | None => false,
    };
    if !has_polled {
        glommio::executor().yield_task_queue_now().await;
    }
}

fn pipe() -> Option<Rc<PipeReader>> {
    PIPE.with_borrow_mut(|slot| {
        if slot.is_none() {
            let (reader, mut writer) = std::io::pipe().ok()?;
            writer.write_all(&[1]).ok()?;
            *slot = Some(Pipe { reader: Rc::new(reader), _writer: writer });
        }
        slot.as_ref().map(|pipe| Rc::clone(&pipe.reader))
    })
}
