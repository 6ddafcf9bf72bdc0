//! `corelog-core-NNN.checkpoint`: up to which offset each partition of one core is known to be on
//! disk. Without it a start after a crash could not tell a torn write from decay of what was
//! acknowledged long ago.
//!
//! ```text
//!  0  magic    8  "CLCOREPT"
//!  8  version  4  1, little-endian
//! 12  crc      4  CRC-32C of all that follows, little-endian
//! 16  body        a flatbuffer, root CoreCheckpoint of core_checkpoint.fbs
//! ```
//!
//! The page is `docs/formats/core-checkpoint.md`.

use bytes::Buf;
use flatbuffers::{FlatBufferBuilder, InvalidFlatbuffer, VerifierOptions};
use thiserror::Error;

use crate::shard::checkpoint::core_checkpoint_generated as generated;
use crate::types::limits::{CORE_CHECKPOINT_BYTES_MAX, CORE_CHECKPOINT_PARTITIONS_MAX};
use crate::types::{CoreId, Offset, PartitionId, PartitionIndex, TopicId};

const MAGIC: [u8; 8] = *b"CLCOREPT";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = MAGIC.len() + 4 + 4;
const PREFIX: &str = "corelog-core-";
const SUFFIX: &str = ".checkpoint";

/// What one core knew when it wrote the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreCheckpoint {
    /// Counts the starts of the node: one higher than the highest that the start found.
    pub generation: u64,
    pub core: CoreId,
    pub core_count: u16,
    pub points: Vec<(PartitionId, Point)>,
}

/// What is known of one partition. None of the others lies beyond the recovery point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Every record below this offset is on disk.
    pub recovery_point: Offset,
    pub log_start: Offset,
    /// What is below need not be read after a crash.
    pub resume_point: Offset,
    /// What is below has been through a pass of compaction.
    pub clean_end: Offset,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    #[error("the file has {found} bytes, fewer than its header has")]
    Short { found: usize },
    #[error("the file is not a core's checkpoint")]
    Magic,
    #[error("version {found} of the file is not known")]
    Version { found: u32 },
    #[error("the checksum is {found:#010x}, that of the content is {expected:#010x}")]
    Checksum { found: u32, expected: u32 },
    #[error("the content is not what the schema says: {0}")]
    Body(#[from] InvalidFlatbuffer),
    #[error("partition {partition} of topic {topic} has values that cannot be")]
    Partition { topic: TopicId, partition: u32 },
}

/// The name of a core's file.
pub fn file_name(core: CoreId) -> String {
    format!("{PREFIX}{:03}{SUFFIX}", core.0)
}

/// The core whose file has this name.
pub fn core_of(name: &str) -> Option<CoreId> {
    let core = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok().map(CoreId)?;
    (file_name(core) == name).then_some(core)
}

impl CoreCheckpoint {
    /// The file's bytes. Partitions beyond what a reader accepts are left out: they are recovered
    /// without a point.
    pub fn encode(&self) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let points = self.points.iter().take(CORE_CHECKPOINT_PARTITIONS_MAX);
        let mut tables = Vec::with_capacity(points.len());
        for (id, point) in points {
            assert!(point.log_start <= point.recovery_point, "a log starts before its end");
            assert!(point.resume_point <= point.recovery_point, "what is not read is on disk");
            assert!(point.clean_end <= point.recovery_point, "what was compacted is on disk");
            let topic = generated::TopicId::new(&id.topic.0);
            let fields = generated::PartitionPointArgs {
                topic: Some(&topic),
                partition: id.index.get(),
                recovery_point: point.recovery_point.get(),
                log_start: point.log_start.get(),
                resume_point: point.resume_point.get(),
                clean_end: point.clean_end.get(),
            };
            tables.push(generated::PartitionPoint::create(&mut builder, &fields));
        }
        let partitions = Some(builder.create_vector(&tables));
        let fields = generated::CoreCheckpointArgs {
            generation: self.generation,
            core: self.core.0,
            core_count: self.core_count,
            partitions,
        };
        let root = generated::CoreCheckpoint::create(&mut builder, &fields);
        builder.finish(root, None);
        seal(VERSION, builder.finished_data())
    }

    /// Reads a file's bytes, believing none of them.
    pub fn decode(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let found = bytes.len();
        let Some((mut header, body)) = bytes.split_at_checked(HEADER_BYTES) else {
            return Err(CheckpointError::Short { found });
        };
        let mut magic = [0; MAGIC.len()];
        header.copy_to_slice(&mut magic);
        if magic != MAGIC {
            return Err(CheckpointError::Magic);
        }
        let version = header.get_u32_le();
        if version != VERSION {
            return Err(CheckpointError::Version { found: version });
        }
        let (found, expected) = (header.get_u32_le(), crc32c::crc32c(body));
        if found != expected {
            return Err(CheckpointError::Checksum { found, expected });
        }
        let root = flatbuffers::root_with_opts::<generated::CoreCheckpoint<'_>>(&limits(), body)?;
        let points = root.partitions().iter().map(point_of).collect::<Result<_, _>>()?;
        Ok(Self {
            generation: root.generation(),
            core: CoreId(root.core()),
            core_count: root.core_count(),
            points,
        })
    }
}

