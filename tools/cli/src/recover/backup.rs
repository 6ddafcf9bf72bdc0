//! Keeps what a repair takes away, in a folder of its own, before anything is changed.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

#[derive(Debug)]
pub struct Backup {
    root: PathBuf,
}

impl Backup {
    /// A folder that is not there yet: the given one, or one beside `folder`.
    pub fn create(given: Option<&Path>, folder: &Path) -> Result<Self, Failure> {
        let root = match given {
            Some(given) => given.to_owned(),
            None => free_name(folder),
        };
        fs::create_dir_all(root.parent().unwrap_or(&root))
            .map_err(|error| failed(&root, &error))?;
        fs::create_dir(&root).map_err(|error| failed(&root, &error))?;
        Ok(Self { root })
    }

    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Keeps a file of a partition. As a second name where that can be done, for it takes no space:
    /// a repair puts new files in the place of old ones, and does not change them.
    pub fn keep(&self, file: &Path) -> Result<(), Failure> {
        let partition = file.parent().and_then(Path::file_name).unwrap_or_default();
        let folder = self.root.join(partition);
        let copy = folder.join(file.file_name().unwrap_or_default());
        let keep = || {
            fs::create_dir_all(&folder)?;
            match fs::hard_link(file, &copy) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(_) => {
                    fs::copy(file, &copy)?;
                    File::open(&copy)?.sync_all()?;
                }
                Ok(()) => {}
            }
            File::open(&folder)?.sync_all()?;
            File::open(&self.root)?.sync_all()?;
            sync_parent(&self.root)
        };
        keep().map_err(|error| failed(&copy, &error))
    }

    /// Keeps a file, and removes it.
    pub fn take_away(&self, file: &Path) -> Result<(), Failure> {
        self.keep(file)?;
        let remove = || {
            fs::remove_file(file)?;
            sync_parent(file)
        };
        remove().map_err(|error| failed(file, &error))
    }
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn free_name(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = |number: u32| folder.with_file_name(format!("{name}-before-recover.{number}"));
    (1..u32::MAX).map(beside).find(|path| !path.exists()).unwrap_or_else(|| beside(0))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!(
        "cannot keep what the repair would take away in {}: {error}. This partition was not changed; \
         --backup names another folder, which must not be there yet",
        path.display()
    ))
}
