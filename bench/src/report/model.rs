//! The report of a run as plain data. Everything else is made of it, and two of them can be compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Machine;
use crate::{
    measure::{Figure, Spread},
    peer::System,
};

/// Of the JSON; another number is another shape.
pub const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    pub format: u32,
    pub machine: Machine,
    /// Whether the harness and Corelog were built for speed.
    pub is_release_build: bool,
    pub broker_cpus: Option<String>,
    pub client_cpus: Option<String>,
    pub systems: Vec<SystemReport>,
    /// Of the machine itself.
    pub limits: Vec<StepReport>,
    /// In the order in which they were measured.
    pub steps: Vec<StepReport>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SystemReport {
    pub system: System,
    pub about: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// The name of the scenario that it belongs to.
    pub scenario: String,
    pub step: String,
    /// The figure that it is about.
    pub main: Figure,
    /// Its place on an axis, for a step that is one size of many.
    pub batch_bytes: Option<u64>,
    /// The steps' whole description, as in the scenario file.
    pub description: String,
    /// By the name of the system, one for each repeat.
    pub samples: BTreeMap<String, Vec<Sample>>,
    /// By the name of the system, why it was not measured.
    pub skipped: BTreeMap<String, String>,
}

/// One repeat of one step against one system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub figures: BTreeMap<Figure, f64>,
    /// Records that were read and found to be those that were sent.
    pub checked_records: u64,
    /// By the name of the error.
    pub errors: BTreeMap<String, u64>,
}

impl RunReport {
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is plain data with text as its keys")
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let report: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match report.format {
            FORMAT => Ok(report),
            other => Err(format!("it has format {other}, and only {FORMAT} is read")),
        }
    }

    /// Over all steps and systems.
    pub fn errors(&self) -> Vec<String> {
        let mut errors = Vec::new();
        for step in &self.steps {
            for (system, samples) in &step.samples {
                for (name, count) in samples.iter().flat_map(|sample| &sample.errors) {
                    errors.push(format!("{system}, {}: {name} ({count} times)", step.step));
                }
            }
        }
        errors
    }

    pub fn checked_records(&self) -> u64 {
        let samples = self.steps.iter().flat_map(|step| step.samples.values().flatten());
        samples.map(|sample| sample.checked_records).sum()
    }

    pub fn system_names(&self) -> Vec<&str> {
        self.systems.iter().map(|system| system.system.name.as_str()).collect()
    }
}

impl StepReport {
    /// Of all repeats that have the figure.
    pub fn spread(&self, system: &str, figure: Figure) -> Option<Spread> {
        let samples = self.samples.get(system)?;
        Spread::of(samples.iter().filter_map(|sample| sample.figures.get(&figure).copied()))
    }

    /// Every kind of figure that any system has, the main one first.
    pub fn figures(&self) -> Vec<Figure> {
        let samples = self.samples.values().flatten();
        let all: BTreeSet<Figure> =
            samples.flat_map(|sample| sample.figures.keys().copied()).collect();
        let main = all.contains(&self.main).then_some(self.main);
        main.into_iter().chain(all.into_iter().filter(|figure| *figure != self.main)).collect()
    }

    /// More repeats of the same.
    pub fn add(&mut self, other: Self) {
        for (system, samples) in other.samples {
            self.samples.entry(system).or_default().extend(samples);
        }
    }

    /// How the medians of two systems' main figures relate, so that above 1 the first is better.
    pub fn ratio(&self, system: &str, other: &str) -> Option<f64> {
        let ours = self.spread(system, self.main)?.median;
        let theirs = self.spread(other, self.main)?.median;
        let (better, worse) =
            if self.main.more_is_better() { (ours, theirs) } else { (theirs, ours) };
        (worse > 0.0).then(|| better / worse)
    }
}
