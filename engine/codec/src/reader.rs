//! Reading a message out of bytes that nobody has checked yet. Whoever trusts a length in them
//! allocates gigabytes on a request of nine bytes; so every length and every count is held against
//! the bytes that remain, and the memory of arrays against a budget, before anything is allocated.

use bytes::{Buf, Bytes};

use crate::varint::{VARINT_BYTES_MAX, VARLONG_BYTES_MAX, unzigzag_i32, unzigzag_i64};
use crate::{DecodeError, Message, Primitive, Slices, UnknownTags, Uuid};

/// The longest string of the protocol; Kafka refuses longer ones in compact form too.
pub(crate) const STRING_BYTES_MAX: usize = 0x7fff;

/// How much memory the arrays of a message may take, for each byte of its encoding and in any case.
/// The densest message that a client can mean asks for the metadata of topics with names of two
/// letters, and needs 16 bytes for each; a hostile one could take fifty.
const BUDGET_PER_BYTE: usize = 16;
const BUDGET_BASE: usize = 64 * 1024;

/// A position in bytes from outside. Byte fields are slices of the input and are not copied.
#[derive(Clone, Debug)]
pub struct Reader {
    bytes: Bytes,
    /// How many bytes of memory the arrays still to be read may take.
    budget: usize,
}

impl Reader {
    pub fn new(bytes: Bytes) -> Self {
        let budget = bytes.len().saturating_mul(BUDGET_PER_BYTE).saturating_add(BUDGET_BASE);
        Self::with_budget(bytes, budget)
    }

