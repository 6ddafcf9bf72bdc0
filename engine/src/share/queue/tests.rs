//! The queue against what its users see: who was given what, and what they said of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::share::{Delivery, Now, StateBatch};
use crate::types::Timestamp;

fn at(offset: u64) -> Offset {
    Offset::new(offset).unwrap()
}

fn now(millis: u64) -> Now {
    Now { monotonic: Millis(millis), wall: Timestamp(0) }
}

fn holder(number: u64) -> Rc<Holder> {
    Rc::new(Holder { member: format!("m{number}"), session: SessionId(number) })
}

/// As the queue's owner does it: reads from the first free record on, and offers what it has read.
fn acquire(
    queue: &mut ShareQueue,
    now: Now,
    holder: &Rc<Holder>,
    log: &[Offered],
    wanted: Wanted,
    options: &QueueOptions,
) -> Vec<Acquired> {
    let from = queue.next_offset();
    let read: Vec<Offered> = log.iter().copied().filter(|batch| from < batch.end).collect();
    queue.acquire(now, holder, from, &read, wanted, options)
}

fn queue() -> ShareQueue {
    ShareQueue::new(QueueState { start: at(0), batches: Vec::new() })
}

fn log(end: u64, batch: u64) -> Vec<Offered> {
    let firsts = (0..end).step_by(usize::try_from(batch).unwrap());
    firsts
        .map(|first| Offered {
            first: at(first),
            end: at((first + batch).min(end)),
            has_records: true,
        })
        .collect()
}

fn wanted(records_max: u64, mode: AcquireMode) -> Wanted {
    Wanted { records_max, mode }
}

const EXACT: AcquireMode = AcquireMode::RecordLimit;

fn ranges(acquired: &[Acquired]) -> Vec<(u64, u64, u16)> {
    acquired.iter().map(|one| (one.first.get(), one.end.get(), one.deliveries)).collect()
}

fn ack(first: u64, end: u64, kind: AckType) -> AckBatch {
    AckBatch { first: at(first), end: at(end), types: vec![kind] }
}

fn write(queue: &mut ShareQueue) -> Write {
    let write = queue.next_write().unwrap();
    queue.written(write.number);
    write
}

const OPTIONS: QueueOptions = QueueOptions {
    deliveries_max: 2,
    lock_duration: Millis(100),
    locks_max: 1000,
    may_renew: true,
};

#[test]
fn a_record_is_given_to_one_consumer_and_when_accepted_never_again() {
    let mut queue = queue();
    let (a, b) = (holder(1), holder(2));
    let first = acquire(&mut queue, now(0), &a, &log(10, 10), wanted(6, EXACT), &OPTIONS);
    assert_eq!(ranges(&first), [(0, 6, 1)]);
    let second = acquire(&mut queue, now(0), &b, &log(10, 10), wanted(9, EXACT), &OPTIONS);
    assert_eq!(ranges(&second), [(6, 10, 1)]);
    let accept = [ack(0, 6, AckType::Accept)];
    assert_eq!(
        queue.acknowledge(now(1), "m2", &accept, &OPTIONS),
        Err(AckError::InvalidRecordState)
    );
    assert_eq!(queue.acknowledge(now(1), "m1", &accept, &OPTIONS), Ok(Some(1)));
    assert_eq!(write(&mut queue).start, at(6));
    assert_eq!((queue.start(), queue.end()), (at(6), at(10)));
    queue.expire(now(100), &OPTIONS);
    let again = acquire(&mut queue, now(100), &a, &log(10, 10), wanted(99, EXACT), &OPTIONS);
    assert_eq!(ranges(&again), [(6, 10, 2)]);
}

#[test]
fn whole_batches_may_be_more_than_was_asked_for() {
    let mut queue = queue();
    let mode = AcquireMode::BatchOptimized;
    let got = acquire(&mut queue, now(0), &holder(1), &log(10, 4), wanted(5, mode), &OPTIONS);
    assert_eq!(ranges(&got), [(0, 4, 1), (4, 8, 1)]);
}

#[test]
fn a_record_that_was_given_out_too_often_is_archived() {
    let mut queue = queue();
    for time in [0, 100] {
        queue.expire(now(time), &OPTIONS);
        let got =
            acquire(&mut queue, now(time), &holder(1), &log(3, 3), wanted(9, EXACT), &OPTIONS);
        assert_eq!(got.len(), 1);
        let release = [ack(0, 1, AckType::Release)];
        assert_eq!(
            queue.acknowledge(now(time), "m1", &release, &OPTIONS).map(|it| it.is_some()),
            Ok(true)
        );
        write(&mut queue);
    }
    queue.expire(now(200), &OPTIONS);
    assert_eq!(queue.start(), at(3));
    assert_eq!(queue.next_offset(), at(3));
}

