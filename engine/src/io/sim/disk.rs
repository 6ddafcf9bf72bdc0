//! A disk that keeps its promises and nothing more: a completed sync is durable; everything since
//! may be there, be missing, be torn between 512-byte sectors, or be there without what was
//! written before it. A name is durable when its folder was synced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use crate::io::directory::Entry;
use crate::io::error::Fault;
use crate::io::sim::content::Content;
use crate::io::sim::random::Random;
use crate::types::Timestamp;

const BLOCK: u64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InodeId(u64);

const ROOT: InodeId = InodeId(0);

#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) capacity: Option<u64>,
    /// The time of the operation that is under way.
    pub(super) now: Timestamp,
    next_inode: u64,
    files: BTreeMap<InodeId, Content>,
    folders: BTreeMap<InodeId, FolderNode>,
}

/// The changes of every file, and how many of every folder's.
#[derive(Debug)]
pub(super) struct Completed {
    files: Vec<(InodeId, Vec<u64>)>,
    folders: Vec<(InodeId, usize)>,
}

#[derive(Clone, Debug, Default)]
struct FolderNode {
    live: BTreeMap<String, InodeId>,
    durable: BTreeMap<String, InodeId>,
    pending: Vec<NameChange>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Put(String, InodeId),
    Take(String),
    Rename(String, String),
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

fn rename_in(names: &mut BTreeMap<String, InodeId>, change: &NameChange) {
    match change {
        NameChange::Put(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        NameChange::Take(name) => {
            names.remove(name);
        }
        NameChange::Rename(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
    }
}

impl FolderNode {
    fn change(&mut self, change: NameChange) {
        rename_in(&mut self.live, &change);
        self.pending.push(change);
    }
}

impl Disk {
    pub(super) fn new() -> Self {
        let mut disk = Self { next_inode: 1, ..Self::default() };
        disk.folders.insert(ROOT, FolderNode::default());
        disk
    }

    fn new_inode(&mut self) -> InodeId {
        let inode = InodeId(self.next_inode);
        self.next_inode += 1;
        inode
    }

    fn names(path: &Path) -> Vec<String> {
        path.components()
            .filter_map(|component| match component {
                Component::Normal(name) => Some(name.to_str().unwrap().to_owned()),
                Component::RootDir => None,
                Component::Prefix(_) | Component::CurDir | Component::ParentDir => {
                    panic!("a plain absolute path is expected")
                }
            })
            .collect()
    }

    fn find(&self, path: &Path) -> Result<InodeId, Fault> {
        let mut inode = ROOT;
        for name in Self::names(path) {
            let folder = self.folders.get(&inode).ok_or(Fault::NotFound)?;
            inode = *folder.live.get(&name).ok_or(Fault::NotFound)?;
        }
        Ok(inode)
    }

    fn parent(&mut self, path: &Path) -> Result<(&mut FolderNode, String), Fault> {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let inode = self.find(path.parent().unwrap())?;
        Ok((self.folders.get_mut(&inode).ok_or(Fault::NotFound)?, name))
    }

    fn file(&mut self, inode: InodeId) -> &mut Content {
        self.files.get_mut(&inode).unwrap()
    }

    pub(super) fn find_file(&self, path: &Path) -> Result<InodeId, Fault> {
        let inode = self.find(path)?;
        if self.files.contains_key(&inode) { Ok(inode) } else { Err(Fault::NotFound) }
    }

    pub(super) fn create_file(&mut self, path: &Path) -> Result<InodeId, Fault> {
        let inode = self.new_inode();
        let (folder, name) = self.parent(path)?;
        if folder.live.contains_key(&name) {
            return Err(Fault::AlreadyExists);
        }
        folder.change(NameChange::Put(name, inode));
        self.files.insert(inode, Content::default());
        Ok(inode)
    }

    pub(super) fn create_folder(&mut self, path: &Path) -> Result<bool, Fault> {
        if let Ok(inode) = self.find(path) {
            return if self.folders.contains_key(&inode) {
                Ok(false)
            } else {
                Err(Fault::AlreadyExists)
            };
        }
        if let Some(parent) = path.parent() {
            self.create_folder(parent)?;
        }
        let inode = self.new_inode();
        let (folder, name) = self.parent(path)?;
        folder.change(NameChange::Put(name, inode));
        self.folders.insert(inode, FolderNode::default());
        Ok(true)
    }

    pub(super) fn modified(&self, path: &Path) -> Result<Timestamp, Fault> {
        Ok(self.files[&self.find_file(path)?].modified)
    }

    pub(super) fn list(&self, path: &Path) -> Result<Vec<Entry>, Fault> {
        let inode = self.find(path)?;
        let folder = self.folders.get(&inode).ok_or(Fault::NotFound)?;
        let entry = |(name, inode): (&String, &InodeId)| {
            let file = self.files.get(inode);
            let len = file.map_or(0, |file| u64::try_from(file.live.len()).unwrap());
            Entry { name: name.clone(), is_folder: file.is_none(), len }
        };
        Ok(folder.live.iter().map(entry).collect())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<(), Fault> {
        assert_eq!(from.parent(), to.parent(), "names move within their folder only");
        let new_name = to.file_name().unwrap().to_str().unwrap().to_owned();
        let (folder, name) = self.parent(from)?;
        if !folder.live.contains_key(&name) {
            return Err(Fault::NotFound);
        }
        folder.change(NameChange::Rename(name, new_name));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> Result<(), Fault> {
        let Ok((folder, name)) = self.parent(path) else { return Ok(()) };
        if folder.live.contains_key(&name) {
            folder.change(NameChange::Take(name));
        }
        Ok(())
    }

    pub(super) fn folder_changes(&self, path: &Path) -> Result<usize, Fault> {
        let inode = self.find(path)?;
        Ok(self.folders.get(&inode).ok_or(Fault::NotFound)?.pending.len())
    }

    pub(super) fn sync_folder(&mut self, path: &Path, changes: usize) -> Result<(), Fault> {
        let inode = self.find(path)?;
        let folder = self.folders.get_mut(&inode).ok_or(Fault::NotFound)?;
        let changes = changes.min(folder.pending.len());
        for change in folder.pending.drain(..changes) {
            rename_in(&mut folder.durable, &change);
        }
        Ok(())
    }

    pub(super) fn used(&self) -> u64 {
        self.folders
            .values()
            .flat_map(|folder| folder.live.values())
            .filter_map(|inode| self.files.get(inode))
            .map(|file| u64::try_from(file.live.len()).unwrap().next_multiple_of(BLOCK))
            .sum()
    }

    fn claim(&self, inode: InodeId, len: u64) -> Result<(), Fault> {
        let Some(capacity) = self.capacity else { return Ok(()) };
        let present = u64::try_from(self.files[&inode].live.len()).unwrap();
        let more = len.next_multiple_of(BLOCK).saturating_sub(present.next_multiple_of(BLOCK));
        if more == 0 || self.used() + more <= capacity { Ok(()) } else { Err(Fault::NoSpace) }
    }

    pub(super) fn write(
        &mut self,
        inode: InodeId,
        position: u64,
        bytes: Vec<u8>,
    ) -> Result<u64, Fault> {
        self.claim(inode, position + u64::try_from(bytes.len()).unwrap())?;
        self.file(inode).modified = self.now;
        Ok(self.file(inode).write(index(position), bytes))
    }

    pub(super) fn complete(&mut self, inode: InodeId, write: u64) {
        self.file(inode).complete(write);
    }

    /// What a process had under way when it ended is done before another one starts.
    pub(super) fn complete_all(&mut self) {
        for file in self.files.values_mut() {
            file.complete_all();
        }
    }

    pub(super) fn extend(&mut self, inode: InodeId, len: u64) -> Result<(), Fault> {
        self.claim(inode, len)?;
        let file = self.file(inode);
        if file.live.len() < index(len) {
            file.set_len(index(len));
        }
        Ok(())
    }

    pub(super) fn set_len(&mut self, inode: InodeId, len: u64) -> Result<(), Fault> {
        self.claim(inode, len)?;
        self.file(inode).modified = self.now;
        self.file(inode).set_len(index(len));
        Ok(())
    }

    pub(super) fn completed(&self, inode: InodeId) -> Vec<u64> {
        self.files[&inode].completed()
    }

    pub(super) fn sync_file(&mut self, inode: InodeId, covered: &[u64]) {
        self.file(inode).sync(covered);
    }

    /// Makes one write durable, and the length that it needs.
    pub(super) fn sync_write(&mut self, inode: InodeId, write: u64) {
        self.file(inode).sync_write(write);
    }

    /// Everything in a folder and below it, itself included.
    fn below(&self, path: &Path) -> BTreeSet<InodeId> {
        let mut found: BTreeSet<InodeId> = BTreeSet::new();
        let mut left: Vec<InodeId> = self.find(path).into_iter().collect();
        while let Some(inode) = left.pop() {
            if found.insert(inode)
                && let Some(folder) = self.folders.get(&inode)
            {
                left.extend(folder.live.values().chain(folder.durable.values()));
            }
        }
        found
    }

    /// What a sync of the folder's whole file system would make durable if it began now.
    pub(super) fn all_completed(&self, folder: &Path) -> Completed {
        let below = self.below(folder);
        let files = self.files.keys().filter(|inode| below.contains(inode));
        let folders = self.folders.iter().filter(|(inode, _)| below.contains(inode));
        Completed {
            files: files.map(|inode| (*inode, self.completed(*inode))).collect(),
            folders: folders.map(|(inode, folder)| (*inode, folder.pending.len())).collect(),
        }
    }

    pub(super) fn sync_all(&mut self, completed: &Completed) {
        for (inode, covered) in &completed.files {
            self.sync_file(*inode, covered);
        }
        for (inode, changes) in &completed.folders {
            let Some(folder) = self.folders.get_mut(inode) else { continue };
            let changes = folder.pending.len().min(*changes);
            for change in folder.pending.drain(..changes) {
                rename_in(&mut folder.durable, &change);
            }
        }
    }

    pub(super) fn forget_all_unsynced(&mut self, folder: &Path, random: &mut Random) {
        let below = self.below(folder);
        for (_, file) in self.files.iter_mut().filter(|(inode, _)| below.contains(inode)) {
            file.forget_unsynced(random);
        }
    }

    /// After a failed sync some of the data has silently lost its way to the disk.
    pub(super) fn forget_unsynced(&mut self, inode: InodeId, random: &mut Random) {
        self.file(inode).forget_unsynced(random);
    }

    pub(super) fn read(&self, inode: InodeId, position: u64, len: u64) -> Vec<u8> {
        let live = &self.files[&inode].live;
        let start = live.len().min(index(position));
        let end = live.len().min(index(position + len));
        live[start..end].to_vec()
    }

    pub(super) fn len(&self, inode: InodeId) -> u64 {
        u64::try_from(self.files[&inode].live.len()).unwrap()
    }

    pub(super) fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let inode = self.find_file(path).ok()?;
        Some(self.files[&inode].live.clone())
    }

    pub(super) fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![(String::new(), ROOT)];
        while let Some((path, folder)) = folders.pop() {
            for (name, inode) in &self.folders[&folder].live {
                let path = format!("{path}/{name}");
                match self.files.get(inode) {
                    Some(file) => found.push((path, file.live.clone())),
                    None => folders.push((path, *inode)),
                }
            }
        }
        found.sort();
        found
    }

    pub(super) fn corrupt(&mut self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let inode = self.find_file(path).unwrap();
        let file = self.file(inode);
        change(&mut file.live);
        file.settle();
    }

    /// Makes everything durable as it is.
    pub(super) fn settle(&mut self) {
        for file in self.files.values_mut() {
            file.settle();
        }
        for folder in self.folders.values_mut() {
            folder.durable = folder.live.clone();
            folder.pending.clear();
        }
    }

    /// Keeps what was promised and, of the rest, what chance leaves.
    pub(super) fn crash(&mut self, random: &mut Random) {
        // Every so often all or nothing survives, since those are the cases people expect.
        let style = random.below(4);
        for file in self.files.values_mut() {
            file.crash(style, random);
        }
        for folder in self.folders.values_mut() {
            let kept = match style {
                0 => 0,
                1 => folder.pending.len(),
                _ => index(random.below(u64::try_from(folder.pending.len()).unwrap() + 1)),
            };
            for change in folder.pending.drain(..).take(kept) {
                rename_in(&mut folder.durable, &change);
            }
            folder.live = folder.durable.clone();
        }
    }
}
