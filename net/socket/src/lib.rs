//! The door to the network: listeners, streams, and the executor that drives them.
//!
//! A [`Listener`] hands out [`Accepted`] connections, which may travel to another core and become
//! a [`Stream`] there. A stream splits into a [`ReadHalf`] and a [`WriteHalf`] that two tasks of
//! one core use at the same time; its [`Closer`] ends both from anywhere on that core.
//! [`runtime`] starts executors for programs that have no engine, and holds the clock and timers
//! of the core that it is called on.

mod connect;
mod listener;
mod read_half;
mod resolve;
mod runtime;
mod spare;
mod stream;
mod write_half;

pub use connect::{ConnectError, ConnectOptions};
pub use listener::{AcceptError, Accepted, BindError, BufferSizes, Listener};
pub use read_half::{ReadError, ReadHalf};
pub use resolve::{ResolveError, resolve};
pub use runtime::{
    CoreError, Cores, Elapsed, StartError, Task, block_on, bulk_turn, now, sleep, sleep_until,
    spawn_cores, spawn_local, timeout, wall_clock_millis, yield_if_needed, yield_now,
};
pub use stream::{Closer, Stream};
pub use write_half::{WriteError, WriteHalf};
