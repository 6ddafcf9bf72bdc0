//! Where a group of the newer protocol, its assignment and its members stand. A member of an older
//! epoch than its group has work to do; one of an epoch that nobody gave it is fenced.

use std::fmt;

use crate::group::Generation;

/// Zero is the epoch of a member that has not been given one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(u32);

impl Epoch {
    pub const ZERO: Self = Self(0);
    /// A group's epoch before anything has happened to it.
    pub(crate) const FIRST: Self = Self(1);
    const MAX: u32 = i32::MAX.unsigned_abs();

    /// `None` for every negative number.
    pub const fn from_wire(value: i32) -> Option<Self> {
        if value < 0 { None } else { Some(Self(value.unsigned_abs())) }
    }

    pub const fn to_wire(self) -> i32 {
        self.0.cast_signed()
    }

    /// The epoch after this one; the last has none after it, and its group rebalances no more.
    pub(crate) const fn next(self) -> Self {
        if self.0 >= Self::MAX { self } else { Self(self.0 + 1) }
    }

    /// A classic generation counts on as an epoch when a group changes its protocol.
    pub(crate) fn of(generation: Generation) -> Self {
        Self(generation.to_wire().unsigned_abs())
    }

    pub(crate) fn generation(self) -> Generation {
        Generation::from_wire(self.to_wire()).unwrap_or_default()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_never_goes_back() {
        let last = Epoch::from_wire(i32::MAX).unwrap();
        assert_eq!(last.next(), last);
        assert_eq!(Epoch::ZERO.next(), Epoch::FIRST);
        assert_eq!(Epoch::from_wire(-1), None);
    }

    #[test]
    fn a_generation_and_an_epoch_are_one_number() {
        let generation = Generation::from_wire(7).unwrap();
        assert_eq!(Epoch::of(generation).to_wire(), 7);
        assert_eq!(Epoch::of(generation).generation(), generation);
    }
}
