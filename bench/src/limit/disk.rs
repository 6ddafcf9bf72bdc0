//! What the disk does by itself: throughput with several requests on their way, and what one small
//! append takes until it is durable.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use client::runtime;

use super::direct::{AlignedBuffer, BLOCK_BYTES, DirectFile};
use crate::{load::float, measure::Latencies};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Read,
    Write,
}

/// Bytes a second, with a thread for each request on its way.
pub fn throughput(
    file: &DirectFile,
    way: Way,
    request_bytes: usize,
    depth: usize,
    time: Duration,
) -> io::Result<f64> {
    let step = u64::try_from(request_bytes).unwrap_or(u64::MAX);
    let places = (file.bytes / step).max(1);
    let next = AtomicU64::new(0);
    let began = runtime::now();
    let work = || {
        let mut buffer = AlignedBuffer::new(request_bytes);
        while runtime::now().saturating_duration_since(began) < time {
            let at = (next.fetch_add(1, Ordering::Relaxed) % places).strict_mul(step);
            match way {
                Way::Read => file.read(buffer.bytes_mut(), at)?,
                Way::Write => file.write(buffer.bytes(), at)?,
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..depth).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a panic ends the process"))
            .collect::<io::Result<Vec<()>>>()
    })?;
    let seconds = runtime::now().saturating_duration_since(began).as_secs_f64();
    Ok(float(next.load(Ordering::Relaxed).saturating_mul(step)) / seconds)
}

/// One block after another, each synced before the next: what a single append cannot beat.
pub fn append_and_sync(file: &DirectFile, time: Duration) -> io::Result<Latencies> {
    let buffer = AlignedBuffer::new(BLOCK_BYTES);
    let step = u64::try_from(BLOCK_BYTES).unwrap_or(u64::MAX);
    let places = (file.bytes / step).max(1);
    let mut latencies = Latencies::default();
    let began = runtime::now();
    let mut number: u64 = 0;
    loop {
        let before = runtime::now();
        if before.saturating_duration_since(began) >= time {
            return Ok(latencies);
        }
        file.write(buffer.bytes(), (number % places).strict_mul(step))?;
        file.sync()?;
        latencies.record(runtime::now().saturating_duration_since(before));
        number = number.strict_add(1);
    }
}
