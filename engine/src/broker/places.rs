//! Where the partitions lie: which data folder has the folder of each, and which folders are of no
//! partition any more.
//!
//! A data folder may be away while topics are deleted and made anew. When it is back, a name may be
//! there twice, or belong to a topic that is gone, and `partition.metadata` says which one counts.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::broker::boot::BootError;
use crate::cluster::ClusterImage;
use crate::io::{IoError, Runtime};
use crate::journal::Replay;
use crate::log::format::partition_metadata;
use crate::log::{is_deleted, set_aside};
use crate::shard::METADATA_FOLDER;
use crate::types::limits::SMALL_FILE_BYTES_MAX;
use crate::types::{PartitionId, PartitionIndex, TopicId};

/// Name of each partition folder and the place of its data folder.
pub type Places = BTreeMap<String, usize>;

/// What the data folders hold.
pub struct Listed {
    /// The first of each name.
    pub places: Places,
    /// Where else a name is there.
    more: Vec<(String, usize)>,
    /// Folders that have only to be removed.
    pub deleted: Vec<PathBuf>,
}

pub async fn list(runtime: &Runtime, folders: &[PathBuf]) -> Result<Listed, IoError> {
    let mut listed = Listed { places: Places::new(), more: Vec::new(), deleted: Vec::new() };
    for (place, folder) in folders.iter().enumerate() {
        for entry in runtime.directory(folder).list().await?.into_iter().filter(|one| one.is_folder)
        {
            if is_deleted(&entry.name) {
                listed.deleted.push(folder.join(&entry.name));
            }
            if !is_partition_name(&entry.name) {
                continue;
            }
            match listed.places.entry(entry.name) {
                Entry::Occupied(first) => listed.more.push((first.key().clone(), place)),
                Entry::Vacant(vacant) => drop(vacant.insert(place)),
            }
        }
    }
    Ok(listed)
}

impl Listed {
    /// The metadata says everything about all others, so that this one can be there only once.
    pub fn check_metadata(&self, folders: &[PathBuf]) -> Result<(), BootError> {
        let mut second = self.more.iter().filter(|(name, _)| name == METADATA_FOLDER);
        match (self.places.get(METADATA_FOLDER), second.next()) {
            (Some(first), Some((name, second))) => Err(twice(folders, name, *first, *second)),
            _ => Ok(()),
        }
    }

    /// One place for each partition of the metadata that has a folder or something in a journal; all
    /// other folders are set aside, for an operator who still wants them.
    pub async fn settle(
        self,
        runtime: &Runtime,
        folders: &[PathBuf],
        journals: &Replay,
        image: &ClusterImage,
    ) -> Result<Places, BootError> {
        let Self { mut places, more, .. } = self;
        let mut contested: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        let in_journals = journals.places.iter();
        let in_journals =
            in_journals.filter_map(|(id, place)| Some((name_of(*id, image)?, *place)));
        for (name, place) in more.into_iter().chain(in_journals) {
            match places.get(&name) {
                // A partition of which a power cut has left nothing but what a journal has of it, lives
                // beside that journal: elsewhere it would be there twice as soon as that place is away.
                None => drop(places.insert(name, place)),
                Some(&first) if first == place => {}
                Some(&first) => contested.entry(name).or_default().extend([first, place]),
            }
        }
        let mut strays = Vec::new();
        for (name, among) in contested {
            let among = having(runtime, folders, &name, among).await?;
            let id = partition_of(&name, image);
            let topic = id.map(|id| id.topic);
            let is_ours = |owner: &Option<TopicId>| owner.is_some() && *owner == topic;
            let mut ours = among.iter().filter(|(_, owner)| is_ours(owner));
            let own = match (ours.next(), ours.next()) {
                (Some((first, _)), Some((second, _))) => {
                    return Err(twice(folders, &name, *first, *second));
                }
                (Some((own, _)), None) => Some(*own),
                (None, _) => id.and_then(|id| journals.places.get(&id).copied()),
            };
            match own {
                Some(own) => places.insert(name.clone(), own),
                None => places.remove(&name),
            };
            let others = among.into_iter().filter(|(place, _)| Some(*place) != own);
            strays.extend(others.map(|(place, _)| (name.clone(), place)));
        }
        let is_stray = |name: &str| name != METADATA_FOLDER && partition_of(name, image).is_none();
        let unknown: Vec<_> = places.extract_if(.., |name, _| is_stray(name)).collect();
        strays.extend(unknown);
        set_strays_aside(runtime, folders, strays).await?;
        Ok(places)
    }
}

