//! Opening a file takes several steps (open, stat, statfs by name) in the kernel and the runtime
//! crate; a rename or removal between them would kill the core. So, per core, a path is opened,
//! renamed or removed by one task at a time. Folders belong to one core each.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::io::event::Event;

#[derive(Debug, Default)]
pub(super) struct PathLocks {
    held: RefCell<Vec<PathBuf>>,
    released: Event,
}

pub(super) struct PathLock<'a> {
    locks: &'a PathLocks,
    path: PathBuf,
}

impl PathLocks {
    /// Waits until nobody holds `path`, a folder above it, or anything below it.
    pub(super) async fn lock(&self, path: &Path) -> PathLock<'_> {
        self.released
            .until(|| {
                let mut held = self.held.borrow_mut();
                let taken =
                    held.iter().any(|other| other.starts_with(path) || path.starts_with(other));
                if taken {
                    return None;
                }
                held.push(path.to_owned());
                Some(())
            })
            .await;
        PathLock { locks: self, path: path.to_owned() }
    }
}

impl Drop for PathLock<'_> {
    fn drop(&mut self) {
        let mut held = self.locks.held.borrow_mut();
        if let Some(place) = held.iter().position(|path| *path == self.path) {
            held.swap_remove(place);
        }
        drop(held);
        self.locks.released.notify();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn a_folder_waits_for_the_files_below_it() {
        let locks = PathLocks::default();
        let mut context = Context::from_waker(Waker::noop());
        let mut file = Box::pin(locks.lock(Path::new("/d/a/1.log")));
        let Poll::Ready(held) = file.as_mut().poll(&mut context) else { panic!("free path") };
        let mut sibling = pin!(locks.lock(Path::new("/d/b")));
        assert!(sibling.as_mut().poll(&mut context).is_ready());
        let mut folder = pin!(locks.lock(Path::new("/d/a")));
        assert!(folder.as_mut().poll(&mut context).is_pending());
        drop(held);
        assert!(folder.as_mut().poll(&mut context).is_ready());
    }
}
