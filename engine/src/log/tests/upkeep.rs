//! Retention, DeleteRecords, rest, and what a reader at any offset gets.

use std::time::Duration;

use super::*;
use crate::io::sim::Failure;
use crate::io::{Fault, Operation, SIM_OPEN_FILES_MAX, SIM_SPARE_BYTES_MAX};
use crate::log::ReadError;
use crate::record::BatchHeader;
use crate::types::Millis;

async fn filled(runtime: &Runtime, options: LogOptions, batches: usize) -> Rc<Log> {
    let log = open(runtime, options, Opening::Clean).await;
    for _ in 0..batches {
        append_durably(&log, &[batch(3, 400)]).await;
    }
    log
}

/// T-34: a read from the middle of a batch returns the whole batch and skips nothing; the first
/// batch is returned however small `max_bytes` is.
#[test]
fn a_read_from_the_middle_of_a_batch_returns_all_of_it() {
    for seed in 0..10 {
        simulate(seed, async |runtime| {
            let log = filled(&runtime, small_options(), 60).await;
            let end = log.ends().log_end;
            for from in 0..end.get() {
                let slice = log.read(offset(from), end, 1, true).await.unwrap();
                assert_eq!(slice.next_offset.get(), from / 3 * 3 + 3);
                let bytes = slice.into_bytes();
                let header = BatchHeader::decode(&bytes).unwrap();
                assert_eq!(header.base_offset().get(), from / 3 * 3);
                assert_eq!(bytes.len(), header.batch_bytes());
                let nothing = log.read(offset(from), end, 1, false).await.unwrap();
                assert!(nothing.is_empty());
                let bounded = log.read(offset(from), offset(from), 9999, true).await.unwrap();
                assert!(bounded.is_empty());
            }
            let at_end = log.read(end, end, 9999, true).await.unwrap();
            assert!(at_end.is_empty() && at_end.next_offset == end);
            let beyond = log.read(end.advance(1), end.advance(2), 9999, true).await;
            assert!(matches!(beyond, Err(ReadError::OutOfRange { .. })));
        });
    }
}

/// T-23: old segments go in order, and never those that the high watermark has not passed.
#[test]
fn retention_deletes_whole_old_segments_below_the_high_watermark() {
    simulate(1, async |runtime| {
        let options = LogOptions {
            retention_bytes_max: Some(45_000),
            retention_age_max: None,
            delete_delay: Millis(1000),
            ..small_options()
        };
        let log = filled(&runtime, options.clone(), 100).await;
        let end = log.ends().log_end;
        assert_eq!(log.apply_retention(runtime.wall_clock(), Offset::ZERO).await.unwrap(), 0);
        assert!(0 < log.apply_retention(runtime.wall_clock(), end).await.unwrap());
        assert!(45_000 <= log.size_bytes() && log.size_bytes() < 66_000);
        let start = log.ends().log_start;
        assert!(matches!(
            log.read(Offset::ZERO, end, 1000, true).await,
            Err(ReadError::OutOfRange { .. })
        ));
        assert_eq!(read_all(&log, start).await.len() as u64, (end.get() - start.get()) / 3);
        let names = async || {
            let entries = runtime.directory(&folder()).list().await.unwrap();
            let deleted = entries.iter().filter(|entry| entry.name.ends_with(".deleted"));
            deleted.count()
        };
        assert!(0 < names().await, "deleted files stay for a while");
        runtime.sleep(std::time::Duration::from_millis(1100)).await;
        assert_eq!(names().await, 0);
        log.close().await.unwrap();
        let log = open(&runtime, options, Opening::Clean).await;
        assert_eq!((log.ends().log_start, log.ends().log_end), (start, end));
    });
}

