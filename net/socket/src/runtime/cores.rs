//! Starts executors. Their preempt timer is slow, because a fast one makes the runtime sleep
//! while tasks are ready; `turn` and `heartbeat` do its work.

use std::{num::NonZeroUsize, time::Duration};

use glommio::{ExecutorJoinHandle, GlommioError, LocalExecutorBuilder, Placement};

const PREEMPT_TIMER: Duration = Duration::from_millis(100);
/// Memory for file input and output, which these executors hardly do: the least the runtime takes.
const IO_MEMORY_BYTES: usize = 64 << 10;
const RING_DEPTH: usize = 1024;

#[derive(Debug, thiserror::Error)]
#[error(
    "cannot start an executor: {0}; it needs a Linux with io_uring (5.8 or newer, not disabled by \
     kernel.io_uring_disabled or a container's seccomp profile)"
)]
pub struct StartError(#[source] GlommioError<()>);

/// A core died before its work was done.
#[derive(Debug, thiserror::Error)]
#[error("core {core} failed: {source}")]
pub struct CoreError {
    pub core: usize,
    #[source]
    source: GlommioError<()>,
}

fn builder() -> LocalExecutorBuilder {
    LocalExecutorBuilder::new(Placement::Unbound)
        .preempt_timer(PREEMPT_TIMER)
        .io_memory(IO_MEMORY_BYTES)
        .ring_depth(RING_DEPTH)
}

/// Runs a future to its end on an executor in the calling thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, StartError> {
    Ok(builder().make().map_err(StartError)?.run(async {
        super::heartbeat::start();
        future.await
    }))
}

/// The executors that [`spawn_cores`] has started, one thread each.
#[derive(Debug)]
pub struct Cores<T: Send + 'static> {
    handles: Vec<ExecutorJoinHandle<T>>,
}

impl<T: Send + 'static> Cores<T> {
    /// Blocks until all have ended; their results in the order of their indexes.
    pub fn join(self) -> Result<Vec<T>, CoreError> {
        let join = |(core, handle): (usize, ExecutorJoinHandle<T>)| {
            handle.join().map_err(|source| CoreError { core, source })
        };
        self.handles.into_iter().enumerate().map(join).collect()
    }
}

/// Starts `count` executors in threads of their own; each runs what `work` makes of its index.
pub fn spawn_cores<T, F>(
    name: &str,
    count: NonZeroUsize,
    work: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Result<Cores<T>, StartError>
where
    F: Future<Output = T> + 'static,
    T: Send + 'static,
{
    let mut handles = Vec::with_capacity(count.get());
    for core in 0..count.get() {
        let work = work.clone();
        let started = builder().name(name).spawn(move || {
            super::heartbeat::start();
            work(core)
        });
        let handle = started.map_err(StartError)?;
        handles.push(handle);
    }
    Ok(Cores { handles })
}
