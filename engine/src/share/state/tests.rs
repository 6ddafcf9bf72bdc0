//! The keeper of queues' state: what is written can be read again, and who comes from the past is told.

use super::*;
use crate::coordinator::{AppendFailure, Now, RecordBytes, RequestId, Ticket};
use crate::share::ShareKey;
use crate::types::{LeaderEpoch, Millis, Offset, PartitionId, PartitionIndex, Timestamp, TopicId};

const NOW: Now = Now { monotonic: Millis(0), wall: Timestamp(5) };

fn key() -> ShareKey {
    let partition = PartitionId { topic: TopicId([1; 16]), index: PartitionIndex::ZERO };
    ShareKey { group: "g".to_owned(), partition }
}

fn at(offset: u64) -> Offset {
    Offset::new(offset).unwrap()
}

fn batch(first: u64, end: u64, delivery: Delivery, deliveries: u16) -> StateBatch {
    StateBatch { first: at(first), end: at(end), delivery, deliveries }
}

/// A keeper with its log.
struct Kept {
    coordinator: Coordinator,
    log: Vec<RecordBytes>,
    /// Where the log begins.
    forgotten: usize,
    waiting: Vec<(Ticket, Vec<RecordBytes>)>,
    replies: Vec<Reply>,
}

impl Kept {
    fn new(updates_per_snapshot: u32) -> Self {
        let coordinator = Coordinator::new(StateOptions { updates_per_snapshot });
        Self {
            coordinator,
            log: Vec::new(),
            forgotten: 0,
            waiting: Vec::new(),
            replies: Vec::new(),
        }
    }

    fn input(&mut self, input: Input) {
        let mut outputs = Vec::new();
        self.coordinator.step(NOW, input, &mut outputs);
        for output in outputs {
            match output {
                Output::Reply { reply, .. } => self.replies.push(reply),
                Output::Append { ticket, records } => self.waiting.push((ticket, records)),
                Output::Forget { before } => {
                    self.forgotten = usize::try_from(before.get()).unwrap();
                }
            }
        }
    }

    fn send(&mut self, request: Request) {
        self.input(Input::Request { id: RequestId(0), request });
    }

    fn flush(&mut self) {
        for (ticket, records) in std::mem::take(&mut self.waiting) {
            let at = at(u64::try_from(self.log.len()).unwrap());
            self.log.extend(records);
            self.input(Input::Appended { ticket, at });
        }
    }

    fn ask(&mut self, request: Request) -> Reply {
        self.send(request);
        self.flush();
        self.replies.pop().unwrap()
    }

    fn read(&mut self) -> Result<ReadState, ShareStateError> {
        let reply = self.ask(Request::Read { key: key(), leader_epoch: None });
        let Reply::Read(read) = reply else { panic!("{reply:?}") };
        read
    }

    fn restarted(&self) -> Self {
        let mut next = Self::new(500);
        for (place, (key, value)) in self.log.iter().enumerate().skip(self.forgotten) {
            let at = at(u64::try_from(place).unwrap());
            next.coordinator.replay(at, key, value.as_ref()).unwrap();
        }
        next.coordinator.loaded();
        next.log.clone_from(&self.log);
        next
    }
}

fn initialize(epoch: u32, start: Option<u64>) -> Request {
    Request::Initialize { key: key(), state_epoch: StateEpoch(epoch), start: start.map(at) }
}

fn write(epoch: u32, start: u64, batches: Vec<StateBatch>) -> Request {
    let write = WriteState {
        state_epoch: StateEpoch(epoch),
        leader_epoch: Some(LeaderEpoch::ZERO),
        start: Some(at(start)),
        done_count: Some(0),
        batches,
    };
    Request::Write { key: key(), write }
}

