//! What is measured, as a file that a person writes: a list of steps, each a load that every system
//! gets. A key that nobody knows is an error, so that a misspelled one is not silently left out.

mod presets;
mod workload;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    BenchError,
    java::JavaLoad,
    load::{ConsumeLoad, Pace, ProduceLoad, TopicOptions},
    measure::Figure,
};

pub use presets::{builtin, builtin_names};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is for, in a sentence.
    pub about: String,
    /// Load on each broker after its start, before anything is measured: a Java broker needs it.
    #[serde(default = "heat_seconds")]
    pub heat_seconds: f64,
    /// Of each step, before it counts.
    #[serde(default = "warm_up_seconds")]
    pub warm_up_seconds: f64,
    /// Of each step.
    #[serde(default = "seconds")]
    pub seconds: f64,
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub name: String,
    pub kind: StepKind,
    #[serde(default = "partitions")]
    pub partitions: i32,
    #[serde(default = "replication_factor")]
    pub replication_factor: i16,
    /// Settings of the topic.
    #[serde(default)]
    pub configs: Vec<(String, String)>,
    #[serde(default)]
    pub produce: ProduceLoad,
    #[serde(default)]
    pub consume: ConsumeLoad,
    /// Readers of old records meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<ConsumeLoad>,
    /// Written before the measurement, for whoever reads old records: millions of bytes.
    #[serde(default)]
    pub stored_megabytes: u64,
    /// Of Kafka's own clients.
    #[serde(default, skip_serializing_if = "is_default")]
    pub java: JavaLoad,
    /// The broker is held to so many processors; it is started again for that. Not said, it has all
    /// that the run gives to brokers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker_cores: Option<usize>,
    /// The figure that stands first and is compared, instead of the one that the kind suggests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<Figure>,
    /// Instead of the scenario's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Writing alone.
    Produce,
    /// Reading again and again what was just written.
    ConsumeHot,
    /// Reading once what neither the broker nor the kernel has in memory.
    ConsumeCold,
    /// Writing, and reading what is written, at the same time.
    Tail,
    /// Nobody asks for anything.
    Rest,
    /// Kafka's `ProducerPerformance`.
    JavaProducer,
    /// Kafka's `ConsumerPerformance`, over what was written beforehand.
    JavaConsumer,
}

