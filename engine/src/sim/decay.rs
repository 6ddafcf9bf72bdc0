//! What if a bit had rotted while the machine was off? A copy of the machine is started with one bit
//! flipped in one file, twice; then the life goes on without it. The damage may cost what lies where
//! it is, and nothing else: no reader is given it, and no other partition knows of it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use crate::broker::OffsetSpec;
use crate::io::sim::{Random, Sim};
use crate::log::format::log_start;
use crate::log::may_follow;
use crate::record::BatchHeader;
use crate::sim::client::Client;
use crate::sim::failing::Failing;
use crate::sim::life::Life;
use crate::sim::node::{self, Node, Shards};
use crate::sim::trouble::FOLDERS;
use crate::types::{Offset, PartitionId};

/// Time for retention, compaction and checkpoints to come by.
const SPAN: Duration = Duration::from_millis(400);

/// One flipped bit, and what it may cost.
#[derive(Clone, Debug)]
struct Rotten {
    path: PathBuf,
    at: usize,
    mask: u8,
    /// Whose records may be refused, or end earlier.
    failing: Failing,
    /// The node may refuse to start, and say why.
    may_refuse: bool,
    /// Nothing below this offset may be gone; `None` if nothing at all.
    keeps_below: Option<Offset>,
    /// It is in the end of a transaction, which then stays open for all that anybody knows.
    is_in_marker: bool,
}

/// Kafka gives these no checksum, and nothing else says what they should say.
const UNCHECKED: [&str; 3] = ["timeindex", "txnindex", "log-start-offset-checkpoint"];

/// Files that are alike in what they are for: each kind rots as often as another.
fn kind(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap();
    let is_segment = name.as_bytes()[0].is_ascii_digit();
    let is_number = |letter: char| letter.is_ascii_digit();
    if is_segment {
        name.rsplit('.').next().unwrap()
    } else {
        name.split(is_number).next().unwrap()
    }
}

