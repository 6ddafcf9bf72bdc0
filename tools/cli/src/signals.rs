//! SIGTERM and SIGINT: the first asks for a clean stop, the second ends the process at once.

use std::io;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Calls `stop` on the first signal; on the second the process ends with code 1.
pub fn on_stop(stop: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut arrived = signals.forever();
        if let Some(signal) = arrived.next() {
            tracing::info!(signal, "stopping: finishing what is in flight; again to stop at once");
            stop();
        }
        if arrived.next().is_some() {
            tracing::warn!("stopped at once; the next start recovers");
            std::process::exit(1);
        }
    })?;
    Ok(())
}
