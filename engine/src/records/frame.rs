//! What stands before a record whose type its bytes must say: a frame version, the type, and the
//! type's version.
//!
//! | bytes | what |
//! |---|---|
//! | unsigned varint | frame version, 1 |
//! | unsigned varint | type |
//! | unsigned varint | version of the type |
//! | the rest | the record |

use bytes::Bytes;
use codec::{DecodeError, Reader, Writer};

const FRAME_VERSION: u32 = 1;

/// The type, its version, and a reader at the record.
pub(crate) fn read(bytes: &Bytes) -> Result<(i16, i16, Reader), DecodeError> {
    let mut reader = Reader::new(bytes.clone());
    let frame = reader.unsigned_varint()?;
    if frame != FRAME_VERSION {
        return Err(DecodeError::UnknownFrame { version: frame, expected: FRAME_VERSION });
    }
    let kind = number(&mut reader)?;
    let version = number(&mut reader)?;
    Ok((kind, version, reader))
}

/// # Panics
/// When a number is negative, which no type and no version is.
pub(crate) fn write(writer: &mut Writer, kind: i16, version: i16) {
    let unsigned = |number: i16| u32::try_from(number).expect("types and versions count from zero");
    writer.unsigned_varint(FRAME_VERSION);
    writer.unsigned_varint(unsigned(kind));
    writer.unsigned_varint(unsigned(version));
}

fn number(reader: &mut Reader) -> Result<i16, DecodeError> {
    let number = reader.unsigned_varint()?;
    i16::try_from(number)
        .map_err(|_| DecodeError::UnknownKind { family: "a framed record", kind: number.into() })
}
