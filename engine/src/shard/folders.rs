//! Which data folder a partition lives in: where it was found at start, else the emptiest one. And
//! which folders are out of service, or may have to go.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::io::Event;
use crate::types::{PartitionIndex, TopicName};

/// The partition folders found at start: name → index of the data folder.
pub type Found = Arc<BTreeMap<String, usize>>;

/// Why each folder that cannot be used is out of service, by its place in `log.dirs`.
pub type Offline = BTreeMap<usize, Arc<str>>;

/// Cheap to clone; the clones of one core share the count of what each folder holds.
#[derive(Clone)]
pub struct DataFolders {
    paths: Arc<[PathBuf]>,
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    found: RefCell<Found>,
    placed: RefCell<Vec<usize>>,
    offline: RefCell<Offline>,
    /// Something in these has failed, and nobody has looked yet whether the whole folder has.
    suspected: RefCell<BTreeSet<usize>>,
    suspicion: Event,
}

impl DataFolders {
    /// `paths` is not empty.
    pub fn new(paths: Arc<[PathBuf]>, offline: Offline) -> Self {
        assert!(!paths.is_empty(), "a node has at least one data folder");
        let state = State {
            placed: RefCell::new(vec![0; paths.len()]),
            offline: RefCell::new(offline),
            ..State::default()
        };
        Self { paths, state: Rc::new(state) }
    }

    /// Tells what the start found on disk.
    pub fn learn(&self, found: Found) {
        *self.state.found.borrow_mut() = found;
    }

    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The folders that are in service, with their places.
    pub fn online(&self) -> Vec<(usize, PathBuf)> {
        let offline = self.state.offline.borrow();
        let all = self.paths.iter().cloned().enumerate();
        all.filter(|(place, _)| !offline.contains_key(place)).collect()
    }

    pub fn online_paths(&self) -> Vec<PathBuf> {
        self.online().into_iter().map(|(_, path)| path).collect()
    }

    /// The folders that are out of service, and why.
    pub fn offline(&self) -> Vec<(PathBuf, Arc<str>)> {
        let offline = self.state.offline.borrow();
        let named = |(place, reason): (&usize, &Arc<str>)| {
            self.paths.get(*place).map(|path| (path.clone(), Arc::clone(reason)))
        };
        offline.iter().filter_map(named).collect()
    }

    /// False if it was out of service already.
    pub fn take_offline(&self, place: usize, reason: &Arc<str>) -> bool {
        self.state.offline.borrow_mut().insert(place, Arc::clone(reason)).is_none()
    }

    /// Something in the data folder that holds `path` has failed.
    pub fn suspect(&self, path: &Path) {
        let place = self.paths.iter().position(|folder| path.starts_with(folder));
        let is_online = |place: &usize| !self.state.offline.borrow().contains_key(place);
        if let Some(place) = place.filter(is_online) {
            self.state.suspected.borrow_mut().insert(place);
            self.state.suspicion.notify();
        }
    }

    /// Waits until somebody suspects a folder; returns it with its place.
    pub async fn suspected(&self) -> (usize, PathBuf) {
        self.state
            .suspicion
            .until(|| {
                let place = self.state.suspected.borrow_mut().pop_first()?;
                self.paths.get(place).map(|path| (place, path.clone()))
            })
            .await
    }

    /// The folder of a partition that this core starts to hold, and whether the start found it.
    pub fn place(&self, topic: &TopicName, index: PartitionIndex) -> (PathBuf, bool) {
        let name = format!("{topic}-{index}");
        let mut placed = self.state.placed.borrow_mut();
        let offline = self.state.offline.borrow();
        let emptiest = || {
            let online =
                placed.iter().enumerate().filter(|(place, _)| !offline.contains_key(place));
            online.min_by_key(|(_, count)| **count).map(|(place, _)| place)
        };
        let found = self.state.found.borrow().get(&name).copied();
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
    use futures_util::FutureExt;

    use super::*;

    fn folders() -> DataFolders {
        let paths: Arc<[PathBuf]> = Arc::from([PathBuf::from("/a"), PathBuf::from("/b")]);
        DataFolders::new(paths, Offline::new())
    }

    fn place(folders: &DataFolders, index: u32) -> (PathBuf, bool) {
        folders.place(&TopicName::new("t").unwrap(), PartitionIndex::new(index).unwrap())
    }

    #[test]
    fn a_new_partition_goes_to_the_emptiest_folder_and_a_known_one_stays() {
        let folders = folders();
        folders.learn(Arc::new(BTreeMap::from([("t-0".to_owned(), 1)])));
        assert_eq!(place(&folders, 0), (PathBuf::from("/b/t-0"), true));
        assert_eq!(place(&folders, 1), (PathBuf::from("/a/t-1"), false));
        assert_eq!(place(&folders, 2), (PathBuf::from("/a/t-2"), false));
        assert_eq!(place(&folders, 3), (PathBuf::from("/b/t-3"), false));
    }

    #[test]
    fn no_partition_is_placed_in_a_folder_that_is_out_of_service() {
        let folders = folders();
        let reason: Arc<str> = Arc::from("it burns");
        assert!(folders.take_offline(0, &reason));
        assert!(!folders.take_offline(0, &reason), "it is so already");
        for index in 0..5 {
            assert_eq!(place(&folders, index).0, PathBuf::from(format!("/b/t-{index}")));
        }
        assert_eq!(folders.online(), [(1, PathBuf::from("/b"))]);
        assert_eq!(folders.offline(), [(PathBuf::from("/a"), reason)]);
    }

    #[test]
    fn a_folder_is_suspected_by_what_lies_in_it_until_somebody_looks() {
        let folders = folders();
        assert!(folders.suspected().now_or_never().is_none());
        folders.suspect(Path::new("/b/t-0"));
        folders.suspect(Path::new("/b/t-1"));
        folders.suspect(Path::new("/elsewhere"));
        assert_eq!(folders.suspected().now_or_never(), Some((1, PathBuf::from("/b"))));
        assert!(folders.suspected().now_or_never().is_none());
        folders.take_offline(1, &Arc::from("it burns"));
        folders.suspect(Path::new("/b/t-0"));
        assert!(
            folders.suspected().now_or_never().is_none(),
            "nothing is to be found out any more"
        );
    }
}