#[test]
fn a_session_that_ends_gives_back_without_counting() {
    let mut queue = queue();
    acquire(&mut queue, now(0), &holder(1), &log(3, 3), wanted(9, EXACT), &OPTIONS);
    assert!(!queue.release(SessionId(2)));
    assert!(queue.release(SessionId(1)));
    let got = acquire(&mut queue, now(0), &holder(2), &log(3, 3), wanted(9, EXACT), &OPTIONS);
    assert_eq!(ranges(&got), [(0, 3, 1)]);
}

#[test]
fn a_lock_that_is_renewed_lasts_longer_and_needs_no_write() {
    let mut queue = queue();
    acquire(&mut queue, now(0), &holder(1), &log(3, 3), wanted(9, EXACT), &OPTIONS);
    let renew = [ack(0, 2, AckType::Renew)];
    assert_eq!(queue.acknowledge(now(50), "m1", &renew, &OPTIONS), Ok(None));
    assert!(queue.expire(now(100), &OPTIONS));
    assert_eq!(queue.next_offset(), at(2));
    assert_eq!(queue.next_deadline(), Some(Millis(150)));
    let accept = [ack(0, 2, AckType::Accept)];
    assert!(queue.acknowledge(now(149), "m1", &accept, &OPTIONS).is_ok());
    let forbidden = QueueOptions { may_renew: false, ..OPTIONS };
    assert_eq!(
        queue.acknowledge(now(149), "m1", &renew, &forbidden),
        Err(AckError::InvalidRequest)
    );
}

#[test]
fn what_could_not_be_written_is_the_holders_again() {
    let mut queue = queue();
    acquire(&mut queue, now(0), &holder(1), &log(4, 4), wanted(9, EXACT), &OPTIONS);
    let accept = [ack(0, 2, AckType::Accept)];
    queue.acknowledge(now(1), "m1", &accept, &OPTIONS).unwrap();
    let write = queue.next_write().unwrap();
    // Decided, but not yet sure: nobody may decide again, and no lock ends.
    assert!(queue.acknowledge(now(2), "m1", &accept, &OPTIONS).is_err());
    queue.not_written(now(3), write.number, &OPTIONS);
    assert_eq!(queue.start(), at(0));
    assert!(queue.acknowledge(now(4), "m1", &accept, &OPTIONS).is_ok());
}

#[test]
fn what_a_request_cannot_have_leaves_all_of_it_undone() {
    let mut queue = queue();
    acquire(&mut queue, now(0), &holder(1), &log(4, 4), wanted(2, EXACT), &OPTIONS);
    let both = [ack(0, 2, AckType::Accept), ack(2, 4, AckType::Accept)];
    assert_eq!(queue.acknowledge(now(1), "m1", &both, &OPTIONS), Err(AckError::InvalidRecordState));
    let beyond = [ack(3, 5, AckType::Accept)];
    assert_eq!(queue.acknowledge(now(1), "m1", &beyond, &OPTIONS), Err(AckError::InvalidRequest));
    let twice = [ack(0, 2, AckType::Accept), ack(1, 2, AckType::Accept)];
    let twice = queue.acknowledge(now(1), "m1", &twice, &OPTIONS);
    assert_eq!(twice, Err(AckError::InvalidRecordState));
    let disorder = [ack(1, 2, AckType::Accept), ack(0, 1, AckType::Accept)];
    assert_eq!(queue.acknowledge(now(1), "m1", &disorder, &OPTIONS), Err(AckError::InvalidRequest));
    assert_eq!(queue.acknowledge(now(1), "m1", &both[..1], &OPTIONS), Ok(Some(1)));
}

#[test]
fn no_more_records_are_out_than_may_be_locked() {
    let options = QueueOptions { locks_max: 3, ..OPTIONS };
    let mut queue = queue();
    let mode = AcquireMode::BatchOptimized;
    let got = acquire(&mut queue, now(0), &holder(1), &log(10, 10), wanted(99, mode), &options);
    assert_eq!(ranges(&got), [(0, 3, 1)]);
    assert!(!queue.has_room(&options));
    let accept = [ack(1, 2, AckType::Accept)];
    queue.acknowledge(now(1), "m1", &accept, &options).unwrap();
    write(&mut queue);
    assert!(queue.has_room(&options));
    assert_eq!(queue.done_count(), 1);
}

#[test]
fn what_nobody_is_given_and_what_is_not_there_is_passed_over() {
    let mut queue = queue();
    let offered = [
        Offered { first: at(2), end: at(4), has_records: true },
        Offered { first: at(4), end: at(5), has_records: false },
        Offered { first: at(7), end: at(8), has_records: true },
    ];
    let got = acquire(&mut queue, now(0), &holder(1), &offered, wanted(9, EXACT), &OPTIONS);
    assert_eq!(ranges(&got), [(2, 4, 1), (7, 8, 1)]);
    assert_eq!((queue.start(), queue.end()), (at(2), at(8)));
}

