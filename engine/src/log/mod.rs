//! One partition's log on one disk.

pub mod format;
pub mod producers;
