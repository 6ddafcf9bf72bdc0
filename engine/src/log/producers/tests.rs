//! T-35 and T-36: retries, gaps, epochs and restarts, against the rules of Kafka 4.3.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::record::TransactionResult::{self, Abort, Commit};

const PRODUCER: u64 = 4000;
const HOUR: Millis = Millis(3_600_000);

fn offset(value: u64) -> Offset {
    Offset::new(value).unwrap()
}

fn id(value: u64) -> ProducerId {
    ProducerId::new(value).unwrap()
}

fn epoch(value: u16) -> ProducerEpoch {
    ProducerEpoch::new(value).unwrap()
}

fn sequence(value: u32) -> Sequence {
    Sequence::new(value).unwrap()
}

/// A partition's log, as far as producers are concerned.
#[derive(Clone)]
struct Partition {
    producers: Producers,
    end: u64,
    /// What was appended, in order.
    log: Vec<ProducerBatch>,
    aborted: Vec<AbortedTransaction>,
}

impl Partition {
    fn new() -> Self {
        let producers = Producers::new(false);
        Self { producers, end: 0, log: Vec::new(), aborted: Vec::new() }
    }

    /// `None` for a duplicate, else the offset it was appended at.
    fn append(
        &mut self,
        batch: ProducerBatch,
        context: &AppendContext,
    ) -> Result<Option<u64>, ProducerError> {
        let span = batch.base_offset.distance_to(batch.last_offset);
        let base = self.end;
        let batch =
            ProducerBatch { base_offset: offset(base), last_offset: offset(base + span), ..batch };
        match self.producers.decide(&batch, context)? {
            Decision::Duplicate { .. } => Ok(None),
            Decision::Append(update) => {
                self.aborted.extend(self.producers.apply(update));
                self.log.push(batch);
                self.end = base + span + 1;
                Ok(Some(base))
            }
        }
    }

    fn send(&mut self, batch: ProducerBatch) -> Result<Option<u64>, ProducerError> {
        self.append(batch, &AppendContext::of(Origin::Client))
    }

    fn end_transaction(
        &mut self,
        producer: u64,
        producer_epoch: u16,
        result: TransactionResult,
    ) -> Result<Option<u64>, ProducerError> {
        let batch = marker(producer, producer_epoch, result, 1);
        self.append(batch, &AppendContext::of(Origin::Coordinator))
    }
}

/// A batch of `count` records; its offsets only say how many.
fn batch(producer_epoch: u16, base_sequence: u32, count: u32) -> ProducerBatch {
    let base = sequence(base_sequence);
    let last_sequence = Some(base.advance(count - 1));
    ProducerBatch {
        producer_id: id(PRODUCER),
        epoch: epoch(producer_epoch),
        base_offset: offset(0),
        last_offset: offset(u64::from(count) - 1),
        max_timestamp: Timestamp(1000),
        is_transactional: false,
        content: BatchContent::Records { base_sequence: Some(base), last_sequence },
    }
}

fn in_transaction(producer: u64, producer_epoch: u16, base_sequence: u32) -> ProducerBatch {
    let producer_id = id(producer);
    ProducerBatch { producer_id, is_transactional: true, ..batch(producer_epoch, base_sequence, 1) }
}

fn marker(
    producer: u64,
    producer_epoch: u16,
    result: TransactionResult,
    coordinator_epoch: i32,
) -> ProducerBatch {
    let content = BatchContent::Marker { result, coordinator_epoch };
    ProducerBatch { content, ..in_transaction(producer, producer_epoch, 0) }
}

fn should_be(result: Result<Option<u64>, ProducerError>) -> u32 {
    match result {
        Err(ProducerError::OutOfOrderSequence { expected, .. }) => expected.get(),
        other => panic!("{other:?}"),
    }
}

