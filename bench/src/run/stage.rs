//! One started system, and what happens to it: it is heated, and gets one step after another.

use std::path::PathBuf;

use client::runtime;

use super::stored::Stored;
use crate::{
    BenchError,
    load::{
        ConsumeLoad, Extent, ProduceLoad,
        consumer::AtEnd,
        identity,
        jobs::{self, Place, Role},
        target,
        window::Window,
    },
    measure::Figure,
    peer::{Server, profile::Profile},
    report::Sample,
    scenario::{Scenario, Step, StepKind},
};

pub struct Stage {
    pub server: Server,
    pub cores: usize,
    /// How many were made; each step has its own.
    pub topics: usize,
    /// Of the cluster; a replica takes one.
    pub brokers: usize,
    /// Where the profiles of its steps go, and under which name the next one's.
    pub profile: Option<(PathBuf, String)>,
}

impl Stage {
    pub fn begin(server: Server, cores: usize) -> Result<Self, BenchError> {
        let brokers = match server.is_broker() {
            true => target::broker_count(&server.bootstrap())?,
            false => 1,
        };
        Ok(Self { server, cores, topics: 0, brokers, profile: None })
    }

    pub fn place(&self) -> Place {
        Place { cores: self.cores, server_pid: self.server.pid() }
    }

    pub fn next_topic(&mut self) -> String {
        self.topics = self.topics.strict_add(1);
        // One that somebody else runs may have the topics of an earlier run.
        format!("corelog-bench-{}-{}", runtime::wall_clock_millis(), self.topics)
    }

    /// What the start itself has shown.
    pub fn started(&self) -> Sample {
        let figures = [
            (Figure::StartSeconds, self.server.start_seconds),
            (Figure::MemoryMegabytes, self.server.resident_megabytes()),
        ];
        let figures = figures.into_iter().filter_map(|(figure, value)| Some((figure, value?)));
        Sample { figures: figures.collect(), ..Sample::default() }
    }

    /// Why a step makes no sense for this system.
    pub fn cannot(&self, step: &Step) -> Option<&'static str> {
        let reads_cold = step.kind == StepKind::ConsumeCold || step.backfill.is_some();
        let replicas = usize::try_from(step.replication_factor).unwrap_or(0);
        match step.kind {
            _ if self.server.is_broker() && replicas > self.brokers => {
                Some("it takes more brokers than there are")
            }
            _ if step.broker_cores.is_some() && !self.server.is_ours() => {
                Some("its processors are not ours to choose")
            }
            _ if self.server.choice_of_cpus(step.broker_cores).is_none() => {
                Some("it takes more processors than there are for brokers")
            }
            StepKind::Produce => None,
            _ if !self.server.is_broker() => Some("the pipe takes records only"),
            StepKind::Rest if !self.server.is_ours() => Some("its process is not ours to watch"),
            _ if reads_cold && !self.server.is_ours() => Some("its caches are not ours to empty"),
            StepKind::ConsumeHot
            | StepKind::ConsumeCold
            | StepKind::Tail
            | StepKind::Rest
            | StepKind::JavaProducer
            | StepKind::JavaConsumer => None,
        }
    }

    /// Gives the broker the processors that a step says, which takes a start and another heating.
    pub fn hold_broker(&mut self, step: &Step, heat: f64) -> Result<(), BenchError> {
        let Some(cpus) = self.server.choice_of_cpus(step.broker_cores) else { return Ok(()) };
        match self.server.is_ours() && self.server.restart_on(cpus)? {
            true => self.heat(heat),
            false => Ok(()),
        }
    }

    /// Does the measured part of a step, under the eyes of a profiler if one is wanted.
    pub fn watched<T>(
        &self,
        work: impl FnOnce() -> Result<T, BenchError>,
    ) -> Result<T, BenchError> {
        let (Some((folder, name)), Some(pid)) = (&self.profile, self.server.pid()) else {
            return work();
        };
        let profile = Profile::start(folder, name, pid)?;
        let done = work();
        profile.finish()?;
        done
    }

    /// Load of small and of large requests, written and read, that is not measured.
    pub fn heat(&mut self, seconds: f64) -> Result<(), BenchError> {
        if seconds <= 0.0 {
            return Ok(());
        }
        let part = seconds / 3.0;
        let loads = [
            ProduceLoad { batch_records: 1, in_flight: 16, ..ProduceLoad::default() },
            ProduceLoad { batch_records: 640, ..ProduceLoad::default() },
        ];
        for load in loads {
            let mut stored = self.store(&Step::around(load))?;
            let window = Window::new(0.0, Extent::Seconds(part), self.cores);
            let place = self.place();
            let writers = jobs::placed(Role::Produce, stored.producers.iter().cloned());
            stored.written(&jobs::run(&writers, &window, place)?);
            if !self.server.is_broker() {
                continue;
            }
            let window = Window::new(0.0, Extent::Seconds(part / 2.0), self.cores);
            stored.find_again()?;
            let readers = stored.readers(&ConsumeLoad::default(), AtEnd::Repeat)?;
            jobs::run(&jobs::placed(Role::Consume, readers.into_iter()), &window, place)?;
            stored.delete()?;
        }
        Ok(())
    }

    /// The topic of a step; who is no broker has any.
    pub fn store(&mut self, step: &Step) -> Result<Stored, BenchError> {
        let (topic, bootstrap) = (self.next_topic(), self.server.bootstrap());
        if self.server.is_broker() {
            return Stored::create(&bootstrap, topic, step);
        }
        let loaded = self.server.loaded_by_itself(&topic, step.partitions);
        let identities = identity::made_up(&step.produce);
        Stored::of(&bootstrap, topic, &step.produce, (loaded, &identities))
    }
}

impl Step {
    /// The least around a load.
    fn around(produce: ProduceLoad) -> Self {
        let text = "about = \"heat\"\n[[step]]\nname = \"heat\"\nkind = \"produce\"\n";
        let scenario = Scenario::parse(text, "heat").expect("this is a scenario");
        let step = scenario.steps.into_iter().next().expect("it has a step");
        Self { produce, ..step }
    }
}
