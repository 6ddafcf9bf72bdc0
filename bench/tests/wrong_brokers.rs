//! Brokers that acknowledge and do not keep their word: reading back what a step has written must find
//! each of them out, or a wrong answer could count as a fast one.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod fake;

use std::path::Path;

use bench::{RunOptions, RunReport, Scenario, System, Watcher};
use fake::{FakeBroker, Fault};

/// Nobody looks.
struct Silent;

impl Watcher for Silent {
    fn expect(&self, _: usize) {}
    fn begins(&self, _: usize, _: &str, _: &str) {}
    fn ends(&self, _: &str, _: &str, _: &str) {}
}

/// Two connections go round two partitions.
const SCENARIO: &str = r#"
    about = "a moment of writing"
    heat_seconds = 0
    warm_up_seconds = 0
    seconds = 0.3
    [[step]]
    name = "writing"
    kind = "produce"
    partitions = 2
    produce = { connections = 2, in_flight = 4, batch_records = 3, record_bytes = 50 }
"#;

fn run_with(fault: Fault, scenario: &str) -> RunReport {
    let broker = FakeBroker::start(fault);
    let options = RunOptions {
        scenarios: vec![("lies".to_owned(), Scenario::parse(scenario, "lies").unwrap())],
        systems: vec![System::parse(&format!("fake={}", broker.address)).unwrap()],
        repeats: 1,
        folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong-brokers"),
        executable: "nothing-is-started".into(),
        kafka_libs: "nothing-is-started".into(),
        broker_cpus: None,
        client_cpus: None,
        client_cores: 1,
        seconds: None,
        heat_seconds: None,
        limit_seconds: None,
        profile: None,
    };
    bench::run(&options, &Silent).unwrap()
}

fn run(fault: Fault) -> RunReport {
    run_with(fault, SCENARIO)
}

/// One error can bring others after it: what follows a damaged batch is out of order.
#[track_caller]
fn is_found(report: &RunReport, expected: &str) {
    let errors = report.errors();
    assert!(errors.iter().any(|error| error.contains(expected)), "{errors:?}");
}

#[test]
fn a_broker_that_keeps_its_word_is_found_without_error() {
    let report = run(Fault::None);
    assert_eq!(report.errors(), Vec::<String>::new());
    assert!(report.checked_records() > 0);
}

#[test]
fn an_idempotent_load_is_read_back_under_its_producers_numbers() {
    let idempotent = SCENARIO.replace("connections = 2", "idempotent = true, connections = 2");
    let report = run_with(Fault::None, &idempotent);
    assert_eq!(report.errors(), Vec::<String>::new());
    assert!(report.checked_records() > 0);
    is_found(&run_with(Fault::Replaces(20), &idempotent), "the bytes are not those that were sent");
}

#[test]
fn a_broker_that_keeps_nothing_is_found_out() {
    let report = run(Fault::KeepsNothing);
    is_found(&report, "lost records");
    assert_eq!(report.checked_records(), 0);
}

#[test]
fn a_broker_that_stops_keeping_records_is_found_out() {
    is_found(&run(Fault::KeepsNothingFrom(20)), "lost records");
}

#[test]
fn a_single_batch_that_is_not_kept_is_found_out() {
    is_found(&run(Fault::Drops(20)), "a batch is missing");
}

#[test]
fn a_batch_that_is_kept_twice_is_found_out() {
    is_found(&run(Fault::Repeats(20)), "comes twice");
}

#[test]
fn batches_out_of_their_order_are_found_out() {
    let mut report =
        run_with(Fault::Swaps(20), &SCENARIO.replace("connections = 2", "connections = 1"));
    is_found(&report, "out of its connection's order");
    // The one that came too early, the one that came too late, and the next.
    let sample = report.steps[1].samples.get_mut("fake").unwrap().remove(0);
    assert_eq!(sample.errors.values().sum::<u64>(), 3);
}

#[test]
fn a_byte_that_is_another_is_found_out() {
    is_found(&run(Fault::Damages(20)), "checksum");
}

#[test]
fn other_records_under_a_checksum_that_fits_are_found_out() {
    is_found(&run(Fault::Replaces(20)), "the bytes are not those that were sent");
}

#[test]
fn an_offset_that_nobody_has_is_found_out() {
    is_found(&run(Fault::Skips(20)), "an offset is missing");
}

#[test]
fn a_broker_that_says_it_has_records_and_does_not_give_them_is_not_waited_for_forever() {
    is_found(&run(Fault::Withholds(20)), "lost records");
}
