//! What is read off clocks and counters, and what many readings say together.

mod figure;
mod latency;
pub mod process;
mod statistics;

pub use figure::{Figure, digits};
pub use latency::Latencies;
pub use statistics::Spread;
