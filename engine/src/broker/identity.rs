//! Whose the data folders are: what their `meta.properties` say, and whether all are there that the
//! node had before. A disk that is not mounted leaves an empty folder behind, and partitions that were
//! begun anew in it would give their offsets out a second time.

use std::path::{Path, PathBuf};

use codec::Uuid;

use crate::broker::boot::BootError;
use crate::io::Runtime;
use crate::log::format::meta_properties::{self, MetaProperties};
use crate::types::BrokerId;
use crate::types::limits::META_PROPERTIES_BYTES_MAX;

pub struct Identities {
    pub cluster_id: String,
    /// No folder belonged to a node before.
    pub are_new: bool,
    /// Of each folder.
    directories: Vec<Uuid>,
    /// Folders whose `meta.properties` is to be written, with the folder's id.
    unwritten: Vec<(PathBuf, Uuid)>,
    /// Folders that have none at all.
    fresh: Vec<PathBuf>,
}

/// Reads each folder's `meta.properties`; a folder without one gets an id.
pub async fn read(
    runtime: &Runtime,
    folders: &[PathBuf],
    node: BrokerId,
) -> Result<Identities, BootError> {
    let mut cluster: Option<String> = None;
    let (mut directories, mut unwritten, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
    for folder in folders {
        let properties = read_one(runtime, folder).await?;
        let directory_id = properties.as_ref().and_then(|properties| properties.directory_id);
        let directory = directory_id.unwrap_or_else(|| runtime.random_uuid());
        directories.push(directory);
        if directory_id.is_none() {
            unwritten.push((folder.clone(), directory));
        }
        let Some(properties) = properties else {
            fresh.push(folder.clone());
            continue;
        };
        if properties.node_id != node {
            let (folder, found) = (folder.clone(), properties.node_id);
            return Err(BootError::OtherNode { folder, found, node });
        }
        match &cluster {
            Some(expected) if *expected != properties.cluster_id => {
                return Err(BootError::OtherCluster {
                    folder: folder.clone(),
                    found: properties.cluster_id.clone(),
                    expected: expected.clone(),
                });
            }
            Some(_) => {}
            None => cluster = Some(properties.cluster_id.clone()),
        }
    }
    let are_new = cluster.is_none();
    let cluster_id = cluster.unwrap_or_else(|| runtime.random_uuid().to_string());
    Ok(Identities { cluster_id, are_new, directories, unwritten, fresh })
}

impl Identities {
    /// The ids that the node registers with. `before`: those that it had at its last start; while
    /// folders are out of service theirs are among them, and stay.
    pub fn register(&self, before: &[Uuid], offline_count: usize) -> Result<Vec<Uuid>, BootError> {
        let is_missing = |id: &&Uuid| **id != Uuid::ZERO && !self.directories.contains(id);
        let missing: Vec<Uuid> = before.iter().filter(is_missing).copied().collect();
        if let (Some(folder), Some(missing)) = (self.fresh.first(), missing.get(offline_count)) {
            return Err(BootError::Replaced { folder: folder.clone(), missing: *missing });
        }
        let mut directories = self.directories.clone();
        if 0 < offline_count {
            directories.extend(missing);
        } else {
            for id in missing {
                tracing::warn!(
                    %id, "a data folder that this node had before is not in log.dirs any more: what \
                    was in it begins anew"
                );
            }
        }
        Ok(directories)
    }

    pub async fn write(&self, runtime: &Runtime, node: BrokerId) -> Result<(), BootError> {
        for (folder, directory) in &self.unwritten {
            let properties = MetaProperties {
                cluster_id: self.cluster_id.clone(),
                node_id: node,
                directory_id: Some(*directory),
            };
            let folder = runtime.directory(folder);
            folder.write_file_atomically(meta_properties::FILE, properties.encode()).await?;
        }
        Ok(())
    }
}

async fn read_one(runtime: &Runtime, folder: &Path) -> Result<Option<MetaProperties>, BootError> {
    let directory = runtime.directory(folder);
    let bytes = directory.read_file(meta_properties::FILE, META_PROPERTIES_BYTES_MAX).await?;
    let decoded = bytes.map(|bytes| MetaProperties::decode(&bytes)).transpose();
    decoded.map_err(|source| BootError::MetaProperties { folder: folder.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> Uuid {
        Uuid([number; 16])
    }

    fn identities(directories: &[Uuid], fresh: &[&str]) -> Identities {
        Identities {
            cluster_id: "c".to_owned(),
            are_new: false,
            directories: directories.to_vec(),
            unwritten: Vec::new(),
            fresh: fresh.iter().map(PathBuf::from).collect(),
        }
    }

    #[test]
    fn an_empty_folder_in_the_place_of_one_that_was_there_before_is_refused() {
        let replaced = identities(&[id(1), id(9)], &["/b"]);
        let refused = replaced.register(&[id(1), id(2)], 0).unwrap_err();
        assert!(refused.to_string().contains("is its disk mounted?"), "{refused}");
        assert_eq!(replaced.register(&[id(1)], 0).unwrap(), [id(1), id(9)], "one more is welcome");
        assert!(replaced.register(&[id(1), id(2), id(3)], 1).is_err());
    }

    #[test]
    fn the_id_of_a_folder_that_is_out_of_service_stays_registered() {
        let rest = identities(&[id(1)], &[]);
        assert_eq!(rest.register(&[id(1), id(2)], 1).unwrap(), [id(1), id(2)]);
        assert_eq!(
            rest.register(&[id(1), id(2)], 0).unwrap(),
            [id(1)],
            "it was taken out of log.dirs"
        );
        let other = identities(&[id(1), id(9)], &["/c"]);
        assert_eq!(other.register(&[id(1), id(2)], 1).unwrap(), [id(1), id(9), id(2)]);
    }
}
