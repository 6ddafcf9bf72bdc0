//! Names that nobody has yet.

use wire::Uuid;

use crate::ClientError;

/// A random id of version 4. Kafka takes none that would begin with a dash, since it would look
/// like a flag.
pub fn random_id() -> Result<Uuid, ClientError> {
    loop {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| ClientError::NoRandomness)?;
        let bits = u128::from_be_bytes(bytes);
        let id = Uuid(((bits & !VERSION_AND_VARIANT) | VERSION_4).to_be_bytes());
        if !id.to_string().starts_with('-') {
            return Ok(id);
        }
    }
}

const VERSION_AND_VARIANT: u128 = (0xf << 76) | (0b11 << 62);
const VERSION_4: u128 = (0x4 << 76) | (0b10 << 62);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_up_anew_each_time() {
        let (one, other) = (random_id().unwrap(), random_id().unwrap());
        assert_ne!(one, other);
        assert!(!one.to_string().starts_with('-'));
    }
}