/// T-35
#[test]
fn a_batch_that_comes_again_is_answered_as_the_first_time() {
    let mut partition = Partition::new();
    for number in 0..5 {
        partition.send(batch(0, number * 10, 10)).unwrap();
    }
    for number in 0..5 {
        let base = u64::from(number) * 10;
        let again = batch(0, number * 10, 10);
        let decision = partition.producers.decide(&again, &AppendContext::of(Origin::Client));
        let (base_offset, last_offset) = (offset(base), offset(base + 9));
        let timestamp = Timestamp(1000);
        let expected = Decision::Duplicate { base_offset, last_offset, timestamp };
        assert_eq!(decision, Ok(expected), "batch {number}");
    }
}

/// T-35
#[test]
fn a_batch_older_than_the_last_five_is_out_of_order() {
    let mut partition = Partition::new();
    for number in 0..6 {
        partition.send(batch(0, number * 10, 10)).unwrap();
    }
    assert_eq!(should_be(partition.send(batch(0, 0, 10))), 60);
    assert_eq!(partition.send(batch(0, 10, 10)), Ok(None));
}

/// T-35
#[test]
fn part_of_a_batch_is_not_its_duplicate() {
    let mut partition = Partition::new();
    partition.send(batch(0, 0, 10)).unwrap();
    assert_eq!(should_be(partition.send(batch(0, 0, 5))), 10);
    assert_eq!(should_be(partition.send(batch(0, 5, 10))), 10);
}

/// T-35
#[test]
fn a_gap_is_refused_and_changes_nothing() {
    let mut partition = Partition::new();
    partition.send(batch(0, 0, 10)).unwrap();
    let before = partition.producers.clone();
    assert_eq!(should_be(partition.send(batch(0, 11, 10))), 10);
    assert_eq!(partition.producers, before);
    assert_eq!(partition.send(batch(0, 10, 10)), Ok(Some(10)));
}

/// T-35: KIP-360; the state may have expired while the producer goes on.
#[test]
fn an_unknown_producer_may_begin_with_any_sequence() {
    let mut partition = Partition::new();
    assert_eq!(partition.send(batch(0, 77, 3)), Ok(Some(0)));
    assert_eq!(should_be(partition.send(batch(0, 81, 1))), 80);
}

/// T-35
#[test]
fn a_new_epoch_begins_at_zero_and_fences_the_old() {
    let mut partition = Partition::new();
    partition.send(batch(0, 0, 10)).unwrap();
    assert_eq!(should_be(partition.send(batch(1, 10, 1))), 0);
    assert_eq!(partition.send(batch(1, 0, 1)), Ok(Some(10)));
    let (producer_id, last_seen) = (id(PRODUCER), epoch(1));
    let fenced = ProducerError::InvalidProducerEpoch { producer_id, epoch: epoch(0), last_seen };
    assert_eq!(partition.send(batch(0, 10, 1)), Err(fenced));
    assert_eq!(partition.send(batch(0, 0, 10)), Err(fenced), "not even as a duplicate");
}

/// T-35
#[test]
fn sequences_go_on_at_zero_after_the_largest() {
    let mut partition = Partition::new();
    let max = Sequence::MAX.get();
    partition.send(batch(0, max - 4, 3)).unwrap();
    assert_eq!(partition.send(batch(0, max - 1, 4)), Ok(Some(3)), "over the edge, inside a batch");
    assert_eq!(partition.send(batch(0, max - 1, 4)), Ok(None));
    assert_eq!(partition.send(batch(0, 2, 1)), Ok(Some(7)));

    let mut partition = Partition::new();
    partition.send(batch(0, max, 1)).unwrap();
    assert_eq!(should_be(partition.send(batch(0, 1, 1))), 0);
    assert_eq!(partition.send(batch(0, 0, 1)), Ok(Some(1)), "over the edge, between batches");
}

