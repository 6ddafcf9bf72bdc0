//! How full a file system is: what DescribeLogDirs answers, and what an operator watches.

use std::path::Path;

use crate::io::error::{IoError, Operation};
#[cfg(test)]
use crate::io::runtime::Arm;
use crate::io::runtime::Runtime;

/// The file system behind a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total_bytes: u64,
    /// Without what is kept back for root.
    pub usable_bytes: u64,
}

impl Runtime {
    pub async fn space(&self, folder: &Path) -> Result<Space, IoError> {
        #[cfg(test)]
        if let Arm::Sim(sim) = &self.arm {
            return Ok(sim.space());
        }
        let path = folder.to_owned();
        let found = self.blocking(move || rustix::fs::statvfs(&path)).await;
        let found =
            found.map_err(|error| IoError::from_os(Operation::Size, folder, &error.into()))?;
        Ok(Space {
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            usable_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }
}