    /// A reader whose arrays may take `budget` bytes of memory.
    pub fn with_budget(bytes: Bytes, budget: usize) -> Self {
        Self { bytes, budget }
    }

    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Nothing may be left over.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            remaining => Err(DecodeError::TrailingBytes { remaining }),
        }
    }

    /// The next `length` bytes, not copied.
    pub fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        self.need(length)?;
        Ok(self.bytes.split_to(length))
    }

    /// The next `N` bytes, copied.
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some(head) = self.bytes.first_chunk::<N>().copied() else {
            return Err(DecodeError::Truncated { needed: N, remaining: self.remaining() });
        };
        self.bytes.advance(N);
        Ok(head)
    }

    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        self.fixed().map(i8::from_be_bytes)
    }

    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        self.fixed().map(i16::from_be_bytes)
    }

    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.fixed().map(u16::from_be_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.fixed().map(i32::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.fixed().map(u32::from_be_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.fixed().map(i64::from_be_bytes)
    }

    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.fixed().map(f64::from_be_bytes)
    }

    /// Any byte but zero is true, as in Kafka.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        self.i8().map(|byte| byte != 0)
    }

    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        self.fixed().map(Uuid)
    }

    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let too_long = DecodeError::VarintTooLong { bytes_max: VARINT_BYTES_MAX };
        u32::try_from(self.groups_of_seven(VARINT_BYTES_MAX)?).map_err(|_| too_long)
    }

    /// A signed (zigzag) integer of up to 32 bits.
    pub fn varint(&mut self) -> Result<i32, DecodeError> {
        self.unsigned_varint().map(unzigzag_i32)
    }

    /// A signed (zigzag) integer of up to 64 bits.
    pub fn varlong(&mut self) -> Result<i64, DecodeError> {
        self.groups_of_seven(VARLONG_BYTES_MAX).map(unzigzag_i64)
    }

    pub fn string(&mut self, flexible: bool) -> Result<String, DecodeError> {
        self.nullable_string(flexible)?.ok_or(DecodeError::UnexpectedNull)
    }

    pub fn nullable_string(&mut self, flexible: bool) -> Result<Option<String>, DecodeError> {
        let length = if flexible { self.compact_length()? } else { length_of(self.i16()?.into())? };
        let Some(length) = length else { return Ok(None) };
        if length > STRING_BYTES_MAX {
            return Err(DecodeError::StringTooLong { length, limit: STRING_BYTES_MAX });
        }
        self.need(length)?;
        let bytes = self.bytes.get(..length).unwrap_or_default();
        let text = str::from_utf8(bytes).map_err(|_| DecodeError::InvalidUtf8)?.to_owned();
        self.bytes.advance(length);
        Ok(Some(text))
    }

    pub fn bytes(&mut self, flexible: bool) -> Result<Bytes, DecodeError> {
        self.nullable_bytes(flexible)?.ok_or(DecodeError::UnexpectedNull)
    }

    pub fn nullable_bytes(&mut self, flexible: bool) -> Result<Option<Bytes>, DecodeError> {
        let length = if flexible { self.compact_length()? } else { length_of(self.i32()?.into())? };
        length.map(|length| self.take(length)).transpose()
    }

    pub fn slices(&mut self, flexible: bool) -> Result<Slices, DecodeError> {
        self.bytes(flexible).map(Slices::from)
    }

    pub fn nullable_slices(&mut self, flexible: bool) -> Result<Option<Slices>, DecodeError> {
        Ok(self.nullable_bytes(flexible)?.map(Slices::from))
    }

    pub fn array<T: Primitive>(&mut self, flexible: bool) -> Result<Vec<T>, DecodeError> {
        self.nullable_array(flexible)?.ok_or(DecodeError::UnexpectedNull)
    }

    pub fn nullable_array<T: Primitive>(
        &mut self,
        flexible: bool,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let bytes_min = if flexible { T::COMPACT_BYTES_MIN } else { T::BYTES_MIN };
        let Some(count) = self.count(flexible, bytes_min, size_of::<T>())? else { return Ok(None) };
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::read(self, flexible)?);
        }
        Ok(Some(elements))
    }

    pub fn structs<T: Message>(
        &mut self,
        version: i16,
        flexible: bool,
    ) -> Result<Vec<T>, DecodeError> {
        self.nullable_structs(version, flexible)?.ok_or(DecodeError::UnexpectedNull)
    }

    pub fn nullable_structs<T: Message>(
        &mut self,
        version: i16,
        flexible: bool,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        // Elements without bytes could be counted without end.
        const { assert!(T::BYTES_MIN > 0) };
        let Some(count) = self.count(flexible, T::BYTES_MIN, size_of::<T>())? else {
            return Ok(None);
        };
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::decode(self, version)?);
        }
        Ok(Some(elements))
    }

    /// A struct behind a byte which is negative for null.
    pub fn nullable_struct<T: Message>(&mut self, version: i16) -> Result<Option<T>, DecodeError> {
        if self.i8()? < 0 { Ok(None) } else { T::decode(self, version).map(Some) }
    }

    /// The same as a tagged field: there the mark is an unsigned integer, and zero for null.
    pub fn nullable_tagged_struct<T: Message>(
        &mut self,
        version: i16,
    ) -> Result<Option<T>, DecodeError> {
        if self.unsigned_varint()? == 0 { Ok(None) } else { T::decode(self, version).map(Some) }
    }

    /// The tagged fields that end a struct. `known` reads the field of a tag it knows and says
    /// whether it knew it; the others are kept as they are.
    pub fn tags(
        &mut self,
        known: &mut dyn FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<UnknownTags, DecodeError> {
        let count = self.unsigned_varint()?;
        let mut unknown = UnknownTags::default();
        let mut previous = None;
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            if let Some(previous) = previous.filter(|previous| tag <= *previous) {
                return Err(DecodeError::TagOrder { tag, previous });
            }
            previous = Some(tag);
            let length = self.length_of_remaining()?;
            let mut field = Self { bytes: self.take(length)?, budget: self.budget };
            let whole = field.bytes.clone();
            if known(tag, &mut field)? {
                let remaining = field.remaining();
                if remaining > 0 {
                    return Err(DecodeError::TagTrailingBytes { tag, remaining });
                }
                self.budget = field.budget;
            } else {
                self.claim(1, size_of::<(u32, Bytes)>())?;
                unknown.0.push((tag, whole));
            }
        }
        Ok(unknown)
    }

    /// The tagged fields of a struct that knows none.
    pub fn unknown_tags(&mut self) -> Result<UnknownTags, DecodeError> {
        self.tags(&mut |_, _| Ok(false))
    }

    /// How many elements follow, after it is certain that they can be there and fit into memory.
    fn count(
        &mut self,
        flexible: bool,
        element_bytes_min: usize,
        element_memory: usize,
    ) -> Result<Option<usize>, DecodeError> {
        let count = if flexible { self.compact_length()? } else { length_of(self.i32()?.into())? };
        let Some(count) = count else { return Ok(None) };
        let remaining = self.remaining();
        if count.checked_mul(element_bytes_min).is_none_or(|bytes| bytes > remaining) {
            return Err(DecodeError::CountTooLarge { count, element_bytes_min, remaining });
        }
        self.claim(count, element_memory)?;
        Ok(Some(count))
    }

    fn claim(&mut self, count: usize, element_memory: usize) -> Result<(), DecodeError> {
        let refused = DecodeError::BudgetExceeded { count, budget: self.budget };
        let memory = count.checked_mul(element_memory).ok_or(refused)?;
        self.budget = self.budget.checked_sub(memory).ok_or(refused)?;
        Ok(())
    }

    fn need(&self, needed: usize) -> Result<(), DecodeError> {
        let remaining = self.remaining();
        if needed <= remaining { Ok(()) } else { Err(DecodeError::Truncated { needed, remaining }) }
    }

    /// A length plus one, where zero means null.
    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        Ok(self.length_of_remaining()?.checked_sub(1))
    }

    fn length_of_remaining(&mut self) -> Result<usize, DecodeError> {
        let length = self.unsigned_varint()?;
        let remaining = self.remaining();
        usize::try_from(length)
            .map_err(|_| DecodeError::Truncated { needed: usize::MAX, remaining })
    }

    fn groups_of_seven(&mut self, bytes_max: usize) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for (place, byte) in self.bytes.iter().take(bytes_max).enumerate() {
            let group = u64::from(byte & 0x7f);
            let shift = 7 * place;
            // The tenth byte has room for one bit only; what does not come back did not fit.
            if group << shift >> shift != group {
                return Err(DecodeError::VarintTooLong { bytes_max });
            }
            value |= group << shift;
            if byte & 0x80 == 0 {
                self.bytes.advance(place + 1);
                return Ok(value);
            }
        }
        let remaining = self.remaining();
        if remaining < bytes_max {
            Err(DecodeError::Truncated { needed: remaining + 1, remaining })
        } else {
            Err(DecodeError::VarintTooLong { bytes_max })
        }
    }
}

