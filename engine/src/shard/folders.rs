//! Which data folder a partition lives in: where it was found at start, else the emptiest one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use crate::types::{PartitionIndex, TopicName};

/// The partition folders found at start: name → index of the data folder.
pub type Found = Arc<BTreeMap<String, usize>>;

/// Cheap to clone; the clones of one core share the count of what each folder holds.
#[derive(Clone)]
pub struct DataFolders {
    paths: Arc<[PathBuf]>,
    found: Rc<RefCell<Found>>,
    placed: Rc<RefCell<Vec<usize>>>,
}

impl DataFolders {
    /// `paths` is not empty.
    pub fn new(paths: Arc<[PathBuf]>) -> Self {
        assert!(!paths.is_empty(), "a node has at least one data folder");
        let placed = Rc::new(RefCell::new(vec![0; paths.len()]));
        Self { paths, found: Rc::default(), placed }
    }

    /// Tells what the start found on disk.
    pub fn learn(&self, found: Found) {
        *self.found.borrow_mut() = found;
    }

    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The folder of a partition that this core starts to hold, and whether the start found it.
    pub fn place(&self, topic: &TopicName, index: PartitionIndex) -> (PathBuf, bool) {
        let name = format!("{topic}-{index}");
        let mut placed = self.placed.borrow_mut();
        let emptiest =
            || placed.iter().enumerate().min_by_key(|(_, count)| **count).map(|(place, _)| place);
        let found = self.found.borrow().get(&name).copied();
        let place = found.or_else(emptiest).unwrap_or(0);
        if let Some(count) = placed.get_mut(place) {
            *count = count.strict_add(1);
        }
        let path = self.paths.get(place).or(self.paths.first()).expect("there is one folder");
        (path.join(name), found.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_partition_goes_to_the_emptiest_folder_and_a_known_one_stays() {
        let paths: Arc<[PathBuf]> = Arc::from([PathBuf::from("/a"), PathBuf::from("/b")]);
        let found = Arc::new(BTreeMap::from([("t-0".to_owned(), 1)]));
        let folders = DataFolders::new(paths);
        folders.learn(found);
        let topic = TopicName::new("t").unwrap();
        let place = |index| folders.place(&topic, PartitionIndex::new(index).unwrap());
        assert_eq!(place(0), (PathBuf::from("/b/t-0"), true));
        assert_eq!(place(1), (PathBuf::from("/a/t-1"), false));
        assert_eq!(place(2), (PathBuf::from("/a/t-2"), false));
        assert_eq!(place(3), (PathBuf::from("/b/t-3"), false));
    }
}
