//! Over which time it is counted what a client has used of its quotas.

use core::time::Duration;

use crate::config::settings::Settings;

/// As many windows of this width as are looked at, the current one among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaWindows {
    pub count: u32,
    pub width: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Of bytes, of time and of connections.
    pub clients: QuotaWindows,
    /// Of partitions that are created and deleted.
    pub mutations: QuotaWindows,
}

pub(super) fn quotas(settings: &mut Settings) -> Quotas {
    let mut windows = |count: &str, seconds: &str| QuotaWindows {
        count: settings.unsigned_32(count),
        width: Duration::from_secs(settings.unsigned(seconds)),
    };
    Quotas {
        clients: windows("quota.window.num", "quota.window.size.seconds"),
        mutations: windows("controller.quota.window.num", "controller.quota.window.size.seconds"),
    }
}
