//! What counts for one share group: its own settings, else those of the broker.

use crate::cluster::{ClusterImage, ConfigResource};
use crate::config::BrokerConfig;
use crate::shard::request::Isolation;
use crate::share::QueueOptions;
use crate::types::Millis;

/// `share.auto.offset.reset`: where a queue begins of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareReset {
    Earliest,
    Latest,
    /// At what was written since so long ago.
    ByDuration(Millis),
}

#[derive(Clone, Copy, Debug)]
pub struct ShareSettings {
    pub queue: QueueOptions,
    pub reset: ShareReset,
    pub isolation: Isolation,
}

impl ShareSettings {
    pub fn of(image: &ClusterImage, config: &BrokerConfig, group: &str) -> Self {
        let settings = image.settings(&ConfigResource::group(group));
        let text = |name: &str| settings.get(name).map(|text| text.trim());
        // Values were checked when they were set.
        let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
        let share = &config.groups.share;
        let deliveries = number("share.delivery.count.limit");
        let queue = QueueOptions {
            deliveries_max: deliveries
                .and_then(|count| u16::try_from(count).ok())
                .unwrap_or(share.deliveries_max),
            lock_duration: number("share.record.lock.duration.ms")
                .map_or(share.lock_duration, Millis),
            locks_max: number("share.partition.max.record.locks").unwrap_or(share.locks_max),
            may_renew: text("share.renew.acknowledge.enable")
                .is_none_or(|text| text.eq_ignore_ascii_case("true")),
        };
        let isolation = match text("share.isolation.level") {
            Some(level) if level.eq_ignore_ascii_case("read_committed") => Isolation::ReadCommitted,
            Some(_) | None => Isolation::ReadUncommitted,
        };
        let reset = text("share.auto.offset.reset").and_then(reset).unwrap_or(ShareReset::Latest);
        Self { queue, reset, isolation }
    }
}

fn reset(text: &str) -> Option<ShareReset> {
    let text = text.to_ascii_lowercase();
    match text.as_str() {
        "earliest" => Some(ShareReset::Earliest),
        "latest" => Some(ShareReset::Latest),
        _ => text.strip_prefix("by_duration:").and_then(duration).map(ShareReset::ByDuration),
    }
}

/// A span as `java.time.Duration` reads it, in lower case: `p1dt2h3m4.5s`.
fn duration(text: &str) -> Option<Millis> {
    let mut millis = 0u64;
    let mut number = String::new();
    for letter in text.strip_prefix('p')?.chars() {
        let unit = match letter {
            't' => continue,
            'd' => 86_400_000,
            'h' => 3_600_000,
            'm' => 60_000,
            's' => 1_000,
            '+' => continue,
            _ => {
                number.push(letter);
                continue;
            }
        };
        let (whole, part) = number.split_once('.').unwrap_or((&number, ""));
        let whole: u64 = whole.parse().ok()?;
        let thousandths: u64 =
            if part.is_empty() { 0 } else { format!("{part:0<3.3}").parse().ok()? };
        millis = millis.saturating_add(whole.saturating_mul(unit)).saturating_add(thousandths);
        number.clear();
    }
    Some(Millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_begins_at_an_end_or_so_long_ago() {
        assert_eq!(reset("earliest"), Some(ShareReset::Earliest));
        assert_eq!(reset("Latest"), Some(ShareReset::Latest));
        let by = |millis| Some(ShareReset::ByDuration(Millis(millis)));
        assert_eq!(reset("by_duration:PT1H"), by(3_600_000));
        assert_eq!(reset("by_duration:P1DT2M3.25S"), by(86_400_000 + 120_000 + 3_250));
        assert_eq!(reset("sometime"), None);
    }
}
