//! Offsets by time, against a model that remembers every record.

use super::*;
use crate::io::sim::Random;
use crate::log::TimedOffset;

struct Model {
    /// Timestamps by offset.
    times: Vec<i64>,
}

impl Model {
    fn first_at(&self, at: i64, from: usize) -> Option<(u64, i64)> {
        let mut records = self.times.iter().enumerate().skip(from);
        records.find(|&(_, &time)| at <= time).map(|(offset, &time)| (offset as u64, time))
    }

    fn latest(&self) -> (u64, i64) {
        let latest = *self.times.iter().max().unwrap();
        self.first_at(latest, 0).unwrap()
    }
}

fn plain(found: Option<TimedOffset>) -> Option<(u64, i64)> {
    found.map(|found| (found.offset.get(), found.timestamp.0))
}

async fn fill(log: &Rc<Log>, random: &mut Random) -> Model {
    let codecs = [Compression::None, Compression::Lz4, Compression::Zstd, Compression::Gzip];
    let mut times = Vec::new();
    for _ in 0..50 {
        let count = 1 + random.below(6);
        let batch: Vec<i64> =
            (0..count).map(|_| 1000 + i64::try_from(random.below(60)).unwrap()).collect();
        let codec = codecs[usize::try_from(random.below(4)).unwrap()];
        append_durably(log, &[batch_at(&batch, 250, codec)]).await;
        times.extend(batch);
    }
    Model { times }
}

/// T-33: by time, in any order of timestamps, with ties, inside of compressed batches, across
/// segments and after a restart.
#[test]
fn the_first_record_that_is_late_enough_is_found_exactly() {
    for seed in 0..60 {
        simulate(seed, async move |runtime| {
            let options = LogOptions { segment_bytes: 8000, ..small_options() };
            let mut log = open(&runtime, options.clone(), Opening::Clean).await;
            let model = fill(&log, &mut Random::new(seed)).await;
            let end = log.ends().log_end;
            for opening in [None, Some(Opening::Clean), Some(Opening::Recover)] {
                if let Some(opening) = opening {
                    log.close().await.unwrap();
                    log = open(&runtime, options.clone(), opening).await;
                }
                for at in 995..1065 {
                    let found = log.offset_for_time(Timestamp(at), end).await.unwrap();
                    assert_eq!(plain(found), model.first_at(at, 0), "{at} in seed {seed}");
                }
                let latest = log.max_timestamp(end).await.unwrap();
                assert_eq!(plain(latest), Some(model.latest()), "seed {seed}");
            }
            let start = offset(end.get() / 2);
            log.truncate_prefix(start).await.unwrap();
            for at in 995..1065 {
                let found = log.offset_for_time(Timestamp(at), end).await.unwrap();
                let expected = model.first_at(at, usize::try_from(start.get()).unwrap());
                assert_eq!(plain(found), expected, "{at} in seed {seed} from {start}");
            }
        });
    }
}

#[test]
fn a_record_at_or_beyond_the_bound_is_not_found() {
    simulate(1, async |runtime| {
        let log = open(&runtime, small_options(), Opening::Clean).await;
        append_durably(&log, &[batch_at(&[10], 10, Compression::None)]).await;
        append_durably(&log, &[batch_at(&[20], 10, Compression::None)]).await;
        let find = async |bound| log.offset_for_time(Timestamp(15), offset(bound)).await.unwrap();
        assert_eq!(find(1).await, None);
        assert_eq!(plain(find(2).await), Some((1, 20)));
        assert_eq!(log.max_timestamp(offset(1)).await.unwrap(), None);
        let empty = log.offset_for_time(Timestamp(21), offset(2)).await.unwrap();
        assert_eq!(empty, None);
    });
}

#[test]
fn the_logs_own_time_counts_if_the_topic_says_so() {
    simulate(2, async |runtime| {
        let timestamp_type = crate::record::TimestampType::LogAppendTime;
        let options = LogOptions { timestamp_type, ..small_options() };
        let log = open(&runtime, options, Opening::Clean).await;
        let context = AppendContext::of(Origin::Client);
        let batches = [batch_at(&[1, 2, 3], 10, Compression::Lz4)];
        let appended = log.append_in_turn(&batches, EPOCH, &context, Timestamp(777)).await.unwrap();
        assert_eq!(appended.log_append_time, Some(Timestamp(777)));
        log.durable(appended.receipt).await.unwrap();
        let found = log.offset_for_time(Timestamp(700), offset(3)).await.unwrap();
        assert_eq!(plain(found), Some((0, 777)));
        read_all(&log, Offset::ZERO).await;
    });
}
