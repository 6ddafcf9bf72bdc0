//! Every bound of the engine in one place, so that the compiler can prove that they fit each other.

/// Kafka's limit for a topic name; folder names `name-partition` stay below the file system's 255.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;

/// The longest request frame (`socket.request.max.bytes`).
pub const FRAME_BYTES_MAX: usize = 100 * 1024 * 1024;

/// The largest record batch that any setting of `max.message.bytes` can allow.
pub const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The most that one batch may become when it is decompressed.
pub const DECOMPRESSED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A refused batch names at most this many of its records in the response.
pub const REJECTED_RECORDS_MAX: usize = 1000;

/// The clean-shutdown marker is a line of text; more than this is none of ours or Kafka's.
pub const CLEAN_SHUTDOWN_BYTES_MAX: usize = 4096;

/// How many batches of a producer are remembered, to recognise those that its client sends again.
/// It is as many as Kafka's clients keep in flight.
pub const PRODUCER_BATCHES_REMEMBERED: usize = 5;

/// Direct I/O moves whole blocks of this size, at positions that are multiples of it.
pub const BLOCK_BYTES: usize = 4096;

/// The most tombstones of group offsets in one append, so that deleting a group of any size never
/// makes a batch that the log refuses or that holds everybody else up.
pub const GROUP_TOMBSTONES_PER_APPEND_MAX: usize = 1000;

/// The most tombstones of transactional ids in one append, for the same reason.
pub const TXN_TOMBSTONES_PER_APPEND_MAX: usize = 1000;

/// Asks that wait in one core's mailbox.
pub const MAILBOX_ASKS_MAX: usize = 1024;

/// Memory of one core that is registered with the kernel for direct I/O. It is resident from the
/// start, so it is small; what does not fit comes from the allocator, which keeps and reuses it.
pub const CORE_IO_MEMORY_BYTES: usize = 8 * 1024 * 1024;

/// Memory that the requests of one core's connections may hold.
pub const CORE_BUDGET_BYTES: usize = 512 * 1024 * 1024;

/// How much of its partition a coordinator reads at a time while it loads.
pub const COORDINATOR_LOAD_BYTES: usize = 1024 * 1024;

/// How much of the metadata log is read at a time at start.
pub const METADATA_READ_BYTES: usize = 1024 * 1024;

/// A metadata snapshot larger than this is not one of ours.
pub const METADATA_SNAPSHOT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Clients whose creations and deletions of partitions are counted at a time.
pub const MUTATION_BUCKETS_MAX: usize = 10_000;

/// `meta.properties` is a few lines of text.
pub const META_PROPERTIES_BYTES_MAX: u64 = 64 * 1024;

/// Partitions that one core's checkpoint holds.
pub const CORE_CHECKPOINT_PARTITIONS_MAX: usize = 500_000;

/// A log that has fewer bytes behind its resume point is read from there after a crash, which takes
/// less time than a point costs.
pub const RESUME_GAP_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// A core's checkpoint larger than this is not one of ours.
pub const CORE_CHECKPOINT_BYTES_MAX: usize = 64 * 1024 * 1024;

const _: () = assert!(BATCH_BYTES_MAX <= FRAME_BYTES_MAX);
const _: () = assert!(BATCH_BYTES_MAX <= DECOMPRESSED_BYTES_MAX);

/// A batch of metadata records ends before it grows beyond this, unless one record alone does.
pub const METADATA_BATCH_BYTES_MAX: usize = 1024 * 1024;

const _: () = assert!(METADATA_BATCH_BYTES_MAX <= BATCH_BYTES_MAX);

/// The most partitions that one command may create, so that its records fit the log's batches.
pub const PARTITIONS_PER_COMMAND_MAX: usize = 10_000;
/// The longest single write to a segment; larger ones are cut, and written side by side.
pub const WRITE_BYTES_MAX: usize = 512 * 1024;

/// Writes of one log that are in flight at the same time.
pub const WRITES_IN_FLIGHT_MAX: usize = 8;

/// Bytes of one log that are appended and not synced yet, for any setting; a single append may be
/// larger if nothing else is waiting.
pub const UNSYNCED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Synced bytes that a log keeps in memory for readers at its end, and all logs of a core.
pub const TAIL_CACHE_BYTES: u64 = 8 * 1024 * 1024;
pub const TAIL_MEMORY_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// An append that leaves a log with this much on no disk yet is written to its segment at once;
/// less goes through the core's journal (docs/decisions/small-appends-share-a-journal.md).
pub const DIRECT_WRITE_BYTES_MIN: u64 = 96 * 1024;

/// Once so much of a log is in the journal and in whole blocks, it is written to its segment.
pub const WRITE_BACK_BYTES: u64 = 1024 * 1024;

/// The most that one commit of a journal holds, headers and all.
pub const COMMIT_BYTES_MAX: usize = 1024 * 1024;

