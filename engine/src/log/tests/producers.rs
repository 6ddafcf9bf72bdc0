//! Idempotence across restarts.

use super::*;
use crate::log::{AppendError, producers::ProducerError};
use crate::types::{ProducerEpoch, ProducerId, Sequence};

fn sequenced(sequence: u32) -> CheckedBatch {
    let id = ProducerId::new(5).unwrap();
    let mut builder = BatchBuilder::new(Compression::None).with_producer(
        id,
        ProducerEpoch::ZERO,
        Sequence::new(sequence),
    );
    builder.append(Timestamp(1_700_000_000_000), None, Some(&[7; 900]), &[]);
    builder.finish_checked()
}

async fn send(log: &Rc<Log>, sequence: u32) -> Result<Appended, AppendError> {
    let context = AppendContext::of(Origin::Client);
    log.append_in_turn(&[sequenced(sequence)], EPOCH, &context, Timestamp(0)).await
}

/// T-35, T-36: after any restart the log tells a retry from a new batch and sees a gap.
#[test]
fn a_retry_is_told_from_a_new_batch_after_every_kind_of_restart() {
    for seed in 0..60_u32 {
        let sim = machine(u64::from(seed));
        let runtime = sim.runtime();
        let count = 3 + seed;
        sim.run(async move {
            let log = open(&runtime, small_options(), Opening::Clean).await;
            for sequence in 0..count {
                let appended = send(&log, sequence).await.unwrap();
                log.durable(appended.receipt).await.unwrap();
            }
            if seed % 3 == 0 {
                log.close().await.unwrap();
            }
        })
        .unwrap();
        let next = if seed % 3 == 1 { sim.crash() } else { sim.restart() };
        let opening = if seed % 3 == 0 { Opening::Clean } else { Opening::Recover };
        let runtime = next.runtime();
        next.run(async move {
            let log = open(&runtime, small_options(), opening).await;
            let retry = send(&log, count - 1).await.unwrap();
            assert!(retry.is_duplicate, "seed {seed}");
            assert_eq!(retry.base_offset, offset(u64::from(count - 1)));
            let gap = send(&log, count + 1).await;
            let is_gap =
                matches!(gap, Err(AppendError::Producer(ProducerError::OutOfOrderSequence { .. })));
            assert!(is_gap, "{gap:?}");
            let new = send(&log, count).await.unwrap();
            assert!(!new.is_duplicate);
            assert_eq!(new.base_offset, offset(u64::from(count)));
        })
        .unwrap();
    }
}
