//! What a single read returns.

use super::*;
use crate::types::limits::READ_BYTES_MIN;

#[test]
fn a_read_whose_window_ends_within_a_header_returns_the_batches_before_it() {
    // The first batch ends this far before the end of what one read takes into memory.
    for missing in [0, 1, 30, 60, 61, 62] {
        simulate(1, async move |runtime| {
            let log = open(&runtime, LogOptions::default(), Opening::Clean).await;
            let overhead = batch(1, 40_000).batch_bytes() - 40_000;
            let first = batch(1, READ_BYTES_MIN - missing - overhead);
            assert_eq!(first.batch_bytes(), READ_BYTES_MIN - missing);
            append_durably(&log, &[first, batch(2, 50), batch(1, 5000)]).await;
            let end = log.ends().durable_end;
            let slice = log.read(Offset::ZERO, end, READ_BYTES_MIN, true).await.unwrap();
            assert_eq!(slice.next_offset, offset(1));
            assert_eq!(slice.bytes(), READ_BYTES_MIN - missing);
            assert_eq!(read_all(&log, Offset::ZERO).await.len(), 3);
        });
    }
}