/// Found by a life: a rename failed, the next call had nothing to give up, and a restart showed again
/// what readers had been told was gone.
#[test]
fn what_a_deletion_could_not_take_away_goes_at_the_next_call() {
    for deletes_records in [false, true] {
        let sim = machine(3);
        let (runtime, disk) = (sim.runtime(), sim.clone());
        let story = async move {
            let options = LogOptions { retention_bytes_max: Some(45_000), ..small_options() };
            let log = filled(&runtime, options.clone(), 100).await;
            let end = log.ends().log_end;
            let (operation, suffix) = (Operation::Rename, ".log".to_owned());
            disk.fail(Failure { operation, suffix, fault: Fault::Device, skip: 0, times: 1 });
            log.apply_retention(runtime.wall_clock(), end).await.unwrap_err();
            let start = log.ends().log_start;
            assert!(Offset::ZERO < start);
            if deletes_records {
                assert_eq!(log.truncate_prefix(offset(1)).await.unwrap(), start);
            } else {
                log.apply_retention(runtime.wall_clock(), end).await.unwrap();
            }
            log.close().await.unwrap();
            let log = open(&runtime, options, Opening::Clean).await;
            assert_eq!(log.ends().log_start, start);
        };
        assert!(sim.run(story).is_some());
    }
}

/// Found by a life: a swap of compaction had failed half way, and a start finished what retention had
/// taken away.
#[test]
fn nothing_of_a_fenced_log_is_given_up() {
    let sim = machine(4);
    let (runtime, disk) = (sim.runtime(), sim.clone());
    let story = async move {
        let options = LogOptions { retention_bytes_max: Some(0), ..small_options() };
        let log = filled(&runtime, options, 60).await;
        let end = log.ends().durable_end;
        log.fail(&crate::io::IoError::new(Operation::Remove, &folder(), Fault::Device, "a test"));
        let names = || disk.contents().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let before = names();
        log.apply_retention(runtime.wall_clock(), end).await.unwrap_err();
        log.truncate_prefix(offset(30)).await.unwrap_err();
        assert_eq!((log.ends().log_start, names()), (Offset::ZERO, before));
    };
    assert!(sim.run(story).is_some());
}

#[test]
fn retention_by_age_deletes_the_active_segment_too() {
    simulate(2, async |runtime| {
        let options = LogOptions { retention_age_max: Some(Millis(1000)), ..small_options() };
        let log = filled(&runtime, options, 30).await;
        let end = log.ends().log_end;
        let now = Timestamp(1_700_000_000_000 + 1001);
        assert!(1 < log.apply_retention(now, end).await.unwrap());
        assert_eq!((log.ends().log_start, log.size_bytes()), (end, 0));
        let next = append_durably(&log, &[batch(1, 10)]).await;
        assert_eq!(next.base_offset, end);
    });
}

/// T-32: the latest timestamp of a segment counts, and a segment from the future stays.
#[test]
fn retention_counts_from_the_latest_record_also_if_that_is_in_the_future() {
    simulate(2, async |runtime| {
        let options = LogOptions { retention_age_max: Some(Millis(1000)), ..small_options() };
        let log = open(&runtime, options, Opening::Clean).await;
        let now = runtime.wall_clock();
        let future = now.0 + 3_600_000;
        for times in [[1, 2], [future, 3]] {
            append_durably(&log, &[batch_at(&times, 8000, Compression::None)]).await;
        }
        append_durably(&log, &[batch_at(&[4, 5], 8000, Compression::None)]).await;
        let end = log.ends().log_end;
        log.apply_retention(now, end).await.unwrap();
        assert_eq!(log.ends().log_start, offset(2), "what is behind the future stays, too");
        log.apply_retention(Timestamp(future + 1000), end).await.unwrap();
        assert_eq!(log.ends().log_start, offset(2), "not older than a second");
        log.apply_retention(Timestamp(future + 1001), end).await.unwrap();
        assert_eq!(log.ends().log_start, end);
    });
}

/// T-32: without timestamps the time of the last write counts.
#[test]
fn records_without_a_timestamp_are_as_old_as_their_file() {
    simulate(2, async |runtime| {
        let options = LogOptions { retention_age_max: Some(Millis(60_000)), ..small_options() };
        let log = open(&runtime, options.clone(), Opening::Clean).await;
        append_durably(&log, &[batch_at(&[-1, -1], 8000, Compression::None)]).await;
        append_durably(&log, &[batch_at(&[-1, -1], 8000, Compression::None)]).await;
        let (written, end) = (runtime.wall_clock(), log.ends().log_end);
        let at = |seconds: i64| Timestamp(written.0 + seconds * 1000);
        assert_eq!(log.apply_retention(at(50), end).await.unwrap(), 0);
        log.close().await.unwrap();
        runtime.sleep(std::time::Duration::from_secs(55)).await;
        let log = open(&runtime, options, Opening::Clean).await;
        assert_eq!(log.apply_retention(at(50), end).await.unwrap(), 0);
        log.apply_retention(at(70), end).await.unwrap();
        assert_eq!(log.ends().log_start, end, "a start does not make them younger");
    });
}

