//! A short time slice for the broker's threads. A request is a few steps of some microseconds each, on
//! one core after the other; where clients or other processes share the processors, each step waits until
//! somebody else's slice is over, some milliseconds long. With a short slice of its own a thread is
//! chosen as soon as it wakes. Its share of the processor stays what it was, and no privilege is needed.
//!
//! From: Linux 6.12, `sched_setattr(2)`, `sched_runtime` for `SCHED_OTHER` (EEVDF). Older kernels pass
//! over it.
#![expect(unsafe_code, reason = "two system calls without a safe wrapper; see docs/unsafe.md")]

use std::io;
use std::mem::size_of;

/// The shortest that the kernel gives.
const SLICE_NANOS: u64 = 100_000;

/// Shortens the slice of the calling thread, and so of those that it will start. Nothing depends on it.
pub fn shorten() {
    if let Err(error) = set(SLICE_NANOS) {
        tracing::debug!(%error, "the time slice stays as it is");
    }
}

fn set(nanos: u64) -> io::Result<()> {
    // What is not changed has to be said again, or an operator's `nice` would be taken back.
    let mut attributes = get()?;
    let shares_by_weight = [libc::SCHED_OTHER, libc::SCHED_BATCH]
        .iter()
        .any(|&policy| u32::try_from(policy) == Ok(attributes.sched_policy));
    if !shares_by_weight {
        return Ok(());
    }
    attributes.sched_runtime = nanos;
    // SAFETY: the kernel reads `attributes.size` bytes, which are the whole structure, during the call.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0_u32) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn get() -> io::Result<libc::sched_attr> {
    let size = u32::try_from(size_of::<libc::sched_attr>()).expect("it is small");
    let mut attributes = libc::sched_attr {
        size,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel writes at most `size` bytes, which is the whole structure, during the call.
    let result =
        unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0_u32) };
    if result == 0 { Ok(attributes) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel before 6.12 says nothing of slices.
    #[test]
    fn a_thread_has_a_short_slice_and_so_have_those_it_starts_and_niceness_stays() {
        let before = get().unwrap();
        let (own, started) = std::thread::spawn(|| {
            shorten();
            (get().unwrap(), std::thread::spawn(|| get().unwrap()).join().unwrap())
        })
        .join()
        .unwrap();
        assert_eq!((own.sched_policy, own.sched_nice), (before.sched_policy, before.sched_nice));
        assert!(own.sched_runtime == SLICE_NANOS || own.sched_runtime == before.sched_runtime);
        assert_eq!(started.sched_runtime, own.sched_runtime);
    }
}
