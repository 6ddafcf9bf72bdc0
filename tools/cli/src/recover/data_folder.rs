//! What a data folder knows of its partitions apart from their own folders: whether it was closed in
//! order, up to where the cores say that logs are on disk, and what the journals have.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use engine::broker::{CoreCheckpoint, Point};
use engine::journal::{self, is_journal_file};
use engine::log::Kept;
use engine::log::format::clean_shutdown;
use engine::types::PartitionId;

use crate::exit::Failure;
use crate::inspect::folder;

#[derive(Debug)]
pub struct JournalFile {
    pub path: PathBuf,
    /// Where a commit is missing that was acknowledged.
    pub damaged_at: Option<usize>,
    pub entries: Vec<(PartitionId, Kept)>,
}

#[derive(Debug, Default)]
pub struct DataFolder {
    pub path: PathBuf,
    /// `meta.properties` is there; a copy of one partition elsewhere has none.
    pub is_data_folder: bool,
    pub was_closed: bool,
    pub points: BTreeMap<PartitionId, Point>,
    pub journals: Vec<JournalFile>,
}

impl DataFolder {
    /// Reads what lies beside the partitions; the checkpoints of cores may be in another folder.
    pub fn read(path: &Path, checkpoints: Option<&Path>) -> Result<Self, Failure> {
        let mut found = Self {
            path: path.to_owned(),
            is_data_folder: path.join("meta.properties").exists(),
            was_closed: path.join(clean_shutdown::FILE).exists(),
            ..Self::default()
        };
        if !found.is_data_folder {
            return Ok(found);
        }
        found.read_points(checkpoints.unwrap_or(path))?;
        // After an orderly stop nothing in a journal counts any more.
        if !found.was_closed {
            found.read_journals()?;
        }
        Ok(found)
    }

    fn read_points(&mut self, folder: &Path) -> Result<(), Failure> {
        for path in folder::entries(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !name.starts_with("corelog-core-") || !name.ends_with(".checkpoint") {
                continue;
            }
            let bytes = folder::read(&path)?.unwrap_or_default();
            // A start passes over one that cannot be read, too.
            let Ok(checkpoint) = CoreCheckpoint::decode(&bytes) else { continue };
            for (id, point) in checkpoint.points {
                let known = self.points.entry(id).or_insert(point);
                if known.recovery_point < point.recovery_point {
                    *known = point;
                }
            }
        }
        Ok(())
    }

    fn read_journals(&mut self) -> Result<(), Failure> {
        for path in folder::entries(&self.path)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !is_journal_file(&name) {
                continue;
            }
            let bytes = Bytes::from(folder::read(&path)?.unwrap_or_default());
            let journal::Content { entries, damaged_at } = journal::content(&bytes);
            self.journals.push(JournalFile { path, damaged_at, entries });
        }
        self.journals.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(())
    }

    /// What the journals have of a partition.
    pub fn kept(&self, id: PartitionId) -> Vec<Kept> {
        let entries = self.journals.iter().flat_map(|journal| &journal.entries);
        entries.filter(|(of, _)| *of == id).map(|(_, kept)| kept.clone()).collect()
    }

    pub fn damaged_journals(&self) -> impl Iterator<Item = (&JournalFile, usize)> {
        self.journals.iter().filter_map(|journal| Some((journal, journal.damaged_at?)))
    }

    /// The data folder of a partition's folder.
    pub fn of(partition: &Path) -> Result<PathBuf, Failure> {
        let whole = fs::canonicalize(partition)
            .map_err(|error| Failure::failed(format!("{}: {error}", partition.display())))?;
        Ok(whole.parent().unwrap_or(&whole).to_owned())
    }
}
