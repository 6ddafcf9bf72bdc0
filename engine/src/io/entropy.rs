//! Identities that nobody else has, from the operating system's random source.

use codec::Uuid;

/// A random (version 4) identity, never one that Kafka reserves or that starts with a dash, which
/// its tools would take for a flag.
///
/// # Panics
/// If the operating system has no randomness to give; nothing can be named then.
pub fn random_uuid() -> Uuid {
    uuid_from(|| {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        bytes
    })
}

/// Asks for random bytes until they make an identity that can be given out.
pub(super) fn uuid_from(mut random: impl FnMut() -> [u8; 16]) -> Uuid {
    loop {
        let bytes = random();
        let bits = u128::from_be_bytes(bytes);
        let version_4 = bits & !(0xF << 76) | (0x4 << 76);
        let variant = version_4 & !(0x3 << 62) | (0x2 << 62);
        let uuid = Uuid(variant.to_be_bytes());
        if !uuid.to_string().starts_with('-') {
            return uuid;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_identities_differ_and_say_their_version() {
        let (one, other) = (random_uuid(), random_uuid());
        assert_ne!(one, other);
        assert_eq!(one.0[6] >> 4, 4);
        assert_eq!(one.0[8] >> 6, 2);
    }
}
