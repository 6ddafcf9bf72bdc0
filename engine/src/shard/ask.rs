//! The closed list of what one core can ask of another. Each ask carries the address for its
//! answer; an answer nobody waits for any more is dropped.

use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;

use crate::cluster::ClusterImage;
use crate::group;
use crate::journal::Replay;
use crate::log::Opening;
use crate::shard::checkpoint::Known;
use crate::shard::controller::Control;
use crate::shard::folders::Found;
use crate::shard::groups::GroupAnswer;
use crate::shard::logdirs::LogDirShare;
use crate::shard::markers::{MarkerAsk, MarkerError};
use crate::shard::producers::{ActiveProducer, AdmissionAsk};
use crate::shard::request::{
    Append, AppendFailure, Appended, EpochEnd, EpochEndAsk, ListOffsetAsk, ListedOffset,
    PartitionError, ReadOutcome, ReadRequest,
};
use crate::shard::share::{
    ShareAcknowledgeAsk, ShareError, ShareFetchAsk, ShareFetched, ShareSeen, ShareStateAnswer,
};
use crate::shard::transactions::TxnAnswer;
use crate::share::{self, SessionId, ShareKey};
use crate::txn;
use crate::types::{Offset, PartitionId, PartitionIndex, TopicId, VerificationGuard};

/// One result for each item asked, in the order asked.
pub type Each<T> = Vec<Result<T, PartitionError>>;

pub enum Ask {
    Append {
        append: Append,
        answer: oneshot::Sender<Result<Appended, AppendFailure>>,
    },
    Read {
        reads: Vec<ReadRequest>,
        bytes_max: usize,
        answer: oneshot::Sender<Each<ReadOutcome>>,
    },
    Wait {
        seen: Vec<(PartitionId, Offset)>,
        at_most: Duration,
        answer: oneshot::Sender<()>,
    },
    ListOffsets {
        asks: Vec<ListOffsetAsk>,
        answer: oneshot::Sender<Each<ListedOffset>>,
    },
    EpochEnds {
        asks: Vec<EpochEndAsk>,
        answer: oneshot::Sender<Each<EpochEnd>>,
    },
    DeleteRecords {
        /// Without an offset: everything below the high watermark.
        asks: Vec<(PartitionId, Option<Offset>)>,
        answer: oneshot::Sender<Each<Offset>>,
    },
    LogDirs {
        answer: oneshot::Sender<Vec<LogDirShare>>,
    },
    Group {
        partition: PartitionIndex,
        request: group::Request,
        answer: oneshot::Sender<GroupAnswer>,
    },
    /// The same question to every coordinator of this core.
    EveryGroup {
        request: group::Request,
        answer: oneshot::Sender<Vec<GroupAnswer>>,
    },
    Transaction {
        partition: PartitionIndex,
        request: txn::Request,
        answer: oneshot::Sender<TxnAnswer>,
    },
    /// The same question to every coordinator of this core.
    EveryTransaction {
        request: txn::Request,
        answer: oneshot::Sender<Vec<TxnAnswer>>,
    },
    /// For the keeper of queues' state on this partition of `__share_group_state`.
    ShareState {
        partition: PartitionIndex,
        request: share::Request,
        answer: oneshot::Sender<ShareStateAnswer>,
    },
    ShareFetch {
        ask: ShareFetchAsk,
        answer: oneshot::Sender<Vec<Result<ShareFetched, ShareError>>>,
    },
    ShareAcknowledge {
        ask: ShareAcknowledgeAsk,
        answer: oneshot::Sender<Vec<Result<(), ShareError>>>,
    },
    ShareWait {
        seen: Vec<ShareSeen>,
        at_most: Duration,
        answer: oneshot::Sender<()>,
    },
    /// A session has ended.
    ShareRelease {
        keys: Vec<ShareKey>,
        session: SessionId,
    },
    /// An administrator has changed the state of the queues.
    ShareForget {
        keys: Vec<ShareKey>,
    },
    /// The ends of transactions; each result comes when its marker is on disk.
    WriteMarkers {
        asks: Vec<MarkerAsk>,
        answer: oneshot::Sender<Vec<Result<(), MarkerError>>>,
    },
    Admissions {
        asks: Vec<AdmissionAsk>,
        answer: oneshot::Sender<Each<Option<VerificationGuard>>>,
    },
    Producers {
        asks: Vec<PartitionId>,
        answer: oneshot::Sender<Each<Vec<ActiveProducer>>>,
    },
    /// Only for the controller's core.
    Control(Control),
    /// The image found at start: the core begins its work.
    Begin {
        image: Arc<ClusterImage>,
        opening: Opening,
        found: Found,
        /// What the last runs knew to be on disk.
        known: Arc<Known>,
        /// What their journals hold, after a crash.
        replay: Arc<Replay>,
        /// Answered with the number of partitions that the core owns.
        answer: oneshot::Sender<usize>,
    },
    /// The metadata has changed; `changed` names every topic that did. Answered when this core's
    /// partitions have followed.
    Image {
        image: Arc<ClusterImage>,
        changed: Vec<TopicId>,
        answer: oneshot::Sender<()>,
    },
    /// The data folder at this place in `log.dirs` is out of service.
    FolderFailed {
        place: usize,
        reason: Arc<str>,
    },
    /// Only for the controller's core: a core has no need of the last run's journals any more.
    Replayed,
    /// A core has come to a point where it waits for all others. The answer, once the last of
    /// them asks, is whether all were sound.
    Gather {
        is_sound: bool,
        answer: oneshot::Sender<bool>,
    },
    /// Come to an end.
    Stop,
}
