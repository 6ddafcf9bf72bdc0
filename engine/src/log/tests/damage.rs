//! Bits that change on the disk, and indexes that lie.

use super::*;
use crate::log::{OpenError, ReadError};

/// One segment with forty batches, closed in order or left by a kill.
fn filled(seed: u64, closed: bool) -> (Sim, Vec<u64>) {
    let sim = machine(seed);
    let runtime = sim.runtime();
    let borders = sim
        .run(async move {
            let options = LogOptions { segment_bytes: 1 << 20, ..small_options() };
            let log = open(&runtime, options, Opening::Clean).await;
            let mut borders = vec![0];
            for number in 0..40 {
                append_durably(&log, &[batch(2, 200 + number * 7)]).await;
                borders.push(log.size_bytes());
            }
            if closed {
                log.close().await.unwrap();
            }
            borders
        })
        .unwrap();
    (sim.restart(), borders)
}

fn segment() -> PathBuf {
    folder().join("00000000000000000000.log")
}

fn recover(sim: &Sim) -> Result<u64, OpenError> {
    let runtime = sim.runtime();
    sim.run(async move {
        let log = Log::open(&runtime, folder(), small_options(), Opening::Recover).await?;
        let end = log.ends().log_end;
        assert_eq!(read_all(&log, Offset::ZERO).await.len() as u64 * 2, end.get());
        Ok(end.get())
    })
    .unwrap()
}

/// T-17, T-18: a flipped bit anywhere before the last batch is refused with the file and the place
/// in the message, and nothing is changed.
#[test]
fn a_flipped_bit_in_the_middle_is_refused_and_named() {
    for seed in 0..300 {
        let (sim, borders) = filled(seed % 5, seed % 2 == 0);
        let last = usize::try_from(borders[borders.len() - 2]).unwrap();
        let at = usize::try_from(sim.random(last as u64)).unwrap();
        let bit = 1 << sim.random(8);
        // The leader epoch is not covered by the checksum, nor are the low bits of an offset that
        // stay plausible; those are for other checks.
        let batch_start = borders.iter().rev().find(|&&border| border <= at as u64).unwrap();
        let field = at as u64 - batch_start;
        if field < 16 {
            continue;
        }
        sim.corrupt(&segment(), |bytes| bytes[at] ^= bit);
        let before = sim.content(&segment());
        match recover(&sim) {
            Err(OpenError::Damaged { path, position, .. }) => {
                assert_eq!(path, segment());
                assert_eq!(position, *batch_start, "seed {seed}");
            }
            other => panic!("seed {seed}, byte {at}: {other:?}"),
        }
        assert_eq!(sim.content(&segment()), before, "a refusal changes nothing");
    }
}

/// T-18: garbage behind the last batch is cut, and so is a last batch that is not whole.
#[test]
fn a_torn_end_is_cut_at_the_last_whole_batch() {
    for seed in 0..100 {
        let (sim, borders) = filled(seed % 5, true);
        let end = borders[borders.len() - 1];
        let before_last = borders[borders.len() - 2];
        if seed % 2 == 0 {
            sim.corrupt(&segment(), |bytes| bytes.extend_from_slice(&[0xEE; 700]));
            assert_eq!(recover(&sim), Ok(80));
        } else {
            let keep = before_last + 1 + sim.random(end - before_last - 1);
            sim.corrupt(&segment(), |bytes| bytes.truncate(usize::try_from(keep).unwrap()));
            assert_eq!(recover(&sim), Ok(78));
        }
        let len = sim.content(&segment()).unwrap().len() as u64;
        assert_eq!(len, if seed % 2 == 0 { end } else { before_last });
    }
}

