//! Tasks of one core. The runtime leaks the memory of a task that is cancelled, and cancels a task
//! whose handle is dropped; a task of ours always runs to its end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// The result of a task, for whoever waits for it. Dropping it lets the task run on.
pub struct Task<T> {
    handle: glommio::task::JoinHandle<T>,
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.handle)
            .poll(context)
            .map(|output| output.expect("nobody cancels a task, and a panic aborts the process"))
    }
}

/// Starts a task on this core.
pub fn spawn_local<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
    Task { handle: glommio::spawn_local(future).detach() }
}

/// Lets every other task that is ready run first.
pub async fn yield_now() {
    glommio::executor().yield_now().await;
}
