//! A group's own timeouts must lie within what the brokers allow: a group that heartbeats every
//! millisecond would cost every other group.

use crate::cluster::command::CommandError;
use crate::cluster::command::error::refuse;
use crate::cluster::command::settings::check_values;
use crate::cluster::image::{ClusterImage, Settings};
use crate::cluster::resource::ConfigResource;
use crate::config::{BrokerConfig, Effective, Keys, Overrides, Scope};

/// The keys whose bounds do not have the usual names.
const STANDBY: (&str, &str) =
    ("streams.num.standby.replicas", "group.streams.max.standby.replicas");

pub(super) fn check_group_settings(
    image: &ClusterImage,
    config: &BrokerConfig,
    settings: &Settings,
) -> Result<(), CommandError> {
    for name in settings.keys() {
        if Keys::all().find(Scope::Group, name).is_none() {
            return Err(refuse!(InvalidConfig, "Unknown group config name: {name}"));
        }
    }
    check_values(Scope::Group, settings)?;
    let resource = ConfigResource::group("");
    let layers = image.overrides(&resource, config.node_id, &config.statics);
    for (name, value) in settings {
        let Ok(value) = value.trim().parse::<i64>() else { continue };
        let (low, high) = bounds(name);
        if let Some(low) =
            low.filter(|low| broker_number(low, layers).is_some_and(|low| value < low))
        {
            return Err(refuse!(InvalidConfig, "{name} must be greater than or equal to {low}"));
        }
        if let Some(high) =
            high.filter(|high| broker_number(high, layers).is_some_and(|high| high < value))
        {
            return Err(refuse!(InvalidConfig, "{name} must be less than or equal to {high}"));
        }
    }
    let effective = Effective::group(Overrides { resource: settings, ..layers });
    for kind in ["consumer", "share", "streams"] {
        let session = format!("{kind}.session.timeout.ms");
        let heartbeat = format!("{kind}.heartbeat.interval.ms");
        let number = |name: &str| {
            let entry = effective.iter().find(|entry| entry.name == name)?;
            entry.value.as_deref()?.parse::<i64>().ok()
        };
        let asked = settings.contains_key(&session) || settings.contains_key(&heartbeat);
        if asked && number(&session) <= number(&heartbeat) {
            return Err(refuse!(InvalidConfig, "{session} must be greater than {heartbeat}"));
        }
    }
    Ok(())
}

/// `consumer.session.timeout.ms` lies between `group.consumer.min.session.timeout.ms` and `….max.…`.
fn bounds(name: &str) -> (Option<String>, Option<String>) {
    if name == STANDBY.0 {
        return (None, Some(STANDBY.1.to_owned()));
    }
    let Some((kind, rest)) = name.split_once('.') else { return (None, None) };
    let known = |bound: String| Keys::all().find(Scope::Broker, &bound).map(|_| bound);
    let low = known(format!("group.{kind}.min.{rest}"));
    (low, known(format!("group.{kind}.max.{rest}")))
}

fn broker_number(name: &str, layers: Overrides<'_>) -> Option<i64> {
    let key = Keys::all().find(Scope::Broker, name)?;
    Effective::of_broker_key(key, layers).value?.parse().ok()
}
