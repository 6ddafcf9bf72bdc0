//! A run: every repeat starts each system in turn on an empty folder, heats it, and gives it every step,
//! so that what drifts on the machine meets all of them alike.

mod java_step;
mod stage;
mod step;
mod stored;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    BenchError, limit,
    measure::Figure,
    peer::{Cpus, Premises, Server, System, kafka, profile},
    report::{Machine, RunReport, Sample, StepReport, SystemReport},
    scenario::{Scenario, Step, StepKind},
};

use stage::Stage;

/// The name under which starts are reported.
const START: &str = "start";

#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Each by its name.
    pub scenarios: Vec<(String, Scenario)>,
    pub systems: Vec<System>,
    pub repeats: usize,
    /// Emptied places for data are made in it.
    pub folder: PathBuf,
    pub executable: PathBuf,
    pub kafka_libs: PathBuf,
    pub broker_cpus: Option<Cpus>,
    pub client_cpus: Option<Cpus>,
    /// Threads of the client.
    pub client_cores: usize,
    /// Of each step, instead of what the scenarios say.
    pub seconds: Option<f64>,
    /// After each start, instead of what the scenarios say.
    pub heat_seconds: Option<f64>,
    /// For how long each of the machine's own limits is measured, at the beginning of each repeat.
    pub limit_seconds: Option<f64>,
    /// What the broker's processors did in each step goes here.
    pub profile: Option<PathBuf>,
}

/// Who shows how far a run is.
pub trait Watcher {
    /// So many will be called out by `begins`.
    fn expect(&self, count: usize);
    fn begins(&self, repeat: usize, system: &str, what: &str);
    fn ends(&self, system: &str, what: &str, result: &str);
}

/// Blocks the calling thread until all is measured.
pub fn run(options: &RunOptions, watcher: &dyn Watcher) -> Result<RunReport, BenchError> {
    let folder = prepare_folder(&options.folder)?;
    let mut steps = options.scenarios.iter().flat_map(|(_, scenario)| &scenario.steps);
    if steps.any(|step| step.kind.is_java()) {
        kafka::find_jars(&options.kafka_libs)?;
    }
    if options.profile.is_some() {
        profile::find_perf()?;
    }
    if let Some(cpus) = &options.client_cpus {
        cpus.hold_this_thread()?;
    }
    let premises = Premises {
        folder: folder.clone(),
        executable: options.executable.clone(),
        kafka_libs: options.kafka_libs.clone(),
        broker_cpus: options.broker_cpus.clone(),
    };
    let mut report = empty_report(options, &folder);
    let steps: usize = options.scenarios.iter().map(|(_, scenario)| scenario.steps.len()).sum();
    let per_system = steps.saturating_add(1);
    watcher
        .expect(per_system.saturating_mul(options.systems.len()).saturating_mul(options.repeats));
    for repeat in 1..=options.repeats {
        if let Some(time) = options.limit_seconds {
            watcher.begins(repeat, limit::MACHINE, limit::LIMITS);
            add_limits(&mut report.limits, limit::measure(&folder, Duration::from_secs_f64(time))?);
        }
        for system in &options.systems {
            one_system(options, &premises, (repeat, system), &mut report, watcher)?;
        }
    }
    report.steps.retain(|step| !step.samples.is_empty() || !step.skipped.is_empty());
    Ok(report)
}

fn add_limits(limits: &mut Vec<StepReport>, measured: Vec<StepReport>) {
    if limits.is_empty() {
        *limits = measured;
        return;
    }
    for (known, more) in limits.iter_mut().zip(measured) {
        known.add(more);
    }
}

/// Everything against one fresh start of one system.
fn one_system(
    options: &RunOptions,
    premises: &Premises,
    (repeat, system): (usize, &System),
    report: &mut RunReport,
    watcher: &dyn Watcher,
) -> Result<(), BenchError> {
    watcher.begins(repeat, &system.name, START);
    let server = Server::start(system, premises, repeat)?;
    let mut stage = Stage::begin(server, options.client_cores)?;
    let started = stage.started();
    add(report, START, &system.name, started, watcher);
    let heat = options.scenarios.iter().map(|(_, scenario)| scenario.heat_seconds);
    let heat = options.heat_seconds.unwrap_or_else(|| heat.fold(0.0, f64::max));
    stage.heat(heat)?;
    for (name, scenario) in &options.scenarios {
        for step in &scenario.steps {
            watcher.begins(repeat, &system.name, &step.name);
            let key = key(name, &step.name);
            if let Some(reason) = stage.cannot(step) {
                if let Some(found) = find(report, &key) {
                    found.skipped.insert(system.name.clone(), reason.to_owned());
                }
                watcher.ends(&system.name, &step.name, reason);
                continue;
            }
            let seconds = options.seconds.unwrap_or_else(|| scenario.seconds_of(step));
            let warm_up = options.seconds.map_or(scenario.warm_up_seconds, |seconds| seconds / 2.0);
            stage.hold_broker(step, heat)?;
            stage.profile = options.profile.as_ref().map(|folder| {
                let words = [&*system.name, name, &step.name, &repeat.to_string()];
                (folder.clone(), profile::file_name(&words))
            });
            let sample = stage.measure(step, warm_up, seconds, heat)?;
            add(report, &key, &system.name, sample, watcher);
        }
    }
    stage.server.stop()
}