/// T-35
#[test]
fn a_follower_recognises_what_its_leader_was_sent_before() {
    let mut leader = Partition::new();
    for number in 0..3 {
        leader.send(batch(0, number * 10, 10)).unwrap();
    }
    let mut follower = Partition::new();
    for appended in &leader.log {
        assert_eq!(follower.producers.replay(appended), Ok(None));
    }
    assert_eq!(follower.producers, leader.producers);
    follower.end = leader.end;
    assert_eq!(follower.send(batch(0, 10, 10)), Ok(None), "the answer was lost with the leader");
    assert_eq!(follower.send(batch(0, 30, 10)), Ok(Some(30)));
}

#[test]
fn a_replica_copies_even_what_it_would_have_refused() {
    let mut producers = Producers::new(true);
    producers.replay(&batch(3, 5, 1)).unwrap();
    producers.replay(&batch(2, 9, 1)).unwrap();
    assert_eq!(producers.get(id(PRODUCER)).unwrap().epoch(), epoch(2));
    producers.replay(&in_transaction(PRODUCER, 2, 40)).unwrap();
    producers.replay(&marker(PRODUCER, 2, Commit, 9)).unwrap();
    producers.replay(&marker(PRODUCER, 1, Commit, 3)).unwrap();
    assert_eq!(producers.get(id(PRODUCER)).unwrap().coordinator_epoch(), 3);
}

/// T-36
#[test]
fn a_silent_producer_expires_and_one_with_an_open_transaction_does_not() {
    let mut partition = Partition::new();
    partition.send(batch(0, 0, 1)).unwrap();
    partition.send(in_transaction(1, 0, 0)).unwrap();
    partition.producers.expire(Timestamp(1000 + 3_599_999), HOUR);
    assert!(partition.producers.get(id(PRODUCER)).is_some());
    partition.producers.expire(Timestamp(1000 + 3_600_000), HOUR);
    assert!(partition.producers.get(id(PRODUCER)).is_none());
    assert!(partition.producers.get(id(1)).is_some());
    assert!(partition.producers.has_late_transaction(Timestamp(5000), Millis(3999)));
    assert!(!partition.producers.has_late_transaction(Timestamp(5000), Millis(4000)));
}

/// T-36
#[test]
fn a_snapshot_leaves_out_who_has_expired_since() {
    let mut partition = Partition::new();
    partition.send(batch(0, 0, 1)).unwrap();
    partition.send(in_transaction(1, 0, 0)).unwrap();
    let entries = partition.producers.snapshot();
    let restored = Producers::restore(&entries, false, Timestamp(3_601_000), HOUR);
    assert!(restored.get(id(PRODUCER)).is_none());
    assert_eq!(restored.first_undecided_offset(), Some(offset(1)));
}

#[test]
fn readers_wait_for_the_earliest_open_transaction_and_for_its_marker_to_be_replicated() {
    let mut partition = Partition::new();
    partition.send(in_transaction(1, 0, 0)).unwrap();
    partition.send(in_transaction(2, 0, 0)).unwrap();
    assert_eq!(partition.producers.first_unstable_offset(), Some(offset(0)));
    partition.end_transaction(1, 0, Commit).unwrap();
    assert_eq!(partition.producers.first_undecided_offset(), Some(offset(1)));
    assert_eq!(partition.producers.first_unstable_offset(), Some(offset(0)));
    partition.producers.on_high_watermark(offset(2));
    assert_eq!(partition.producers.first_unstable_offset(), Some(offset(0)), "marker at 2");
    partition.producers.on_high_watermark(offset(3));
    assert_eq!(partition.producers.first_unstable_offset(), Some(offset(1)));
    partition.end_transaction(2, 0, Commit).unwrap();
    partition.producers.on_high_watermark(offset(4));
    assert_eq!(partition.producers.first_unstable_offset(), None);
    assert_eq!(partition.aborted, []);
}

