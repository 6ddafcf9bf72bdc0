//! Integers of variable length: seven bits per byte, the lowest first, the top bit says "more
//! follows"; signed ones are folded so that small negative numbers stay short (zigzag).

use bytes::{BufMut, BytesMut};

/// The most bytes that 32 and 64 bits take.
pub(crate) const VARINT_BYTES_MAX: usize = 5;
pub(crate) const VARLONG_BYTES_MAX: usize = 10;

pub(crate) const fn zigzag_i32(value: i32) -> u32 {
    (value.cast_unsigned() << 1) ^ (value >> 31).cast_unsigned()
}

pub(crate) const fn unzigzag_i32(folded: u32) -> i32 {
    (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed()
}

pub(crate) const fn zigzag_i64(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

pub(crate) const fn unzigzag_i64(folded: u64) -> i64 {
    (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed()
}

pub(crate) fn put_unsigned(buffer: &mut BytesMut, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            buffer.put_u8(low & 0x7f);
            return;
        }
        buffer.put_u8(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zigzag_folds_and_unfolds_the_extremes() {
        for value in [0, -1, 1, i32::MIN, i32::MAX] {
            assert_eq!(unzigzag_i32(zigzag_i32(value)), value);
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag_i64(zigzag_i64(value)), value);
        }
        assert_eq!([zigzag_i32(0), zigzag_i32(-1), zigzag_i32(1), zigzag_i32(-2)], [0, 1, 2, 3]);
    }
}
