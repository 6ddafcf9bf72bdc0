//! Numbers of the log. Sentinels such as -1 exist only on the wire: `from_wire` turns a negative
//! number into `None`, `to_wire` writes the number back as Kafka's signed type.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty) as $wire:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name($inner);

        impl $name {
            pub const ZERO: Self = Self(0);
            /// The largest value that the wire's signed type can carry.
            pub const MAX: Self = Self(<$wire>::MAX.unsigned_abs());

            /// `None` if the value does not fit the wire's signed type.
            pub const fn new(value: $inner) -> Option<Self> {
                if value <= Self::MAX.0 { Some(Self(value)) } else { None }
            }

            pub const fn get(self) -> $inner {
                self.0
            }

            /// `None` for every negative number.
            pub const fn from_wire(value: $wire) -> Option<Self> {
                if value < 0 { None } else { Some(Self(value.unsigned_abs())) }
            }

            pub const fn to_wire(self) -> $wire {
                self.0.cast_signed()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

number! {
    /// A record's place in its partition, counted from zero without gaps when appended.
    Offset(u64) as i64
}
number! {
    /// Counts the leaders that a partition has had.
    LeaderEpoch(u32) as i32
}
number! {
    /// A partition's place within its topic, counted from zero.
    PartitionIndex(u32) as i32
}
number! {
    /// A node of the cluster.
    BrokerId(u32) as i32
}
number! {
    /// Identifies an idempotent or transactional producer.
    ProducerId(u64) as i64
}
number! {
    /// Fences earlier incarnations of one producer id.
    ProducerEpoch(u16) as i16
}
number! {
    /// A record's place in what one producer sends to one partition; wraps after 2³¹−1.
    Sequence(u32) as i32
}

impl Offset {
    /// The offset that follows `record_count` records which start here.
    pub const fn advance(self, record_count: u32) -> Self {
        Self(self.0.strict_add(record_count as u64))
    }

    /// How many offsets lie in `self..end`; zero if `end` is not beyond `self`.
    pub const fn distance_to(self, end: Self) -> u64 {
        end.0.saturating_sub(self.0)
    }
}

impl Sequence {
    /// The sequence `count` records later; after 2³¹−1 comes 0.
    pub const fn advance(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count) & Self::MAX.0)
    }

    /// The sequence `count` records earlier; before 0 came 2³¹−1.
    pub const fn rewind(self, count: u32) -> Self {
        Self(self.0.wrapping_sub(count) & Self::MAX.0)
    }
}

/// A record's timestamp: milliseconds since 1970, whatever the producer wrote, or absent (-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Kafka's marker for a record or batch without a timestamp.
    pub const NONE: Self = Self(-1);
}

/// The proof that a coordinator has a partition in a producer's transaction: handed out by the
/// partition's log when the question begins, handed back with the records that it was for. A
/// transaction that ended in between has made it worthless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VerificationGuard(pub u64);

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// One executor of this process, counted from zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CoreId(pub u16);

impl fmt::Display for CoreId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_wraps_to_zero_after_the_largest() {
        assert_eq!(Sequence::MAX.advance(1), Sequence::ZERO);
        assert_eq!(Sequence::MAX.advance(3).get(), 2);
        assert_eq!(Sequence::ZERO.advance(2).rewind(3), Sequence::MAX);
    }

    #[test]
    fn a_negative_number_on_the_wire_is_absent_inside() {
        assert_eq!(Offset::from_wire(-1), None);
        assert_eq!(Offset::from_wire(i64::MAX), Some(Offset::MAX));
        assert_eq!(LeaderEpoch::from_wire(7).map(LeaderEpoch::to_wire), Some(7));
    }

    #[test]
    fn an_offset_beyond_the_wire_type_is_refused() {
        assert_eq!(Offset::new(u64::MAX), None);
    }
}
