//! Who may connect, and to which core a connection goes. Kept by the core that accepts: the others
//! tell it when a connection has ended.

use std::collections::HashMap;
use std::net::IpAddr;

use engine::types::CoreId;

#[derive(Clone, Debug)]
pub(crate) struct AdmissionLimits {
    /// `max.connections`: beyond it nothing is accepted until somebody leaves.
    pub connections_max: usize,
    /// `max.connections.per.ip`: beyond it a connection is closed at once.
    pub connections_per_address_max: usize,
    /// `max.connections.per.ip.overrides`: what counts instead of it for these.
    pub of_address_max: HashMap<IpAddr, usize>,
}

impl AdmissionLimits {
    fn of(&self, address: IpAddr) -> usize {
        self.of_address_max
            .get(&address.to_canonical())
            .copied()
            .unwrap_or(self.connections_per_address_max)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyFromAddress;

#[derive(Debug)]
pub(crate) struct Admission {
    limits: AdmissionLimits,
    per_address: HashMap<IpAddr, usize>,
    /// Connections of each core; their sum is `total`.
    per_core: Vec<usize>,
    total: usize,
}

impl Admission {
    pub fn new(limits: AdmissionLimits, cores: u16) -> Self {
        let per_core = vec![0; usize::from(cores.max(1))];
        Self { limits, per_address: HashMap::new(), per_core, total: 0 }
    }

    /// What was admitted already stays.
    pub fn set_limits(&mut self, limits: AdmissionLimits) {
        self.limits = limits;
    }

    pub fn is_full(&self) -> bool {
        self.limits.connections_max <= self.total
    }

    /// The least loaded core takes the connection.
    pub fn admit(&mut self, address: IpAddr) -> Result<CoreId, TooManyFromAddress> {
        let from_address = self.per_address.get(&address).copied().unwrap_or(0);
        if self.limits.of(address) <= from_address {
            return Err(TooManyFromAddress);
        }
        self.per_address.insert(address, from_address.strict_add(1));
        self.total = self.total.strict_add(1);
        let least = self.per_core.iter_mut().enumerate().min_by_key(|(_, load)| **load);
        let (core, load) = least.expect("there is at least one core");
        *load = load.strict_add(1);
        Ok(CoreId(u16::try_from(core).expect("cores are counted in u16")))
    }

    /// A connection that was admitted to `core` has ended.
    pub fn release(&mut self, address: IpAddr, core: CoreId) {
        self.total = self.total.strict_sub(1);
        if let Some(load) = self.per_core.get_mut(usize::from(core.0)) {
            *load = load.strict_sub(1);
        }
        if let Some(count) = self.per_address.get_mut(&address) {
            *count = count.strict_sub(1);
            if *count == 0 {
                self.per_address.remove(&address);
            }
        }
        debug_assert_eq!(self.per_core.iter().sum::<usize>(), self.total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    const THREE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 3));

    fn admission(connections_max: usize, connections_per_address_max: usize) -> Admission {
        let of_address_max = HashMap::from([(THREE, 1)]);
        let limits =
            AdmissionLimits { connections_max, connections_per_address_max, of_address_max };
        Admission::new(limits, 2)
    }

    #[test]
    fn an_address_may_have_a_maximum_of_its_own() {
        let mut admission = admission(10, 2);
        assert!(admission.admit(THREE).is_ok());
        assert_eq!(admission.admit(THREE), Err(TooManyFromAddress));
    }

    #[test]
    fn new_limits_count_for_the_next_connection() {
        let mut admission = admission(1, 10);
        admission.admit(ONE).unwrap();
        assert!(admission.is_full());
        let limits = AdmissionLimits { connections_max: 2, ..admission.limits.clone() };
        admission.set_limits(limits);
        assert!(!admission.is_full());
    }

    #[test]
    fn connections_go_to_the_least_loaded_core() {
        let mut admission = admission(10, 10);
        let cores: Vec<u16> = (0..4).map(|_| admission.admit(ONE).unwrap().0).collect();
        assert_eq!(cores, [0, 1, 0, 1]);
        admission.release(ONE, CoreId(1));
        assert_eq!(admission.admit(ONE), Ok(CoreId(1)));
    }

    #[test]
    fn one_address_cannot_take_all_connections() {
        let mut admission = admission(10, 2);
        admission.admit(ONE).unwrap();
        let core = admission.admit(ONE).unwrap();
        assert_eq!(admission.admit(ONE), Err(TooManyFromAddress));
        assert!(admission.admit(TWO).is_ok());
        admission.release(ONE, core);
        assert!(admission.admit(ONE).is_ok());
    }

    #[test]
    fn a_full_server_has_room_again_when_somebody_leaves() {
        let mut admission = admission(1, 10);
        let core = admission.admit(ONE).unwrap();
        assert!(admission.is_full());
        admission.release(ONE, core);
        assert!(!admission.is_full());
    }
}
