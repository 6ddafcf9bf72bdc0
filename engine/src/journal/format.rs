//! The bytes of a journal file (`docs/formats/journal.md`): a header block, then commits, each from a
//! block border on. A file is used again and again; the lap in its header tells the commits that
//! count from those that are left over.

use bytes::{Buf, Bytes};
use codec::Uuid;

use crate::log::{Carried, Kept};
use crate::types::limits::{BLOCK_BYTES, COMMIT_BYTES_MAX};
use crate::types::{Offset, PartitionId, PartitionIndex, TopicId};

const FILE_MAGIC: &[u8; 4] = b"CLJF";
const COMMIT_MAGIC: &[u8; 4] = b"CLJC";
const VERSION: u32 = 1;
/// Magic and checksum, which the checksum does not cover.
const UNCHECKED_BYTES: usize = 8;
const FILE_HEADER_BYTES: usize = 32;

/// What stands in front of a commit's entries.
pub(super) const COMMIT_HEADER_BYTES: usize = 40;
/// What stands in front of an entry's bytes.
pub(super) const ENTRY_HEADER_BYTES: usize = 48;

/// One use of a file, from its first block to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lap {
    /// The process that writes; a later one never writes to its files.
    pub(super) run: Uuid,
    pub(super) number: u32,
}

/// The content of a file's first block. It fits into a sector, so it is there whole or not at all.
pub(super) fn file_header(lap: Lap) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BLOCK_BYTES);
    bytes.extend_from_slice(FILE_MAGIC);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&lap.run.0);
    bytes.extend_from_slice(&lap.number.to_be_bytes());
    assert_eq!(bytes.len(), FILE_HEADER_BYTES, "the layout is fixed");
    set_checksum(&mut bytes);
    bytes.resize(BLOCK_BYTES, 0);
    bytes
}

/// What a file's first block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileHeader {
    Lap(Lap),
    /// The file was never finished.
    Unused,
    Damaged,
}

pub(super) fn read_file_header(block: &[u8]) -> FileHeader {
    if block.iter().take(BLOCK_BYTES).all(|&byte| byte == 0) {
        return FileHeader::Unused;
    }
    let Some(header) = block.get(..FILE_HEADER_BYTES) else { return FileHeader::Damaged };
    if !header.starts_with(FILE_MAGIC) || !has_checksum(header) {
        return FileHeader::Damaged;
    }
    let mut fields = header.get(UNCHECKED_BYTES..).unwrap_or_default();
    if fields.get_u32() != VERSION {
        return FileHeader::Damaged;
    }
    let run = Uuid(fields.get_u128().to_be_bytes());
    FileHeader::Lap(Lap { run, number: fields.get_u32() })
}

/// Fills the front of a commit. The entries' bytes are in place already.
pub(super) fn put_commit_header(commit: &mut [u8], lap: Lap, sequence: u32, entries: u32) {
    let len = u32::try_from(commit.len() - COMMIT_HEADER_BYTES).expect("a commit is bounded");
    let header = [
        COMMIT_MAGIC.as_slice(),
        &[0; 4],
        &lap.run.0,
        &lap.number.to_be_bytes(),
        &sequence.to_be_bytes(),
        &entries.to_be_bytes(),
        &len.to_be_bytes(),
    ]
    .concat();
    assert_eq!(header.len(), COMMIT_HEADER_BYTES, "the layout is fixed");
    let place = commit.get_mut(..COMMIT_HEADER_BYTES).expect("room for the header");
    place.copy_from_slice(&header);
    set_checksum(commit);
}

pub(super) fn entry_header(partition: PartitionId, carried: &Carried) -> Vec<u8> {
    let len = u32::try_from(carried.len).expect("a commit is bounded");
    let header = [
        partition.topic.0.as_slice(),
        &partition.index.get().to_be_bytes(),
        &carried.segment.get().to_be_bytes(),
        &carried.position.to_be_bytes(),
        &carried.end.get().to_be_bytes(),
        &len.to_be_bytes(),
    ]
    .concat();
    assert_eq!(header.len(), ENTRY_HEADER_BYTES, "the layout is fixed");
    header
}

/// A commit as it was read back.
pub(super) struct ReadCommit {
    pub(super) sequence: u32,
    pub(super) entries: Vec<(PartitionId, Kept)>,
    /// What it takes up in the file.
    pub(super) blocks_bytes: usize,
}

/// The commit that starts at the front of `bytes`; `None` if there is none of this lap.
pub(super) fn read_commit(bytes: &Bytes, lap: Lap) -> Option<ReadCommit> {
    let mut header = bytes.get(UNCHECKED_BYTES..COMMIT_HEADER_BYTES)?;
    if !bytes.starts_with(COMMIT_MAGIC) || header.get_u128().to_be_bytes() != lap.run.0 {
        return None;
    }
    let (number, sequence) = (header.get_u32(), header.get_u32());
    let (entry_count, len) = (header.get_u32(), usize::try_from(header.get_u32()).ok()?);
    let whole = COMMIT_HEADER_BYTES.checked_add(len).filter(|&whole| whole <= COMMIT_BYTES_MAX)?;
    if number != lap.number || !has_checksum(bytes.get(..whole)?) {
        return None;
    }
    let mut rest = bytes.slice(COMMIT_HEADER_BYTES..whole);
    let mut entries = Vec::new();
    for _ in 0..entry_count {
        entries.push(read_entry(&mut rest)?);
    }
    let blocks_bytes = whole.next_multiple_of(BLOCK_BYTES);
    rest.is_empty().then_some(ReadCommit { sequence, entries, blocks_bytes })
}

fn read_entry(rest: &mut Bytes) -> Option<(PartitionId, Kept)> {
    if rest.len() < ENTRY_HEADER_BYTES {
        return None;
    }
    let topic = TopicId(rest.get_u128().to_be_bytes());
    let index = PartitionIndex::new(rest.get_u32())?;
    let segment = Offset::new(rest.get_u64())?;
    let position = rest.get_u64();
    let end = Offset::new(rest.get_u64())?;
    let len = usize::try_from(rest.get_u32()).ok().filter(|&len| len <= rest.len())?;
    let bytes = rest.split_to(len);
    Some((PartitionId { topic, index }, Kept { segment, position, end, bytes }))
}

fn set_checksum(bytes: &mut [u8]) {
    let checksum = crc32c::crc32c(bytes.get(UNCHECKED_BYTES..).unwrap_or_default());
    if let Some(place) = bytes.get_mut(4..UNCHECKED_BYTES) {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
}

fn has_checksum(bytes: &[u8]) -> bool {
    let covered = bytes.get(UNCHECKED_BYTES..).unwrap_or_default();
    bytes.get(4..UNCHECKED_BYTES) == Some(crc32c::crc32c(covered).to_be_bytes().as_slice())
}
