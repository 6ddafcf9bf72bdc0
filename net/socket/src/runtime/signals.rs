//! SIGINT and SIGTERM as something to wait for, so that a program ends by finishing its work.

use std::io;

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// Must be called in `main` before any other thread starts: a thread that does not block the
/// signals dies of them, and takes the process along.
pub fn block_signals() -> io::Result<()> {
    glommio::signal::block(&[SIGINT, SIGTERM]).map_err(io::Error::from)
}

/// Requests to end this process. One core watches them.
#[derive(Debug)]
pub struct Terminations {
    signals: glommio::signal::Signals,
}

impl Terminations {
    pub fn watch() -> io::Result<Self> {
        let signals = glommio::signal::Signals::new(&[SIGINT, SIGTERM]).map_err(io::Error::from)?;
        Ok(Self { signals })
    }

    /// Waits for the next SIGINT or SIGTERM.
    pub async fn next(&self) -> io::Result<()> {
        self.signals.recv().await.map_err(io::Error::from)?;
        Ok(())
    }
}
