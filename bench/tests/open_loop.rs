//! A broker that stands still for a second: an open loop must show every request that was due then. A
//! closed loop sends what is in flight, waits, and omits the rest; that it does is why both are here.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod fake;

use std::time::Duration;

use bench::{Extent, Pace, ProduceLoad, ProduceOptions};
use fake::{FakeBroker, Fault};

const STALL: Duration = Duration::from_secs(1);
const REQUESTS: u64 = 1500;
/// Of the open loop: so many are due in a second, and as many in the stall.
const PER_SECOND: u64 = 500;
const IN_FLIGHT: usize = 8;

/// How many requests of a load took more than a tenth of a second, and how long the longest took.
fn slow(pace: Pace) -> (u64, f64) {
    let broker = FakeBroker::start(Fault::Stall { at: 300, length: STALL });
    let load = ProduceLoad {
        connections: 1,
        in_flight: IN_FLIGHT,
        batch_records: 1,
        pace,
        ..ProduceLoad::default()
    };
    let options = ProduceOptions {
        bootstrap: broker.address,
        load,
        warm_up_seconds: 0.0,
        extent: Extent::Records(REQUESTS),
        ..ProduceOptions::default()
    };
    let report = bench::produce(&options).unwrap();
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    assert!(report.requests >= REQUESTS, "{} requests", report.requests);
    let latency = report.latency.unwrap();
    (latency.over_100_ms, latency.max_ms)
}

#[test]
fn an_open_loop_shows_every_request_that_was_due_while_the_broker_stood_still() {
    let (count, max_ms) = slow(Pace::RecordsPerSecond(500.0));
    // What was due in the first nine tenths waited for a tenth of a second at least. A machine that is
    // slow makes them more, and never fewer.
    assert!(count >= PER_SECOND * 9 / 10 - 1, "{count} slow requests");
    assert!(max_ms >= 990.0, "the longest took {max_ms} ms");
}

#[test]
fn a_closed_loop_shows_no_more_of_a_stall_than_it_had_in_flight() {
    let (count, max_ms) = slow(Pace::AsFastAsPossible);
    assert!(max_ms >= 990.0, "the longest took {max_ms} ms");
    assert!(count > 0, "those in flight were slow");
    // Those in flight; and some more for each time that the machine itself has stood still.
    assert!(count <= PER_SECOND / 4, "{count} slow requests");
}