#[test]
fn what_the_log_has_lost_is_done_with() {
    let mut queue = queue();
    acquire(&mut queue, now(0), &holder(1), &log(6, 6), wanted(9, EXACT), &OPTIONS);
    queue.log_starts_at(at(4));
    assert_eq!(queue.start(), at(4));
    let accept = [ack(2, 6, AckType::Accept)];
    assert!(queue.acknowledge(now(1), "m1", &accept, &OPTIONS).is_ok());
    queue.log_starts_at(at(9));
    assert_eq!((queue.start(), queue.end()), (at(9), at(9)));
}

#[test]
fn a_queue_begins_as_it_was_written() {
    let batch = |first, end, delivery, deliveries| StateBatch {
        first: at(first),
        end: at(end),
        delivery,
        deliveries,
    };
    let state = QueueState {
        start: at(2),
        batches: vec![
            batch(2, 4, Delivery::Acknowledged, 1),
            batch(4, 5, Delivery::Available, 1),
            batch(6, 8, Delivery::Archived, 2),
        ],
    };
    let mut queue = ShareQueue::new(state);
    assert_eq!((queue.start(), queue.end()), (at(4), at(8)));
    let got = acquire(&mut queue, now(0), &holder(1), &log(8, 8), wanted(9, EXACT), &OPTIONS);
    // Of 5 nothing was written: it may have been out.
    assert_eq!(ranges(&got), [(4, 5, 2), (5, 6, 1)]);
}

#[test]
fn what_was_out_and_never_written_is_free_after_a_restart() {
    let mut queue = queue();
    acquire(&mut queue, now(0), &holder(2), &log(2, 2), wanted(1, EXACT), &OPTIONS);
    acquire(&mut queue, now(0), &holder(1), &log(2, 2), wanted(1, EXACT), &OPTIONS);
    queue.release(SessionId(1));
    let write = write(&mut queue);
    let mut queue = ShareQueue::new(QueueState { start: write.start, batches: write.batches });
    let got = acquire(&mut queue, now(0), &holder(1), &log(2, 2), wanted(9, EXACT), &OPTIONS);
    assert_eq!(ranges(&got), [(0, 2, 1)]);
}

#[test]
fn a_batch_that_had_no_room_is_given_out_when_there_is_some() {
    let options = QueueOptions { locks_max: 3, ..OPTIONS };
    let mut queue = queue();
    let got = acquire(&mut queue, now(0), &holder(1), &log(20, 5), wanted(99, EXACT), &options);
    assert_eq!(ranges(&got), [(0, 3, 1)]);
    let accept = [ack(0, 3, AckType::Accept)];
    queue.acknowledge(now(1), "m1", &accept, &options).unwrap();
    write(&mut queue);
    let got = acquire(&mut queue, now(1), &holder(1), &log(20, 5), wanted(99, EXACT), &options);
    assert_eq!(ranges(&got), [(3, 5, 1), (5, 6, 1)]);
}

#[derive(Clone, Debug)]
enum Action {
    Acquire { who: u64, records_max: u64 },
    Acknowledge { who: u64, first: u64, len: u64, kind: u8 },
    Pass { millis: u64 },
    EndSession { who: u64 },
    BeginWrite,
    EndWrite { is_written: bool },
    Restart,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (1..4u64, 1..12u64).prop_map(|(who, records_max)| Action::Acquire { who, records_max }),
        6 => (1..4u64, 0..40u64, 1..8u64, 0..5u8).prop_map(|(who, first, len, kind)| {
            Action::Acknowledge { who, first, len, kind }
        }),
        2 => (1..80u64).prop_map(|millis| Action::Pass { millis }),
        1 => (1..4u64).prop_map(|who| Action::EndSession { who }),
        3 => Just(Action::BeginWrite),
        3 => any::<bool>().prop_map(|is_written| Action::EndWrite { is_written }),
        1 => Just(Action::Restart),
    ]
}

/// What the log of states holds, as a restart would find it.
#[derive(Default)]
struct Disk {
    start: u64,
    records: BTreeMap<u64, (Delivery, u16)>,
}

impl Disk {
    fn take(&mut self, write: &Write) {
        self.start = write.start.get();
        for batch in &write.batches {
            for offset in batch.first.get()..batch.end.get() {
                let before = self.records.insert(offset, (batch.delivery, batch.deliveries));
                // A record that was done with stays so, and counts do not go back.
                if let Some((delivery, deliveries)) = before {
                    assert!(!delivery.is_done() || delivery == batch.delivery, "{offset}");
                    assert!(deliveries <= batch.deliveries, "{offset}");
                }
            }
        }
    }