/// One file of a journal.
pub const JOURNAL_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Files of one core's journal. What it holds at most is read at the start after a crash.
pub const JOURNAL_FILES_MAX: usize = 6;

/// Logs that write their segments directly while a journal's first file is being made; all others
/// wait for it.
pub const JOURNAL_PASSED_BY_MAX: usize = 64;

/// When no more than these are left to write to, what the oldest ones hold moves to its segments.
pub const JOURNAL_FILES_SPARE: usize = 2;

/// Logs that write back at the same time, each by itself, to make room in a journal.
pub const WRITE_BACKS_MAX: usize = 16;

/// What moves from a journal to many segments with one sync.
pub const WRITE_BACK_BATCH_LOGS: usize = 512;

/// A stop begins with so many, as it has little time.
pub const SEAL_BATCH_LOGS_MIN: usize = 32;
pub const WRITE_BACK_BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Logs that take their share of a journal with one sync, at the start after a crash.
pub const REPLAY_BATCH_LOGS: usize = 512;

/// Logs of a core that open at the same time; each has a file open, and what it reads in memory.
pub const OPENINGS_MAX: usize = 256;

/// Of these so many may be such that nobody waits for.
pub const OPENINGS_AHEAD_MAX: usize = 64;

/// Writes of one log in flight while it is recovered.
pub const RECOVERY_WRITES_MAX: usize = 4;

/// Folders of deleted partitions that lose their names with one sync.
pub const RETIRE_BATCH_FOLDERS: usize = 256;

/// And of those that are removed without a break.
pub const REMOVE_BATCH_FOLDERS: usize = 32;

const _: () = assert!(SEAL_BATCH_LOGS_MIN <= WRITE_BACK_BATCH_LOGS);
const _: () = assert!(OPENINGS_AHEAD_MAX * 2 <= OPENINGS_MAX);
const _: () = assert!(DIRECT_WRITE_BYTES_MIN * 2 <= COMMIT_BYTES_MAX as u64);
const _: () = assert!(COMMIT_BYTES_MAX as u64 * 8 <= JOURNAL_FILE_BYTES);
const _: () = assert!(COMMIT_BYTES_MAX.is_multiple_of(BLOCK_BYTES));
const _: () = assert!(JOURNAL_FILE_BYTES.is_multiple_of(BLOCK_BYTES as u64));

/// How much recovery reads at a time.
pub const SCAN_READ_BYTES: usize = 1024 * 1024;

const _: () = assert!(WRITE_BYTES_MAX.is_multiple_of(BLOCK_BYTES));
const _: () = assert!(WRITE_BYTES_MAX.is_power_of_two());
const _: () = assert!(BATCH_BYTES_MAX as u64 <= UNSYNCED_BYTES_MAX);

/// The largest of the small files beside a log that are read whole.
pub const SMALL_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The least disk space that a log reserves ahead: a machine may hold a hundred thousand logs.
pub const RESERVE_BYTES_MIN: u64 = 64 * 1024;

/// The most disk space that a log reserves ahead; in between, each step doubles the file.
pub const RESERVE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How much of a segment one read takes into memory, at least and at most. A batch that is larger
/// than that is read whole.
pub const READ_BYTES_MIN: usize = 64 * 1024;
pub const READ_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Readers of one log whose places are remembered.
pub const READ_HINTS_MAX: usize = 64;

/// A core's read cache holds segments in chunks of this size: an answer is made of slices of them.
pub const READ_CHUNK_BYTES: usize = 256 * 1024;

/// The longest single read of the disk for chunks that follow each other.
pub const READ_LOAD_BYTES: usize = 1024 * 1024;

/// Such reads of one core that the disk is given at the same time: alone, and while somebody appends.
pub const READS_IN_FLIGHT_MAX: u64 = 8;
pub const READS_BESIDE_APPENDS_MAX: u64 = 1;

/// How far the disk is read ahead of a reader that goes on where one has stopped.
pub const READ_AHEAD_BYTES: usize = 4 * 1024 * 1024;

/// All cores' read caches together take at most this part of the machine's memory.
pub const READ_CACHE_SHARE: u64 = 4;

/// What nobody has come back to takes at most this part of a core's read cache.
pub const READ_ONCE_SHARE: usize = 8;

/// The smallest read cache of a core, and the smallest part for what is read once: a few readers with what is read ahead for them.
pub const READ_CACHE_BYTES_MIN: usize = 16 * 1024 * 1024;

const _: () = assert!(READ_CHUNK_BYTES.is_multiple_of(BLOCK_BYTES));
const _: () = assert!(READ_LOAD_BYTES.is_multiple_of(READ_CHUNK_BYTES));
const _: () = assert!(READ_AHEAD_BYTES.is_multiple_of(READ_LOAD_BYTES));
const _: () = assert!(2 * READ_AHEAD_BYTES < READ_CACHE_BYTES_MIN);
