//! Which figures have moved from one run to another, beyond what repeats of the same run differ by.
//!
//! A figure has moved when no repeat of one run reached any of the other's and the medians are apart by
//! more than a few percent. With three repeats in each, ranges come apart by chance once in ten times;
//! with five, once in 126. With fewer than three nothing is claimed.
//!
//! Where both runs measured the pipe beside a system, the main figure is also compared as a share of the
//! pipe's in the same repeat: a machine that was slower that day moves both.
//!
//! Counted instructions do not move by themselves: there one repeat is enough.

use serde::Serialize;

use super::{RunReport, StepReport};
use crate::measure::{Figure, Spread};

const REPEATS_MIN: usize = 3;
/// Less than this share is not worth a word.
const SHARE_MIN: f64 = 0.02;
const PIPE: &str = "pipe";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Better,
    Worse,
    Unmoved,
    /// Too few repeats to tell.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub scenario: String,
    pub step: String,
    pub system: String,
    pub figure: Figure,
    /// Whether the figure is a share of the pipe's.
    pub of_pipe: bool,
    pub old: Spread,
    pub new: Spread,
    pub verdict: Verdict,
}

impl Change {
    /// New by old.
    pub fn ratio(&self) -> f64 {
        self.new.median / self.old.median
    }
}

/// Every figure that both runs have.
pub fn compare(old: &RunReport, new: &RunReport) -> Vec<Change> {
    let mut changes = Vec::new();
    let pairs = [(&old.limits, &new.limits), (&old.steps, &new.steps)];
    for (old_steps, new_steps) in pairs {
        for before in old_steps {
            let is_same = |after: &&StepReport| {
                after.scenario == before.scenario && after.step == before.step
            };
            let Some(after) = new_steps.iter().find(is_same) else { continue };
            for system in before.samples.keys() {
                changes.extend(step_changes(before, after, system));
            }
        }
    }
    changes
}

fn step_changes(before: &StepReport, after: &StepReport, system: &str) -> Vec<Change> {
    let change = |figure, of_pipe, spreads: Option<(Spread, Spread)>| {
        let (old, new) = spreads?;
        Some(Change {
            scenario: before.scenario.clone(),
            step: before.step.clone(),
            system: system.to_owned(),
            figure,
            of_pipe,
            old,
            new,
            verdict: match figure.is_exact() {
                true => judge_exact(&old, &new, figure.more_is_better()),
                false => judge(&old, &new, figure.more_is_better()),
            },
        })
    };
    let of = |figure| before.spread(system, figure).zip(after.spread(system, figure));
    let mut changes: Vec<_> = before
        .figures()
        .into_iter()
        .filter_map(|figure| change(figure, false, of(figure)))
        .collect();
    if system != PIPE {
        let shares = before.share_of_pipe(system).zip(after.share_of_pipe(system));
        changes.extend(change(before.main, true, shares));
    }
    changes
}

impl StepReport {
    /// The main figure divided by the pipe's, repeat by repeat.
    fn share_of_pipe(&self, system: &str) -> Option<Spread> {
        let main = |name: &str| {
            let samples = self.samples.get(name)?;
            samples
                .iter()
                .map(|one| one.figures.get(&self.main).copied())
                .collect::<Option<Vec<_>>>()
        };
        let (ours, pipe) = (main(system)?, main(PIPE)?);
        Spread::of(ours.iter().zip(&pipe).map(|(ours, pipe)| ours / pipe))
    }
}

fn judge(old: &Spread, new: &Spread, more_is_better: bool) -> Verdict {
    if old.repeats < REPEATS_MIN || new.repeats < REPEATS_MIN {
        return Verdict::Unknown;
    }
    if !new.is_apart_from(old) {
        return Verdict::Unmoved;
    }
    judge_exact(old, new, more_is_better)
}

/// Of what has no noise.
fn judge_exact(old: &Spread, new: &Spread, more_is_better: bool) -> Verdict {
    let share = (new.median - old.median).abs() / old.median.abs().max(f64::MIN_POSITIVE);
    match (new.median > old.median) == more_is_better {
        _ if share < SHARE_MIN => Verdict::Unmoved,
        true => Verdict::Better,
        false => Verdict::Worse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: [f64; 3]) -> Spread {
        Spread::of(values).unwrap()
    }

    #[test]
    fn ranges_that_overlap_have_not_moved() {
        let (old, new) = (spread([1.0, 2.0, 3.0]), spread([2.9, 4.0, 5.0]));
        assert_eq!(judge(&old, &new, true), Verdict::Unmoved);
    }

    #[test]
    fn ranges_apart_are_better_or_worse_by_the_figures_sense() {
        let (old, new) = (spread([1.0, 2.0, 3.0]), spread([3.1, 4.0, 5.0]));
        assert_eq!(judge(&old, &new, true), Verdict::Better);
        assert_eq!(judge(&old, &new, false), Verdict::Worse);
        assert_eq!(judge(&new, &old, true), Verdict::Worse);
    }

    #[test]
    fn a_hairs_breadth_is_no_change_however_sharp() {
        let (old, new) = (spread([1.0, 1.0, 1.0]), spread([1.01, 1.01, 1.01]));
        assert_eq!(judge(&old, &new, true), Verdict::Unmoved);
    }

    #[test]
    fn two_repeats_claim_nothing() {
        let two = |values: [f64; 2]| Spread::of(values).unwrap();
        assert_eq!(judge(&two([1.0, 1.1]), &two([9.0, 9.1]), true), Verdict::Unknown);
    }

    #[test]
    fn what_is_counted_needs_no_repeats() {
        let one = |value: f64| Spread::of([value]).unwrap();
        assert_eq!(judge(&one(100.0), &one(120.0), false), Verdict::Unknown);
        assert_eq!(judge_exact(&one(100.0), &one(120.0), false), Verdict::Worse);
        assert_eq!(judge_exact(&one(100.0), &one(101.0), false), Verdict::Unmoved);
        assert_eq!(judge_exact(&one(100.0), &one(90.0), false), Verdict::Better);
    }

    #[test]
    fn a_slower_machine_does_not_move_the_share_of_the_pipe() {
        let old =
            super::super::sample::report(&[("corelog", [8.0, 8.2, 8.4]), ("pipe", [10.0; 3])]);
        let new = super::super::sample::report(&[("corelog", [4.0, 4.1, 4.2]), ("pipe", [5.0; 3])]);
        let changes = compare(&old, &new);
        let find = |of_pipe| {
            let is_it = |change: &&Change| change.system == "corelog" && change.of_pipe == of_pipe;
            changes.iter().find(is_it).unwrap().verdict
        };
        assert_eq!((find(false), find(true)), (Verdict::Worse, Verdict::Unmoved));
    }
}