#[test]
fn a_log_that_may_have_no_bytes_gives_up_its_active_segment_too() {
    simulate(2, async |runtime| {
        let options =
            LogOptions { retention_bytes_max: Some(0), retention_age_max: None, ..small_options() };
        let log = filled(&runtime, options, 30).await;
        let end = log.ends().log_end;
        log.apply_retention(runtime.wall_clock(), end).await.unwrap();
        assert_eq!((log.ends().log_start, log.size_bytes()), (end, 0));
    });
}

/// While files are renamed and removed, appends are acknowledged.
#[test]
fn a_deletion_of_many_segments_delays_no_append() {
    simulate(2, async |runtime| {
        let options = LogOptions { retention_age_max: None, ..small_options() };
        let log = filled(&runtime, options.clone(), 500).await;
        assert!(20 < log.segment_count());
        log.set_options(LogOptions { retention_bytes_max: Some(30_000), ..options });
        let end = log.ends().log_end;
        let is_done = std::cell::Cell::new(false);
        let deletion = async {
            let deleted = log.apply_retention(runtime.wall_clock(), end).await.unwrap();
            is_done.set(true);
            deleted
        };
        let appends = async {
            let mut during = 0;
            while !is_done.get() {
                append_durably(&log, &[batch(1, 10)]).await;
                during += 1;
            }
            during
        };
        let (deleted, during) = futures_util::future::join(deletion, appends).await;
        assert!(
            20 < deleted && deleted / 2 < during,
            "{during} appends beside {deleted} deletions"
        );
        assert!(offset(0) < log.ends().log_start);
        read_all(&log, log.ends().log_start).await;
    });
}

/// A log that is deleted, and made anew under its name, is not hurt by a deletion under way.
#[test]
fn the_end_of_a_log_waits_for_its_deletions() {
    for seed in 0..20 {
        simulate(seed, async move |runtime| {
            let options = LogOptions { retention_age_max: None, ..small_options() };
            let log = filled(&runtime, options.clone(), 150).await;
            log.set_options(LogOptions { retention_bytes_max: Some(0), ..options.clone() });
            let end = log.ends().log_end;
            let retention = log.apply_retention(runtime.wall_clock(), end);
            let other = async {
                runtime.sleep(std::time::Duration::from_micros(seed * 400)).await;
                log.delete().await.unwrap();
                filled(&runtime, options, 10).await
            };
            let (_, anew) = futures_util::future::join(retention, other).await;
            assert_eq!(read_all(&anew, Offset::ZERO).await.len(), 10);
            let file = runtime.directory(&folder());
            let names = file.list().await.unwrap();
            assert!(names.iter().all(|entry| !entry.name.ends_with(".deleted")));
        });
    }
}

#[test]
fn deleted_records_stay_deleted_after_a_restart() {
    for seed in 0..20 {
        let sim = machine(seed);
        let runtime = sim.runtime();
        let cut = offset(20 + seed);
        sim.run(async move {
            let log = filled(&runtime, small_options(), 40).await;
            assert_eq!(log.truncate_prefix(cut).await.unwrap(), cut);
            assert!(log.truncate_prefix(log.ends().log_end.advance(1)).await.is_err());
        })
        .unwrap();
        let next = sim.crash();
        let runtime = next.runtime();
        next.run(async move {
            let log = open(&runtime, small_options(), Opening::Recover).await;
            assert_eq!(log.ends().log_start, cut);
            read_all(&log, cut).await;
        })
        .unwrap();
    }
}

