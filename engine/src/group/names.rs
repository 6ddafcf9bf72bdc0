//! Names and numbers of a group. A member id passed where a group id is expected would lock the
//! wrong consumer out, so each has its own type.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use codec::Uuid;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(name: &str) -> Self {
                Self(Arc::from(name))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A group's name, as the client wrote it. It may be empty: old tools commit offsets under the
    /// empty name, while joining a group of that name is refused.
    GroupId
}
name! {
    /// One incarnation of a member, made by the coordinator; never empty.
    MemberId
}
name! {
    /// A static member's own name (`group.instance.id`, KIP-345): it outlives member ids.
    InstanceId
}

/// The client's part of a member id is cut to this length, so that the whole always fits the
/// 32,767 bytes of a protocol string.
const MEMBER_ID_PREFIX_BYTES_MAX: usize = 32_000;
const UUID_TEXT_BYTES: usize = 36;
const _: () = assert!(MEMBER_ID_PREFIX_BYTES_MAX + 1 + UUID_TEXT_BYTES <= 32_767);

impl MemberId {
    /// `prefix-uuid`, where the prefix is the instance id, or the client id of a dynamic member.
    pub(crate) fn compose(prefix: &str, unique: Uuid) -> Self {
        let mut end = prefix.len().min(MEMBER_ID_PREFIX_BYTES_MAX);
        while !prefix.is_char_boundary(end) {
            end -= 1;
        }
        let mut text = String::with_capacity(end + 1 + UUID_TEXT_BYTES);
        text.push_str(prefix.get(..end).unwrap_or_default());
        for (index, byte) in unique.0.iter().enumerate() {
            // A canonical UUID has a hyphen before bytes 4, 6, 8 and 10; the one before byte 0
            // separates it from the prefix.
            if matches!(index, 0 | 4 | 6 | 8 | 10) {
                text.push('-');
            }
            for half in [byte >> 4, byte & 0xf] {
                text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
            }
        }
        Self(Arc::from(text))
    }
}

/// Counts a group's rebalances; a member of an older generation is fenced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(u32);

impl Generation {
    /// The generation of a group that has not rebalanced yet.
    pub const ZERO: Self = Self(0);
    const MAX: u32 = i32::MAX.unsigned_abs();

    /// `None` for every negative number, which on the wire means "not a member of a generation".
    pub const fn from_wire(value: i32) -> Option<Self> {
        if value < 0 { None } else { Some(Self(value.unsigned_abs())) }
    }

    pub const fn to_wire(self) -> i32 {
        self.0.cast_signed()
    }

    /// The generation after this one. After 2³¹−1 rebalances comes 1: zero stays "never".
    pub(crate) const fn next(self) -> Self {
        if self.0 >= Self::MAX { Self(1) } else { Self(self.0 + 1) }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_id_is_the_prefix_and_a_canonical_uuid() {
        let unique =
            Uuid([0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0, 1, 2, 3, 4, 5, 6, 0xff]);
        let member = MemberId::compose("app", unique);
        assert_eq!(member.as_str(), "app-12345678-9abc-def0-0001-0203040506ff");
    }

    #[test]
    fn a_member_id_of_the_longest_client_id_still_fits_a_protocol_string() {
        let member = MemberId::compose(&"ä".repeat(16_383), Uuid([0; 16]));
        assert!(member.as_str().len() <= 32_767);
        assert!(member.as_str().ends_with("-00000000-0000-0000-0000-000000000000"));
    }

    #[test]
    fn the_last_generation_is_followed_by_the_first() {
        let last = Generation::from_wire(i32::MAX).unwrap();
        assert_eq!(last.next().to_wire(), 1);
        assert_eq!(Generation::from_wire(-1), None);
    }
}