fn seal(version: u32, body: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER_BYTES + body.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&version.to_le_bytes());
    file.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
    file.extend_from_slice(body);
    file
}

/// What the verifier lets pass: no more than a file of ours can hold.
fn limits() -> VerifierOptions {
    VerifierOptions {
        max_depth: 4,
        // The root is a table too.
        max_tables: CORE_CHECKPOINT_PARTITIONS_MAX + 1,
        max_apparent_size: 2 * CORE_CHECKPOINT_BYTES_MAX,
        ..VerifierOptions::default()
    }
}

fn point_of(table: generated::PartitionPoint<'_>) -> Result<(PartitionId, Point), CheckpointError> {
    let topic = TopicId(table.topic().bytes().into());
    let partition = table.partition();
    let impossible = CheckpointError::Partition { topic, partition };
    let (Some(index), Some(recovery_point), Some(log_start), Some(resume_point), Some(clean_end)) = (
        PartitionIndex::new(partition),
        Offset::new(table.recovery_point()),
        Offset::new(table.log_start()),
        Offset::new(table.resume_point()),
        Offset::new(table.clean_end()),
    ) else {
        return Err(impossible);
    };
    if recovery_point < log_start.max(resume_point).max(clean_end) {
        return Err(impossible);
    }
    let point = Point { recovery_point, log_start, resume_point, clean_end };
    Ok((PartitionId { topic, index }, point))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOLDEN: &[u8] = include_bytes!("../../../tests/golden/corelog-core-003.checkpoint");

    fn id(topic: u8, index: u32) -> PartitionId {
        PartitionId { topic: TopicId([topic; 16]), index: PartitionIndex::new(index).unwrap() }
    }

    fn point(recovery_point: u64, log_start: u64, resume_point: u64) -> Point {
        Point {
            recovery_point: Offset::new(recovery_point).unwrap(),
            log_start: Offset::new(log_start).unwrap(),
            resume_point: Offset::new(resume_point).unwrap(),
            clean_end: Offset::ZERO,
        }
    }

    fn sample() -> CoreCheckpoint {
        CoreCheckpoint {
            generation: 7,
            core: CoreId(3),
            core_count: 4,
            points: vec![
                (id(0x11, 0), point(0, 0, 0)),
                (id(0x11, 4), point(1_000_000, 250, 990_000)),
                (id(0xfe, 65_537), point(u64::MAX >> 1, 1 << 40, 1 << 39)),
            ],
        }
    }

    #[test]
    fn a_released_file_is_read_for_ever() {
        assert_eq!(CoreCheckpoint::decode(GOLDEN), Ok(sample()));
    }

    #[test]
    fn the_bytes_are_those_of_the_released_file() {
        if std::env::var_os("CORELOG_WRITE").is_some() {
            let path =
                concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/corelog-core-003.checkpoint");
            std::fs::write(path, sample().encode()).unwrap();
        }
        assert_eq!(sample().encode(), GOLDEN);
    }

    #[test]
    fn a_file_with_clean_ends_is_read_for_ever_and_written_so() {
        let mut sample = sample();
        for (number, (_, point)) in (0_u64..).zip(&mut sample.points) {
            point.clean_end = Offset::new(number * 240).unwrap();
        }
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/corelog-core-clean-ends.checkpoint");
        if std::env::var_os("CORELOG_WRITE").is_some() {
            std::fs::write(path, sample.encode()).unwrap();
        }
        let golden = std::fs::read(path).unwrap();
        assert_eq!(sample.encode(), golden);
        assert_eq!(CoreCheckpoint::decode(&golden), Ok(sample));
    }

    #[test]
    fn the_header_is_magic_version_and_checksum() {
        let file = sample().encode();
        assert_eq!(&file[..12], b"CLCOREPT\x01\0\0\0");
        assert_eq!(file[12..16], crc32c::crc32c(&file[16..]).to_le_bytes());
    }

    #[test]
    fn a_file_with_any_flipped_bit_is_refused() {
        for place in 0..GOLDEN.len() * 8 {
            let mut flipped = GOLDEN.to_vec();
            flipped[place / 8] ^= 1 << (place % 8);
            assert!(CoreCheckpoint::decode(&flipped).is_err(), "bit {place}");
        }
    }

    #[test]
    fn a_file_that_is_cut_or_grown_is_refused() {
        for len in 0..GOLDEN.len() {
            assert!(CoreCheckpoint::decode(&GOLDEN[..len]).is_err(), "{len} bytes");
        }
        let grown = [GOLDEN, &[0]].concat();
        assert!(matches!(CoreCheckpoint::decode(&grown), Err(CheckpointError::Checksum { .. })));
    }

    #[test]
    fn a_version_of_the_future_is_refused() {
        let file = seal(2, &GOLDEN[HEADER_BYTES..]);
        assert_eq!(CoreCheckpoint::decode(&file), Err(CheckpointError::Version { found: 2 }));
    }

    #[test]
    fn offsets_that_cannot_be_are_refused() {
        let mut builder = FlatBufferBuilder::new();
        let topic = generated::TopicId::new(&[1; 16]);
        for [recovery_point, log_start, resume_point, clean_end] in
            [[u64::MAX, 0, 0, 0], [5, 6, 0, 0], [5, 0, 6, 0], [5, 0, 0, 6]]
        {
            builder.reset();
            let args = generated::PartitionPointArgs {
                topic: Some(&topic),
                partition: 0,
                recovery_point,
                log_start,
                resume_point,
                clean_end,
            };
            let table = generated::PartitionPoint::create(&mut builder, &args);
            let partitions = Some(builder.create_vector(&[table]));
            let args = generated::CoreCheckpointArgs { partitions, ..Default::default() };
            let root = generated::CoreCheckpoint::create(&mut builder, &args);
            builder.finish(root, None);
            let file = seal(VERSION, builder.finished_data());
            let refused = Err(CheckpointError::Partition { topic: TopicId([1; 16]), partition: 0 });
            assert_eq!(CoreCheckpoint::decode(&file), refused);
        }
    }

    #[test]
    fn the_largest_file_is_within_its_bound() {
        let one = CoreCheckpoint { points: vec![(id(1, 1), point(1, 1, 1))], ..sample() };
        let mut many = one.clone();
        let full = Point { clean_end: Offset::new(3).unwrap(), ..point(1 << 40, 1, 2) };
        many.points = (0..1001).map(|index| (id(1, index), full)).collect();
        let each = (many.encode().len() - one.encode().len()) / 1000;
        let largest = one.encode().len() + (each + 1) * CORE_CHECKPOINT_PARTITIONS_MAX;
        assert!(largest <= CORE_CHECKPOINT_BYTES_MAX, "{each} bytes each");
    }

    #[test]
    fn a_name_tells_the_core_and_nothing_else_passes_for_one() {
        for core in [0, 7, 123, 4567] {
            assert_eq!(core_of(&file_name(CoreId(core))), Some(CoreId(core)));
        }
        assert_eq!(file_name(CoreId(7)), "corelog-core-007.checkpoint");
        for name in ["corelog-core-7.checkpoint", "corelog-core-007.checkpoint.tmp", "core-007"] {
            assert_eq!(core_of(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            generation: u64,
            core: u16,
            core_count: u16,
            entries in prop::collection::vec(any::<([u8; 16], u32, [u64; 4])>(), 0..50),
        ) {
            let points = entries.into_iter().map(|(topic, index, mut offsets)| {
                offsets.sort_unstable();
                let [log_start, resume_point, clean_end, recovery_point] =
                    offsets.map(|offset| offset >> 1);
                let index = PartitionIndex::new(index >> 1).unwrap();
                let id = PartitionId { topic: TopicId(topic), index };
                let clean_end = Offset::new(clean_end).unwrap();
                (id, Point { clean_end, ..point(recovery_point, log_start, resume_point) })
            });
            let written =
                CoreCheckpoint { generation, core: CoreId(core), core_count, points: points.collect() };
            prop_assert_eq!(CoreCheckpoint::decode(&written.encode()), Ok(written));
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            prop_assert!(CoreCheckpoint::decode(&bytes).is_err());
        }

        /// The checksum keeps accidents from the verifier; here it has to stand alone.
        #[test]
        fn a_damaged_body_under_a_right_checksum_never_panics(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            len: prop::sample::Index,
        ) {
            let mut body = GOLDEN[HEADER_BYTES..].to_vec();
            for (place, value) in changes {
                let place = place.index(body.len());
                body[place] = value;
            }
            let _ = CoreCheckpoint::decode(&seal(VERSION, &body));
            body.truncate(len.index(body.len()));
            let _ = CoreCheckpoint::decode(&seal(VERSION, &body));
        }
    }
}
