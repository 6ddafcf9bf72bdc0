//! Chunks of files that were read, kept for the next reader. Direct I/O goes past the kernel's page
//! cache, so that without this one every consumer of a partition would read the disk for itself.
//!
//! Only bytes that will not change any more are put in. They are plain shared memory: an answer
//! holds slices of them, on whatever core it is sent from, and a chunk that is thrown out meanwhile
//! lives until the last slice is gone.
//!
//! What was read once and never again has a small place of its own: a reader of all that there is
//! would push out what others come back to, and would pay for the first touch of that much memory.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;

use crate::io::event::Event;
use crate::types::limits::{BLOCK_BYTES, READ_CACHE_BYTES_MIN, READ_CHUNK_BYTES, READ_ONCE_SHARE};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadCacheOptions {
    /// The most that the cache holds; slices that are still being sent come on top.
    pub bytes_max: usize,
    /// The most of it that nobody has come back to.
    pub once_bytes_max: usize,
    /// How files are cut; a multiple of the block size.
    pub chunk_bytes: usize,
}

impl ReadCacheOptions {
    pub fn of(bytes_max: usize) -> Self {
        let once = (bytes_max / READ_ONCE_SHARE).max(READ_CACHE_BYTES_MIN);
        Self { bytes_max, once_bytes_max: once.min(bytes_max), chunk_bytes: READ_CHUNK_BYTES }
    }
}

/// Uses so close to each other are one: a reader takes a chunk in several answers.
const SAME_USE: u64 = 64;

/// One core's cache: least recently used out first.
#[derive(Debug)]
pub struct ReadCache {
    options: ReadCacheOptions,
    state: RefCell<State>,
    /// A load has ended.
    ended: Event,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ChunkId {
    file: u64,
    number: u64,
}

#[derive(Debug, Default)]
struct State {
    next_file: u64,
    next_use: u64,
    /// Chunks that were not used since this have not been used for a whole interval.
    swept_use: u64,
    chunks: BTreeMap<ChunkId, Chunk>,
    /// Those that nobody has come back to, and the others; each of `chunks` is in one of them.
    once: Line,
    again: Line,
    loading: BTreeSet<ChunkId>,
    /// Loaded, or being loaded, before anybody has asked for them.
    ahead: BTreeSet<ChunkId>,
}

/// Chunks in the order of their last use.
#[derive(Debug, Default)]
struct Line {
    by_use: BTreeMap<u64, ChunkId>,
    bytes: usize,
}

impl Line {
    fn push(&mut self, id: ChunkId, chunk: &Chunk) {
        self.by_use.insert(chunk.used, id);
        self.bytes = self.bytes.strict_add(chunk.bytes.len());
    }

    fn take(&mut self, chunk: &Chunk) {
        self.by_use.remove(&chunk.used);
        self.bytes = self.bytes.strict_sub(chunk.bytes.len());
    }

    fn oldest(&self) -> Option<(u64, ChunkId)> {
        self.by_use.first_key_value().map(|(&used, &id)| (used, id))
    }
}

#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    /// When it came in, or was last handed out.
    used: u64,
    is_handed_out: bool,
    is_again: bool,
}

impl State {
    fn touch(&mut self, id: ChunkId) -> Option<Bytes> {
        let chunk = self.chunks.get_mut(&id)?;
        let line = if chunk.is_again { &mut self.again } else { &mut self.once };
        line.take(chunk);
        let is_same_use = self.next_use.strict_sub(chunk.used) <= SAME_USE;
        chunk.is_again |= chunk.is_handed_out && !is_same_use;
        chunk.is_handed_out = true;
        chunk.used = self.next_use;
        self.next_use = self.next_use.strict_add(1);
        let line = if chunk.is_again { &mut self.again } else { &mut self.once };
        line.push(id, chunk);
        self.ahead.remove(&id);
        Some(chunk.bytes.clone())
    }

    fn remove(&mut self, id: ChunkId) {
        if let Some(chunk) = self.chunks.remove(&id) {
            let line = if chunk.is_again { &mut self.again } else { &mut self.once };
            line.take(&chunk);
            self.ahead.remove(&id);
        }
    }

    fn put(&mut self, id: ChunkId, bytes: Bytes) {
        self.remove(id);
        let chunk = Chunk { bytes, used: self.next_use, is_handed_out: false, is_again: false };
        self.once.push(id, &chunk);
        self.chunks.insert(id, chunk);
        self.next_use = self.next_use.strict_add(1);
    }

    fn bytes(&self) -> usize {
        self.once.bytes.strict_add(self.again.bytes)
    }