/// T-18: what is known to have been durable is never cut, torn or not.
#[test]
fn an_end_below_the_recovery_point_is_refused() {
    let (sim, borders) = filled(1, true);
    let keep = usize::try_from(borders[30]).unwrap();
    sim.corrupt(&segment(), |bytes| bytes.truncate(keep));
    let open_from = |sim: &Sim, point: u64| {
        let runtime = sim.runtime();
        let opening =
            Opening::RecoverFrom { durable_below: offset(point), read_from: Offset::ZERO };
        sim.run(async move {
            Log::open(&runtime, folder(), small_options(), opening).await.map(|log| log.ends())
        })
        .unwrap()
    };
    let refused = open_from(&sim, 70);
    assert!(matches!(refused, Err(OpenError::Damaged { .. })), "{refused:?}");
    assert_eq!(open_from(&sim, 60).unwrap().log_end, offset(60));
}

/// T-17: a header that was damaged while the log is open is named, not passed on.
#[test]
fn a_read_of_a_damaged_header_names_file_and_position() {
    let (sim, borders) = filled(2, true);
    let at = usize::try_from(borders[20]).unwrap() + 16;
    sim.corrupt(&segment(), |bytes| bytes[at] = 99);
    let runtime = sim.runtime();
    sim.run(async move {
        let log = open(&runtime, small_options(), Opening::Clean).await;
        let mut next = Offset::ZERO;
        let error = loop {
            match log.read(next, log.ends().log_end, 2000, true).await {
                Ok(slice) => next = slice.next_offset,
                Err(error) => break error,
            }
        };
        assert_eq!(next, offset(40));
        let ReadError::Corrupt { path, position, .. } = error else { panic!("{error}") };
        assert_eq!((path, position), (segment(), borders[20]));
    })
    .unwrap();
}

/// T-17: a bit that rots in records at rest reaches no reader; what is before and behind can be read.
#[test]
fn a_flipped_bit_in_records_is_named_and_given_to_nobody() {
    for seed in 0..20 {
        let (sim, borders) = filled(seed, true);
        let damaged = 3 + usize::try_from(sim.random(30)).unwrap();
        let bytes = borders[damaged] + 61..borders[damaged + 1];
        let at = usize::try_from(bytes.start + sim.random(bytes.end - bytes.start)).unwrap();
        sim.corrupt(&segment(), |bytes| bytes[at] ^= 1 << (seed % 8));
        let runtime = sim.runtime();
        sim.run(async move {
            let log = open(&runtime, small_options(), Opening::Clean).await;
            let first_bad = offset(2 * damaged as u64);
            for _ in 0..2 {
                let (mut next, end) = (Offset::ZERO, log.ends().log_end);
                let error = loop {
                    match log.read(next, end, 5000, true).await {
                        Ok(slice) => next = slice.next_offset,
                        Err(error) => break error,
                    }
                };
                assert_eq!(next, first_bad, "seed {seed}");
                let ReadError::Corrupt { path, position, .. } = error else { panic!("{error}") };
                assert_eq!((path, position), (segment(), borders[damaged]));
                let behind = read_all(&log, first_bad.advance(2)).await;
                assert_eq!(behind.len(), 39 - damaged);
            }
        })
        .unwrap();
    }
}

/// T-19: an index that is missing, cut, from the future, or full of other numbers is made again,
/// and a read never returns anything but the batch that was asked for.
#[test]
fn a_wrong_index_never_leads_to_wrong_data() {
    for seed in 0..400 {
        let (sim, _) = filled(seed % 3, true);
        for name in ["00000000000000000000.index", "00000000000000000000.timeindex"] {
            let path = folder().join(name);
            let damage = sim.random(6);
            let at = sim.random(1 << 20);
            let value = u8::try_from(sim.random(256)).unwrap();
            sim.corrupt(&path, |bytes| match damage {
                0 => bytes.clear(),
                1 => bytes.truncate(bytes.len() / 2),
                2 => bytes.extend_from_slice(&[0x01; 24]),
                3 => bytes.fill(value),
                4 => bytes.extend_from_slice(&[0; 240]),
                _ => {
                    let at = usize::try_from(at).unwrap() % bytes.len();
                    bytes[at] = value;
                }
            });
        }
        let opening = if seed % 2 == 0 { Opening::Clean } else { Opening::Recover };
        let runtime = sim.runtime();
        sim.run(async move {
            let log = open(&runtime, small_options(), opening).await;
            assert_eq!(log.ends().log_end, offset(80));
            for wanted in (0..80).rev().step_by(7) {
                let slice = log.read(offset(wanted), offset(80), 1, true).await.unwrap();
                let header = crate::record::BatchHeader::decode(&slice.into_bytes()).unwrap();
                assert_eq!(header.base_offset(), offset(wanted / 2 * 2), "seed {seed}");
            }
            let latest = log.max_timestamp(offset(80)).await.unwrap().unwrap();
            assert_eq!(latest.offset, Offset::ZERO, "seed {seed}");
            let first = log.offset_for_time(latest.timestamp, offset(80)).await.unwrap().unwrap();
            assert_eq!(first.offset, Offset::ZERO, "seed {seed}");
        })
        .unwrap();
    }
}

