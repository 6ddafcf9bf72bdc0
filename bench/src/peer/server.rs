//! One system at work: started, asked for its address, restarted with cold caches, stopped, and its
//! folder removed.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use client::{Client, ClientOptions, runtime};

use super::{Cpus, Kind, Premises, System, kafka, page_cache, process::Process};
use crate::{BenchError, load::Loaded, measure::process::resident_bytes};

const START_SECONDS: u64 = 60;
/// What every system gets, so that none does other work: no second replica, no wait for groups.
const SETTINGS: [(&str, &str); 7] = [
    ("group.initial.rebalance.delay.ms", "0"),
    ("offsets.topic.num.partitions", "5"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
];
const DURABLE: [(&str, &str); 1] = [("log.flush.interval.messages", "1")];

#[derive(Debug)]
pub struct Server {
    system: System,
    premises: Premises,
    folder: PathBuf,
    port: u16,
    controller_port: u16,
    process: Option<Process>,
    /// That it is held to.
    cpus: Option<Cpus>,
    /// From the start of the process until it answered.
    pub start_seconds: Option<f64>,
}

impl Server {
    /// On an empty folder; returns when it answers.
    pub fn start(system: &System, premises: &Premises, number: usize) -> Result<Self, BenchError> {
        let folder = premises.folder.join(format!("{}-{number}", system.name));
        let mut server = Self {
            system: system.clone(),
            premises: premises.clone(),
            port: free_port()?,
            controller_port: free_port()?,
            process: None,
            cpus: premises.broker_cpus.clone(),
            start_seconds: None,
            folder,
        };
        if !matches!(system.kind, Kind::Address(_)) {
            let made = fs::create_dir_all(&server.folder);
            made.map_err(|source| BenchError::Folder { folder: server.folder.clone(), source })?;
        }
        server.start_process()?;
        Ok(server)
    }

    pub fn bootstrap(&self) -> String {
        match &self.system.kind {
            Kind::Address(address) => address.clone(),
            Kind::Corelog | Kind::Kafka | Kind::KafkaDurable | Kind::Pipe => {
                format!("127.0.0.1:{}", self.port)
            }
        }
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    pub fn resident_megabytes(&self) -> Option<f64> {
        let bytes = resident_bytes(self.pid()?).ok()?;
        Some(crate::load::float(bytes) / 1e6)
    }

    /// Whether it knows topics, and gives back what it was given.
    pub fn is_broker(&self) -> bool {
        self.system.kind != Kind::Pipe
    }

    /// Whether its process and its files are ours to stop and to look at.
    pub fn is_ours(&self) -> bool {
        !matches!(self.system.kind, Kind::Address(_))
    }

    /// The topic of one that is no broker.
    pub fn loaded_by_itself(&self, topic: &str, partitions: i32) -> Loaded {
        Loaded::single(&self.bootstrap(), topic, partitions)
    }

    /// With the same files, and nothing of them in memory.
    pub fn restart_cold(&mut self) -> Result<(), BenchError> {
        self.stop_process()?;
        self.drop_page_cache(&|_| true)?;
        self.start_process()
    }

    /// Its processors, if it gets so many, or all that are meant for brokers. `None` if there are not as
    /// many.
    pub fn choice_of_cpus(&self, count: Option<usize>) -> Option<Option<Cpus>> {
        let given = &self.premises.broker_cpus;
        let Some(count) = count else { return Some(given.clone()) };
        let all = given.clone().or_else(|| Cpus::of_this_thread().ok())?;
        Some(Some(all.first(count)?))
    }

    /// With the same files, if it is held to other processors. Whether it was.
    pub fn restart_on(&mut self, cpus: Option<Cpus>) -> Result<bool, BenchError> {
        if self.cpus == cpus {
            return Ok(false);
        }
        self.stop_process()?;
        self.cpus = cpus;
        self.start_process()?;
        Ok(true)
    }

    /// Of the folders of a topic, or of all.
    pub fn drop_page_cache(&self, is_meant: &dyn Fn(&str) -> bool) -> Result<(), BenchError> {
        page_cache::drop_files(&self.data(), is_meant)
            .map_err(|source| BenchError::Folder { folder: self.data(), source })
    }

    /// Where it was started.
    pub const fn premises(&self) -> &Premises {
        &self.premises
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn stop(mut self) -> Result<(), BenchError> {
        self.stop_process()
    }

    fn stop_process(&mut self) -> Result<(), BenchError> {
        self.process.take().map_or(Ok(()), |mut process| process.stop())
    }

    fn start_process(&mut self) -> Result<(), BenchError> {
        let Some(mut command) = self.command()? else { return self.wait_until_it_answers() };
        let began = runtime::now();
        let cpus = self.cpus.as_ref();
        self.process = Some(Process::start(&mut command, &self.folder.join("output"), cpus)?);
        self.wait_until_it_answers()?;
        let seconds = runtime::now().saturating_duration_since(began).as_secs_f64();
        self.start_seconds.get_or_insert(seconds);
        Ok(())
    }

    fn command(&self) -> Result<Option<Command>, BenchError> {
        let kafka = |extra: &[(&str, &str)]| {
            let settings = [&SETTINGS[..], extra].concat();
            let (port, controller) = (self.port, self.controller_port);
            kafka::prepare(&self.premises, &self.folder, port, controller, &settings).map(Some)
        };
        match &self.system.kind {
            Kind::Address(_) => Ok(None),
            Kind::Kafka => kafka(&[]),
            Kind::KafkaDurable => kafka(&DURABLE),
            Kind::Corelog => Ok(Some(self.corelog())),
            Kind::Pipe => {
                let mut command = Command::new(&self.premises.executable);
                command.args(["bench", "pipe", "--listen", &self.bootstrap(), "--file"]);
                command.arg(self.folder.join("pipe"));
                Ok(Some(command))
            }
        }
    }

    fn corelog(&self) -> Command {
        let mut command = Command::new(&self.premises.executable);
        command.args(["serve", "--listeners", &format!("PLAINTEXT://{}", self.bootstrap())]);
        command.arg("--data").arg(self.data());
        for (key, value) in SETTINGS {
            command.args(["--override", &format!("{key}={value}")]);
        }
        command.current_dir(&self.folder);
        command
    }

    fn wait_until_it_answers(&mut self) -> Result<(), BenchError> {
        let bootstrap = self.bootstrap();
        let give_up = runtime::now() + Duration::from_secs(START_SECONDS);
        loop {
            let bootstrap = bootstrap.clone();
            let is_broker = self.is_broker();
            let answers = runtime::block_on(async move { answers(&bootstrap, is_broker).await })?;
            if answers {
                return Ok(());
            }
            let has_ended = self.process.as_mut().is_some_and(Process::has_ended);
            if has_ended || runtime::now() >= give_up {
                return Err(BenchError::NotStarted {
                    system: self.system.name.clone(),
                    tail: self.process.as_ref().map_or_else(String::new, Process::tail),
                });
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.take());
        if self.is_ours() {
            remove(&self.folder);
        }
    }
}

/// What stays behind costs space only.
fn remove(folder: &Path) {
    fs::remove_dir_all(folder).ok();
}

/// One attempt; takes a moment if it fails, so that a start is not measured by a busy client.
async fn answers(bootstrap: &str, is_broker: bool) -> bool {
    let options = ClientOptions::new(bootstrap);
    let answered = match is_broker {
        true => {
            let asked = Client::new(options).ask_metadata(Some(&[])).await;
            asked.is_ok_and(|metadata| !metadata.brokers.is_empty())
        }
        false => client::Connection::open(bootstrap, &options.connection).await.is_ok(),
    };
    if !answered {
        runtime::sleep(Duration::from_millis(20)).await;
    }
    answered
}

fn free_port() -> Result<u16, BenchError> {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr());
    Ok(bound.map_err(|source| BenchError::Port { source })?.port())
}