    fn evict(&mut self, options: &ReadCacheOptions) {
        while let Some((_, id)) = self.once.oldest()
            && options.once_bytes_max < self.once.bytes
        {
            self.remove(id);
        }
        while options.bytes_max < self.bytes() {
            let Some((_, id)) = self.again.oldest().or_else(|| self.once.oldest()) else { break };
            self.remove(id);
        }
    }

    fn remove_older(&mut self, since: u64) {
        let oldest = |state: &Self| {
            let oldest = [&state.once, &state.again].into_iter().filter_map(Line::oldest);
            oldest.min().filter(|&(used, _)| used < since)
        };
        while let Some((_, id)) = oldest(self) {
            self.remove(id);
        }
    }
}

impl ReadCache {
    pub fn new(options: ReadCacheOptions) -> Rc<Self> {
        assert!(0 < options.chunk_bytes && options.chunk_bytes.is_multiple_of(BLOCK_BYTES));
        assert!(options.once_bytes_max <= options.bytes_max);
        Rc::new(Self { options, state: RefCell::default(), ended: Event::default() })
    }

    pub fn chunk_bytes(&self) -> usize {
        self.options.chunk_bytes
    }

    pub fn bytes(&self) -> usize {
        self.state.borrow().bytes()
    }

    /// A place for a file that nothing is known of yet.
    pub fn add_file(self: &Rc<Self>) -> Rc<CachedFile> {
        let mut state = self.state.borrow_mut();
        let id = state.next_file;
        state.next_file = id.strict_add(1);
        drop(state);
        Rc::new(CachedFile { cache: Rc::clone(self), id })
    }

    /// Lets go of what nobody has used since the last call. To be called again and again.
    pub fn sweep(&self) {
        let mut state = self.state.borrow_mut();
        let since = state.swept_use;
        state.remove_older(since);
        state.swept_use = state.next_use;
    }
}

/// One file's chunks. They are forgotten when this is dropped.
#[derive(Debug)]
pub struct CachedFile {
    cache: Rc<ReadCache>,
    id: u64,
}

impl Drop for CachedFile {
    fn drop(&mut self) {
        let mut state = self.cache.state.borrow_mut();
        let all = self.chunk(0)..=self.chunk(u64::MAX);
        let ids: Vec<ChunkId> = state.chunks.range(all).map(|(&id, _)| id).collect();
        ids.into_iter().for_each(|id| state.remove(id));
    }
}

impl CachedFile {
    fn chunk(&self, number: u64) -> ChunkId {
        ChunkId { file: self.id, number }
    }

    pub fn get(&self, number: u64) -> Option<Bytes> {
        self.cache.state.borrow_mut().touch(self.chunk(number))
    }

    /// In the cache, or on its way.
    pub fn has(&self, number: u64) -> bool {
        let (state, id) = (self.cache.state.borrow(), self.chunk(number));
        state.chunks.contains_key(&id) || state.loading.contains(&id)
    }

    /// Announces a load of these chunks; `None` if one of them is there or on its way.
    pub fn begin(self: &Rc<Self>, numbers: Range<u64>) -> Option<Loading> {
        if numbers.is_empty() || numbers.clone().any(|number| self.has(number)) {
            return None;
        }
        let mut state = self.cache.state.borrow_mut();
        state.loading.extend(numbers.clone().map(|number| self.chunk(number)));
        drop(state);
        Some(Loading { file: Rc::clone(self), numbers })
    }

    /// The same for chunks that nobody has asked for. What was read ahead may not push out more
    /// than half of what was read once before it is used: it would push out itself.
    pub fn begin_ahead(self: &Rc<Self>, numbers: Range<u64>) -> Option<Loading> {
        let options = self.cache.options;
        let chunks_max = options.once_bytes_max / options.chunk_bytes / 2;
        let ahead = self.cache.state.borrow().ahead.len() as u64;
        let wanted = numbers.end.saturating_sub(numbers.start);
        if chunks_max as u64 <= ahead.saturating_add(wanted) {
            return None;
        }
        let loading = self.begin(numbers)?;
        let mut state = self.cache.state.borrow_mut();
        state.ahead.extend(loading.numbers.clone().map(|number| self.chunk(number)));
        drop(state);
        Some(loading)
    }

    /// Returns when no load of the chunk is under way.
    pub async fn settled(&self, number: u64) {
        let id = self.chunk(number);
        let is_loading = || self.cache.state.borrow().loading.contains(&id);
        self.cache.ended.until(|| (!is_loading()).then_some(())).await;
    }
}

