//! What a run has found: one file with everything, for programs; and pages for people.

mod chart;
mod compare;
mod html;
mod machine;
mod markdown;
mod model;
#[cfg(test)]
mod sample;

pub use compare::{Change, Verdict, compare};
pub use machine::Machine;
pub use model::{FORMAT, RunReport, Sample, StepReport, SystemReport};