/// T-19: the same for whole, sound indexes that belong to another log, or to an earlier time of this one.
#[test]
fn an_index_of_another_log_or_time_never_leads_to_wrong_data() {
    let names = ["00000000000000000000.index", "00000000000000000000.timeindex"];
    let indexes = |sim: &Sim| names.map(|name| sim.content(&folder().join(name)).unwrap());
    let written = |seed, batches: u64, value_bytes: usize| {
        let sim = machine(seed);
        let runtime = sim.runtime();
        sim.run(async move {
            let options = LogOptions { segment_bytes: 1 << 20, ..small_options() };
            let log = open(&runtime, options, Opening::Clean).await;
            for _ in 0..batches {
                append_durably(&log, &[batch(2, value_bytes)]).await;
            }
            log.close().await.unwrap();
        })
        .unwrap();
        sim.restart()
    };
    for (seed, (batches, value_bytes)) in
        (0..).zip([(10, 200), (39, 200), (40, 201), (60, 333), (90, 100), (200, 30)])
    {
        for opening in [Opening::Clean, Opening::Recover] {
            let foreign = indexes(&written(seed, batches, value_bytes));
            let sim = written(seed, 40, 200);
            for (name, content) in names.iter().zip(&foreign) {
                sim.corrupt(&folder().join(name), |bytes| bytes.clone_from(content));
            }
            let runtime = sim.runtime();
            sim.run(async move {
                let log = open(&runtime, small_options(), opening).await;
                assert_eq!(log.ends().log_end, offset(80));
                for wanted in 0..80 {
                    let slice = log.read(offset(wanted), offset(80), 1, true).await.unwrap();
                    let header = crate::record::BatchHeader::decode(&slice.into_bytes()).unwrap();
                    assert_eq!(header.base_offset(), offset(wanted / 2 * 2), "{batches} batches");
                }
            })
            .unwrap();
        }
    }
}

/// T-18: all of a file that was closed in order was on disk. Damage in its last batch is not taken
/// for a torn write, at no attempt to open it, and the file can be cut by hand meanwhile.
#[test]
fn damage_at_the_end_of_a_log_that_was_closed_in_order_is_refused_each_time() {
    for damage in 0..3 {
        let (sim, borders) = filled(damage, true);
        let last = usize::try_from(borders[borders.len() - 2]).unwrap();
        sim.corrupt(&segment(), |bytes| match damage {
            0 => *bytes.last_mut().unwrap() ^= 1,
            1 => bytes.truncate(last + 100),
            _ => bytes.extend_from_slice(&[0xEE; 700]),
        });
        let (before, disk) = (sim.content(&segment()), sim.clone());
        let runtime = sim.runtime();
        sim.run(async move {
            let mut opening = Opening::Clean;
            for _ in 0..3 {
                let opened = Log::open(&runtime, folder(), small_options(), opening).await;
                let Err(OpenError::Damaged { .. }) = opened else { panic!("opened") };
                opening = opening.again();
            }
            assert_eq!(disk.content(&segment()), before, "a refusal changes nothing");
            disk.corrupt(&segment(), |bytes| bytes.truncate(last));
            let log = open(&runtime, small_options(), opening).await;
            assert_eq!(log.ends().log_end, offset(78));
        })
        .unwrap();
    }
}

