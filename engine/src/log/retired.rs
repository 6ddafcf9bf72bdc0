//! Folders that hold no partition any more. A deletion takes many steps and a crash may come between any
//! two, so the folder loses its name first: a later topic of that name never finds what is left of it.
//! Kafka's names are used, `NAME-PARTITION.UNIQUE-delete` and `…-stray`, which neither broker opens.

use std::path::{Path, PathBuf};

use crate::io::{IoError, Runtime};
use crate::types::TopicId;

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

/// Removes a partition's folder with everything in it.
pub async fn remove_folder(
    runtime: &Runtime,
    folder: &Path,
    topic: TopicId,
) -> Result<(), IoError> {
    let Some((parent, name)) = split(folder) else { return Ok(()) };
    let away = parent.join(retired_name(name, topic.0, DELETED));
    // What an attempt that a crash ended has left.
    runtime.directory(&away).remove_tree().await?;
    match runtime.directory(folder).rename_to(&away).await {
        // Nobody has ever needed the folder.
        Err(error) if error.is_not_found() => return Ok(()),
        other => other?,
    }
    runtime.directory(parent).sync().await?;
    runtime.directory(&away).remove_tree().await?;
    runtime.directory(parent).sync().await
}

/// Gives a folder that belongs to no partition a name that says so, and leaves it to the operator.
pub async fn set_aside(
    runtime: &Runtime,
    folder: &Path,
    unique: [u8; 16],
) -> Result<PathBuf, IoError> {
    let Some((parent, name)) = split(folder) else { return Ok(folder.to_owned()) };
    let away = parent.join(retired_name(name, unique, STRAY));
    runtime.directory(folder).rename_to(&away).await?;
    runtime.directory(parent).sync().await?;
    Ok(away)
}

fn split(folder: &Path) -> Option<(&Path, &str)> {
    folder.parent().zip(folder.file_name().and_then(|name| name.to_str()))
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
}
