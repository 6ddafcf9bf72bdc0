//! A machine allows some ten thousand open files, a broker holds a hundred thousand segments:
//! files open for reading are kept in a bounded cache, least recently used out first.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
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

    /// Called after a file was renamed or removed, so that its name cannot find the old file: until then
    /// a reader may have opened it.
    pub fn forget(&self, path: &Path) {
        let mut cached = self.cached.borrow_mut();
        cached.forgets = cached.forgets.strict_add(1);
        cached.take(path);
    }

    /// Called after folders were renamed: until then a reader may have opened what is in them.
    pub(super) fn forget_in(&self, folders: &HashSet<&Path>) {
        let mut cached = self.cached.borrow_mut();
        cached.forgets = cached.forgets.strict_add(1);
        let is_in = |path: &Path| path.parent().is_some_and(|folder| folders.contains(folder));
        let gone: Vec<PathBuf> = cached.files.keys().filter(|path| is_in(path)).cloned().collect();
        for path in gone {
            cached.take(&path);
        }
    }

    pub fn len(&self) -> usize {
        self.cached.borrow().files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sim::Sim;
    use crate::types::limits::BLOCK_BYTES;

    /// Found by a life: a topic that was made anew under its name gave readers the records of the one
    /// before.
    #[test]
    fn a_folder_that_was_renamed_takes_what_its_readers_have_open_with_it() {
        let sim = Sim::with_folder(1, Path::new("/data"));
        let runtime = sim.runtime();
        let read = sim.run(async move {
            let (folder, away) = (PathBuf::from("/data/t-0"), PathBuf::from("/data/t-0.1-delete"));
            let directory = runtime.directory(&folder);
            let mut read = Vec::new();
            for content in [1, 2] {
                directory.create().await.unwrap();
                let file = runtime.create_file(&folder.join("0.log")).await.unwrap();
                let mut block = runtime.allocate(BLOCK_BYTES);
                block.as_mut_slice().fill(content);
                file.write_at(&block.freeze(BLOCK_BYTES), 0).await.unwrap();
                let files = runtime.open_files();
                let file = files.read_handle(&runtime, &folder.join("0.log")).await.unwrap();
                read.push(file.read_at(0, 1).await.unwrap().to_vec());
                // Nobody forgets the file by its name: the reader came too late for that.
                let renames = vec![(folder.clone(), away.clone())];
                runtime.rename_folders(Path::new("/data"), renames).await;
                runtime.remove_folders(vec![away.clone()]).await;
            }
            read
        });
        assert_eq!(read.unwrap(), [[1], [2]]);
    }
}
