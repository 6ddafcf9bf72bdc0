//! Append, read, close and open without faults.

use futures_util::FutureExt;

use super::*;

#[test]
fn what_was_appended_is_read_back_across_segments_and_after_a_clean_restart() {
    for seed in 0..20 {
        simulate(seed, async |runtime| {
            let log = open(&runtime, small_options(), Opening::Clean).await;
            let mut expected = Vec::new();
            for number in 0..60_u64 {
                let batch = batch(1 + usize::try_from(number % 5).unwrap(), 300);
                let appended = append_durably(&log, std::slice::from_ref(&batch)).await;
                expected.push((appended.base_offset, batch));
            }
            assert!(2 < log.segment_count());
            let check = |found: Vec<Bytes>| {
                assert_eq!(found.len(), expected.len());
                for (bytes, (base, batch)) in found.iter().zip(&expected) {
                    assert_eq!(bytes[..61], batch.stamp(*base, EPOCH).encode());
                    assert_eq!(bytes[61..], batch.records_bytes()[..]);
                }
            };
            check(read_all(&log, Offset::ZERO).await);
            let ends = log.ends();
            log.close().await.unwrap();
            let log = open(&runtime, small_options(), Opening::Clean).await;
            assert_eq!(log.ends(), ends);
            check(read_all(&log, Offset::ZERO).await);
            let more = append_durably(&log, &[batch(1, 10)]).await;
            assert_eq!(more.base_offset, ends.log_end);
            assert_eq!(read_all(&log, Offset::ZERO).await.len(), expected.len() + 1);
        });
    }
}

#[test]
fn appends_that_wait_for_room_keep_their_order() {
    for seed in 0..50 {
        simulate(seed, async |runtime| {
            let options = LogOptions { unsynced_bytes_max: 5000, ..small_options() };
            let log = open(&runtime, options, Opening::Clean).await;
            let mut offsets = Vec::new();
            let batches: Vec<_> = (0..40).map(|number| [batch(1, 400 + number)]).collect();
            let appends = batches.iter().map(|batches| append(&log, batches).boxed_local());
            for appended in futures_util::future::join_all(appends).await {
                offsets.push(appended.base_offset.get());
            }
            assert_eq!(offsets, (0..40).collect::<Vec<_>>());
        });
    }
}
