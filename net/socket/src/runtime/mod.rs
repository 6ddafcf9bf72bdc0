//! Executors, timers, clocks and signals for programs without an engine, and for the tasks that
//! the wires run on an engine's core.

mod clock;
mod cores;
mod signals;
mod task;
mod timer;

pub use clock::{now, wall_clock_millis};
pub use cores::{CoreError, Cores, StartError, block_on, spawn_cores};
pub use signals::{Terminations, block_signals};
pub use task::{Task, spawn_local, yield_if_needed, yield_now};
pub use timer::{Elapsed, sleep, sleep_until, timeout};