/// An append needs nothing of what is given back, and so it may come at any moment.
#[test]
fn what_is_appended_while_a_log_goes_to_rest_stays() {
    for step in 0..100 {
        simulate(step, async move |runtime| {
            let log = filled(&runtime, small_options(), 10).await;
            // As a core's logs do; here there is never room in the journal.
            log.join_journal(Log::commit_directly);
            log.rest().await.unwrap();
            let resting = Rc::clone(&log);
            runtime.spawn(async move { resting.rest().await.unwrap() });
            runtime.sleep(Duration::from_micros(step * 20)).await;
            let appended = append_durably(&log, &[batch(2, 100)]).await;
            assert_eq!(read_all(&log, appended.base_offset).await.len(), 1, "step {step}");
        });
    }
}

/// T-60: what is right for one log is too much for each of very many.
#[test]
fn many_logs_keep_no_more_of_their_ends_in_memory_than_one_core_may() {
    simulate(5, async |runtime| {
        let options =
            LogOptions { tail_cache_bytes: 20_000, segment_bytes: 1_000_000, ..small_options() };
        let (mut logs, mut most) = (Vec::new(), 0);
        // As many as may have a file open.
        for number in 0..SIM_OPEN_FILES_MAX {
            let folder = PathBuf::from(format!("/data/topic-{number}"));
            let log = Log::open(&runtime, folder, options.clone(), Opening::Clean).await.unwrap();
            logs.push(log);
        }
        for round in 0..12 {
            for log in logs.iter().skip(round % 3) {
                append_durably(log, &[batch(3, 1_000)]).await;
            }
            let spare = |log: &Rc<Log>| log.state.borrow().tail.spare_bytes();
            let held: u64 = logs.iter().map(spare).sum();
            assert!(held <= SIM_SPARE_BYTES_MAX, "{held} bytes in round {round}");
            assert_eq!(held, runtime.spare_memory().held());
            most = most.max(held);
        }
        assert!(0 < most, "who was busy last keeps something");
        for (number, log) in logs.iter().enumerate() {
            let batches = (0..12).filter(|round| round % 3 <= number).count();
            assert_eq!(read_all(log, Offset::ZERO).await.len(), batches);
        }
        for log in logs {
            log.close().await.unwrap();
        }
        assert_eq!(runtime.spare_memory().held(), 0);
    });
}

/// T-60: each log that writes its segment itself has a file open; more logs may do so than files.
#[test]
fn many_busy_logs_keep_no_more_files_open_than_one_core_may() {
    simulate(6, async |runtime| {
        let mut logs = Vec::new();
        for number in 0..3 * SIM_OPEN_FILES_MAX {
            let folder = PathBuf::from(format!("/data/topic-{number}"));
            let log = Log::open(&runtime, folder, small_options(), Opening::Clean).await.unwrap();
            logs.push(log);
        }
        for round in 0..6 {
            for log in logs.iter().skip(round % 3) {
                append_durably(log, &[batch(3, 300)]).await;
            }
            // What was let go of is closed a little later.
            let open = || logs.iter().filter(|log| log.state.borrow().writer.is_some()).count();
            while SIM_OPEN_FILES_MAX < open() {
                runtime.sleep(Duration::from_millis(1)).await;
            }
            let last = logs.last().unwrap();
            assert!(last.state.borrow().writer.is_some(), "who was busy last keeps it");
        }
        for (number, log) in logs.iter().enumerate() {
            let batches = (0..6).filter(|round| round % 3 <= number).count();
            assert_eq!(read_all(log, Offset::ZERO).await.len(), batches);
        }
        for log in logs {
            log.close().await.unwrap();
        }
        assert_eq!(runtime.open_writers().held(), 0);
    });
}

/// T-25: a partition at rest holds no memory for data and no space on the disk ahead of need.
#[test]
fn a_log_at_rest_gives_back_its_memory_and_its_space() {
    simulate(3, async |runtime| {
        let log = filled(&runtime, small_options(), 10).await;
        log.rest().await.unwrap();
        assert!(log.state.borrow().writer.is_some(), "it was used since the last look");
        log.rest().await.unwrap();
        {
            let state = log.state.borrow();
            assert!(state.writer.is_none());
            assert_eq!(state.tail.memory_bytes(), 0);
            assert!(state.active().index().is_none());
        }
        let path = folder().join("00000000000000000000.log");
        let size = runtime.open_file_to_read(&path).await.unwrap().size().await.unwrap();
        assert_eq!(size, log.size_bytes());
        let end = log.ends().log_end;
        assert_eq!(read_all(&log, Offset::ZERO).await.len(), 10);
        assert_eq!(append_durably(&log, &[batch(1, 10)]).await.base_offset, end);
        assert_eq!(read_all(&log, Offset::ZERO).await.len(), 11);
    });
}

