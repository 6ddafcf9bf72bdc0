//! Any records, packed by any codec, come back as they were given, to us and to the client.

use engine::record::{Batch, BatchBuilder, Compression, Header};
use engine::types::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use super::Target;
use crate::source::Source;

pub(super) const TARGET: Target = Target {
    name: "record_builder",
    run,
    seeds: || {
        let records = b"\x07\x01\x00\x03key\x01\x00\x05value\x01\x01h\x00\x00\x10".repeat(4);
        (0..5).map(|codec| [&[codec, 1], &records[..]].concat()).collect()
    },
    // The codecs keep windows of their own, whatever the size of the records.
    memory_factor: 256,
    memory_bytes_base: 8 * 1024 * 1024,
    rounds: 3_000,
};

struct Given {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<Header>,
}

fn nullable(source: &mut Source<'_>) -> Option<Vec<u8>> {
    source.flag().then(|| source.piece().to_vec())
}

fn given(source: &mut Source<'_>) -> Given {
    // Times of one batch lie within each other's reach: their distance is a 64-bit number.
    let timestamp = i64::from_be_bytes(source.number()) / 4;
    let key = nullable(source);
    let value = nullable(source);
    let headers = (0..source.below(4)).map(|_| Header {
        key: source.short_piece(20).to_vec().into(),
        value: nullable(source).map(Into::into),
    });
    let headers = headers.collect();
    Given { timestamp, key, value, headers }
}

fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let compression = Compression::ALL.get(source.below(5)).copied().unwrap_or_default();
    let mut builder = BatchBuilder::new(compression).with_place(Offset::ZERO, None);
    if source.flag() {
        let id = ProducerId::new(5).expect("a small number");
        builder = builder.with_producer(id, ProducerEpoch::ZERO, Sequence::new(0));
    }
    let mut records = Vec::new();
    while !source.is_empty() {
        let record = given(&mut source);
        let before = builder.plain_bytes();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let time = Timestamp(record.timestamp);
        let more = builder.record_bytes(time, key, value, &record.headers);
        builder.append(time, key, value, &record.headers);
        assert_eq!(builder.plain_bytes(), before.strict_add(more), "the size is known before");
        records.push(record);
    }
    if builder.is_empty() {
        return;
    }
    let bytes = builder.finish();
    let batch = Batch::decode(&bytes).expect("what was built can be read");
    batch.verify_checksum().expect("what was built has its checksum");
    assert_eq!(batch.bytes(), &bytes);
    compare(&batch, &records);
    compare_with_the_client(bytes, &records);
}

fn compare(batch: &Batch, records: &[Given]) {
    let base = batch.header().base_timestamp().0;
    let found: Result<Vec<_>, _> = batch.records().expect("its codec is known").collect();
    let found = found.expect("what was built can be read");
    assert_eq!(found.len(), records.len());
    for (found, given) in found.iter().zip(records) {
        assert_eq!(base.wrapping_add(found.timestamp_delta), given.timestamp);
        assert_eq!(found.key.as_deref(), given.key.as_deref());
        assert_eq!(found.value.as_deref(), given.value.as_deref());
        assert_eq!(found.headers, given.headers);
    }
}

fn compare_with_the_client(bytes: bytes::Bytes, records: &[Given]) {
    let batch = client::batch::Batches::new(bytes).next().expect("there is one");
    let found = batch.expect("what was built can be read");
    let are_texts =
        |given: &Given| given.headers.iter().all(|header| std::str::from_utf8(&header.key).is_ok());
    match found.records() {
        Ok(found) => {
            assert_eq!(found.len(), records.len());
            for (found, given) in found.iter().zip(records) {
                assert_eq!(found.key.as_deref(), given.key.as_deref());
                assert_eq!(found.value.as_deref(), given.value.as_deref());
            }
        }
        Err(error) => assert!(!records.iter().all(are_texts), "{error}"),
    }
}