/// Chunks on their way. Whoever waits for them looks again when this is dropped.
#[derive(Debug)]
pub struct Loading {
    file: Rc<CachedFile>,
    numbers: Range<u64>,
}

impl Loading {
    pub fn numbers(&self) -> Range<u64> {
        self.numbers.clone()
    }

    /// The chunk as it will stay.
    pub fn put(&self, number: u64, bytes: Bytes) {
        assert!(self.numbers.contains(&number), "a load brings what it has announced");
        let cache = &self.file.cache;
        assert!(bytes.len() <= cache.options.chunk_bytes, "a chunk is no longer than all are");
        let mut state = cache.state.borrow_mut();
        state.put(self.file.chunk(number), bytes);
        state.evict(&cache.options);
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        let mut state = self.file.cache.state.borrow_mut();
        for number in self.numbers.clone() {
            let id = self.file.chunk(number);
            state.loading.remove(&id);
            if !state.chunks.contains_key(&id) {
                state.ahead.remove(&id);
            }
        }
        drop(state);
        self.file.cache.ended.notify();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    const CHUNK: usize = BLOCK_BYTES;

    fn cache(chunks: usize) -> Rc<ReadCache> {
        cache_with(chunks, chunks)
    }

    fn cache_with(chunks: usize, once: usize) -> Rc<ReadCache> {
        ReadCache::new(ReadCacheOptions {
            bytes_max: chunks * CHUNK,
            once_bytes_max: once * CHUNK,
            chunk_bytes: CHUNK,
        })
    }

    fn bytes(number: u64) -> Bytes {
        Bytes::from(vec![u8::try_from(number % 251).unwrap(); CHUNK])
    }

    fn load(file: &Rc<CachedFile>, number: u64) {
        file.begin(number..number + 1).unwrap().put(number, bytes(number));
    }

    #[test]
    fn what_was_used_least_recently_leaves_first() {
        let cache = cache(3);
        let file = cache.add_file();
        (0..3).for_each(|number| load(&file, number));
        assert_eq!(file.get(0), Some(bytes(0)));
        load(&file, 3);
        assert_eq!(cache.bytes(), 3 * CHUNK);
        assert_eq!((file.get(1), file.get(0)), (None, Some(bytes(0))));
    }

    #[test]
    fn who_reads_all_there_is_pushes_out_nothing_that_others_come_back_to() {
        let cache = cache_with(200, 10);
        let file = cache.add_file();
        (0..5).for_each(|number| load(&file, number));
        for _ in 0..3 {
            (0..5).for_each(|number| assert_eq!(file.get(number), Some(bytes(number))));
            // So much that the next look is another one.
            let other = cache.add_file();
            load(&other, 0);
            (0..=SAME_USE).for_each(|_| assert!(other.get(0).is_some()));
        }
        for number in 100..1000 {
            load(&file, number);
            assert_eq!(file.get(number), Some(bytes(number)));
            assert_eq!(file.get(number), Some(bytes(number)), "a reader takes it in two answers");
        }
        assert_eq!(cache.bytes(), 15 * CHUNK);
        (0..5).for_each(|number| assert_eq!(file.get(number), Some(bytes(number))));
    }

    #[test]
    fn a_slice_that_is_being_sent_outlives_its_place_in_the_cache() {
        let cache = cache(1);
        let file = cache.add_file();
        load(&file, 0);
        let sent = file.get(0).unwrap().slice(10..20);
        load(&file, 1);
        assert!(!file.has(0));
        drop(file);
        assert_eq!((cache.bytes(), sent), (0, bytes(0).slice(10..20)));
    }

    #[test]
    fn two_files_share_nothing_and_a_file_that_is_gone_leaves_nothing() {
        let cache = cache(8);
        let (one, two) = (cache.add_file(), cache.add_file());
        load(&one, 5);
        assert!(!two.has(5));
        load(&two, 5);
        drop(one);
        assert_eq!(cache.bytes(), CHUNK);
        assert_eq!(two.get(5), Some(bytes(5)));
    }

    #[test]
    fn one_load_serves_all_who_wait_and_its_failure_wakes_them() {
        let cache = cache(8);
        let file = cache.add_file();
        let loading = file.begin(0..2).unwrap();
        assert!(file.begin(1..2).is_none(), "it is on its way");
        let mut waiting = Box::pin(file.settled(1));
        assert!(waiting.as_mut().now_or_never().is_none());
        loading.put(0, bytes(0));
        drop(loading);
        assert!(waiting.as_mut().now_or_never().is_some());
        assert!(file.has(0) && !file.has(1), "only a part has come");
        assert!(file.begin(1..2).is_some(), "whoever wants the rest loads it");
    }

    #[test]
    fn what_nobody_has_asked_for_takes_less_than_half() {
        let cache = cache(8);
        let file = cache.add_file();
        let first = file.begin_ahead(0..3).unwrap();
        assert!(file.begin_ahead(3..4).is_none());
        (0..3).for_each(|number| first.put(number, bytes(number)));
        drop(first);
        assert!(file.begin_ahead(3..4).is_none());
        assert!(file.get(0).is_some());
        let second = file.begin_ahead(3..4).unwrap();
        assert!(file.begin_ahead(4..5).is_none());
        drop(second);
        assert!(file.begin_ahead(4..5).is_some(), "a load that failed is not counted");
    }

    #[test]
    fn what_was_not_used_for_a_whole_interval_is_swept_out() {
        let cache = cache(8);
        let file = cache.add_file();
        (0..4).for_each(|number| load(&file, number));
        cache.sweep();
        assert_eq!(cache.bytes(), 4 * CHUNK);
        assert!(file.get(2).is_some());
        cache.sweep();
        assert_eq!((cache.bytes(), file.has(2)), (CHUNK, true));
        cache.sweep();
        assert_eq!(cache.bytes(), 0);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Get { file: usize, number: u64 },
        Load { file: usize, number: u64, count: u64, put: u64, is_ahead: bool },
        Replace { file: usize },
        Sweep,
    }

    fn step() -> impl Strategy<Value = Step> {
        let (file, number) = (0..3_usize, 0..12_u64);
        let load = (file.clone(), number.clone(), 1..4_u64, 0..5_u64, any::<bool>());
        prop_oneof![
            4 => (file.clone(), number).prop_map(|(file, number)| Step::Get { file, number }),
            4 => load.prop_map(|(file, number, count, put, is_ahead)| {
                Step::Load { file, number, count, put, is_ahead }
            }),
            1 => file.prop_map(|file| Step::Replace { file }),
            1 => Just(Step::Sweep),
        ]
    }

    proptest! {
        /// Whatever happens, the cache stays within its bound, its lists agree, and it gives back
        /// nothing but what was put in for this file.
        #[test]
        fn the_cache_keeps_its_bound_and_never_mixes_files_up(
            steps in proptest::collection::vec(step(), 1..400),
            once in 1..=6_usize,
        ) {
            let cache = cache_with(6, once);
            let mut serial = 0_u8;
            let mut files: Vec<_> = (0..3_u8).map(|id| (cache.add_file(), id)).collect();
            let content = |id: u8, number: u64| {
                Bytes::from(vec![id.wrapping_mul(16).wrapping_add(u8::try_from(number).unwrap()); 9])
            };
            for step in steps {
                match step {
                    Step::Get { file, number } => {
                        let (file, id) = &files[file];
                        if let Some(found) = file.get(number) {
                            prop_assert_eq!(found, content(*id, number));
                        }
                    }
                    Step::Load { file, number, count, put, is_ahead } => {
                        let (file, id) = &files[file];
                        let numbers = number..number + count;
                        let loading = if is_ahead {
                            file.begin_ahead(numbers.clone())
                        } else {
                            file.begin(numbers.clone())
                        };
                        if let Some(loading) = loading {
                            for number in numbers.take(usize::try_from(put).unwrap()) {
                                loading.put(number, content(*id, number));
                            }
                        }
                    }
                    Step::Replace { file } => {
                        serial = serial.wrapping_add(3);
                        files[file] = (cache.add_file(), serial);
                    }
                    Step::Sweep => cache.sweep(),
                }
                let state = cache.state.borrow();
                prop_assert!(state.bytes() <= 6 * CHUNK && state.once.bytes <= once * CHUNK);
                for (line, is_again) in [(&state.once, false), (&state.again, true)] {
                    let chunks = state.chunks.values().filter(|chunk| chunk.is_again == is_again);
                    let bytes: usize = chunks.clone().map(|chunk| chunk.bytes.len()).sum();
                    prop_assert_eq!((line.bytes, line.by_use.len()), (bytes, chunks.count()));
                    let agrees = |(used, id): (&u64, &ChunkId)| state.chunks[id].used == *used;
                    prop_assert!(line.by_use.iter().all(agrees));
                }
                prop_assert!(state.ahead.iter().all(|id| state.chunks.contains_key(id)));
                prop_assert!(state.loading.is_empty());
            }
        }
    }
}