#[test]
fn an_aborted_transaction_is_indexed_with_what_was_stable_then() {
    let mut partition = Partition::new();
    partition.send(in_transaction(1, 0, 0)).unwrap();
    partition.send(in_transaction(2, 0, 0)).unwrap();
    partition.end_transaction(1, 0, Abort).unwrap();
    partition.end_transaction(2, 0, Abort).unwrap();
    let aborted = |producer, first, last, stable| AbortedTransaction {
        producer_id: id(producer),
        first_offset: offset(first),
        last_offset: offset(last),
        last_stable_offset: offset(stable),
    };
    assert_eq!(partition.aborted, [aborted(1, 0, 2, 1), aborted(2, 1, 3, 4)]);
}

#[test]
fn a_marker_without_transaction_ends_nothing_but_fences() {
    let mut partition = Partition::new();
    partition.end_transaction(PRODUCER, 5, Abort).unwrap();
    assert_eq!(partition.aborted, []);
    let refused = partition.send(batch(4, 0, 1)).unwrap_err();
    assert!(matches!(refused, ProducerError::InvalidProducerEpoch { .. }));
    assert_eq!(should_be(partition.send(batch(5, 3, 1))), 0, "nothing of epoch 5 is remembered");
}

#[test]
fn a_plain_batch_inside_a_transaction_is_refused() {
    let mut partition = Partition::new();
    partition.send(in_transaction(PRODUCER, 0, 0)).unwrap();
    let first_offset = offset(0);
    let refused = ProducerError::TransactionOpen { producer_id: id(PRODUCER), first_offset };
    assert_eq!(partition.send(batch(0, 1, 1)), Err(refused));
}

#[test]
fn a_replaced_coordinator_is_fenced() {
    let mut partition = Partition::new();
    let context = AppendContext::of(Origin::Coordinator);
    partition.append(marker(PRODUCER, 0, Commit, 7), &context).unwrap();
    let refused = partition.append(marker(PRODUCER, 0, Commit, 6), &context);
    let (producer_id, found, last_seen) = (id(PRODUCER), 6, 7);
    let fenced = ProducerError::CoordinatorFenced { producer_id, found, last_seen };
    assert_eq!(refused, Err(fenced));
    assert!(partition.append(marker(PRODUCER, 0, Commit, 7), &context).is_ok());
}

#[test]
fn where_markers_raise_the_epoch_a_late_one_is_told_from_a_repeated_one() {
    let mut partition = Partition::new();
    let origin = Origin::Coordinator;
    let context = AppendContext { transaction_version: 2, ..AppendContext::of(origin) };
    partition.send(in_transaction(PRODUCER, 3, 0)).unwrap();
    let late = partition.append(marker(PRODUCER, 3, Commit, 0), &context);
    assert!(matches!(late, Err(ProducerError::InvalidProducerEpoch { .. })), "must be above 3");
    assert!(partition.append(marker(PRODUCER, 4, Commit, 0), &context).is_ok());
    assert!(partition.append(marker(PRODUCER, 4, Commit, 0), &context).is_ok(), "repeated");
    let old = partition.append(marker(PRODUCER, 3, Commit, 0), &context);
    assert!(matches!(old, Err(ProducerError::InvalidProducerEpoch { .. })));
    partition.send(in_transaction(PRODUCER, 4, 0)).unwrap();
    let repeated = partition.append(marker(PRODUCER, 4, Commit, 0), &context);
    assert!(repeated.is_err(), "it would end the producer's next transaction");
}

#[test]
fn an_exhausted_epoch_ends_its_transaction_without_being_raised() {
    let mut partition = Partition::new();
    let origin = Origin::Coordinator;
    let context = AppendContext { transaction_version: 2, ..AppendContext::of(origin) };
    let max = ProducerEpoch::MAX.get();
    partition.send(in_transaction(PRODUCER, max, 0)).unwrap();
    assert!(partition.append(marker(PRODUCER, max, Commit, 0), &context).is_ok());
    assert_eq!(partition.producers.first_undecided_offset(), None);
}