impl StepKind {
    pub const fn is_java(self) -> bool {
        match self {
            Self::JavaProducer | Self::JavaConsumer => true,
            Self::Produce | Self::ConsumeHot | Self::ConsumeCold | Self::Tail | Self::Rest => false,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

const fn heat_seconds() -> f64 {
    8.0
}

const fn warm_up_seconds() -> f64 {
    2.0
}

const fn seconds() -> f64 {
    6.0
}

const fn partitions() -> i32 {
    4
}

const fn replication_factor() -> i16 {
    1
}

impl Scenario {
    pub fn parse(text: &str, name: &str) -> Result<Self, BenchError> {
        let scenario: Self = toml::from_str(text).map_err(|error| BenchError::Scenario {
            name: name.to_owned(),
            reason: error.to_string(),
        })?;
        scenario.check(name)?;
        Ok(scenario)
    }

    /// One of ours by its name, or a file.
    pub fn find(name: &str) -> Result<Self, BenchError> {
        if let Some(text) = builtin(name) {
            return Self::parse(text, name);
        }
        let path = Path::new(name);
        let text = std::fs::read_to_string(path).map_err(|error| BenchError::Scenario {
            name: name.to_owned(),
            reason: format!("no such file ({error}), and none of ours: {}", builtin_names()),
        })?;
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml") => workload::parse(&text, name),
            Some(_) | None => Self::parse(&text, name),
        }
    }

    fn check(&self, name: &str) -> Result<(), BenchError> {
        let wrong = |reason: String| Err(BenchError::Scenario { name: name.to_owned(), reason });
        if self.steps.is_empty() {
            return wrong("it has no step".to_owned());
        }
        for (place, step) in self.steps.iter().enumerate() {
            if self.steps.iter().take(place).any(|other| other.name == step.name) {
                return wrong(format!("two steps are called {:?}", step.name));
            }
            step.produce.check()?;
            step.consume.check()?;
            if let Some(reason) = step.contradiction() {
                return wrong(format!("step {:?}: {reason}", step.name));
            }
        }
        Ok(())
    }

    pub fn seconds_of(&self, step: &Step) -> f64 {
        step.seconds.unwrap_or(self.seconds)
    }
}

impl Step {
    /// The topic that it writes to.
    pub fn topic(&self, name: String) -> TopicOptions {
        TopicOptions {
            name,
            create: true,
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            configs: self.configs.clone(),
        }
    }

    /// What is asked for and would have no effect, or has nothing to act on.
    fn contradiction(&self) -> Option<&'static str> {
        let reads_old = match self.kind {
            StepKind::ConsumeHot | StepKind::ConsumeCold | StepKind::JavaConsumer => true,
            StepKind::Produce | StepKind::Tail | StepKind::Rest | StepKind::JavaProducer => {
                self.backfill.is_some()
            }
        };
        if self.partitions < 1 {
            return Some("a topic has one partition at least");
        }
        if reads_old && self.stored_megabytes == 0 {
            return Some("stored_megabytes says how much there is to read");
        }
        if !reads_old && self.stored_megabytes > 0 {
            return Some("nobody reads what stored_megabytes writes");
        }
        if self.backfill.is_some() && self.kind != StepKind::Tail {
            return Some("only a tail has a backfill beside it");
        }
        if self.broker_cores == Some(0) {
            return Some("a broker has one processor at least");
        }
        if let Some(reason) = self.java_contradiction() {
            return Some(reason);
        }
        if let Some(figure) = self.figure
            && (self.kind == StepKind::Rest || !figure.is_of_every_load())
        {
            return Some("its figure is not one that every load has");
        }
        if reads_old && self.kind != StepKind::Tail && self.produce.pace != Pace::AsFastAsPossible {
            return Some("what is stored beforehand has no pace");
        }
        None
    }

    fn java_contradiction(&self) -> Option<&'static str> {
        let writes = self.java.records > 0 && self.java.record_bytes > 0;
        let is_empty = self.java.records == 0 && self.java.record_bytes == 0;
        match self.kind {
            StepKind::JavaProducer if !writes => Some("java says how many records of which size"),
            StepKind::JavaConsumer if !is_empty => Some("a Java consumer reads what is stored"),
            StepKind::JavaProducer if !is_default(&self.produce) => {
                Some("a Java producer goes by java, and not by produce")
            }
            StepKind::JavaProducer | StepKind::JavaConsumer => None,
            StepKind::Produce
            | StepKind::ConsumeHot
            | StepKind::ConsumeCold
            | StepKind::Tail
            | StepKind::Rest => {
                (!is_default(&self.java)).then_some("only Kafka's own clients go by java")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        about = "one step"
        [[step]]
        name = "16 KiB"
        kind = "produce"
        partitions = 2
        produce = { batch_records = 160, record_bytes = 90, pace = { bytes_per_second = 2e7 } }
    "#;

    #[test]
    fn what_a_scenario_does_not_say_has_a_default() {
        let scenario = Scenario::parse(SMALL, "small").unwrap();
        let step = &scenario.steps[0];
        assert_eq!((step.partitions, step.kind), (2, StepKind::Produce));
        assert_eq!(step.produce.pace, Pace::BytesPerSecond(2e7));
        assert_eq!((step.produce.connections, step.produce.batch_records), (4, 160));
        assert_eq!(scenario.seconds_of(step), 6.0);
    }

    #[test]
    fn a_scenario_reads_back_as_it_was_written() {
        let scenario = Scenario::parse(SMALL, "small").unwrap();
        let written = toml::to_string(&scenario).unwrap();
        assert_eq!(Scenario::parse(&written, "small").unwrap(), scenario);
    }

    #[test]
    fn what_nobody_knows_or_contradicts_itself_is_refused() {
        let with = |line: &str| Scenario::parse(&format!("{SMALL}\n{line}"), "small");
        assert!(with("batches = 3").unwrap_err().to_string().contains("batches"));
        assert!(with("stored_megabytes = 3").is_err());
        assert!(with("seconds = 3.5").is_ok());
        assert!(with("broker_cores = 0").is_err());
        assert!(with("broker_cores = 1\nfigure = \"records_per_second\"").is_ok());
        assert!(with("figure = \"start_seconds\"").is_err());
        assert!(with("java = { records = 3, record_bytes = 1 }").is_err());
        let java = "[[step]]\nname = \"java\"\nkind = \"java_producer\"\n";
        assert!(with(java).is_err());
        assert!(with(&format!("{java}java = {{ records = 3, record_bytes = 1 }}")).is_ok());
        let two = "java = { records = 3, record_bytes = 1 }\nproduce = { in_flight = 3 }";
        assert!(with(&format!("{java}{two}")).is_err());
        assert!(with("[[step]]\nname = \"16 KiB\"\nkind = \"rest\"").is_err());
        assert!(with("[[step]]\nname = \"cold\"\nkind = \"consume_cold\"").is_err());
        assert!(Scenario::parse("about = \"none\"\nstep = []", "none").is_err());
    }

    #[test]
    fn every_scenario_of_ours_can_be_read() {
        for (name, text) in presets::BUILTIN {
            Scenario::parse(text, name).unwrap();
        }
    }
}
