//! Zigzag varints, the integers inside a record: small numbers of either sign take one byte.

use bytes::{Buf, BufMut};

/// The longest encoding of 64 bits.
const BYTES_MAX: u32 = 10;

pub fn put(buffer: &mut impl BufMut, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        buffer.put_u8(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    buffer.put_u8(rest.to_le_bytes()[0]);
}

/// How many bytes [`put`] writes.
pub const fn len(value: i64) -> usize {
    let bits = (u64::BITS - (zigzag(value) | 1).leading_zeros()) as usize;
    bits.div_ceil(7)
}

/// `None` if the bytes end early or do not fit 64 bits.
pub fn get(buffer: &mut impl Buf) -> Option<i64> {
    let mut value = 0_u64;
    for place in 0..BYTES_MAX {
        let byte = buffer.try_get_u8().ok()?;
        let bits = u64::from(byte & 0x7f);
        if place == BYTES_MAX - 1 && bits > 1 {
            return None;
        }
        value |= bits << (7 * place);
        if byte < 0x80 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

/// A varint that Kafka calls an `int`.
pub fn get_i32(buffer: &mut impl Buf) -> Option<i32> {
    get(buffer).and_then(|value| i32::try_from(value).ok())
}

const fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_bytes_of_the_format() {
        for (value, bytes) in [
            (0, &[0_u8][..]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[126]),
            (64, &[0x80, 1]),
            (-65, &[0x81, 1]),
            (i64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut written = Vec::new();
            put(&mut written, value);
            assert_eq!(written, bytes);
            assert_eq!(len(value), bytes.len());
            assert_eq!(get(&mut &written[..]), Some(value));
        }
    }

    #[test]
    fn too_long_and_too_short_are_refused() {
        assert_eq!(get(&mut &[0x80][..]), None);
        assert_eq!(get(&mut &[0xff; 11][..]), None);
        assert_eq!(get(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2][..]), None);
        assert_eq!(get_i32(&mut &[0xff, 0xff, 0xff, 0xff, 0x1f][..]), None);
    }
}
