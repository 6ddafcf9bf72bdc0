//! Takes files out of the kernel's page cache, so that reading them is reading the disk.

use std::{fs, fs::File, io, path::Path};

use rustix::fs::{Advice, fadvise};

/// Drops what is cached of all files below a folder whose own folder's name `is_meant`. Without root
/// this is asked file by file; what is dirty is written first, or it would stay. A broker may delete
/// and rename meanwhile: what is gone is not cached.
pub fn drop_files(folder: &Path, is_meant: &dyn Fn(&str) -> bool) -> io::Result<()> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_meant_here = name.is_some_and(|name| is_meant(&name));
    let Some(entries) = unless_gone(fs::read_dir(folder))? else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let Some(kind) = unless_gone(entry.file_type())? else { continue };
        if kind.is_dir() {
            drop_files(&entry.path(), is_meant)?;
        } else if kind.is_file()
            && is_meant_here
            && let Some(file) = unless_gone(File::open(entry.path()))?
        {
            file.sync_data()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