/// The places that do have the folder, with the topic that it belongs to, where it says so.
async fn having(
    runtime: &Runtime,
    folders: &[PathBuf],
    name: &str,
    places: BTreeSet<usize>,
) -> Result<Vec<(usize, Option<TopicId>)>, IoError> {
    let mut having = Vec::new();
    for place in places {
        let Some(folder) = folders.get(place) else { continue };
        let directory = runtime.directory(&folder.join(name));
        match directory.list().await {
            Err(error) if error.is_not_found() => continue,
            listed => listed?,
        };
        let file = directory.read_file(partition_metadata::FILE, SMALL_FILE_BYTES_MAX).await?;
        let owner = file.and_then(|bytes| partition_metadata::decode(&bytes).ok());
        having.push((place, owner));
    }
    Ok(having)
}

fn twice(folders: &[PathBuf], name: &str, first: usize, second: usize) -> BootError {
    let folder = |place: usize| folders.get(place).cloned().unwrap_or_default();
    BootError::Twice { name: name.to_owned(), first: folder(first), second: folder(second) }
}

/// A crash in the middle of deleting a large topic leaves very many; these get a line each.
const STRAYS_NAMED_MAX: usize = 20;

/// Folders of partitions that the metadata does not know: their deletion was decided and did not reach
/// the disk. A later topic of that name must not find them.
/// A folder whose topic was deleted and created again is noticed when it is opened.
async fn set_strays_aside(
    runtime: &Runtime,
    folders: &[PathBuf],
    strays: Vec<(String, usize)>,
) -> Result<(), IoError> {
    let mut by_folder: BTreeMap<&Path, Vec<String>> = BTreeMap::new();
    for (name, place) in strays {
        if let Some(folder) = folders.get(place) {
            by_folder.entry(folder).or_default().push(name);
        }
    }
    for (folder, names) in by_folder {
        let moved = set_aside(runtime, folder, &names).await?;
        for (name, moved_to) in names.iter().zip(&moved).take(STRAYS_NAMED_MAX) {
            tracing::warn!(
                partition = name, moved_to = %moved_to.display(),
                "no topic has this partition; remove its folder if nobody misses it"
            );
        }
        if STRAYS_NAMED_MAX < moved.len() {
            let folder = folder.display();
            tracing::warn!(%folder, folders = moved.len(), "no topic has these partitions either");
        }
    }
    Ok(())
}

