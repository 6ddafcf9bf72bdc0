//! What a topic's configuration means for one log. Every value may change while the log is open.

use crate::log::clean::CleanRules;
use crate::record::TimestampType;
use crate::types::limits::{
    DIRECT_WRITE_BYTES_MIN, TAIL_CACHE_BYTES, UNSYNCED_BYTES_MAX, WRITE_BACK_BYTES,
};
use crate::types::{Millis, Offset, TopicId};

#[derive(Clone, Debug, PartialEq)]
pub struct LogOptions {
    /// `segment.bytes`: a segment is closed before it grows beyond this.
    pub segment_bytes: u64,
    /// `segment.ms`: a segment is closed when its first batch is this old.
    pub segment_age_max: Millis,
    /// `segment.jitter.ms`: the age is lowered by up to this, differently for every segment.
    pub segment_jitter: Millis,
    /// `segment.index.bytes`: a segment is closed when an index would grow beyond this.
    pub index_bytes_max: u64,
    /// `index.interval.bytes`: how far apart in the segment two index entries are.
    pub index_interval_bytes: u64,
    /// `retention.ms`; `None` keeps records whatever their age.
    pub retention_age_max: Option<Millis>,
    /// `retention.bytes`; `None` keeps records whatever their size.
    pub retention_bytes_max: Option<u64>,
    /// Set if `cleanup.policy` has `compact`.
    pub compaction: Option<CleanRules>,
    /// `file.delete.delay.ms`: how long a deleted segment stays under its `.deleted` name.
    pub delete_delay: Millis,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `producer.id.expiration.ms`: a producer that was silent for so long is forgotten.
    pub producer_age_max: Millis,
    /// `transaction.partition.verification.enable`.
    pub verifies_transactions: bool,
    /// Appends wait while more than this is not synced yet.
    pub unsynced_bytes_max: u64,
    /// With so much on no disk the log writes its segment at once; with less it uses the journal.
    pub direct_write_bytes_min: u64,
    /// What is in the journal only moves to the segment when it is this much.
    pub write_back_bytes: u64,
    /// Synced bytes that are kept in memory for readers at the end.
    pub tail_cache_bytes: u64,
    /// The topic that the folder must belong to, written into a folder that names none.
    pub topic_id: Option<TopicId>,
}

impl Default for LogOptions {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_age_max: Millis(7 * 24 * 3_600_000),
            segment_jitter: Millis(0),
            index_bytes_max: 10 << 20,
            index_interval_bytes: 4096,
            retention_age_max: Some(Millis(7 * 24 * 3_600_000)),
            retention_bytes_max: None,
            compaction: None,
            delete_delay: Millis(60_000),
            timestamp_type: TimestampType::CreateTime,
            producer_age_max: Millis(24 * 3_600_000),
            verifies_transactions: false,
            unsynced_bytes_max: UNSYNCED_BYTES_MAX / 4,
            direct_write_bytes_min: DIRECT_WRITE_BYTES_MIN,
            write_back_bytes: WRITE_BACK_BYTES,
            tail_cache_bytes: TAIL_CACHE_BYTES,
            topic_id: None,
        }
    }
}

/// How much a log may believe of what it finds in its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The last process closed the log in order: file lengths and indexes are what they say.
    Clean,
    /// As `Clean`, after an attempt to open the log that failed half-way: the same files, but their
    /// names may not survive a power cut yet.
    CleanAgain,
    /// The last process was killed or lost power: the last segment is read and checked, since all
    /// others were synced before it was created.
    Recover,
    /// As `Recover`, but with what a core had written down.
    RecoverFrom {
        /// What is below was durable, so that damage there is never a torn write.
        durable_below: Offset,
        /// What is below need not be read, if the log has a resume point there. Not more than
        /// `durable_below`.
        read_from: Offset,
    },
}

impl Opening {
    /// How to try once more after an attempt that failed. What was known of the files stays known:
    /// what was refused as damaged must not be taken for a torn write the next time.
    pub(crate) fn again(self) -> Self {
        match self {
            Self::Clean | Self::CleanAgain => Self::CleanAgain,
            Self::Recover | Self::RecoverFrom { .. } => self,
        }
    }

    /// Everything in the files was on disk when the last process ended.
    pub(super) fn was_closed(self) -> bool {
        matches!(self, Self::Clean | Self::CleanAgain)
    }
}