#[test]
fn a_deleted_log_is_gone_and_refuses_appends() {
    simulate(4, async |runtime| {
        let log = filled(&runtime, small_options(), 10).await;
        log.delete().await.unwrap();
        assert!(runtime.directory(&folder()).list().await.is_err());
        let context = AppendContext::of(Origin::Client);
        let refused = log.append_in_turn(&[batch(1, 1)], EPOCH, &context, Timestamp(0)).await;
        assert!(matches!(refused, Err(crate::log::AppendError::Closed)));
    });
}

/// T-4, in part: epochs end where the next begins, also after a restart without a checkpoint.
#[test]
fn leader_epochs_are_known_again_from_the_batches() {
    for seed in 0..10 {
        let sim = machine(seed);
        let runtime = sim.runtime();
        let expected = sim
            .run(async move {
                let log = open(&runtime, small_options(), Opening::Clean).await;
                let context = AppendContext::of(Origin::Client);
                for number in 0..30 {
                    let epoch = LeaderEpoch::new(number / 7 * 2).unwrap();
                    let batches = [batch(1, 900)];
                    let appended =
                        log.append_in_turn(&batches, epoch, &context, Timestamp(0)).await;
                    log.durable(appended.unwrap().receipt).await.unwrap();
                }
                ends_of_epochs(&log)
            })
            .unwrap();
        assert_eq!(expected[3], Some((LeaderEpoch::new(2).unwrap(), offset(14))));
        let next = sim.crash();
        let runtime = next.runtime();
        let found = next
            .run(async move {
                if seed % 2 == 0 {
                    let directory = runtime.directory(&folder());
                    directory.remove("leader-epoch-checkpoint").await.unwrap();
                }
                let log = open(&runtime, small_options(), Opening::Recover).await;
                ends_of_epochs(&log)
            })
            .unwrap();
        assert_eq!(found, expected, "seed {seed}");
    }
}

fn ends_of_epochs(log: &Rc<Log>) -> Vec<Option<(LeaderEpoch, Offset)>> {
    (0..9).map(|epoch| log.epoch_end(LeaderEpoch::new(epoch).unwrap())).collect()
}

#[test]
fn a_folder_of_another_topic_is_refused() {
    simulate(5, async |runtime| {
        let with_id = |id: u8| LogOptions {
            topic_id: Some(crate::types::TopicId([id; 16])),
            ..small_options()
        };
        let log = open(&runtime, with_id(1), Opening::Clean).await;
        log.close().await.unwrap();
        let log = open(&runtime, small_options(), Opening::Clean).await;
        assert_eq!(log.topic_id(), with_id(1).topic_id);
        log.close().await.unwrap();
        let other = Log::open(&runtime, folder(), with_id(2), Opening::Clean).await;
        assert!(matches!(other.err(), Some(crate::log::OpenError::OtherTopic { .. })));
    });
}

#[test]
fn an_append_that_comes_while_retention_closes_the_segment_is_not_forgotten() {
    for seed in 0..200 {
        simulate(seed, async move |runtime| {
            let options = LogOptions { retention_age_max: Some(Millis(1)), ..small_options() };
            let log = open(&runtime, options, Opening::Clean).await;
            append_durably(&log, &[batch(1, 100)]).await;
            log.flush().await.unwrap();
            let retained = async {
                let end = log.ends().durable_end;
                log.apply_retention(Timestamp(1_700_000_900_000), end).await.unwrap()
            };
            let appended = async {
                runtime.sleep(std::time::Duration::from_micros(seed * 20)).await;
                append_durably(&log, &[batch(1, 100)]).await
            };
            futures_util::join!(retained, appended);
        });
    }
}
