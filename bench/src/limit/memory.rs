//! What one processor does with bytes in memory: sum them up, and copy them.

use std::{hint::black_box, time::Duration};

use client::runtime;

use crate::load::float;

const PIECE_BYTES: usize = 1 << 20;

/// Bytes a second of one piece that stays in the processor's cache as far as it fits.
pub fn checksum(time: Duration) -> f64 {
    let piece = vec![7; PIECE_BYTES];
    rate(time, || {
        black_box(crc32c::crc32c(black_box(&piece)));
    })
}

pub fn copy(time: Duration) -> f64 {
    let from = vec![7_u8; PIECE_BYTES];
    let mut to = vec![0_u8; PIECE_BYTES];
    rate(time, || black_box(&mut to).copy_from_slice(black_box(&from)))
}

fn rate(time: Duration, mut work: impl FnMut()) -> f64 {
    let began = runtime::now();
    let mut pieces: u64 = 0;
    loop {
        work();
        pieces = pieces.strict_add(1);
        let passed = runtime::now().saturating_duration_since(began);
        if passed >= time {
            let bytes = pieces.saturating_mul(u64::try_from(PIECE_BYTES).unwrap_or(u64::MAX));
            return float(bytes) / passed.as_secs_f64();
        }
    }
}
