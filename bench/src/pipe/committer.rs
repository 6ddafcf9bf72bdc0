//! Group commit: whatever has gathered while one sync ran is covered by the next.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::TcpStream,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::BytesMut;

use crate::limit::direct::{AlignedBuffer, BLOCK_BYTES, DirectFile};

/// Small pieces of all connections leave in one write.
const SMALL_BYTES_MAX: usize = 1 << 20;

pub struct Committer {
    file: DirectFile,
    /// Where the next write goes, before it is wrapped at the end of the file.
    next: AtomicU64,
    group: Mutex<Group>,
    has_work: Condvar,
    has_room: Condvar,
}

/// What waits for the next sync.
struct Group {
    small: AlignedBuffer,
    small_bytes: usize,
    /// By connection, what is answered after the sync.
    answers: BTreeMap<u64, (Arc<TcpStream>, BytesMut)>,
}

impl Group {
    fn new() -> Self {
        let small = AlignedBuffer::new(SMALL_BYTES_MAX);
        Self { small, small_bytes: 0, answers: BTreeMap::new() }
    }
}

/// Whose answers these are.
#[derive(Clone, Debug)]
pub struct Asker {
    pub number: u64,
    pub stream: Arc<TcpStream>,
}

impl Committer {
    pub fn new(file: DirectFile) -> Self {
        Self {
            file,
            next: AtomicU64::new(0),
            group: Mutex::new(Group::new()),
            has_work: Condvar::new(),
            has_room: Condvar::new(),
        }
    }

    /// Writes whole blocks at once; they are durable with the next sync.
    pub fn write(&self, blocks: &[u8]) -> io::Result<()> {
        let length = u64::try_from(blocks.len()).unwrap_or(u64::MAX);
        let from = self.next.fetch_add(length, Ordering::Relaxed) % self.file.bytes;
        let room = usize::try_from(self.file.bytes.strict_sub(from)).unwrap_or(usize::MAX);
        let (first, wrapped) = blocks.split_at(room.min(blocks.len()));
        self.file.write(first, from)?;
        if wrapped.is_empty() { Ok(()) } else { self.file.write(wrapped, 0) }
    }

    /// Lets a connection's small piece leave with the others', and answers after the sync. The piece is
    /// empty for who has written by itself.
    pub fn commit(&self, asker: &Asker, piece: &[u8], answers: &BytesMut) {
        let mut group = self.lock();
        while group.small_bytes.strict_add(piece.len()) > SMALL_BYTES_MAX {
            group = self.has_room.wait(group).unwrap_or_else(PoisonError::into_inner);
        }
        let from = group.small_bytes;
        let end = from.strict_add(piece.len());
        if let Some(place) = group.small.bytes_mut().get_mut(from..end) {
            place.copy_from_slice(piece);
        }
        group.small_bytes = end;
        let stream = || (Arc::clone(&asker.stream), BytesMut::new());
        let (_, waiting) = group.answers.entry(asker.number).or_insert_with(stream);
        waiting.extend_from_slice(answers);
        drop(group);
        self.has_work.notify_one();
    }

    /// Commits until the process ends.
    pub fn run(&self) {
        let mut spare = Group::new();
        loop {
            let mut group = self.lock();
            while group.answers.is_empty() {
                group = self.has_work.wait(group).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut *group, &mut spare);
            drop(group);
            self.has_room.notify_all();
            let blocks = spare.small_bytes.next_multiple_of(BLOCK_BYTES);
            let small = spare.small.bytes().get(..blocks).unwrap_or_default();
            let written = if small.is_empty() { Ok(()) } else { self.write(small) };
            written.and_then(|()| self.file.sync()).expect("a pipe without its disk is nothing");
            spare.small_bytes = 0;
            for (stream, answers) in std::mem::take(&mut spare.answers).into_values() {
                // A client that goes away needs no answer.
                (&*stream).write_all(&answers).ok();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
