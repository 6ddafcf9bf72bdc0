//! The quotas of one client as its requests need them. They are looked up when the metadata has changed,
//! and where nobody has a quota a request pays one comparison.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::broker::Broker;
use engine::cluster::{ClusterImage, QuotaKind};
use engine::config::QuotaWindows;

use super::meter::{Meter, Meters};
use super::windows::burst;
use crate::limits::LIMITED_CLIENTS_MAX;

/// Nanoseconds each second, for one percent of a core's time.
const NANOS_PER_PERCENT: f64 = 1e7;

/// Of one client; `None` is no limit.
pub(crate) struct Limits {
    produced: Option<Limit>,
    consumed: Option<Limit>,
    time: Option<Limit>,
}

struct Limit {
    per_second: f64,
    windows: QuotaWindows,
    meter: Arc<Meter>,
}

impl Limit {
    fn used(&self, now: Instant, amount: u64) -> Duration {
        self.meter.used(self.windows, self.per_second, now, amount)
    }
}

impl Limits {
    /// Counts the bytes of a request to produce.
    pub fn produced(&self, now: Instant, bytes: usize) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.produced.as_ref().map_or(Duration::ZERO, |limit| limit.used(now, bytes))
    }

    pub fn has_time(&self) -> bool {
        self.time.is_some()
    }

    /// Counts time that was spent on a request. No client waits longer for that than one window.
    pub fn spent(&self, now: Instant, time: Duration) -> Duration {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let limit = self.time.as_ref();
        limit.map_or(Duration::ZERO, |limit| limit.used(now, nanos).min(limit.windows.width))
    }

    /// Counts bytes that are to be read, unless they are too many or `is_held_back`.
    pub fn may_consume(&self, now: Instant, bytes: usize, is_held_back: bool) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.consumed.as_ref().map_or(Duration::ZERO, |limit| {
            limit.meter.may_use(limit.windows, limit.per_second, now, bytes, is_held_back)
        })
    }

    /// The most that one answer may bring without being too much by itself.
    pub fn consumed_at_once_max(&self) -> usize {
        let Some(limit) = &self.consumed else { return usize::MAX };
        // Durations know how to become whole numbers, and say so where they cannot.
        let bytes = Duration::try_from_secs_f64(burst(limit.windows, limit.per_second));
        bytes.ok().and_then(|bytes| usize::try_from(bytes.as_secs()).ok()).unwrap_or(usize::MAX)
    }
}

/// Shared by the connections of one core; forgets everything when the metadata changes.
pub(crate) struct Quotas {
    meters: Arc<Meters>,
    cached: RefCell<Cached>,
}

#[derive(Default)]
struct Cached {
    image: Option<Arc<ClusterImage>>,
    has_quotas: bool,
    /// By user and client id.
    of: HashMap<String, HashMap<String, Option<Rc<Limits>>>>,
    clients: usize,
}

impl Quotas {
    pub fn new(meters: Arc<Meters>) -> Self {
        Self { meters, cached: RefCell::default() }
    }

    /// `None` if the client may do as it likes.
    pub fn of(&self, broker: &Broker, user: &str, client_id: &str) -> Option<Rc<Limits>> {
        let mut cached = self.cached.borrow_mut();
        if !cached.image.as_ref().is_some_and(|known| broker.is_current(known)) {
            let image = broker.image();
            let has_quotas = image.has_client_quotas();
            *cached = Cached { image: Some(image), has_quotas, ..Cached::default() };
        }
        if !cached.has_quotas {
            return None;
        }
        if let Some(known) = cached.of.get(user).and_then(|clients| clients.get(client_id)) {
            return known.clone();
        }
        let image = cached.image.clone()?;
        let windows = broker.config().quotas.clients;
        let limits = self.limits(&image, windows, user, client_id).map(Rc::new);
        if LIMITED_CLIENTS_MAX <= cached.clients {
            cached.of.clear();
            cached.clients = 0;
        }
        cached.clients = cached.clients.strict_add(1);
        let clients = cached.of.entry(user.to_owned()).or_default();
        clients.insert(client_id.to_owned(), limits.clone());
        limits
    }

    fn limits(
        &self,
        image: &ClusterImage,
        windows: QuotaWindows,
        user: &str,
        client_id: &str,
    ) -> Option<Limits> {
        let now = socket::now();
        let limit = |kind, per_unit: f64| {
            let quota = image.client_quota(kind, user, client_id)?;
            let meter = self.meters.of(kind, quota.group, windows, now);
            Some(Limit { per_second: quota.limit * per_unit, windows, meter })
        };
        let limits = Limits {
            produced: limit(QuotaKind::ProducedBytes, 1.0),
            consumed: limit(QuotaKind::ConsumedBytes, 1.0),
            time: limit(QuotaKind::RequestTime, NANOS_PER_PERCENT),
        };
        let is_any =
            limits.produced.is_some() || limits.consumed.is_some() || limits.time.is_some();
        is_any.then_some(limits)
    }
}
