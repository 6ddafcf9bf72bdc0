//! One load by itself: `corelog bench produce` and `corelog bench consume`.

use std::sync::Arc;

use client::runtime;

use super::{
    ConsumeOptions, ProduceOptions, Report,
    consumer::{self, AtEnd, Checking},
    identity,
    jobs::{self, Place, Plan, Role, placed},
    producer, target, template,
    window::Window,
};
use crate::BenchError;

/// Measures producing; blocks the calling thread until it is over.
pub fn produce(options: &ProduceOptions) -> Result<Report<ProduceOptions>, BenchError> {
    options.load.check()?;
    let (loaded, identities) = runtime::block_on(async {
        if options.topic.create {
            target::create(&options.bootstrap, &options.topic).await?;
        }
        let loaded = target::find(&options.bootstrap, &options.topic.name).await?;
        let identities = identity::ask(&options.bootstrap, &options.load).await?;
        Ok::<_, BenchError>((loaded, identities))
    })??;
    let batch = Arc::new(template::build(&options.load, runtime::wall_clock_millis()));
    let (plans, _) = producer::plan(&options.load, &loaded, &batch, &identities)?;
    let window = Window::new(options.warm_up_seconds, options.extent, options.cores);
    let jobs = placed(Role::Produce, plans.into_iter().map(Plan::Produce));
    let place = Place { cores: options.cores, server_pid: options.server_pid };
    let outcome = jobs::run(&jobs, &window, place)?;
    Ok(jobs::report(options.clone(), Role::Produce, &outcome))
}

/// Measures consuming; blocks the calling thread until it is over.
pub fn consume(options: &ConsumeOptions) -> Result<Report<ConsumeOptions>, BenchError> {
    options.load.check()?;
    let loaded = runtime::block_on(target::find(&options.bootstrap, &options.topic))??;
    if loaded.record_count() == 0 {
        return Err(BenchError::NothingToRead { topic: options.topic.clone() });
    }
    let at_end = if options.repeat { AtEnd::Repeat } else { AtEnd::Stop };
    let checking = if options.verify { Checking::Checksums } else { Checking::Nothing };
    let plans = consumer::plan(&options.load, &loaded, at_end, &checking)?;
    let window = Window::new(options.warm_up_seconds, options.extent, options.cores);
    let jobs = placed(Role::Consume, plans.into_iter().map(Plan::Consume));
    let place = Place { cores: options.cores, server_pid: options.server_pid };
    let outcome = jobs::run(&jobs, &window, place)?;
    Ok(jobs::report(options.clone(), Role::Consume, &outcome))
}
