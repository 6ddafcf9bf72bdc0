//! A run as one file that a browser shows, with its pictures inside and nothing fetched from anywhere.

use std::fmt::Write as _;

use super::{RunReport, StepReport, chart::Chart};
use crate::{
    limit::MACHINE,
    measure::{Figure, digits},
};

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;\
color:#222}table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.35em \
.6em;text-align:left;vertical-align:top}th{background:#f3f3f3}svg{max-width:100%;height:auto}\
.wrong{color:#b00;font-weight:bold}";

impl RunReport {
    pub fn html(&self) -> String {
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>corelog bench</title>\
             <style>{STYLE}</style>\n<h1>corelog bench</h1>\n<p>{}</p>\n<ul>\n",
            escaped(&self.machine.describe())
        );
        for system in &self.systems {
            let (name, about) = (escaped(&system.system.name), escaped(&system.about));
            line(&mut page, &format!("<li><b>{name}</b>: {about}</li>"));
        }
        for condition in self.conditions() {
            line(&mut page, &format!("<li>{}</li>", escaped(&condition)));
        }
        line(&mut page, "</ul>");
        for error in self.errors() {
            line(&mut page, &format!("<p class=\"wrong\">{}</p>", escaped(&error)));
        }
        for chart in self.charts() {
            page.extend(chart.svg());
        }
        if !self.limits.is_empty() {
            page.push_str(&table("This machine's own limits", &self.limits, &[MACHINE]));
        }
        let names = self.system_names();
        let mut rest = self.steps.as_slice();
        while let Some(first) = rest.first() {
            let same = rest.iter().take_while(|step| step.scenario == first.scenario).count();
            let (group, others) = rest.split_at(same);
            page.push_str(&table(&first.scenario, group, &names));
            rest = others;
        }
        for beside in self.beside_the_disk() {
            line(&mut page, &format!("<p>{}</p>", escaped(&beside)));
        }
        page.push_str("</html>\n");
        page
    }

    fn charts(&self) -> Vec<Chart> {
        let sizes: Vec<&StepReport> =
            self.steps.iter().filter(|step| self.is_one_size_of_many(step)).collect();
        let by_size = |title: &str, unit: &str, figure: Figure, logarithmic| {
            self.chart((title, unit), &sizes, logarithmic, &|step, system| {
                Some(step.spread(system, figure)?.median)
            })
        };
        let mut charts = vec![
            by_size("Throughput by batch size", "MB/s", Figure::MegabytesPerSecond, true),
            by_size(
                "The broker's processor time by batch size",
                "CPU-s/GB",
                Figure::ServerSecondsPerGigabyte,
                true,
            ),
            self.chart(
                ("Share of the pipe's throughput by batch size", "%"),
                &sizes,
                false,
                &|step, system| {
                    let of = |name| step.spread(name, Figure::MegabytesPerSecond);
                    Some(100.0 * of(system)?.median / of("pipe")?.median)
                },
            ),
        ];
        charts.extend(self.steps.iter().filter(|step| is_latency(step)).map(|step| {
            let quantiles =
                [Figure::P50Ms, Figure::P90Ms, Figure::P99Ms, Figure::P999Ms, Figure::MaxMs];
            Chart {
                title: format!("Latency: {}", step.step),
                unit: "ms".to_owned(),
                places: quantiles.iter().map(|figure| figure.title().to_owned()).collect(),
                lines: self.lines(&|system| {
                    let at = |figure: &Figure| Some(step.spread(system, *figure)?.median);
                    quantiles.iter().map(at).collect()
                }),
                logarithmic: true,
            }
        }));
        charts
    }

    /// Steps that differ in the size of their batches, as fast as possible.
    fn is_one_size_of_many(&self, step: &StepReport) -> bool {
        let of_scenario = self.steps.iter().filter(|other| other.scenario == step.scenario);
        let sizes = of_scenario.filter_map(|other| other.batch_bytes);
        step.main.more_is_better()
            && step.batch_bytes.is_some_and(|own| sizes.into_iter().any(|other| other != own))
    }

    fn chart(
        &self,
        (title, unit): (&str, &str),
        steps: &[&StepReport],
        logarithmic: bool,
        value: &dyn Fn(&StepReport, &str) -> Option<f64>,
    ) -> Chart {
        Chart {
            title: title.to_owned(),
            unit: unit.to_owned(),
            places: steps.iter().map(|step| size(step.batch_bytes.unwrap_or(0))).collect(),
            lines: self.lines(&|system| steps.iter().map(|step| value(step, system)).collect()),
            logarithmic,
        }
    }

    fn lines(&self, values: &dyn Fn(&str) -> Vec<Option<f64>>) -> Vec<(String, Vec<Option<f64>>)> {
        let names = self.system_names().into_iter();
        names.map(|name| (name.to_owned(), values(name))).collect()
    }
}

fn is_latency(step: &StepReport) -> bool {
    matches!(step.main, Figure::P50Ms | Figure::P99Ms | Figure::P999Ms)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..500_000 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MB", digits(crate::load::float(bytes) / 1e6)),
    }
}

fn table(title: &str, steps: &[StepReport], systems: &[&str]) -> String {
    let mut html = format!("<h2>{}</h2>\n<table><tr><th></th>", escaped(title));
    for system in systems {
        write!(html, "<th>{}</th>", escaped(system)).expect("a string takes all");
    }
    let others = systems.iter().skip(1);
    let first = systems.first().copied().unwrap_or_default();
    for other in others.clone() {
        write!(html, "<th>{} : {}</th>", escaped(first), escaped(other))
            .expect("a string takes all");
    }
    line(&mut html, "</tr>");
    for step in steps {
        write!(html, "<tr><td>{}</td>", escaped(&step.step)).expect("a string takes all");
        for system in systems {
            write!(html, "<td>{}</td>", escaped(&step.cell(system))).expect("a string takes all");
        }
        for other in others.clone() {
            let ratio = step.ratio(first, other).map(digits).unwrap_or_default();
            write!(html, "<td>{ratio}</td>").expect("a string takes all");
        }
        line(&mut html, "</tr>");
    }
    line(&mut html, "</table>");
    html
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::sample::report;
    use super::*;

    fn two_sizes() -> RunReport {
        let mut report = report(&[("corelog", [80.0; 3]), ("pipe", [160.0; 3])]);
        let mut second = report.steps[0].clone();
        second.step = "64 KiB <batches>".to_owned();
        second.batch_bytes = Some(65_536);
        report.steps.push(second);
        for step in &mut report.steps {
            for sample in step.samples.values_mut().flatten() {
                sample.figures.insert(Figure::MegabytesPerSecond, 1000.0);
            }
        }
        report
    }

    #[test]
    fn the_page_holds_its_pictures_and_fetches_nothing() {
        let page = two_sizes().html();
        assert_eq!(
            page.matches("<svg").count(),
            3,
            "throughput, processor time, share of the pipe"
        );
        for outside in ["href=", "src=", "@import", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("64 KiB &lt;batches&gt;"));
    }

    #[test]
    fn steps_of_one_size_are_no_axis() {
        let report = report(&[("corelog", [80.0; 3])]);
        assert!(!report.html().contains("<svg"));
    }
}