#[test]
fn another_attempt_to_open_a_log_knows_what_the_first_one_knew() {
    let point = Opening::RecoverFrom { durable_below: offset(7), read_from: offset(3) };
    assert_eq!(point.again(), point);
    assert_eq!(Opening::Recover.again(), Opening::Recover);
    assert_eq!(Opening::Clean.again(), Opening::CleanAgain);
    assert_eq!(Opening::CleanAgain.again(), Opening::CleanAgain);
}

/// T-17: Kafka's checksum does not cover a batch's offset. Whichever of its bits rots, the log is not
/// cut there by a start, and no reader is given the batch at an offset that it never had.
#[test]
fn an_offset_that_rots_is_refused_and_given_to_nobody() {
    for bit in 0..64_usize {
        for closed in [false, true] {
            let (sim, borders) = filled(3, closed);
            let at = usize::try_from(borders[20]).unwrap() + 7 - bit / 8;
            sim.corrupt(&segment(), |bytes| bytes[at] ^= 1 << (bit % 8));
            let before = sim.content(&segment());
            let refused = recover(&sim);
            assert!(matches!(refused, Err(OpenError::Damaged { .. })), "bit {bit}: {refused:?}");
            assert_eq!(sim.content(&segment()), before, "a refusal changes nothing");
            if !closed {
                continue;
            }
            let runtime = sim.runtime();
            sim.run(async move {
                let log = open(&runtime, small_options(), Opening::Clean).await;
                let (mut next, end) = (Offset::ZERO, log.ends().log_end);
                let error = loop {
                    let slice = match log.read(next, end, 5000, true).await {
                        Ok(slice) => slice,
                        Err(error) => break error,
                    };
                    next = slice.next_offset;
                    for batch in Batches::new(slice.into_bytes()) {
                        let header = *batch.unwrap().header();
                        let number = usize::try_from(header.base_offset().get() / 2).unwrap();
                        assert_eq!(header.next_offset(), offset(2 * number as u64 + 2));
                        assert_ne!(number, 20, "bit {bit}");
                    }
                };
                assert!(matches!(error, ReadError::Corrupt { .. }), "bit {bit}: {error}");
                // An offset that goes back may be that of the batch before, too.
                assert!(offset(38) <= next, "bit {bit}: what is before can be read, to {next}");
            })
            .unwrap();
        }
    }
}

/// T-17: a start that has to find out again what producers have done passes over a batch that has rotted:
/// the markers and numbers behind it still count.
#[test]
fn what_producers_did_behind_a_rotten_batch_is_known_without_a_snapshot() {
    let sim = machine(8);
    let runtime = sim.runtime();
    let sequenced = |sequence: u32| {
        let producer = crate::types::ProducerId::new(5).unwrap();
        let epoch = crate::types::ProducerEpoch::ZERO;
        let mut builder = BatchBuilder::new(Compression::None);
        builder = builder.with_producer(producer, epoch, crate::types::Sequence::new(sequence));
        builder.append(Timestamp(1_700_000_000_000), None, Some(&[7; 900]), &[]);
        builder.finish_checked()
    };
    let middle = sim
        .run(async move {
            let log = open(&runtime, small_options(), Opening::Clean).await;
            let mut middle = 0;
            for sequence in 0..10 {
                middle = if sequence == 5 { log.size_bytes() } else { middle };
                append_durably(&log, &[sequenced(sequence)]).await;
            }
            log.close().await.unwrap();
            middle
        })
        .unwrap();
    let next = sim.restart();
    next.corrupt(&segment(), |bytes| bytes[usize::try_from(middle).unwrap() + 200] ^= 1);
    next.corrupt(&folder().join("00000000000000000010.snapshot"), |bytes| bytes.clear());
    let runtime = next.runtime();
    let story = async move {
        let log = open(&runtime, small_options(), Opening::Clean).await;
        assert!(append(&log, &[sequenced(9)]).await.is_duplicate);
        assert_eq!(append(&log, &[sequenced(10)]).await.base_offset, offset(10));
    };
    assert!(next.run(story).is_some());
}