    fn state(&self) -> QueueState {
        let batches =
            self.records.range(self.start..).map(|(offset, (delivery, deliveries))| StateBatch {
                first: at(*offset),
                end: at(offset + 1),
                delivery: *delivery,
                deliveries: *deliveries,
            });
        QueueState { start: at(self.start), batches: batches.collect() }
    }
}

proptest! {
    #[test]
    fn a_record_has_one_holder_and_an_answered_acceptance_is_for_good(
        actions in proptest::collection::vec(action(), 1..80),
    ) {
        let kinds = [AckType::Gap, AckType::Accept, AckType::Release, AckType::Reject, AckType::Renew];
        let mut queue = queue();
        let (mut disk, mut time) = (Disk::default(), 0u64);
        // Who has what, until when; and what was answered as accepted.
        let mut held: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        let mut settling: BTreeMap<u64, (u64, AckType, u64)> = BTreeMap::new();
        let mut done: std::collections::BTreeSet<u64> = std::collections::BTreeSet::new();
        let mut given: BTreeMap<u64, u16> = BTreeMap::new();
        let mut writing: Option<Write> = None;
        for action in actions {
            match action {
                Action::Acquire { who, records_max } => {
                    let got = acquire(&mut queue, now(time), &holder(who), &log(40, 5), wanted(records_max, EXACT), &OPTIONS);
                    let count: u64 = got.iter().map(Acquired::count).sum();
                    prop_assert!(count <= records_max);
                    for one in got {
                        prop_assert!(one.deliveries <= OPTIONS.deliveries_max);
                        for offset in one.first.get()..one.end.get() {
                            prop_assert!(!done.contains(&offset), "{} was done with", offset);
                            prop_assert!(!settling.contains_key(&offset), "{} is decided", offset);
                            *given.entry(offset).or_default() += 1;
                            let before = held.insert(offset, (who, time + 100));
                            prop_assert!(before.is_none(), "{} has a holder", offset);
                        }
                    }
                }
                Action::Acknowledge { who, first, len, kind } => {
                    let kind = kinds[usize::from(kind)];
                    let member = holder(who).member.clone();
                    let batch = [ack(first, first + len, kind)];
                    let answered = queue.acknowledge(now(time), &member, &batch, &OPTIONS);
                    if let Ok(write) = answered {
                        for offset in first.max(queue.start().get())..first + len {
                            let mine = held.get(&offset).map(|(holder, _)| *holder);
                            prop_assert_eq!(mine, Some(who));
                            if kind == AckType::Renew {
                                held.insert(offset, (who, time + 100));
                            } else {
                                let until = held.remove(&offset).unwrap().1;
                                settling.insert(offset, (write.unwrap(), kind, until));
                            }
                        }
                    }
                }
                Action::Pass { millis } => {
                    time += millis;
                    queue.expire(now(time), &OPTIONS);
                    held.retain(|_, (_, until)| time < *until);
                }
                Action::EndSession { who } => {
                    queue.release(SessionId(who));
                    held.retain(|_, (holder, _)| *holder != who);
                }
                Action::BeginWrite => {
                    if writing.is_none() {
                        writing = queue.next_write();
                    }
                }
                Action::EndWrite { is_written } => {
                    let Some(write) = writing.take() else { continue };
                    if is_written {
                        disk.take(&write);
                        queue.written(write.number);
                        settling.retain(|offset, (number, kind, _)| {
                            let is_over = *number <= write.number;
                            if is_over && *kind != AckType::Release {
                                done.insert(*offset);
                            }
                            !is_over
                        });
                    } else {
                        queue.not_written(now(time), write.number, &OPTIONS);
                        // Whose they are again is seen by what is given out; forget who had them.
                        let back: Vec<u64> = settling.iter().filter(|(_, (number, ..))| *number <= write.number).map(|(offset, _)| *offset).collect();
                        for offset in back {
                            settling.remove(&offset);
                        }
                        queue.release(SessionId(1));
                        queue.release(SessionId(2));
                        queue.release(SessionId(3));
                        held.clear();
                    }
                }
                Action::Restart => {
                    // What was on its way may be on disk or not: here it is not.
                    writing = None;
                    queue = ShareQueue::new(disk.state());
                    held.clear();
                    settling.clear();
                    for offset in 0..queue.start().get() {
                        let times = given.get(&offset).copied().unwrap_or_default();
                        let is_exhausted = OPTIONS.deliveries_max <= times;
                        prop_assert!(done.contains(&offset) || is_exhausted, "{} is lost", offset);
                    }
                }
            }
        }
    }
}
