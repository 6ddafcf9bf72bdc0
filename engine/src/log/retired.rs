//! Folders that hold no partition any more. A deletion takes many steps and a crash may come between any
//! two, so the folder loses its name first: a later topic of that name never finds what is left of it.
//! Kafka's names are used, `NAME-PARTITION.UNIQUE-delete` and `…-stray`, which neither broker opens.

use std::path::{Path, PathBuf};

use crate::io::{IoError, Runtime};
use crate::types::TopicId;
use crate::types::limits::{REMOVE_BATCH_FOLDERS, RETIRE_BATCH_FOLDERS};

const DELETED: &str = "-delete";
const STRAY: &str = "-stray";

/// The longest name that file systems take.
const NAME_BYTES_MAX: usize = 255;

/// Whether a folder of this name is what a crash left of a deletion.
pub fn is_deleted(name: &str) -> bool {
    let unique = name.strip_suffix(DELETED).and_then(|rest| rest.rsplit_once('.'));
    unique.is_some_and(|(partition, unique)| {
        !partition.is_empty()
            && unique.len() == 32
            && unique.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// `NAME-PARTITION.UNIQUE` and the suffix; a long topic name loses its end.
fn retired_name(name: &str, unique: [u8; 16], suffix: &str) -> String {
    let unique: String = unique.iter().map(|byte| format!("{byte:02x}")).collect();
    let (topic, partition) = name.rsplit_once('-').unwrap_or((name, "0"));
    let rest = format!("-{partition}.{unique}{suffix}");
    let room = NAME_BYTES_MAX.saturating_sub(rest.len()).min(topic.len());
    // Topic names are ASCII; what is not is no partition folder.
    format!("{}{rest}", topic.get(..room).unwrap_or_default())
}

/// Takes the names from the folders of many partitions, all of them in `data_folder`. One result for
/// each: once it is `Ok`, no start finds the folder any more. What is left is for [`remove_retired`].
pub async fn retire_folders(
    runtime: &Runtime,
    data_folder: &Path,
    folders: &[(PathBuf, TopicId)],
) -> Vec<Result<PathBuf, IoError>> {
    let away = |(folder, topic): &(PathBuf, TopicId)| {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        data_folder.join(retired_name(name, topic.0, DELETED))
    };
    let away: Vec<PathBuf> = folders.iter().map(away).collect();
    // What an attempt that failed has left; if it stays, the new name is refused.
    runtime.remove_folders(away.clone()).await;
    let from = folders.iter().map(|(folder, _)| folder.clone());
    let renames = from.zip(away.iter().cloned()).collect();
    let renamed = runtime.rename_folders(data_folder, renames).await;
    let result = |(away, renamed): (PathBuf, Result<(), IoError>)| match renamed {
        // Nobody has ever needed the folder.
        Err(error) if error.is_not_found() => Ok(away),
        other => other.map(|()| away),
    };
    away.into_iter().zip(renamed).map(result).collect()
}

/// Removes folders that have lost their names, with everything in them. A power cut may bring some of
/// them back, under a name that the next start removes.
pub async fn remove_retired(runtime: &Runtime, folders: &[PathBuf]) -> Result<(), IoError> {
    let mut result = Ok(());
    for folders in folders.chunks(REMOVE_BATCH_FOLDERS) {
        let removed = runtime.remove_folders(folders.to_vec()).await;
        result = result.and(removed.into_iter().collect());
        runtime.yield_if_needed().await;
    }
    result
}

/// Removes a partition's folder with everything in it.
#[cfg(test)]
pub async fn remove_folder(
    runtime: &Runtime,
    folder: &Path,
    topic: TopicId,
) -> Result<(), IoError> {
    let parent = folder.parent().unwrap_or(folder);
    let doomed = [(folder.to_owned(), topic)];
    for retired in retire_folders(runtime, parent, &doomed).await {
        remove_retired(runtime, &[retired?]).await?;
    }
    Ok(())
}

/// Gives folders of `data_folder` that belong to no partition names that say so, and leaves them to the
/// operator. Returns the new names.
pub async fn set_aside(
    runtime: &Runtime,
    data_folder: &Path,
    names: &[String],
) -> Result<Vec<PathBuf>, IoError> {
    let rename = |name: &String| {
        let away = retired_name(name, runtime.random_uuid().0, STRAY);
        (data_folder.join(name), data_folder.join(away))
    };
    let renames: Vec<_> = names.iter().map(rename).collect();
    let mut all_away = Vec::with_capacity(renames.len());
    for renames in renames.chunks(RETIRE_BATCH_FOLDERS) {
        let renamed = runtime.rename_folders(data_folder, renames.to_vec()).await;
        renamed.into_iter().collect::<Result<(), IoError>>()?;
        all_away.extend(renames.iter().map(|(_, away)| away.clone()));
    }
    Ok(all_away)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sim::Sim;
    use std::time::Duration;

    const ID: TopicId = TopicId([0xab; 16]);
    const HEX: &str = "abababababababababababababababab";

    #[test]
    fn a_retired_folder_has_kafkas_name_and_is_never_too_long() {
        assert_eq!(retired_name("a-b-7", ID.0, STRAY), format!("a-b-7.{HEX}-stray"));
        let long = format!("{}-12", "t".repeat(249));
        let name = retired_name(&long, ID.0, DELETED);
        assert_eq!(name.len(), NAME_BYTES_MAX);
        assert!(name.ends_with(&format!("t-12.{HEX}-delete")) && is_deleted(&name));
        for other in ["t-0", "t-0.1f-delete", "t-0-delete", &format!("t-0.{HEX}-stray")] {
            assert!(!is_deleted(other), "{other}");
        }
    }

    #[test]
    fn a_crash_during_a_deletion_never_leaves_a_part_under_the_old_name() {
        for seed in 0..40 {
            let sim = Sim::with_folder(seed, Path::new("/d"));
            let runtime = sim.runtime();
            let steps = Duration::from_micros(seed * 50);
            sim.run(async move {
                let parent = runtime.directory(Path::new("/d"));
                let folder = runtime.directory(Path::new("/d/t-0"));
                folder.create().await.unwrap();
                for name in ["a", "b", "c"] {
                    folder.write_file(name, b"x".to_vec()).await.unwrap();
                }
                folder.sync().await.unwrap();
                parent.sync().await.unwrap();
                let task = runtime.clone();
                runtime.spawn(async move {
                    remove_folder(&task, Path::new("/d/t-0"), ID).await.unwrap();
                });
                runtime.sleep(steps).await;
            })
            .unwrap();
            let after = sim.crash();
            let runtime = after.runtime();
            after
                .run(async move {
                    let left = runtime.directory(Path::new("/d")).list().await.unwrap();
                    if left.iter().any(|entry| entry.name == "t-0") {
                        let files = runtime.directory(Path::new("/d/t-0")).list().await.unwrap();
                        assert_eq!(files.len(), 3, "seed {seed}: whole or gone");
                    }
                })
                .unwrap();
        }
    }

    #[test]
    fn many_folders_that_were_retired_together_do_not_come_back_after_a_power_cut() {
        for seed in 0..20 {
            let sim = Sim::with_folder(seed, Path::new("/d"));
            let runtime = sim.runtime();
            sim.run(async move {
                let data = Path::new("/d");
                let name = |index: usize| data.join(format!("t-{index}"));
                for index in 0..10 {
                    let folder = runtime.directory(&name(index));
                    folder.create().await.unwrap();
                    folder.write_file("a", b"x".to_vec()).await.unwrap();
                    folder.sync().await.unwrap();
                }
                runtime.directory(data).sync().await.unwrap();
                // The last one was never needed.
                let doomed: Vec<_> = (0..11).map(|index| (name(index), ID)).collect();
                for retired in retire_folders(&runtime, data, &doomed).await {
                    retired.unwrap();
                }
            })
            .unwrap();
            let syncs =
                sim.trace().iter().filter(|line| line.ends_with("SyncDirectory /d")).count();
            assert_eq!(syncs, 2, "one before, and one for all of them");
            let after = sim.crash();
            let runtime = after.runtime();
            after
                .run(async move {
                    let left = runtime.directory(Path::new("/d")).list().await.unwrap();
                    assert!(left.iter().all(|entry| is_deleted(&entry.name)), "{left:?}");
                })
                .unwrap();
        }
    }
}