/// Minus one stands for null; nothing below it has a meaning.
fn length_of(length: i64) -> Result<Option<usize>, DecodeError> {
    if length == -1 {
        return Ok(None);
    }
    usize::try_from(length).map(Some).map_err(|_| DecodeError::NegativeLength { length })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &'static [u8]) -> Reader {
        Reader::new(Bytes::from_static(bytes))
    }

    #[test]
    fn a_varint_ends_where_its_bits_end() {
        assert_eq!(reader(&[0xff, 0xff, 0xff, 0xff, 0x0f]).unsigned_varint(), Ok(u32::MAX));
        let too_long = Err(DecodeError::VarintTooLong { bytes_max: 5 });
        assert_eq!(reader(&[0xff, 0xff, 0xff, 0xff, 0x1f]).unsigned_varint(), too_long);
        assert_eq!(reader(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]).unsigned_varint(), too_long);
        let cut = Err(DecodeError::Truncated { needed: 3, remaining: 2 });
        assert_eq!(reader(&[0x80, 0x80]).unsigned_varint(), cut);
        assert_eq!(reader(&[0x01]).varint(), Ok(-1));
    }

    #[test]
    fn a_varlong_ends_where_its_bits_end() {
        let lowest = [0xff; 10];
        let mut bytes = lowest;
        bytes[9] = 1;
        assert_eq!(Reader::new(Bytes::copy_from_slice(&bytes)).varlong(), Ok(i64::MIN));
        bytes[9] = 2;
        let too_long = Err(DecodeError::VarintTooLong { bytes_max: 10 });
        assert_eq!(Reader::new(Bytes::copy_from_slice(&bytes)).varlong(), too_long);
        assert_eq!(Reader::new(Bytes::copy_from_slice(&lowest)).varlong(), too_long);
    }

    #[test]
    fn a_length_is_null_only_at_minus_one() {
        assert_eq!(reader(&[0xff, 0xff]).nullable_string(false), Ok(None));
        assert_eq!(reader(&[0]).nullable_string(true), Ok(None));
        assert_eq!(reader(&[0]).string(true), Err(DecodeError::UnexpectedNull));
        let negative = Err(DecodeError::NegativeLength { length: -2 });
        assert_eq!(reader(&[0xff, 0xfe]).nullable_string(false), negative);
    }

    #[test]
    fn a_string_is_utf8_and_not_longer_than_the_protocol_allows() {
        assert_eq!(reader(&[0, 1, 0xff]).string(false), Err(DecodeError::InvalidUtf8));
        let mut long = vec![0x81, 0x80, 0x02];
        long.resize(3 + 0x8000, b'a');
        let refused = DecodeError::StringTooLong { length: 0x8000, limit: STRING_BYTES_MAX };
        assert_eq!(Reader::new(long.into()).string(true), Err(refused));
    }

    #[test]
    fn bytes_are_a_slice_of_the_input() {
        let input = Bytes::from(vec![0, 0, 0, 2, 7, 8, 9]);
        let mut reader = Reader::new(input.clone());
        let bytes = reader.bytes(false).unwrap();
        assert_eq!((bytes.as_ptr(), bytes.len()), (input.slice(4..).as_ptr(), 2));
        assert_eq!(reader.finish(), Err(DecodeError::TrailingBytes { remaining: 1 }));
    }

    #[test]
    fn a_count_is_held_against_bytes_and_budget() {
        let refused = DecodeError::CountTooLarge { count: 2, element_bytes_min: 4, remaining: 7 };
        let short = reader(&[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]).array::<i32>(false);
        assert_eq!(short, Err(refused));
        let bytes = Bytes::from_static(&[0, 0, 0, 2, 0, 0, 0, 0]);
        let strings = Reader::with_budget(bytes, 47).array::<String>(false);
        assert_eq!(strings, Err(DecodeError::BudgetExceeded { count: 2, budget: 47 }));
    }

    #[test]
    fn tags_grow_and_a_known_one_is_used_up() {
        let order = Err(DecodeError::TagOrder { tag: 1, previous: 1 });
        assert_eq!(reader(&[2, 1, 0, 1, 0]).unknown_tags(), order);
        let mut known = |_, reader: &mut Reader| reader.i8().map(|_| true);
        let rest = reader(&[1, 5, 2, 0, 0]).tags(&mut known);
        assert_eq!(rest, Err(DecodeError::TagTrailingBytes { tag: 5, remaining: 1 }));
        let none = UnknownTags::default();
        assert_eq!(reader(&[1, 5, 1, 0]).tags(&mut known), Ok(none));
    }

    #[test]
    fn a_count_of_tags_takes_memory_only_as_they_come() {
        let cut = reader(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1, 0]).unknown_tags();
        assert_eq!(cut, Err(DecodeError::Truncated { needed: 1, remaining: 0 }));
    }
}
