//! A run as a page of tables: a row for each step, a column for each system, and ratios to the first.

use std::fmt::Write as _;

use super::{RunReport, StepReport};
use crate::{
    limit::{APPEND, MACHINE},
    measure::{Figure, digits},
};

/// What stands behind the main figure, if it was measured.
const BESIDE: [Figure; 9] = [
    Figure::P50Ms,
    Figure::P99Ms,
    Figure::P999Ms,
    Figure::AckP50Ms,
    Figure::AckP99Ms,
    Figure::ReadMegabytesPerSecond,
    Figure::BackfillMegabytesPerSecond,
    Figure::ServerSecondsPerGigabyte,
    Figure::MemoryMegabytes,
];

impl RunReport {
    pub fn markdown(&self) -> String {
        let mut page = String::new();
        writeln!(page, "{}\n", self.machine.describe()).expect("a string takes all");
        for system in &self.systems {
            writeln!(page, "- **{}**: {}", system.system.name, system.about)
                .expect("a string takes all");
        }
        for line in self.conditions() {
            writeln!(page, "- {line}").expect("a string takes all");
        }
        if !self.limits.is_empty() {
            page.push_str("\n## This machine\'s own limits\n\n| | |\n|---|---|\n");
            for step in &self.limits {
                writeln!(page, "| {} | {} |", step.step, step.cell(MACHINE))
                    .expect("a string takes all");
            }
        }
        let mut last_scenario = "";
        for step in &self.steps {
            if step.scenario != last_scenario {
                last_scenario = &step.scenario;
                page.push_str(&self.heading(last_scenario));
            }
            page.push_str(&self.row(step));
        }
        for line in self.beside_the_disk() {
            write!(page, "\n- {line}\n").expect("a string takes all");
        }
        for error in self.errors() {
            write!(page, "\n**{error}**\n").expect("a string takes all");
        }
        page
    }

    pub(super) fn conditions(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let (Some(broker), Some(client)) = (&self.broker_cpus, &self.client_cpus) {
            lines.push(format!("brokers on processors {broker}, client on processors {client}"));
        }
        if !self.is_release_build {
            lines.push("**not built for speed: these figures mean nothing**".to_owned());
        }
        let checked = self.checked_records();
        if checked > 0 {
            lines.push(format!(
                "{} records were read back and compared with what was sent",
                Figure::RecordsPerSecond.show(float(checked)).replace("/s", "").trim()
            ));
        }
        lines
    }

    /// How a single append relates to the disk's own, which it cannot beat if it waits for it.
    pub(super) fn beside_the_disk(&self) -> Vec<String> {
        let disk = self.limits.iter().find(|step| step.step == APPEND);
        let Some(disk) = disk.and_then(|step| step.spread(MACHINE, Figure::P50Ms)) else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        for step in self.steps.iter().filter(|step| step.main == Figure::P50Ms) {
            for name in self.system_names() {
                if let Some(own) = step.spread(name, Figure::P50Ms) {
                    let times = digits(own.median / disk.median);
                    lines.push(format!(
                        "{}, {name}: {times} times the disk's own write and sync",
                        step.step
                    ));
                }
            }
        }
        lines
    }

    fn heading(&self, scenario: &str) -> String {
        let names = self.system_names();
        let first = names.first().copied().unwrap_or_default();
        let mut head = format!("\n## {scenario}\n\n| |");
        let mut rule = "|---|".to_owned();
        for name in &names {
            write!(head, " {name} |").expect("a string takes all");
            rule.push_str("---|");
        }
        for name in names.iter().skip(1) {
            write!(head, " {first} : {name} |").expect("a string takes all");
            rule.push_str("---|");
        }
        format!("{head}\n{rule}\n")
    }

    fn row(&self, step: &StepReport) -> String {
        let names = self.system_names();
        let mut row = format!("| {} |", step.step);
        for name in &names {
            write!(row, " {} |", step.cell(name)).expect("a string takes all");
        }
        let first = names.first().copied().unwrap_or_default();
        for name in names.iter().skip(1) {
            let ratio = step.ratio(first, name).map(digits).unwrap_or_default();
            write!(row, " {ratio} |").expect("a string takes all");
        }
        row.push('\n');
        row
    }
}

impl StepReport {
    /// The main figure with its range, and what belongs to it.
    pub fn cell(&self, system: &str) -> String {
        if let Some(reason) = self.skipped.get(system) {
            return format!("({reason})");
        }
        let Some(main) = self.spread(system, self.main) else { return String::new() };
        let mut cell = self.main.show(main.median);
        if main.repeats > 1 {
            let (lowest, highest) = (self.main.show(main.lowest), self.main.show(main.highest));
            write!(cell, " ({lowest} to {highest})").expect("a string takes all");
        }
        for figure in BESIDE.into_iter().filter(|figure| *figure != self.main) {
            if let Some(spread) = self.spread(system, figure) {
                write!(cell, ", {} {}", figure.title(), figure.show(spread.median))
                    .expect("a string takes all");
            }
        }
        cell
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count that is shown in three digits")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::super::sample::report;
    use super::*;

    const TWO: [(&str, [f64; 3]); 2] =
        [("corelog", [80.0, 90.0, 85.0]), ("kafka", [8.0, 9.0, 8.5])];

    #[test]
    fn a_row_has_each_systems_figures_and_their_ratio() {
        let page = report(&TWO).markdown();
        let row = page.lines().find(|line| line.starts_with("| 1 record")).unwrap();
        assert_eq!(
            row,
            "| 1 record | 85.0 k/s (80.0 k/s to 90.0 k/s), p50 1.18 ms, p99 2.35 ms, broker 1.50 \
             CPU-s/GB | 8500 /s (8000 /s to 9000 /s), p50 11.8 ms, p99 23.5 ms, broker 1.50 \
             CPU-s/GB | 10.0 |"
        );
        assert!(page.contains("6.00 M records were read back"), "{page}");
    }

    #[test]
    fn a_report_reads_back_and_another_format_is_refused() {
        let report = report(&TWO);
        assert_eq!(RunReport::parse(&report.json()).unwrap(), report);
        let other = RunReport { format: 99, ..report };
        assert!(RunReport::parse(&other.json()).unwrap_err().contains("99"));
    }

    #[test]
    fn a_single_append_stands_beside_the_disks_own() {
        let mut report = report(&TWO);
        let mut disk = report.steps[0].clone();
        disk.step = APPEND.to_owned();
        let own = disk.samples.remove("corelog").unwrap();
        disk.samples = [(MACHINE.to_owned(), own)].into();
        report.limits = vec![disk];
        assert!(report.beside_the_disk().is_empty(), "the step is about its rate");
        report.steps[0].main = Figure::P50Ms;
        let line = "1 record, kafka: 10.0 times the disk's own write and sync";
        assert_eq!(report.beside_the_disk()[1], line);
    }

    #[test]
    fn what_was_wrong_stands_under_the_figures() {
        let mut report = report(&TWO);
        let sample = &mut report.steps[0].samples.get_mut("kafka").unwrap()[0];
        sample.errors.insert("lost records".to_owned(), 3);
        assert!(report.markdown().ends_with("**kafka, 1 record: lost records (3 times)**\n"));
    }
}
