//! Zigzag varints inside records. They are read several times per record on the produce path, so
//! one and two bytes are taken at once; anything longer than the type allows is refused.

/// The most bytes that a 32-bit varint takes.
const VARINT_BYTES_MAX: usize = 5;
/// The most bytes that a 64-bit varint takes.
const VARLONG_BYTES_MAX: usize = 10;

/// Takes one 32-bit zigzag varint from the front of `bytes`.
#[inline(always)]
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<i32> {
    match **bytes {
        [first, ref rest @ ..] if first < 0x80 => {
            *bytes = rest;
            Some(unzigzag32(u32::from(first)))
        }
        [first, second, ref rest @ ..] if second < 0x80 => {
            *bytes = rest;
            Some(unzigzag32(u32::from(first & 0x7f) | u32::from(second) << 7))
        }
        _ => take_varint_slow(bytes),
    }
}

/// Takes one 64-bit zigzag varint from the front of `bytes`.
#[inline(always)]
pub(crate) fn take_varlong(bytes: &mut &[u8]) -> Option<i64> {
    match **bytes {
        [first, ref rest @ ..] if first < 0x80 => {
            *bytes = rest;
            Some(unzigzag64(u64::from(first)))
        }
        [first, second, ref rest @ ..] if second < 0x80 => {
            *bytes = rest;
            Some(unzigzag64(u64::from(first & 0x7f) | u64::from(second) << 7))
        }
        _ => take_varlong_slow(bytes),
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_unsigned(out, u64::from(zigzag32(value)));
}

pub(crate) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, zigzag64(value));
}

pub(crate) fn varint_len(value: i32) -> usize {
    unsigned_len(u64::from(zigzag32(value)))
}

pub(crate) fn varlong_len(value: i64) -> usize {
    unsigned_len(zigzag64(value))
}

fn take_varint_slow(bytes: &mut &[u8]) -> Option<i32> {
    let mut value: u32 = 0;
    for (index, &byte) in bytes.iter().take(VARINT_BYTES_MAX).enumerate() {
        // Bits of the fifth byte beyond 32 fall off, as they do in Kafka.
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *bytes = bytes.get(index + 1..)?;
            return Some(unzigzag32(value));
        }
    }
    None
}

fn take_varlong_slow(bytes: &mut &[u8]) -> Option<i64> {
    let mut value: u64 = 0;
    for (index, &byte) in bytes.iter().take(VARLONG_BYTES_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *bytes = bytes.get(index + 1..)?;
            return Some(unzigzag64(value));
        }
    }
    None
}

fn put_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.push(low_bits(value));
}

fn low_bits(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

fn unsigned_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros();
    usize::try_from(bits.div_ceil(7)).expect("at most ten bytes")
}

fn zigzag32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

fn zigzag64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[inline(always)]
fn unzigzag32(value: u32) -> i32 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[inline(always)]
fn unzigzag64(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_protocol() {
        for (value, bytes) in [
            (0, vec![0]),
            (-1, vec![1]),
            (1, vec![2]),
            (63, vec![0x7e]),
            (-64, vec![0x7f]),
            (64, vec![0x80, 1]),
            (i32::MAX, vec![0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i32::MIN, vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out, bytes, "{value}");
        }
    }

    #[test]
    fn a_varint_that_never_ends_is_refused() {
        assert_eq!(take_varint(&mut [0x80; 5].as_slice()), None);
        assert_eq!(take_varlong(&mut [0x80; 10].as_slice()), None);
        assert_eq!(take_varint(&mut [0x80].as_slice()), None);
        assert_eq!(take_varint(&mut [].as_slice()), None);
    }

    proptest! {
        #[test]
        fn every_number_comes_back(value: i64, tail: Vec<u8>) {
            let small = i32::try_from(value >> 32).unwrap();
            let mut out = Vec::new();
            put_varlong(&mut out, value);
            prop_assert_eq!(out.len(), varlong_len(value));
            put_varint(&mut out, small);
            prop_assert_eq!(out.len(), varlong_len(value) + varint_len(small));
            out.extend_from_slice(&tail);
            let mut bytes = out.as_slice();
            prop_assert_eq!(take_varlong(&mut bytes), Some(value));
            prop_assert_eq!(take_varint(&mut bytes), Some(small));
            prop_assert_eq!(bytes, tail.as_slice());
        }
    }
}
