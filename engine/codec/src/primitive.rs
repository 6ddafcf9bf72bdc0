//! The element types of arrays that are not structs, so that reading and writing an array is one
//! function for all of them.

use crate::{DecodeError, EncodeError, Reader, Uuid, Writer};

pub trait Primitive: Sized {
    /// The fewest bytes an element takes, with fixed-width and with variable-width lengths.
    const BYTES_MIN: usize;
    const COMPACT_BYTES_MIN: usize;

    fn read(reader: &mut Reader, flexible: bool) -> Result<Self, DecodeError>;
    fn write(&self, writer: &mut Writer, flexible: bool) -> Result<(), EncodeError>;
}

macro_rules! fixed_width {
    ($($type:ty: $name:ident),*) => {$(
        impl Primitive for $type {
            const BYTES_MIN: usize = size_of::<$type>();
            const COMPACT_BYTES_MIN: usize = size_of::<$type>();

            fn read(reader: &mut Reader, _: bool) -> Result<Self, DecodeError> {
                reader.$name()
            }

            fn write(&self, writer: &mut Writer, _: bool) -> Result<(), EncodeError> {
                writer.$name(*self);
                Ok(())
            }
        }
    )*};
}

fixed_width!(i8: i8, i16: i16, u16: u16, i32: i32, u32: u32, i64: i64, f64: f64, Uuid: uuid);

impl Primitive for String {
    const BYTES_MIN: usize = 2;
    const COMPACT_BYTES_MIN: usize = 1;

    fn read(reader: &mut Reader, flexible: bool) -> Result<Self, DecodeError> {
        reader.string(flexible)
    }

    fn write(&self, writer: &mut Writer, flexible: bool) -> Result<(), EncodeError> {
        writer.string(self, flexible)
    }
}
