//! Executors, timers, clocks and signals for programs without an engine, and for the tasks that
//! the wires run on an engine's core.

mod clock;
mod cores;
mod heartbeat;
mod task;
mod timer;
mod turn;

pub use clock::{now, wall_clock_millis};
pub use cores::{CoreError, Cores, StartError, block_on, spawn_cores};
pub use task::{Task, spawn_local, yield_now};
pub use timer::{Elapsed, sleep, sleep_until, timeout};
pub use turn::{bulk_turn, yield_if_needed};