#[test]
fn only_a_verified_batch_opens_a_transaction() {
    let mut partition = Partition::new();
    partition.producers = Producers::new(true);
    let producer_id = id(PRODUCER);
    let not_verified = Err(ProducerError::NotVerified { producer_id });
    assert_eq!(partition.send(in_transaction(PRODUCER, 0, 0)), not_verified);
    let now = Timestamp(0);
    let guard = partition.producers.begin_verification(
        producer_id,
        epoch(0),
        Some(sequence(0)),
        false,
        now,
    );
    let context = AppendContext { guard, ..AppendContext::of(Origin::Client) };
    assert_eq!(partition.append(in_transaction(PRODUCER, 0, 0), &context), Ok(Some(0)));
    assert_eq!(partition.send(in_transaction(PRODUCER, 0, 1)), Ok(Some(1)), "it is open now");
    let again = partition.producers.begin_verification(
        producer_id,
        epoch(0),
        Some(sequence(2)),
        false,
        now,
    );
    assert_eq!(again, None, "there is nothing to ask");
}

/// T-35: a late batch must not open a transaction after its own has ended.
#[test]
fn a_guard_is_worthless_once_a_marker_has_come() {
    let mut partition = Partition::new();
    partition.producers = Producers::new(true);
    let producer_id = id(PRODUCER);
    let guard = partition.producers.begin_verification(
        producer_id,
        epoch(0),
        Some(sequence(0)),
        false,
        Timestamp(0),
    );
    partition.end_transaction(PRODUCER, 0, Abort).unwrap();
    let context = AppendContext { guard, ..AppendContext::of(Origin::Client) };
    let refused = partition.append(in_transaction(PRODUCER, 0, 0), &context);
    assert_eq!(refused, Err(ProducerError::NotVerified { producer_id }));
}

#[test]
fn nothing_above_the_lowest_waiting_sequence_goes_first() {
    let mut partition = Partition::new();
    partition.producers = Producers::new(true);
    let producer_id = id(PRODUCER);
    let mut guard = None;
    for waiting in [5, 3, 4] {
        let waiting = Some(sequence(waiting));
        let now = Timestamp(0);
        guard = partition.producers.begin_verification(producer_id, epoch(0), waiting, false, now);
    }
    let context = AppendContext { guard, ..AppendContext::of(Origin::Client) };
    assert_eq!(should_be(partition.append(in_transaction(PRODUCER, 0, 4), &context)), 3);
    assert!(partition.append(in_transaction(PRODUCER, 0, 3), &context).is_ok());
}

#[test]
fn a_producer_that_raises_its_epoch_per_transaction_begins_at_zero_even_when_unknown() {
    let mut partition = Partition::new();
    partition.producers = Producers::new(true);
    let producer_id = id(PRODUCER);
    let now = Timestamp(0);
    let guard =
        partition.producers.begin_verification(producer_id, epoch(0), Some(sequence(7)), true, now);
    let context = AppendContext { guard, ..AppendContext::of(Origin::Client) };
    assert_eq!(should_be(partition.append(in_transaction(PRODUCER, 0, 7), &context)), 0);
}

/// What the network does to requests and answers of one client with five batches in flight.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The request with this place in flight arrives; its answer reaches the client, or not.
    Arrives { place: usize, is_answered: bool },
    /// A copy that was on its way since the place-th request ever sent arrives.
    OldCopy { place: usize },
    /// The leader restarts from a snapshot taken after so many batches, and its log.
    Restarts { snapshot_at: usize },
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => (0_usize..5, any::<bool>())
            .prop_map(|(place, is_answered)| Fate::Arrives { place, is_answered }),
        2 => any::<usize>().prop_map(|place| Fate::OldCopy { place }),
        1 => any::<usize>().prop_map(|snapshot_at| Fate::Restarts { snapshot_at }),
    ]
}

