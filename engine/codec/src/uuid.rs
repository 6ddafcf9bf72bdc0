//! A 16-byte identity, printed as Kafka prints it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// URL-safe base64.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// 128 bits in letters of six bits.
const LETTERS: usize = 22;

/// Why a text is not an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseUuidError {
    #[error("an identity has {LETTERS} letters, not {length}")]
    Length { length: usize },
    #[error("{letter:?} is not a letter of URL-safe base64")]
    Letter { letter: char },
    #[error("the last letter has bits beyond the sixteenth byte")]
    TrailingBits,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// Kafka's marker for "no identity".
    pub const ZERO: Self = Self([0; 16]);
}

impl fmt::Display for Uuid {
    /// URL-safe base64 without padding: 22 characters.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        for place in 0..22_u32 {
            let index = if place < 21 { bits >> (122 - 6 * place) & 63 } else { bits << 4 & 63 };
            let letter = usize::try_from(index).ok().and_then(|index| ALPHABET.get(index));
            fmt::Write::write_char(formatter, char::from(*letter.unwrap_or(&b'A')))?;
        }
        Ok(())
    }
}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    /// Reads the form that `Display` writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = text.chars().count();
        if length != LETTERS {
            return Err(ParseUuidError::Length { length });
        }
        let mut bits = 0_u128;
        for (place, letter) in text.chars().enumerate() {
            let value = ALPHABET
                .iter()
                .zip(0_u128..)
                .find_map(|(known, value)| (char::from(*known) == letter).then_some(value))
                .ok_or(ParseUuidError::Letter { letter })?;
            if place < LETTERS - 1 {
                bits = bits << 6 | value;
            } else if value & 0b1111 != 0 {
                return Err(ParseUuidError::TrailingBits);
            } else {
                bits = bits << 2 | value >> 4;
            }
        }
        Ok(Self(bits.to_be_bytes()))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_prints_as_kafka_prints_it() {
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        let mut one = [0; 16];
        one[15] = 1;
        assert_eq!(Uuid(one).to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Uuid([0xff; 16]).to_string(), "_____________________w");
    }

    #[test]
    fn a_printed_identity_reads_back() {
        let mut seed = 1_u128;
        for _ in 0..1000 {
            seed = seed.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
            let uuid = Uuid(seed.to_be_bytes());
            assert_eq!(uuid.to_string().parse(), Ok(uuid));
        }
    }

    #[test]
    fn a_text_that_is_no_identity_is_refused() {
        assert_eq!("A".parse::<Uuid>(), Err(ParseUuidError::Length { length: 1 }));
        let wrong_letter = "AAAAAAAAAAAAAAAAAAAAA+".parse::<Uuid>();
        assert_eq!(wrong_letter, Err(ParseUuidError::Letter { letter: '+' }));
        assert_eq!("AAAAAAAAAAAAAAAAAAAAAB".parse::<Uuid>(), Err(ParseUuidError::TrailingBits));
    }
}
