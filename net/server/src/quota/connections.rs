//! How fast connections may be opened: by all together, who then wait, and by one address, whose
//! connections are then closed. Kept by the core that accepts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use engine::config::QuotaWindows;

use super::windows::Windows;
use crate::limits::COUNTED_ADDRESSES_MAX;

/// Connections each second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    /// `None` is no limit.
    pub of_all: Option<f64>,
    pub of_address: HashMap<IpAddr, f64>,
    pub of_other_addresses: Option<f64>,
}

#[derive(Debug)]
pub(crate) struct ConnectionRates {
    rule: QuotaWindows,
    since: Instant,
    rates: Rates,
    all: Windows,
    addresses: HashMap<IpAddr, Windows>,
}

impl ConnectionRates {
    pub fn new(rule: QuotaWindows, since: Instant) -> Self {
        let rates = Rates::default();
        Self { rule, since, rates, all: Windows::default(), addresses: HashMap::new() }
    }

    /// What was opened already counts.
    pub fn set(&mut self, rates: Rates) {
        self.rates = rates;
    }

    /// Counts a connection, and says for how long it has to wait, at most for a window.
    pub fn opened(&mut self, now: Instant) -> Duration {
        let Some(rate) = self.rates.of_all else { return Duration::ZERO };
        let now = now.saturating_duration_since(self.since);
        self.all.add(self.rule, now, 1);
        self.all.excess(self.rule, rate, now, 0).min(self.rule.width)
    }

    /// Counts a connection of the address; if it is one too many it is not counted, and its end is to
    /// come after that time, at most a window.
    pub fn opened_by(&mut self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let address = address.to_canonical();
        let rate = self.rates.of_address.get(&address).copied();
        let Some(rate) = rate.or(self.rates.of_other_addresses) else { return Ok(()) };
        let now = now.saturating_duration_since(self.since);
        if COUNTED_ADDRESSES_MAX <= self.addresses.len() {
            self.addresses.retain(|_, windows| !windows.is_empty(self.rule, now));
        }
        if COUNTED_ADDRESSES_MAX <= self.addresses.len() {
            self.addresses.clear();
        }
        let windows = self.addresses.entry(address).or_default();
        let excess = windows.excess(self.rule, rate, now, 1);
        if excess.is_zero() {
            windows.add(self.rule, now, 1);
            return Ok(());
        }
        Err(excess.min(self.rule.width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn rates(of_all: Option<f64>, of_others: Option<f64>) -> (ConnectionRates, Instant) {
        let rule = QuotaWindows { count: 3, width: Duration::from_secs(1) };
        let now = socket::now();
        let mut rates = ConnectionRates::new(rule, now);
        let of_address = HashMap::from([(ONE, 1.0)]);
        rates.set(Rates { of_all, of_address, of_other_addresses: of_others });
        (rates, now)
    }

    #[test]
    fn an_address_that_opens_too_many_has_them_closed_and_others_do_not() {
        let (mut rates, now) = rates(None, Some(2.0));
        assert_eq!([(); 2].map(|()| rates.opened_by(ONE, now)), [Ok(()); 2]);
        let second = Duration::from_secs(1);
        assert_eq!([(); 2].map(|()| rates.opened_by(ONE, now)), [Err(second); 2]);
        assert_eq!([(); 4].map(|()| rates.opened_by(TWO, now)), [Ok(()); 4]);
        assert_eq!(rates.opened_by(TWO, now), Err(second / 2));
        assert_eq!(rates.opened_by(ONE, now + 3 * second), Ok(()));
    }

    #[test]
    fn an_address_without_a_limit_is_not_counted() {
        let (mut rates, now) = rates(None, None);
        for _ in 0..100 {
            assert_eq!(rates.opened_by(TWO, now), Ok(()));
        }
        assert!(rates.addresses.is_empty());
    }

    #[test]
    fn an_address_of_version_4_is_the_same_in_the_clothes_of_version_6() {
        let (mut rates, now) = rates(None, None);
        let mapped = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!([(); 2].map(|()| rates.opened_by(mapped, now)), [Ok(()); 2]);
        assert!(rates.opened_by(ONE, now).is_err());
    }

    #[test]
    fn too_many_of_all_together_wait() {
        let (mut rates, now) = rates(Some(10.0), None);
        let waits: Vec<Duration> = (0..22).map(|_| rates.opened(now)).collect();
        assert!(waits[..20].iter().all(Duration::is_zero));
        assert_eq!(waits[20..], [Duration::from_millis(100), Duration::from_millis(200)]);
    }

    #[test]
    fn addresses_that_have_gone_are_forgotten() {
        let (mut rates, now) = rates(None, Some(1.0));
        let address = |number: u32| IpAddr::V4(number.into());
        for number in 0..u32::try_from(COUNTED_ADDRESSES_MAX).unwrap() {
            rates.opened_by(address(number), now).unwrap();
        }
        let later = now + Duration::from_secs(3);
        rates.opened_by(ONE, later).unwrap();
        assert_eq!(rates.addresses.len(), 1);
    }
}