#[test]
fn what_was_written_is_read_again_after_a_restart() {
    for updates_per_snapshot in [0, 1, 500] {
        let mut kept = Kept::new(updates_per_snapshot);
        assert_eq!(kept.ask(initialize(1, None)), Reply::Done(Ok(())));
        assert_eq!(kept.read().unwrap().start, None);
        let writes = [
            write(1, 0, vec![batch(0, 10, Delivery::Available, 1)]),
            write(1, 0, vec![batch(3, 5, Delivery::Acknowledged, 2)]),
            write(
                1,
                1,
                vec![batch(5, 6, Delivery::Acknowledged, 2), batch(8, 9, Delivery::Archived, 2)],
            ),
        ];
        for one in writes {
            assert_eq!(kept.ask(one), Reply::Done(Ok(())));
        }
        let expected = ReadState {
            state_epoch: StateEpoch(1),
            start: Some(at(1)),
            batches: vec![
                batch(1, 3, Delivery::Available, 1),
                batch(3, 6, Delivery::Acknowledged, 2),
                batch(6, 8, Delivery::Available, 1),
                batch(8, 9, Delivery::Archived, 2),
                batch(9, 10, Delivery::Available, 1),
            ],
        };
        assert_eq!(kept.read(), Ok(expected.clone()));
        assert_eq!(kept.restarted().read(), Ok(expected));
    }
}

#[test]
fn a_queue_that_begins_anew_fences_who_writes_for_the_old_one() {
    let mut kept = Kept::new(500);
    kept.ask(initialize(1, Some(0)));
    kept.ask(write(1, 0, vec![batch(0, 2, Delivery::Available, 1)]));
    assert_eq!(kept.ask(initialize(2, Some(7))), Reply::Done(Ok(())));
    let late = kept.ask(write(1, 2, Vec::new()));
    assert_eq!(late, Reply::Done(Err(ShareStateError::FencedStateEpoch)));
    assert_eq!(kept.ask(initialize(1, None)), Reply::Done(Err(ShareStateError::FencedStateEpoch)));
    let read = kept.restarted().read().unwrap();
    assert_eq!((read.start, read.batches.len()), (Some(at(7)), 0));
}

#[test]
fn a_later_leader_fences_the_one_before() {
    let mut kept = Kept::new(500);
    kept.ask(initialize(1, Some(0)));
    let later = LeaderEpoch::new(3);
    kept.send(Request::Read { key: key(), leader_epoch: later });
    kept.flush();
    let late = kept.ask(write(1, 2, Vec::new()));
    assert_eq!(late, Reply::Done(Err(ShareStateError::FencedLeaderEpoch)));
}

#[test]
fn nothing_is_known_of_a_queue_that_was_deleted() {
    let mut kept = Kept::new(500);
    kept.ask(initialize(1, Some(0)));
    assert_eq!(kept.ask(Request::Delete { key: key() }), Reply::Done(Ok(())));
    assert_eq!(kept.ask(Request::Delete { key: key() }), Reply::Done(Ok(())));
    assert_eq!(kept.read(), Err(ShareStateError::UnknownTopicOrPartition));
    assert_eq!(kept.restarted().coordinator.keys().count(), 0);
    let late = kept.ask(write(1, 2, Vec::new()));
    assert_eq!(late, Reply::Done(Err(ShareStateError::UnknownTopicOrPartition)));
}

#[test]
fn a_read_waits_for_what_is_on_its_way_and_a_write_that_fails_leaves_no_trace() {
    let mut kept = Kept::new(500);
    kept.ask(initialize(1, Some(0)));
    kept.send(write(1, 5, Vec::new()));
    kept.send(Request::Summary { key: key() });
    assert!(kept.replies.is_empty());
    let (ticket, _) = kept.waiting.pop().unwrap();
    kept.input(Input::AppendFailed { ticket, failure: AppendFailure::Storage });
    let [Reply::Done(Err(ShareStateError::NotCoordinator)), Reply::Summary(Ok(summary))] =
        kept.replies.as_slice()
    else {
        panic!("{:?}", kept.replies)
    };
    assert_eq!(summary.start, Some(at(0)));
}

#[test]
fn what_the_log_lets_go_of_is_not_missed_and_a_queue_that_rests_does_not_hold_it_back() {
    let other = ShareKey { group: "resting".to_owned(), ..key() };
    let mut kept = Kept::new(3);
    let start = Some(at(7));
    kept.ask(Request::Initialize { key: other.clone(), state_epoch: StateEpoch(1), start });
    kept.ask(initialize(1, Some(0)));
    for offset in 1..6_000 {
        kept.ask(write(1, offset, Vec::new()));
    }
    kept.flush();
    assert!(3_000 < kept.forgotten, "the log begins at {}", kept.forgotten);
    let mut again = kept.restarted();
    assert_eq!(again.read().unwrap().start, Some(at(5_999)));
    let read = again.ask(Request::Read { key: other, leader_epoch: None });
    assert!(matches!(read, Reply::Read(Ok(ReadState { start, .. })) if start == Some(at(7))));
}
