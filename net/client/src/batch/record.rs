//! One record: what a producer gives and a consumer gets.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::varint;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub key: String,
    pub value: Option<Bytes>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The place in the partition; what a producer puts here is not looked at.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    pub key: Option<Bytes>,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
}

impl Record {
    /// Appends the record in its batch form.
    pub(super) fn encode(&self, buffer: &mut BytesMut, timestamp_delta: i64, offset_delta: i64) {
        let body = self.body_len(timestamp_delta, offset_delta);
        buffer.reserve(body.strict_add(5));
        varint::put(buffer, signed(body));
        let start = buffer.len();
        buffer.put_i8(0);
        varint::put(buffer, timestamp_delta);
        varint::put(buffer, offset_delta);
        put_nullable(buffer, self.key.as_deref());
        put_nullable(buffer, self.value.as_deref());
        varint::put(buffer, signed(self.headers.len()));
        for header in &self.headers {
            put_nullable(buffer, Some(header.key.as_bytes()));
            put_nullable(buffer, header.value.as_deref());
        }
        assert_eq!(buffer.len().strict_sub(start), body, "the length is computed as written");
    }

    /// The bytes that [`Self::encode`] appends.
    pub(super) fn encoded_len(&self, timestamp_delta: i64, offset_delta: i64) -> usize {
        let body = self.body_len(timestamp_delta, offset_delta);
        body.strict_add(varint::len(signed(body)))
    }

    fn body_len(&self, timestamp_delta: i64, offset_delta: i64) -> usize {
        let headers = self.headers.iter().map(|header| {
            nullable_len(Some(header.key.as_bytes()))
                .strict_add(nullable_len(header.value.as_deref()))
        });
        [
            1,
            varint::len(timestamp_delta),
            varint::len(offset_delta),
            nullable_len(self.key.as_deref()),
            nullable_len(self.value.as_deref()),
            varint::len(signed(self.headers.len())),
        ]
        .into_iter()
        .chain(headers)
        .fold(0, usize::strict_add)
    }

    /// Takes one record off the front; `None` if the bytes are not one.
    pub(super) fn decode(
        buffer: &mut Bytes,
        base_offset: i64,
        base_timestamp: i64,
    ) -> Option<Self> {
        let length = usize::try_from(varint::get_i32(buffer)?).ok()?;
        if length > buffer.len() {
            return None;
        }
        let mut body = buffer.split_to(length);
        body.try_get_i8().ok()?;
        let timestamp_delta = varint::get(&mut body)?;
        let offset_delta = varint::get_i32(&mut body)?;
        let key = get_nullable(&mut body)?;
        let value = get_nullable(&mut body)?;
        let header_count = usize::try_from(varint::get_i32(&mut body)?).ok()?;
        // A header takes at least two bytes, so no count beyond that is believed.
        if header_count > body.len() / 2 {
            return None;
        }
        let mut headers = Vec::with_capacity(header_count);
        for _ in 0..header_count {
            let key = String::from_utf8(get_nullable(&mut body)??.into()).ok()?;
            headers.push(Header { key, value: get_nullable(&mut body)? });
        }
        if !body.is_empty() {
            return None;
        }
        Some(Self {
            offset: base_offset.checked_add(i64::from(offset_delta))?,
            timestamp: base_timestamp.checked_add(timestamp_delta)?,
            key,
            value,
            headers,
        })
    }
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).expect("nothing in memory is longer than 2⁶³ bytes")
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint::len(signed(bytes.len())).strict_add(bytes.len()))
}

fn put_nullable(buffer: &mut BytesMut, bytes: Option<&[u8]>) {
    match bytes {
        None => varint::put(buffer, -1),
        Some(bytes) => {
            varint::put(buffer, signed(bytes.len()));
            buffer.put_slice(bytes);
        }
    }
}

/// The outer `None` is a malformed length, the inner one a null.
fn get_nullable(buffer: &mut Bytes) -> Option<Option<Bytes>> {
    let length = varint::get_i32(buffer)?;
    if length == -1 {
        return Some(None);
    }
    let length = usize::try_from(length).ok()?;
    if length > buffer.len() { None } else { Some(Some(buffer.split_to(length))) }
}
