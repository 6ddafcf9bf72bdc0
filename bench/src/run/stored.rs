//! What a step writes, and whether all of it can be read back afterwards.

use std::{collections::BTreeMap, sync::Arc};

use client::runtime;

use crate::{
    BenchError,
    load::{
        Acknowledge, ConsumeLoad, Extent, Identity, Ledger, Loaded, PartitionCheck, ProduceLoad,
        consumer::{self, AtEnd, Checking},
        identity,
        jobs::{self, Outcome, Place, Plan, Role},
        producer, target, template,
        window::{Tally, Window},
    },
    scenario::Step,
};

/// A topic of a step, and what it gets.
#[derive(Clone, Debug)]
pub struct Stored {
    pub topic: String,
    pub bootstrap: String,
    pub loaded: Loaded,
    pub ledger: Arc<Ledger>,
    pub producers: Vec<Plan>,
    acks: Acknowledge,
    /// By connection, once something was written.
    turns: BTreeMap<u64, u64>,
}

impl Stored {
    /// Makes the topic, and plans who writes to it.
    pub fn create(bootstrap: &str, topic: String, step: &Step) -> Result<Self, BenchError> {
        let options = step.topic(topic.clone());
        let (address, load) = (bootstrap.to_owned(), step.produce.clone());
        let (loaded, identities) = runtime::block_on(async move {
            target::create(&address, &options).await?;
            let loaded = target::find(&address, &options.name).await?;
            Ok::<_, BenchError>((loaded, identity::ask(&address, &load).await?))
        })??;
        Self::of(bootstrap, topic, &step.produce, (loaded, &identities))
    }

    pub fn of(
        bootstrap: &str,
        topic: String,
        load: &ProduceLoad,
        (loaded, identities): (Loaded, &[Identity]),
    ) -> Result<Self, BenchError> {
        let batch = Arc::new(template::build(load, runtime::wall_clock_millis()));
        let (plans, ledger) = producer::plan(load, &loaded, &batch, identities)?;
        Ok(Self {
            topic,
            bootstrap: bootstrap.to_owned(),
            loaded,
            ledger: Arc::new(ledger),
            producers: plans.into_iter().map(Plan::Produce).collect(),
            acks: load.acks,
            turns: BTreeMap::new(),
        })
    }

    /// Writes so much, as fast as possible.
    pub fn fill(&mut self, records: u64, place: Place) -> Result<(), BenchError> {
        let window = Window::new(0.0, Extent::Records(records), place.cores);
        let jobs = jobs::placed(Role::Produce, self.producers.iter().cloned());
        let outcome = jobs::run(&jobs, &window, place)?;
        self.written(&outcome);
        match outcome.errors().into_keys().next() {
            Some(reason) => Err(BenchError::NotStored { reason }),
            None => self.find_again(),
        }
    }

    /// What a load of `producers` has written.
    pub fn written(&mut self, outcome: &Outcome) {
        if let Some(tally) = outcome.tallies.get(&Role::Produce) {
            self.turns.clone_from(&tally.turns);
        }
    }

    pub fn find_again(&mut self) -> Result<(), BenchError> {
        let (bootstrap, topic) = (self.bootstrap.clone(), self.topic.clone());
        self.loaded = runtime::block_on(async move { target::find(&bootstrap, &topic).await })??;
        Ok(())
    }

    /// Reads all of it once: every acknowledged record must be there, once, in its place, with the
    /// bytes that were sent. Errors stand in the tally.
    pub fn read_back(&mut self, place: Place) -> Result<Tally, BenchError> {
        self.find_again()?;
        if self.loaded.record_count() == 0 {
            return Ok(self.nothing_found());
        }
        let window = Window::new(0.0, Extent::Records(u64::MAX), place.cores);
        let load = ConsumeLoad::default();
        let plans = self.readers(&load, AtEnd::Stop)?;
        let jobs = jobs::placed(Role::Consume, plans.into_iter());
        let outcome = jobs::run(&jobs, &window, place)?;
        let mut tally = outcome.tallies.get(&Role::Consume).cloned().unwrap_or_default();
        self.judge(&mut tally);
        Ok(tally)
    }

    /// What reading an empty topic comes to.
    fn nothing_found(&self) -> Tally {
        let mut tally = Tally::default();
        for partition in self.loaded.partitions() {
            let check = PartitionCheck::new(&self.ledger, partition.index, partition.start);
            tally.checks.insert(partition.index, check);
        }
        self.judge(&mut tally);
        tally
    }

    pub fn readers(&self, load: &ConsumeLoad, at_end: AtEnd) -> Result<Vec<Plan>, BenchError> {
        let checking = Checking::Everything(Arc::clone(&self.ledger));
        let plans = consumer::plan(load, &self.loaded, at_end, &checking)?;
        Ok(plans.into_iter().map(Plan::Consume).collect())
    }

    /// Nobody promises that what was not acknowledged is there.
    pub fn judge(&self, tally: &mut Tally) {
        if self.acks == Acknowledge::None {
            return;
        }
        for check in std::mem::take(&mut tally.checks).into_values() {
            if let Err(wrong) = check.is_complete(&self.turns) {
                tally.error(wrong.to_string());
            }
        }
    }

    pub fn delete(self) -> Result<(), BenchError> {
        runtime::block_on(async move { target::delete(&self.bootstrap, &self.topic).await })?
    }
}
