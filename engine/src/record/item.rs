//! One record as a value, for those who look inside: coordinators, compaction, time lookups.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | length | varint | bytes that follow |
//! | attributes | 1 byte | unused |
//! | timestamp delta | varlong | ms after the batch's base timestamp |
//! | offset delta | varint | after the batch's base offset |
//! | key | varint length, bytes | length −1: null |
//! | value | varint length, bytes | length −1: null, a tombstone |
//! | headers | varint count | each: varint length and key; varint length and value, −1: null |
//!
//! Varints are zigzag. Source: the "Record" section of the Kafka protocol's message format page.

use bytes::Bytes;

use crate::record::varint::varlong_len;
use crate::record::varint::{put_varint, put_varlong, take_varint, take_varlong, varint_len};

/// A record's application header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub key: Bytes,
    pub value: Option<Bytes>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub offset_delta: u32,
    /// Milliseconds after the batch's base timestamp; negative where time ran backwards.
    pub timestamp_delta: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
}

impl Record {
    /// Reads what follows the length; the values are slices of `body`.
    pub(crate) fn decode(body: &Bytes) -> Option<Self> {
        let (_attributes, mut rest) = body.split_first()?;
        let timestamp_delta = take_varlong(&mut rest)?;
        let offset_delta = u32::try_from(take_varint(&mut rest)?).ok()?;
        let key = take_nullable(body, &mut rest)?;
        let value = take_nullable(body, &mut rest)?;
        let header_count = usize::try_from(take_varint(&mut rest)?).ok()?;
        // Each header takes two bytes at least.
        let mut headers = Vec::with_capacity(header_count.min(rest.len() / 2));
        for _ in 0..header_count {
            let key = take_nullable(body, &mut rest)??;
            let value = take_nullable(body, &mut rest)?;
            headers.push(Header { key, value });
        }
        rest.is_empty().then_some(Self { offset_delta, timestamp_delta, key, value, headers })
    }
}

/// The parts of a record that is being written.
pub(crate) struct RecordParts<'a> {
    pub(crate) offset_delta: u32,
    pub(crate) timestamp_delta: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [Header],
}

impl RecordParts<'_> {
    /// Bytes of the record with its length in front.
    pub(crate) fn encoded_bytes(&self) -> usize {
        let body = self.body_bytes();
        varint_len(wire_length(body)) + body
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, wire_length(self.body_bytes()));
        out.push(0);
        put_varlong(out, self.timestamp_delta);
        put_varint(out, i32::try_from(self.offset_delta).expect("a batch has at most 2³¹ records"));
        put_nullable(out, self.key);
        put_nullable(out, self.value);
        put_varint(out, wire_length(self.headers.len()));
        for header in self.headers {
            put_nullable(out, Some(&header.key));
            put_nullable(out, header.value.as_deref());
        }
    }

    fn body_bytes(&self) -> usize {
        let offset_delta = i32::try_from(self.offset_delta).unwrap_or(i32::MAX);
        let mut bytes = 1 + varlong_len(self.timestamp_delta) + varint_len(offset_delta);
        bytes += nullable_len(self.key) + nullable_len(self.value);
        bytes += varint_len(wire_length(self.headers.len()));
        for header in self.headers {
            bytes += nullable_len(Some(&header.key)) + nullable_len(header.value.as_deref());
        }
        bytes
    }
}

/// The outer `None` is damage, the inner one a null.
fn take_nullable(body: &Bytes, rest: &mut &[u8]) -> Option<Option<Bytes>> {
    let length = take_varint(rest)?;
    let Ok(length) = usize::try_from(length) else { return Some(None) };
    let (taken, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(Some(body.slice_ref(taken)))
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, wire_length(bytes.len()));
            out.extend_from_slice(bytes);
        }
    }
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_len(wire_length(bytes.len())) + bytes.len())
}

fn wire_length(length: usize) -> i32 {
    i32::try_from(length).expect("the builder keeps batches below their limit")
}
