//! `corelog bench run|limit`: many systems in turn, and reports of what was found.

use std::fs;
use std::path::{Path, PathBuf};

use bench::{Cpus, RunOptions, RunReport, Scenario, System};
use clap::Args;

use super::progress::Progress;
use crate::exit::Failure;
use crate::out;

#[derive(Args)]
pub struct Run {
    /// Names of scenarios that are here, or files (`.toml`; `.yaml` of the OpenMessaging Benchmark):
    /// produce, append-at-rest, consume, latency, backfill, tail, fan-out, partitions, rest,
    /// growth-connections, growth-records, growth-codecs, growth-acks, growth-cores, java-clients,
    /// linkedin-2014, short.
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Whom to measure, in turn: corelog, kafka (as it comes), kafka-durable (syncs before it answers),
    /// pipe (no broker), or NAME=HOST:PORT. May be given many times.
    #[arg(long, value_name = "SYSTEM", default_value = "corelog")]
    against: Vec<String>,
    /// Each system is started so many times, in turns: A, B, A, B …
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Measure each step for so long, whatever the scenario says.
    #[arg(long)]
    seconds: Option<f64>,
    /// Load each system for so long after its start, before anything counts, whatever the scenario
    /// says. A Java broker needs it.
    #[arg(long, value_name = "SECONDS")]
    heat: Option<f64>,
    /// Record each step's broker with `perf`, and write what its processors did into this folder: a
    /// `.txt` for each step, and the `.data` of which it was made.
    #[arg(long, value_name = "FOLDER")]
    profile: Option<PathBuf>,
    /// Do not measure the machine itself.
    #[arg(long)]
    no_limits: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub struct Limit {
    /// So many times.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// For each figure.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only the machine, and not the pipe that is put together of it.
    #[arg(long)]
    no_pipe: bool,
    #[command(flatten)]
    place: Place,
}

/// Where to measure, and where the reports go.
#[derive(Args)]
struct Place {
    /// On the disk that is measured; what is written there is removed. Default: the folder for
    /// temporary files.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Apache Kafka's jars, as tools/peer/fetch-kafka brings them. Default: what KAFKA_LIBS says, else
    /// .cache/kafka/libs.
    #[arg(long, value_name = "FOLDER")]
    kafka_libs: Option<PathBuf>,
    /// The processors of each system that is started, as 0,2-3.
    #[arg(long, value_name = "LIST", requires = "client_cpus")]
    broker_cpus: Option<String>,
    /// The client's own.
    #[arg(long, value_name = "LIST", requires = "broker_cpus")]
    client_cpus: Option<String>,
    /// Threads of the client.
    #[arg(long, default_value_t = 1)]
    client_cores: usize,
    /// Everything that was measured, for programs and for comparing.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The tables that are printed.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// The tables and pictures of them, as one page for a browser.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Run {
    pub fn run(&self) -> Result<(), Failure> {
        let systems: Result<Vec<_>, _> =
            self.against.iter().map(|text| System::parse(text)).collect();
        let mut options = self.place.options(self.repeats)?;
        options.systems = systems?;
        for name in &self.scenarios {
            let title = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
            options.scenarios.push((title.into_owned(), Scenario::find(name)?));
        }
        options.seconds = self.seconds;
        options.heat_seconds = self.heat;
        options.profile.clone_from(&self.profile);
        options.limit_seconds = (!self.no_limits).then_some(0.5);
        self.place.measure(&options)
    }
}

impl Limit {
    pub fn run(&self) -> Result<(), Failure> {
        let mut options = self.place.options(self.repeats)?;
        options.limit_seconds = Some(self.seconds);
        if !self.no_pipe {
            options.systems = vec![System::parse("pipe")?];
            for name in ["produce", "append-at-rest"] {
                options.scenarios.push((name.to_owned(), Scenario::find(name)?));
            }
            options.seconds = Some(self.seconds);
            options.heat_seconds = Some(1.0);
        }
        self.place.measure(&options)
    }
}

impl Place {
    fn options(&self, repeats: usize) -> Result<RunOptions, Failure> {
        let executable = std::env::current_exe()
            .map_err(|error| Failure::failed(format!("where this executable is: {error}")))?;
        let named =
            self.kafka_libs.clone().or_else(|| std::env::var_os("KAFKA_LIBS").map(Into::into));
        let libs = named.unwrap_or_else(|| ".cache/kafka/libs".into());
        let cpus = |text: &Option<String>| text.as_deref().map(str::parse::<Cpus>).transpose();
        let default_folder = || {
            let name = format!("corelog-bench-{}", std::process::id());
            std::env::temp_dir().join(name)
        };
        Ok(RunOptions {
            scenarios: Vec::new(),
            systems: Vec::new(),
            repeats,
            folder: self.folder.clone().unwrap_or_else(default_folder),
            executable,
            kafka_libs: std::path::absolute(libs)
                .map_err(|error| Failure::failed(format!("there is no current folder: {error}")))?,
            broker_cpus: cpus(&self.broker_cpus)?,
            client_cpus: cpus(&self.client_cpus)?,
            client_cores: self.client_cores,
            seconds: None,
            heat_seconds: None,
            limit_seconds: None,
            profile: None,
        })
    }

    /// A report with errors is written, and fails.
    fn measure(&self, options: &RunOptions) -> Result<(), Failure> {
        let progress = Progress::new();
        let measured = bench::run(options, &progress);
        progress.finish();
        if self.folder.is_none() {
            // Only what is empty goes away.
            fs::remove_dir(&options.folder).ok();
        }
        let report = measured?;
        let page = report.markdown();
        out::print(&page)?;
        write(self.json.as_deref(), &report.json())?;
        write(self.markdown.as_deref(), &page)?;
        write(self.html.as_deref(), &report.html())?;
        judge(&report)
    }
}

fn write(path: Option<&Path>, text: &str) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    fs::write(path, text)
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
}

fn judge(report: &RunReport) -> Result<(), Failure> {
    match report.errors().len() {
        0 => Ok(()),
        count => Err(Failure::failed(format!(
            "{count} kinds of errors; a figure with an error beside it means nothing"
        ))),
    }
}