/// `topic-7`; folders on their way out have a further suffix.
fn is_partition_name(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(topic, index)| {
        !topic.is_empty() && !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Topic and index of a partition folder's name.
pub fn split(name: &str) -> Option<(&str, PartitionIndex)> {
    let (topic, index) = name.rsplit_once('-')?;
    Some((topic, PartitionIndex::from_wire(index.parse().ok()?)?))
}

pub fn partition_of(name: &str, image: &ClusterImage) -> Option<PartitionId> {
    let (topic, index) = split(name)?;
    let topic = image.topic_named(topic)?;
    topic.partition(index).map(|_| PartitionId { topic: topic.id, index })
}

fn name_of(id: PartitionId, image: &ClusterImage) -> Option<String> {
    let topic = image.topic(id.topic)?;
    topic.partition(id.index).map(|_| format!("{}-{}", topic.name, id.index))
}

#[cfg(test)]
mod tests {
    use codec::Uuid;

    use super::*;
    use crate::io::sim::Sim;
    use crate::records::metadata::{PartitionRecord, TopicRecord};

    const FOLDERS: [&str; 2] = ["/a", "/b"];
    const TOPIC: TopicId = TopicId([1; 16]);
    const OTHER: TopicId = TopicId([2; 16]);

    fn image() -> ClusterImage {
        let mut image = ClusterImage::new("test");
        let topic_id = Uuid(TOPIC.0);
        let topic = TopicRecord { name: "t".into(), topic_id, ..TopicRecord::default() };
        image.apply(&topic.into()).unwrap();
        let epochs = PartitionRecord {
            partition_id: 0,
            partition_epoch: 0,
            leader_epoch: 0,
            ..PartitionRecord::default()
        };
        image.apply(&PartitionRecord { topic_id, ..epochs }.into()).unwrap();
        image
    }

    /// Where `t-0` is after a start that finds its folder in these data folders, of these topics, and
    /// something of it in the journal of `journal`; and how many folders were set aside.
    fn settle(
        found: &[(usize, Option<TopicId>)],
        journal: Option<usize>,
    ) -> Result<(Option<usize>, usize), String> {
        let sim = Sim::with_folders(1, &FOLDERS.map(Path::new));
        let (runtime, found) = (sim.runtime(), found.to_vec());
        sim.run(async move {
            let folders = FOLDERS.map(PathBuf::from);
            for (place, owner) in found {
                let directory = runtime.directory(&folders[place].join("t-0"));
                directory.create().await.unwrap();
                if let Some(owner) = owner {
                    let content = partition_metadata::encode(owner);
                    directory.write_file(partition_metadata::FILE, content).await.unwrap();
                }
            }
            let mut journals = Replay::default();
            let id = PartitionId { topic: TOPIC, index: PartitionIndex::new(0).unwrap() };
            journals.places.extend(journal.map(|place| (id, place)));
            let listed = list(&runtime, &folders).await.unwrap();
            let settled = listed.settle(&runtime, &folders, &journals, &image()).await;
            let places = settled.map_err(|error| error.to_string())?;
            let mut aside = 0;
            for folder in &folders {
                let entries = runtime.directory(folder).list().await.unwrap();
                aside += entries.iter().filter(|entry| entry.name.ends_with("-stray")).count();
            }
            Ok((places.get("t-0").copied(), aside))
        })
        .unwrap()
    }

    #[test]
    fn partition_folders_are_told_from_others() {
        for name in ["t-0", "a-b-12", "__consumer_offsets-49"] {
            assert!(is_partition_name(name), "{name}");
        }
        for name in ["t", "-1", "t-", "t-0.1f-delete", "t-0.1f-stray", "t-1x"] {
            assert!(!is_partition_name(name), "{name}");
        }
    }

    #[test]
    fn of_two_folders_of_a_name_the_one_of_an_earlier_topic_is_set_aside() {
        assert_eq!(settle(&[(1, Some(TOPIC))], None), Ok((Some(1), 0)));
        assert_eq!(settle(&[(0, Some(TOPIC)), (1, Some(OTHER))], None), Ok((Some(0), 1)));
        assert_eq!(settle(&[(0, Some(OTHER)), (1, Some(TOPIC))], None), Ok((Some(1), 1)));
        assert_eq!(settle(&[(0, None), (1, Some(TOPIC))], None), Ok((Some(1), 1)));
        assert_eq!(settle(&[(0, Some(OTHER)), (1, Some(OTHER))], None), Ok((None, 2)));
    }

    #[test]
    fn two_folders_of_one_topic_are_for_an_operator_to_tell_apart() {
        let refused = settle(&[(0, Some(TOPIC)), (1, Some(TOPIC))], None).unwrap_err();
        assert!(refused.contains("t-0 lies in /a and in /b; move one of them away"), "{refused}");
    }

    #[test]
    fn what_only_a_journal_has_of_a_partition_gets_its_folder_beside_that_journal() {
        assert_eq!(settle(&[], Some(1)), Ok((Some(1), 0)));
        assert_eq!(settle(&[(0, Some(OTHER))], Some(1)), Ok((Some(1), 1)));
        assert_eq!(settle(&[(1, Some(OTHER))], Some(0)), Ok((Some(0), 1)));
        let moved = settle(&[(0, Some(TOPIC))], Some(1));
        assert_eq!(moved, Ok((Some(0), 0)), "somebody has moved the folder");
    }
}
