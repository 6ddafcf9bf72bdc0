//! Takes files out of the kernel's page cache, so that reading them is reading the disk.

use std::{fs, fs::File, io, path::Path};

use rustix::fs::{Advice, fadvise};

/// Drops what is cached of all files below a folder whose own folder's name `is_meant`. Without root
/// this is asked file by file; what is dirty is written first, or it would stay.
pub fn drop_files(folder: &Path, is_meant: &dyn Fn(&str) -> bool) -> io::Result<()> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_meant_here = name.is_some_and(|name| is_meant(&name));
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            drop_files(&entry.path(), is_meant)?;
        } else if kind.is_file() && is_meant_here {
            // A broker may delete a file meanwhile.
            match File::open(entry.path()) {
                Ok(file) => {
                    file.sync_data()?;
                    fadvise(&file, 0, None, Advice::DontNeed)?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
