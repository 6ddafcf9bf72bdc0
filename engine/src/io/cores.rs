//! Starts one executor per core and waits until every one of them runs, so that a machine that
//! cannot run the broker is told so in one sentence and not by half a broker.

use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement, PoolPlacement};
use thiserror::Error;

use crate::io::probe;
use crate::io::read_cache::ReadCacheOptions;
use crate::io::runtime::Runtime;
use crate::io::{slice, turn};
use crate::types::CoreId;
use crate::types::limits::READ_CACHE_BYTES_MIN;

/// Which processors the executors run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoreSelection {
    /// One executor on every processor that this process may use.
    All,
    /// So many executors; pinned if there are enough processors, else they share them.
    Count(u16),
    /// One executor pinned to each of these processors.
    Processors(Vec<usize>),
}

impl CoreSelection {
    /// How many executors that makes.
    pub fn count(&self) -> usize {
        placements(self).len()
    }
}

#[derive(Clone, Debug)]
pub struct CoreOptions {
    pub selection: CoreSelection,
    /// Memory per core for direct I/O buffers; should cover all that are in flight or cached.
    pub io_memory_bytes: usize,
    /// Files that each core may keep open for reading, and as many for writing; fewer if the process may
    /// not have so many.
    pub open_files_max: usize,
    /// What each core may keep of the files that it reads.
    pub read_cache: ReadCacheOptions,
}

impl Default for CoreOptions {
    fn default() -> Self {
        Self {
            selection: CoreSelection::All,
            io_memory_bytes: 256 * 1024 * 1024,
            open_files_max: 4096,
            read_cache: ReadCacheOptions::of(READ_CACHE_BYTES_MIN),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StartError {
    #[error("no processors were selected; at least one is needed")]
    NoCores,
    #[error("core {core} cannot start: {reason}. {advice}")]
    Core { core: CoreId, reason: String, advice: String },
}

/// The running executors.
pub struct Cores<T: Send + 'static> {
    handles: Vec<ExecutorJoinHandle<T>>,
}

/// Slow, because a fast timer makes the runtime park with work to do; `turn` does its job.
const PREEMPT_EVERY: Duration = Duration::from_millis(100);
/// Threads per core for calls that block: one of them may be in a folder sync.
const BLOCKING_THREADS: usize = 2;
const RING_DEPTH: usize = 512;

/// Starts the executors; each runs `main` to its end. Returns once all of them run.
pub fn start_cores<M, F, T>(options: &CoreOptions, main: M) -> Result<Cores<T>, StartError>
where
    M: FnOnce(Runtime, CoreId) -> F + Clone + Send + 'static,
    F: Future<Output = T> + 'static,
    T: Send + 'static,
{
    let placements = placements(&options.selection);
    if placements.is_empty() {
        return Err(StartError::NoCores);
    }
    let open_files_max =
        open_files_share(options.open_files_max, probe::open_files_limit(), placements.len());
    let mut handles = Vec::with_capacity(placements.len());
    for (index, placement) in placements.into_iter().enumerate() {
        let core = CoreId(u16::try_from(index).map_err(|_| StartError::NoCores)?);
        let (ready, is_ready) = mpsc::channel();
        let main = main.clone();
        let read_cache = options.read_cache;
        let handle = LocalExecutorBuilder::new(placement)
            .name(&format!("core-{core}"))
            .io_memory(options.io_memory_bytes)
            .ring_depth(RING_DEPTH)
            .preempt_timer(PREEMPT_EVERY)
            .blocking_thread_pool_placement(PoolPlacement::Unbound(BLOCKING_THREADS))
            .spawn(move || async move {
                // The receiver waits until this value or the thread's end, so it is there.
                if ready.send(()).is_err() {
                    tracing::debug!(%core, "nobody waits for this core to start");
                }
                slice::shorten();
                turn::start_heartbeat();
                main(Runtime::uring(core, open_files_max, read_cache), core).await
            })
            .map_err(|error| failed(core, error.to_string()))?;
        if is_ready.recv().is_err() {
            let reason = match handle.join() {
                Ok(_) => "its thread ended at once".to_owned(),
                Err(error) => error.to_string(),
            };
            return Err(failed(core, reason));
        }
        handles.push(handle);
    }
    Ok(Cores { handles })
}

fn failed(core: CoreId, reason: String) -> StartError {
    StartError::Core { core, reason, advice: probe::advice() }
}

/// Half of what the process may open is for segments, by turns to read and to write; the rest is for
/// connections and everything else.
fn open_files_share(wanted: usize, limit: Option<u64>, cores: usize) -> usize {
    const FEWEST: usize = 16;
    let Some(limit) = limit else { return wanted };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let share = (limit / 4).checked_div(cores).unwrap_or(limit);
    wanted.min(share).max(FEWEST)
}

fn placements(selection: &CoreSelection) -> Vec<Placement> {
    let allowed = probe::allowed_processors();
    match selection {
        CoreSelection::All => allowed.into_iter().map(Placement::Fixed).collect(),
        CoreSelection::Count(count) if usize::from(*count) <= allowed.len() => {
            allowed.into_iter().take(usize::from(*count)).map(Placement::Fixed).collect()
        }
        CoreSelection::Count(count) => vec![Placement::Unbound; usize::from(*count)],
        CoreSelection::Processors(processors) => {
            processors.iter().copied().map(Placement::Fixed).collect()
        }
    }
}

impl<T: Send + 'static> Cores<T> {
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// Waits for every core's `main` to return, in the order of core ids.
    pub fn join(self) -> Result<Vec<T>, StartError> {
        let mut results = Vec::with_capacity(self.handles.len());
        for (index, handle) in self.handles.into_iter().enumerate() {
            let core = CoreId(u16::try_from(index).unwrap_or(u16::MAX));
            results.push(handle.join().map_err(|error| failed(core, error.to_string()))?);
        }
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(selection: CoreSelection) -> CoreOptions {
        CoreOptions {
            selection,
            io_memory_bytes: 1 << 20,
            open_files_max: 16,
            ..CoreOptions::default()
        }
    }

    #[test]
    fn the_files_that_a_process_may_open_are_shared_by_its_cores() {
        assert_eq!(open_files_share(4096, Some(20_000), 2), 2_500);
        assert_eq!(open_files_share(4096, Some(1 << 20), 8), 4096);
        assert_eq!(open_files_share(4096, Some(64), 8), 16);
        assert_eq!(open_files_share(4096, None, 8), 4096);
    }

    #[test]
    fn more_executors_than_processors_share_them() {
        let processors = probe::allowed_processors().len();
        let count = u16::try_from(processors + 1).unwrap();
        let cores =
            start_cores(&options(CoreSelection::Count(count)), |runtime, core| async move {
                runtime.sleep(Duration::from_millis(1)).await;
                assert_eq!(runtime.core(), core);
                core
            })
            .unwrap();
        let expected: Vec<CoreId> = (0..count).map(CoreId).collect();
        assert_eq!(cores.join().unwrap(), expected);
    }

    #[test]
    fn a_processor_that_does_not_exist_is_refused_in_a_sentence() {
        let chosen = options(CoreSelection::Processors(vec![9999]));
        let Err(error) = start_cores(&chosen, |_, _| async {}) else { panic!("no such processor") };
        assert!(error.to_string().contains("9999"), "{error}");
    }
}