impl Rotten {
    fn pick(contents: &[(String, Vec<u8>)], was_closed: bool, random: &mut Random) -> Option<Self> {
        let can_tell = |path: &str| {
            let is_unsealed = path.contains("/__cluster_metadata-0/") && !was_closed;
            let kind = kind(path);
            !is_unsealed && !UNCHECKED.contains(&kind) && kind != log_start::FILE
        };
        let files: Vec<_> = contents
            .iter()
            .filter(|(path, content)| !content.is_empty() && can_tell(path))
            .collect();
        let mut kinds: Vec<&str> = files.iter().map(|(path, _)| kind(path)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        // Nobody rots before there is anything.
        let chosen = *random.one_of(kinds.get(..).filter(|kinds| !kinds.is_empty())?);
        let alike: Vec<_> = files.into_iter().filter(|(path, _)| kind(path) == chosen).collect();
        let (path, content) = *random.one_of(&alike);
        // What was allocated and never written rots less interestingly.
        let written =
            content.iter().rposition(|byte| *byte != 0).map_or(content.len(), |at| at + 1);
        let at = usize::try_from(random.below(written as u64)).unwrap();
        let mask = 1 << random.below(8);
        if chosen == "log"
            && fits_anyway(content, at, mask, base_of(path), next_base(contents, path))
        {
            return None;
        }
        let path = PathBuf::from(path);
        let folder = path.parent().unwrap();
        let is_in_partition = FOLDERS.iter().all(|top| folder != Path::new(top));
        let is_metadata = folder.ends_with("__cluster_metadata-0");
        let is_journal = chosen.starts_with("corelog-journal-");
        let is_checkpoint = chosen.starts_with("corelog-core-");
        let failing = if is_in_partition && !is_metadata || is_journal {
            Failing::Below(folder.to_owned())
        } else {
            Failing::Nothing
        };
        // Another topic's folder is set aside whole, and this file alone says whose it is.
        let is_identity = chosen == "partition.metadata";
        let is_records = chosen == "log" && !was_closed;
        let costs_all = is_journal || is_identity;
        let keeps_below = if costs_all {
            Some(Offset::ZERO)
        } else {
            batch_at(content, at).map(|it| it.base_offset())
        };
        Some(Self {
            is_in_marker: chosen == "log"
                && batch_at(content, at).is_some_and(|it| it.is_control()),
            mask,
            at,
            failing,
            may_refuse: !is_in_partition && !is_checkpoint || is_metadata,
            keeps_below: keeps_below.filter(|_| is_records || costs_all),
            path,
        })
    }

    fn may_cost(&self, folder: &Path) -> bool {
        self.failing.may_fail_at(folder)
    }
}

/// The batches of a segment, with their positions.
fn batches(segment: &[u8]) -> impl Iterator<Item = (usize, BatchHeader)> {
    let mut position = 0;
    std::iter::from_fn(move || {
        let header = BatchHeader::decode(segment.get(position..)?).ok()?;
        let start = position;
        position += header.batch_bytes();
        Some((start, header))
    })
}

/// The batch that has the byte.
fn batch_at(segment: &[u8], at: usize) -> Option<BatchHeader> {
    let has = |(position, header): &(usize, BatchHeader)| at < position + header.batch_bytes();
    batches(segment).find(has).map(|(_, header)| header)
}

/// A batch's offset has no checksum, and what tells of a rotten one is that it does not fit between
/// its neighbours. This says whether it does.
fn fits_anyway(segment: &[u8], at: usize, mask: u8, base: Offset, limit: Offset) -> bool {
    let mut rotten = segment.to_vec();
    rotten[at] ^= mask;
    let mut expected = base;
    let mut batches = batches(segment).peekable();
    while let Some((position, header)) = batches.next() {
        if (position..position + 8).contains(&at) {
            let Ok(header) = BatchHeader::decode(&rotten[position..]) else { return false };
            let next = batches.peek().map_or(limit, |(_, next)| next.base_offset());
            return may_follow(header.base_offset(), expected) && header.next_offset() <= next;
        }
        expected = header.next_offset();
    }
    false
}

fn base_of(path: &str) -> Offset {
    let name = path.rsplit('/').next().unwrap();
    Offset::new(name.split('.').next().unwrap().parse().unwrap()).unwrap()
}

/// The base offset of the segment that follows.
fn next_base(contents: &[(String, Vec<u8>)], path: &str) -> Offset {
    let folder = path.rsplit_once('/').unwrap().0;
    let is_beside = |other: &str| {
        other.ends_with(".log") && other.rsplit_once('/').is_some_and(|(it, _)| it == folder)
    };
    let others = contents.iter().map(|(path, _)| path).filter(|path| is_beside(path));
    let base = base_of(path);
    others.map(|path| base_of(path)).filter(|&next| base < next).min().unwrap_or(Offset::MAX)
}

impl Life {
    pub(super) fn what_if_a_bit_rots(&mut self, was_closed: bool) {
        let mut random = Random::new(self.random.next());
        let contents = self.sim.contents();
        let Some(rotten) = Rotten::pick(&contents, was_closed, &mut random) else { return };
        let fork = self.sim.fork(random.next());
        // It may have ended while its disk was full: then nothing tells what the bit costs.
        fork.set_capacity(None);
        let goes_on = std::mem::replace(&mut self.sim, fork);
        let model = Rc::new(RefCell::new(self.model.borrow().clone()));
        self.sim.note(format!("what if {rotten:?}"));
        self.sim.corrupt(&rotten.path, |content| content[rotten.at] ^= rotten.mask);
        for _ in 0..2 {
            let (sim, config) = (self.sim.clone(), self.config.clone());
            let (rotten, model) = (rotten.clone(), Rc::clone(&model));
            let cores = 1 + u16::try_from(random.below(2)).unwrap();
            let shards = Shards::default();
            let told = self.sim.run(async move {
                let node = match node::start(&sim, &config, cores, &shards).await {
                    Ok(node) => node,
                    Err(error) => {
                        sim.note(format!("does not start: {error}"));
                        assert!(
                            rotten.may_refuse,
                            "{} keeps the node from its start: {error}",
                            rotten.path.display()
                        );
                        return false;
                    }
                };
                let client = Client {
                    name: "check".to_owned(),
                    broker: node.brokers[0].clone(),
                    sim: sim.clone(),
                    random: Random::new(1),
                    model,
                    shards: shards.clone(),
                    failing: rotten.failing.clone(),
                    rest_max: SPAN,
                };
                client.check_beside(&rotten).await;
                sim.sleep(SPAN).await;
                client.check_beside(&rotten).await;
                stop(node, &sim).await;
                true
            });
            let name =
                if told == Some(true) { "rotten bits" } else { "rotten bits that stop the start" };
            self.record.counts.add(name, 1);
            let next = self.sim.restart();
            self.record.trace.extend(self.sim.take_trace());
            self.sim = next;
        }
        self.record.disks.push(self.sim.contents());
        self.sim = goes_on;
    }
}

async fn stop(node: Node, sim: &Sim) {
    node.stop();
    let ending = node.end().await;
    sim.note(format!("stopped: {ending:?}"));
}

impl Client {
    async fn check_beside(&self, rotten: &Rotten) {
        self.model.borrow_mut().compare(&self.broker.image(), crate::shard::OFFSETS_TOPIC);
        let partitions = self.model.borrow().live_partitions();
        for id in partitions {
            let folder = self.shards.folder_of(id).unwrap();
            if !rotten.may_cost(&folder) {
                let read = self.read_all(id).await;
                read.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            } else if let Err(error) = self.read_what_is_left(id, rotten).await {
                self.excuse(id, &error);
            }
        }
        let commits: Vec<_> = self.model.borrow().commits.keys().cloned().collect();
        let mut client = self.clone();
        for (group, id) in commits {
            if self.model.borrow().is_live(id.topic) && !self.groups_may_fail() {
                client.check_offset(&group, id).await;
            }
        }
    }

    /// What is there is right, and nothing is missing in the middle of it.
    async fn read_what_is_left(
        &self,
        id: PartitionId,
        rotten: &Rotten,
    ) -> Result<(), crate::broker::PartitionError> {
        let end = self.end_of(id, OffsetSpec::Latest).await?;
        let known = self.model.borrow_mut().ledger(id).end();
        let end_min = rotten.keeps_below.map_or(known, |below| below.min(known));
        assert!(end_min <= end, "{id:?} ends at {end}, after {known}: {rotten:?}");
        self.model.borrow_mut().ledger(id).cut_at(end);
        if rotten.is_in_marker {
            self.model.borrow_mut().ledger(id).transactions.doubt();
        }
        self.read_all(id).await
    }
}
