//! Writing a message. Record batches are most of what a broker sends; copying them into the answer
//! would cost more than all the rest, so large byte fields are remembered by their place and leave
//! as slices of their own.

use bytes::{BufMut, Bytes, BytesMut};

use crate::reader::STRING_BYTES_MAX;
use crate::varint::{put_unsigned, zigzag_i32, zigzag_i64};
use crate::{EncodeError, Message, Primitive, Slices, TagWriter, UnknownTags, Uuid};

/// Byte fields from this size on are spliced; below it a copy is cheaper than another slice of a
/// vectored write.
const SPLICE_BYTES_MIN: usize = 2048;

/// The largest length that a signed 32-bit field can say.
const LENGTH_MAX: usize = 0x7fff_ffff;

/// A message that is being written.
#[derive(Debug, Default)]
pub struct Writer {
    /// All bytes but the spliced ones.
    buffer: BytesMut,
    /// Large byte fields and the place in `buffer` before which they belong, by growing place.
    splices: Vec<(usize, Bytes)>,
    /// The sum of the lengths of `splices`.
    spliced_bytes: usize,
}

impl Writer {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with_capacity(bytes: usize) -> Self {
        Self { buffer: BytesMut::with_capacity(bytes), ..Self::default() }
    }

    /// Bytes written so far, spliced ones included.
    pub fn len(&self) -> usize {
        self.buffer.len().strict_add(self.spliced_bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was written, in order, for one vectored write.
    pub fn finish(self) -> Vec<Bytes> {
        let mut rest = self.buffer.freeze();
        if self.splices.is_empty() {
            return vec![rest];
        }
        let mut parts = Vec::with_capacity(self.splices.len() * 2 + 1);
        let mut taken = 0_usize;
        for (place, splice) in self.splices {
            if place > taken {
                parts.push(rest.split_to(place.strict_sub(taken)));
                taken = place;
            }
            parts.push(splice);
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        parts
    }

    /// What was written as one piece; copies if there are spliced parts.
    pub fn into_bytes(self) -> Bytes {
        if self.splices.is_empty() {
            return self.buffer.freeze();
        }
        let mut whole = BytesMut::with_capacity(self.len());
        self.finish().iter().for_each(|part| whole.put_slice(part));
        whole.freeze()
    }

    /// Takes over what another writer has written.
    pub fn append(&mut self, other: Self) {
        let offset = self.buffer.len();
        let moved = other.splices.into_iter();
        self.splices.extend(moved.map(|(place, splice)| (place.strict_add(offset), splice)));
        self.spliced_bytes = self.spliced_bytes.strict_add(other.spliced_bytes);
        self.buffer.put_slice(&other.buffer);
    }

    /// Writes the number of all bytes that follow the first four over those four.
    ///
    /// # Panics
    /// When the first four bytes were not written as a place for it.
    pub fn set_frame_size(&mut self) -> Result<(), EncodeError> {
        const SIZE_BYTES: usize = 4;
        assert!(self.splices.first().is_none_or(|(place, _)| *place >= SIZE_BYTES));
        let length = self.len().strict_sub(SIZE_BYTES);
        let size = length_i32(length)?;
        let place = self.buffer.first_chunk_mut::<SIZE_BYTES>();
        *place.expect("a frame begins with the place of its size") = size.to_be_bytes();
        Ok(())
    }

    pub fn i8(&mut self, value: i8) {
        self.buffer.put_i8(value);
    }

    pub fn i16(&mut self, value: i16) {
        self.buffer.put_i16(value);
    }

    pub fn u16(&mut self, value: u16) {
        self.buffer.put_u16(value);
    }

    pub fn i32(&mut self, value: i32) {
        self.buffer.put_i32(value);
    }

    pub fn u32(&mut self, value: u32) {
        self.buffer.put_u32(value);
    }

    pub fn i64(&mut self, value: i64) {
        self.buffer.put_i64(value);
    }

    pub fn f64(&mut self, value: f64) {
        self.buffer.put_f64(value);
    }

    pub fn bool(&mut self, value: bool) {
        self.buffer.put_i8(i8::from(value));
    }

    pub fn uuid(&mut self, value: Uuid) {
        self.buffer.put_slice(&value.0);
    }

    pub fn unsigned_varint(&mut self, value: u32) {
        put_unsigned(&mut self.buffer, value.into());
    }

    pub fn varint(&mut self, value: i32) {
        self.unsigned_varint(zigzag_i32(value));
    }

    pub fn varlong(&mut self, value: i64) {
        put_unsigned(&mut self.buffer, zigzag_i64(value));
    }

    /// Bytes without a length before them.
    pub fn raw(&mut self, bytes: &Bytes) {
        if bytes.len() < SPLICE_BYTES_MIN {
            self.buffer.put_slice(bytes);
        } else {
            self.splices.push((self.buffer.len(), bytes.clone()));
            self.spliced_bytes = self.spliced_bytes.strict_add(bytes.len());
        }
    }

    pub fn string(&mut self, value: &str, flexible: bool) -> Result<(), EncodeError> {
        let length = value.len();
        let too_long = EncodeError::StringTooLong { length, limit: STRING_BYTES_MAX };
        let short = i16::try_from(length).map_err(|_| too_long)?;
        if flexible {
            self.compact_length(length)?;
        } else {
            self.i16(short);
        }
        self.buffer.put_slice(value.as_bytes());
        Ok(())
    }

    pub fn nullable_string(
        &mut self,
        value: Option<&str>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => return self.string(value, flexible),
            None if flexible => self.unsigned_varint(0),
            None => self.i16(-1),
        }
        Ok(())
    }

    pub fn bytes(&mut self, value: &Bytes, flexible: bool) -> Result<(), EncodeError> {
        self.length(value.len(), flexible)?;
        self.raw(value);
        Ok(())
    }

    pub fn nullable_bytes(
        &mut self,
        value: Option<&Bytes>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        let Some(value) = value else {
            self.null(flexible);
            return Ok(());
        };
        self.bytes(value, flexible)
    }

    pub fn slices(&mut self, value: &Slices, flexible: bool) -> Result<(), EncodeError> {
        self.length(value.len(), flexible)?;
        value.iter().for_each(|slice| self.raw(slice));
        Ok(())
    }

    pub fn nullable_slices(
        &mut self,
        value: Option<&Slices>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        let Some(value) = value else {
            self.null(flexible);
            return Ok(());
        };
        self.slices(value, flexible)
    }

    pub fn array<T: Primitive>(&mut self, value: &[T], flexible: bool) -> Result<(), EncodeError> {
        self.length(value.len(), flexible)?;
        value.iter().try_for_each(|element| element.write(self, flexible))
    }

    pub fn nullable_array<T: Primitive>(
        &mut self,
        value: Option<&[T]>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        let Some(value) = value else {
            self.null(flexible);
            return Ok(());
        };
        self.array(value, flexible)
    }

    pub fn structs<T: Message>(
        &mut self,
        value: &[T],
        version: i16,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        self.length(value.len(), flexible)?;
        value.iter().try_for_each(|element| element.encode(self, version))
    }

    pub fn nullable_structs<T: Message>(
        &mut self,
        value: Option<&[T]>,
        version: i16,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        let Some(value) = value else {
            self.null(flexible);
            return Ok(());
        };
        self.structs(value, version, flexible)
    }

    /// A struct behind a byte which is negative for null.
    pub fn nullable_struct<T: Message>(
        &mut self,
        value: Option<&T>,
        version: i16,
    ) -> Result<(), EncodeError> {
        let Some(value) = value else {
            self.i8(-1);
            return Ok(());
        };
        self.i8(1);
        value.encode(self, version)
    }

    /// The same as a tagged field.
    pub fn nullable_tagged_struct<T: Message>(
        &mut self,
        value: Option<&T>,
        version: i16,
    ) -> Result<(), EncodeError> {
        self.unsigned_varint(u32::from(value.is_some()));
        value.map_or(Ok(()), |value| value.encode(self, version))
    }

    /// The tagged fields of a struct that knows none.
    pub fn unknown_tags(&mut self, unknown: &UnknownTags) -> Result<(), EncodeError> {
        if unknown.0.is_empty() {
            self.unsigned_varint(0);
            return Ok(());
        }
        TagWriter::new(unknown).finish(self)
    }

    pub(crate) fn count_of_tags(&mut self, count: usize) -> Result<(), EncodeError> {
        self.unsigned_varint(length_i32(count)?.cast_unsigned());
        Ok(())
    }

    pub(crate) fn length_of_tag(&mut self, length: usize) -> Result<(), EncodeError> {
        self.unsigned_varint(length_i32(length)?.cast_unsigned());
        Ok(())
    }

    fn null(&mut self, flexible: bool) {
        if flexible {
            self.unsigned_varint(0);
        } else {
            self.i32(-1);
        }
    }

    fn length(&mut self, length: usize, flexible: bool) -> Result<(), EncodeError> {
        if flexible {
            return self.compact_length(length);
        }
        self.i32(length_i32(length)?);
        Ok(())
    }

    fn compact_length(&mut self, length: usize) -> Result<(), EncodeError> {
        self.unsigned_varint(length_i32(length)?.cast_unsigned().strict_add(1));
        Ok(())
    }
}

fn length_i32(length: usize) -> Result<i32, EncodeError> {
    i32::try_from(length).map_err(|_| EncodeError::TooLong { length, limit: LENGTH_MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bytes_are_spliced_and_small_ones_copied() {
        let large = Bytes::from(vec![1; SPLICE_BYTES_MIN]);
        let mut writer = Writer::new();
        writer.i8(1);
        writer.bytes(&large, false).unwrap();
        writer.raw(&large);
        writer.bytes(&Bytes::from_static(b"small"), true).unwrap();
        let length = writer.len();
        let parts = writer.finish();
        let spliced = parts.iter().filter(|part| part.as_ptr() == large.as_ptr());
        assert_eq!(spliced.count(), 2);
        assert_eq!(parts.len(), 4);
        assert_eq!(parts.iter().map(Bytes::len).sum::<usize>(), length);
        assert_eq!(parts[0], [1, 0, 0, 8, 0].as_slice());
        assert_eq!(parts[3], b"\x06small".as_slice());
    }

    #[test]
    fn bytes_in_several_slices_have_one_length_and_are_not_joined() {
        let large = Bytes::from(vec![1; SPLICE_BYTES_MIN]);
        let slices: Slices = [large.clone(), large.clone()].into_iter().collect();
        let mut writer = Writer::new();
        writer.nullable_slices(Some(&slices), false).unwrap();
        let parts = writer.finish();
        assert_eq!(parts.len(), 3);
        assert!(parts[1..].iter().all(|part| part.as_ptr() == large.as_ptr()));
        let mut reader = crate::Reader::new(parts.concat().into());
        assert_eq!(reader.nullable_slices(false), Ok(Some(slices)));

        let mut writer = Writer::new();
        writer.nullable_slices(None, false).unwrap();
        writer.slices(&Slices::default(), true).unwrap();
        assert_eq!(writer.into_bytes(), [0xff, 0xff, 0xff, 0xff, 1].as_slice());
    }

    #[test]
    fn what_another_writer_spliced_keeps_its_place() {
        let large = Bytes::from(vec![1; SPLICE_BYTES_MIN]);
        let mut inner = Writer::new();
        inner.i8(2);
        inner.raw(&large);
        inner.i8(3);
        let mut outer = Writer::new();
        outer.raw(&large);
        outer.i8(1);
        outer.append(inner);
        let expected = [&large[..], &[1, 2], &large[..], &[3]].concat();
        assert_eq!(outer.into_bytes(), expected);
    }

    #[test]
    fn the_size_of_a_frame_counts_what_is_spliced() {
        let mut writer = Writer::new();
        writer.i32(0);
        writer.raw(&Bytes::from(vec![1; SPLICE_BYTES_MIN]));
        writer.i8(1);
        writer.set_frame_size().unwrap();
        assert_eq!(writer.finish()[0], 2049_u32.to_be_bytes().as_slice());
    }

    #[test]
    fn a_string_beyond_the_protocol_is_refused() {
        let long = "a".repeat(0x8000);
        let refused = EncodeError::StringTooLong { length: 0x8000, limit: STRING_BYTES_MAX };
        assert_eq!(Writer::new().string(&long, true), Err(refused));
    }

    #[test]
    fn varints_have_the_bytes_of_the_protocol() {
        let mut writer = Writer::new();
        writer.unsigned_varint(300);
        writer.varint(-1);
        writer.varlong(i64::MIN);
        let mut expected = vec![0xac, 0x02, 0x01];
        expected.extend([0xff; 9]);
        expected.push(1);
        assert_eq!(writer.into_bytes(), expected);
    }

    #[test]
    fn tagged_fields_stand_in_order_among_the_unknown_ones() {
        let unknown = UnknownTags(vec![(0, Bytes::from_static(b"a")), (2, Bytes::new())]);
        let mut tags = TagWriter::new(&unknown);
        let mut one = |writer: &mut Writer| {
            writer.i8(9);
            Ok(())
        };
        tags.field(1, &mut one).unwrap();
        let mut writer = Writer::new();
        tags.finish(&mut writer).unwrap();
        assert_eq!(writer.into_bytes(), [3, 0, 1, b'a', 1, 1, 9, 2, 0].as_slice());

        let mut tags = TagWriter::new(&unknown);
        let refused = EncodeError::TagOrder { tag: 2, previous: 2 };
        let twice = tags.field(2, &mut one).and_then(|()| tags.finish(&mut Writer::new()));
        assert_eq!(twice, Err(refused));
    }
}