/// The state that a start finds: a snapshot at some earlier batch, and every batch after it.
fn restarted(partition: &Partition, snapshot_at: usize) -> Producers {
    let mut before = Producers::new(false);
    let (early, late) = partition.log.split_at(snapshot_at % (partition.log.len() + 1));
    for batch in early {
        before.replay(batch).unwrap();
    }
    let mut after = Producers::restore(&before.snapshot(), false, Timestamp(1000), HOUR);
    for batch in late {
        after.replay(batch).unwrap();
    }
    after
}

proptest! {
    /// T-35: whatever is lost, repeated or reordered, the log holds each record once, in order.
    #[test]
    fn each_record_is_in_the_log_once_and_in_order(
        first in prop_oneof![Just(0), (Sequence::MAX.get() - 60)..=Sequence::MAX.get()],
        sizes in prop::collection::vec(1_u32..4, 1..60),
        fates in prop::collection::vec(fate(), 0..200),
    ) {
        let mut partition = Partition::new();
        let mut next = sequence(first);
        let mut unsent: VecDeque<ProducerBatch> = VecDeque::new();
        for size in sizes {
            unsent.push_back(batch(0, next.get(), size));
            next = next.advance(size);
        }
        // A producer's very first batch is alone in flight until it is answered, because an unknown
        // producer may begin anywhere.
        let opening = unsent.pop_front().unwrap();
        partition.send(opening).unwrap();
        let mut sent = vec![opening];
        let mut in_flight: VecDeque<ProducerBatch> = VecDeque::new();
        for fate in fates {
            while in_flight.len() < 5 && let Some(batch) = unsent.pop_front() {
                in_flight.push_back(batch);
                sent.push(batch);
            }
            match fate {
                Fate::Arrives { place, is_answered } => {
                    if let Some(batch) = in_flight.get(place).copied() {
                        let answer = partition.send(batch);
                        if answer.is_ok() && is_answered {
                            in_flight.retain(|waiting| *waiting != batch);
                        }
                    }
                }
                Fate::OldCopy { place } => {
                    let _ = partition.send(sent[place % sent.len()]);
                }
                Fate::Restarts { snapshot_at } => {
                    partition.producers = restarted(&partition, snapshot_at);
                }
            }
        }
        let mut expected = sequence(first);
        for appended in &partition.log {
            let BatchContent::Records { base_sequence, last_sequence } = appended.content else {
                panic!("only records were sent");
            };
            prop_assert_eq!(base_sequence, Some(expected));
            expected = last_sequence.unwrap().advance(1);
        }
    }

    /// T-36: the format keeps one batch of five, everything else survives a restart unchanged.
    #[test]
    fn a_restart_finds_the_state_that_the_log_left(
        steps in prop::collection::vec((0_u64..3, 0_u16..3, 0_u8..5), 0..60),
        snapshot_at: usize,
    ) {
        let mut partition = Partition::new();
        for (producer, producer_epoch, kind) in steps {
            let next = partition.producers.get(id(producer)).and_then(ProducerState::last_sequence);
            let next = next.map_or(0, |last| last.advance(1).get());
            let plain = ProducerBatch {
                is_transactional: false,
                ..in_transaction(producer, producer_epoch, next)
            };
            let result = match kind {
                0 | 1 => partition.send(plain),
                2 => partition.send(in_transaction(producer, producer_epoch, next)),
                3 => partition.end_transaction(producer, producer_epoch, Commit),
                _ => partition.end_transaction(producer, producer_epoch, Abort),
            };
            let _refused = result.is_err();
        }
        let after = restarted(&partition, snapshot_at);
        prop_assert_eq!(after.snapshot(), partition.producers.snapshot());
        prop_assert_eq!(&after.open, &partition.producers.open);
        for (producer, state) in partition.producers.iter() {
            let remembered = after.get(producer).unwrap().batches();
            prop_assert!(state.batches().ends_with(remembered));
        }
    }
}
