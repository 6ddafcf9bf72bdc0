//! A machine allows some ten thousand open files, a broker holds a hundred thousand segments:
//! files open for reading are kept in a bounded cache, least recently used out first.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::io::error::IoError;
use crate::io::file::File;
use crate::io::runtime::Runtime;

#[derive(Debug)]
pub struct OpenFiles {
    files_max: usize,
    cached: RefCell<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    next_use: u64,
    /// How many times a name was forgotten.
    forgets: u64,
    files: HashMap<PathBuf, (u64, Rc<File>)>,
    by_use: BTreeMap<u64, PathBuf>,
}

impl Cached {
    fn take(&mut self, path: &Path) -> Option<Rc<File>> {
        let (used, file) = self.files.remove(path)?;
        self.by_use.remove(&used);
        Some(file)
    }

    fn put(&mut self, path: &Path, file: Rc<File>) {
        let used = self.next_use;
        self.next_use = used.strict_add(1);
        self.by_use.insert(used, path.to_owned());
        self.files.insert(path.to_owned(), (used, file));
    }
}

impl OpenFiles {
    pub(super) fn new(files_max: usize) -> Self {
        assert!(0 < files_max, "a reader needs one open file");
        Self { files_max, cached: RefCell::default() }
    }

    /// The open file, from the cache or opened now. Readers that hold the returned handle keep
    /// the file open beyond its place in the cache.
    pub async fn read_handle(&self, runtime: &Runtime, path: &Path) -> Result<Rc<File>, IoError> {
        let forgets = {
            let mut cached = self.cached.borrow_mut();
            if let Some(file) = cached.take(path) {
                cached.put(path, file.clone());
                return Ok(file);
            }
            cached.forgets
        };
        let file = Rc::new(runtime.open_file_to_read(path).await?);
        let mut cached = self.cached.borrow_mut();
        if cached.forgets != forgets {
            // The name may belong to another file by now.
            return Ok(file);
        }
        // Somebody else may have opened the same file while this task waited; either handle is
        // good, and the one that is not kept is closed by its drop.
        drop(cached.take(path));
        cached.put(path, file.clone());
        while self.files_max < cached.files.len() {
            let Some((_, oldest)) = cached.by_use.pop_first() else { break };
            cached.files.remove(&oldest);
        }
        Ok(file)
    }

    /// Called before a file is renamed or removed, so that its name cannot find the old file.
    pub fn forget(&self, path: &Path) {
        let mut cached = self.cached.borrow_mut();
        cached.forgets = cached.forgets.strict_add(1);
        cached.take(path);
    }

    pub fn len(&self) -> usize {
        self.cached.borrow().files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
