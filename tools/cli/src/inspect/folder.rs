//! Which files belong together: the segments of a partition, and the partitions of a data folder.

use std::fs;
use std::path::{Path, PathBuf};

use engine::io::{FolderLock, LockError};
use engine::journal::is_journal_file;
use engine::types::Offset;

use crate::exit::Failure;

/// One segment with the files beside it, by its base offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFiles {
    pub base: Offset,
    pub log: PathBuf,
}

impl SegmentFiles {
    /// The file beside the segment with this ending, whether it is there or not.
    pub fn beside(&self, ending: &str) -> PathBuf {
        self.log.with_extension(ending)
    }
}

/// The base offset in a file's name, twenty digits.
pub fn base_offset(path: &Path) -> Option<Offset> {
    let digits = path.file_stem()?.to_str()?;
    let is_plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { Offset::new(digits.parse().ok()?) } else { None }
}

/// The segments of one partition, in the order of their offsets.
pub fn segments(folder: &Path) -> Result<Vec<SegmentFiles>, Failure> {
    let mut segments = Vec::new();
    for path in entries(folder)? {
        if path.extension().is_some_and(|ending| ending == "log")
            && let Some(base) = base_offset(&path)
        {
            segments.push(SegmentFiles { base, log: path });
        }
    }
    segments.sort_by_key(|segment| segment.base);
    Ok(segments)
}

/// The files of a partition that are named by an offset and have this ending.
pub fn with_ending(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = entries(folder)?;
    paths.retain(|path| {
        path.extension().is_some_and(|found| found == ending) && base_offset(path).is_some()
    });
    paths.sort_unstable();
    Ok(paths)
}

/// Keeps brokers off the data folders of partitions that are about to be changed, for as long as the
/// locks live. A copy that lies elsewhere needs none.
pub fn lock(partitions: &[PathBuf]) -> Result<Vec<FolderLock>, Failure> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for partition in partitions {
        let partition = fs::canonicalize(partition)
            .map_err(|error| Failure::failed(format!("{}: {error}", partition.display())))?;
        folders.extend(partition.parent().map(Path::to_owned));
    }
    folders.sort_unstable();
    folders.dedup();
    folders.retain(|folder| folder.join("meta.properties").exists());
    let take = |folder: &PathBuf| {
        FolderLock::take(folder).map_err(|error| match error {
            LockError::Taken { folder } => Failure::failed(format!(
                "a broker uses the data folder {}: stop it first, or work on a copy",
                folder.display()
            )),
            other @ LockError::Io { .. } => Failure::failed(other),
        })
    };
    folders.iter().map(take).collect()
}

/// The data folders of these partitions that have journals. What is in them only is in no segment.
pub fn with_journals(partitions: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for partition in partitions {
        let Ok(partition) = fs::canonicalize(partition) else { continue };
        folders.extend(partition.parent().map(Path::to_owned));
    }
    folders.sort_unstable();
    folders.dedup();
    let mut found = Vec::new();
    for folder in folders {
        let is_journal = |path: &PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(is_journal_file)
        };
        if entries(&folder)?.iter().any(is_journal) {
            found.push(folder);
        }
    }
    Ok(found)
}

/// The folder itself if it holds segments, else the partitions in it.
pub fn partitions(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !segments(folder)?.is_empty() {
        return Ok(vec![folder.to_owned()]);
    }
    let mut partitions = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() && !segments(&path)?.is_empty() {
            partitions.push(path);
        }
    }
    partitions.sort_unstable();
    if partitions.is_empty() {
        return Err(Failure::failed(format!(
            "there is no segment (00000000000000000000.log …) in {} nor in the folders in it",
            folder.display()
        )));
    }
    Ok(partitions)
}

pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::failed(format!("cannot read {}: {error}", folder.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    Ok(paths)
}

/// A small file's bytes; `None` if it is not there.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::failed(format!("cannot read {}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_with_a_journal_is_told_from_one_without() {
        let folder = std::env::temp_dir().join(format!("corelog-journals-{}", std::process::id()));
        let partitions = ["with/t-0", "with/t-1", "without/t-0"].map(|name| folder.join(name));
        for partition in &partitions {
            fs::create_dir_all(partition).unwrap();
        }
        fs::write(folder.join("with").join("corelog-journal-000-0badcafe-1"), "").unwrap();
        let found = with_journals(&partitions).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with("with"));
    }

    #[test]
    fn a_segments_name_is_its_base_offset() {
        let base = |name: &str| base_offset(Path::new(name)).map(Offset::get);
        assert_eq!(base("/data/t-0/00000000000000004711.log"), Some(4711));
        assert_eq!(base("4711.log"), None);
        assert_eq!(base("0000000000000000x711.log"), None);
    }
}
