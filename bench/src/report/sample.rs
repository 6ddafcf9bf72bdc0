//! A small report for the tests of its readers.

use std::collections::BTreeMap;

use super::{FORMAT, Machine, RunReport, Sample, StepReport, SystemReport};
use crate::{measure::Figure, peer::System};

/// Thousands of requests per second of one step, by system.
pub fn report(systems: &[(&str, [f64; 3])]) -> RunReport {
    let sample = |thousands: &f64| Sample {
        figures: BTreeMap::from([
            (Figure::RequestsPerSecond, thousands * 1000.0),
            (Figure::P50Ms, 100.0 / thousands),
            (Figure::P99Ms, 200.0 / thousands),
            (Figure::ServerSecondsPerGigabyte, 1.5),
        ]),
        checked_records: 1_000_000,
        errors: BTreeMap::new(),
    };
    let samples = |(name, values): &(&str, [f64; 3])| {
        ((*name).to_owned(), values.iter().map(sample).collect())
    };
    let system = |(name, _): &(&str, [f64; 3])| SystemReport {
        system: System::parse(name).unwrap(),
        about: format!("about {name}"),
    };
    RunReport {
        format: FORMAT,
        machine: Machine::default(),
        is_release_build: true,
        broker_cpus: None,
        client_cpus: None,
        systems: systems.iter().map(system).collect(),
        limits: Vec::new(),
        steps: vec![StepReport {
            scenario: "produce".to_owned(),
            step: "1 record".to_owned(),
            main: Figure::RequestsPerSecond,
            batch_bytes: Some(161),
            description: String::new(),
            samples: systems.iter().map(samples).collect(),
            skipped: BTreeMap::new(),
        }],
    }
}