fn key(scenario: &str, step: &str) -> String {
    format!("{scenario}\n{step}")
}

fn find<'a>(report: &'a mut RunReport, wanted: &str) -> Option<&'a mut StepReport> {
    report.steps.iter_mut().find(|step| match wanted {
        START => step.scenario == START,
        wanted => key(&step.scenario, &step.step) == wanted,
    })
}

fn add(report: &mut RunReport, key: &str, system: &str, sample: Sample, watcher: &dyn Watcher) {
    let Some(step) = find(report, key) else { return };
    let mut shown = step.clone();
    shown.samples = BTreeMap::from([(system.to_owned(), vec![sample.clone()])]);
    let mut result = shown.cell(system);
    for (error, count) in &sample.errors {
        result.push_str(&format!(", {count} × {error}"));
    }
    watcher.ends(system, &step.step, &result);
    step.samples.entry(system.to_owned()).or_default().push(sample);
}

fn empty_report(options: &RunOptions, folder: &Path) -> RunReport {
    let start = StepReport {
        scenario: START.to_owned(),
        step: "first start until it answers".to_owned(),
        main: Figure::StartSeconds,
        batch_bytes: None,
        description: String::new(),
        samples: BTreeMap::new(),
        skipped: BTreeMap::new(),
    };
    let mut steps = vec![start];
    for (name, scenario) in &options.scenarios {
        steps.extend(scenario.steps.iter().map(|step| empty_step(name, step)));
    }
    let systems = options.systems.iter();
    let systems =
        systems.map(|system| SystemReport { system: system.clone(), about: system.describe() });
    RunReport {
        format: crate::report::FORMAT,
        machine: Machine::of(folder),
        is_release_build: !cfg!(debug_assertions),
        broker_cpus: options.broker_cpus.as_ref().map(Cpus::to_string),
        client_cpus: options.client_cpus.as_ref().map(Cpus::to_string),
        systems: systems.collect(),
        limits: Vec::new(),
        steps,
    }
}

fn empty_step(scenario: &str, step: &Step) -> StepReport {
    let batch_bytes = crate::load::batch_bytes(&step.produce);
    StepReport {
        scenario: scenario.to_owned(),
        step: step.name.clone(),
        main: main_figure(step),
        batch_bytes: (step.kind == StepKind::Produce).then_some(batch_bytes),
        description: toml::to_string(step).expect("a step was read from such a text"),
        samples: BTreeMap::new(),
        skipped: BTreeMap::new(),
    }
}

/// What a step is about: a rate where it is as fast as possible, else a latency.
fn main_figure(step: &Step) -> Figure {
    let is_open = step.produce.pace != crate::Pace::AsFastAsPossible;
    let is_single = step.produce.connections == 1 && step.produce.in_flight == 1;
    if let Some(figure) = step.figure {
        return figure;
    }
    match step.kind {
        StepKind::Rest => Figure::ServerCores,
        StepKind::JavaProducer | StepKind::JavaConsumer => Figure::RecordsPerSecond,
        StepKind::ConsumeHot | StepKind::ConsumeCold => Figure::MegabytesPerSecond,
        StepKind::Tail if is_open => Figure::P999Ms,
        StepKind::Tail => Figure::MegabytesPerSecond,
        StepKind::Produce if is_open => Figure::P99Ms,
        StepKind::Produce if is_single => Figure::P50Ms,
        StepKind::Produce if step.produce.batch_records == 1 => Figure::RequestsPerSecond,
        StepKind::Produce => Figure::MegabytesPerSecond,
    }
}

fn prepare_folder(folder: &Path) -> Result<PathBuf, BenchError> {
    let failed = |source| BenchError::Folder { folder: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    let folder = fs::canonicalize(folder).map_err(failed)?;
    match Machine::of(&folder).file_system.as_str() {
        "tmpfs" | "ramfs" => Err(BenchError::InMemory { folder }),
        _ => Ok(folder),
    }
}
