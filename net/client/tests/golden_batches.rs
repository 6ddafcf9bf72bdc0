//! Batches that Apache Kafka's own classes have built: what they mean does not change.

use bytes::Bytes;
use client::batch::{BatchBuilder, Batches, Compression, Header, ProducerStamp, Record};

fn golden(codec: Compression) -> Bytes {
    let file = format!("{}/tests/golden/batch-{}.bin", env!("CARGO_MANIFEST_DIR"), codec.name());
    std::fs::read(file).expect("the golden files are in the tree").into()
}

fn records() -> Vec<Record> {
    let bytes = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let header = |key: &str, value| Header { key: key.to_owned(), value };
    let headers = vec![header("h", bytes("x")), header("n", None)];
    let record =
        |offset, timestamp, key, value, headers| Record { offset, timestamp, key, value, headers };
    let big = Some("abcdefgh".repeat(20_000).into());
    vec![
        record(0, 1_700_000_000_000, bytes("key-1"), bytes("value one"), vec![]),
        record(1, 1_700_000_000_007, None, bytes("no key"), headers),
        record(2, 1_699_999_999_990, bytes("tombstone"), None, vec![]),
        record(3, 1_700_000_000_100, bytes("big"), big, vec![]),
    ]
}

fn stamp() -> ProducerStamp {
    let (producer_id, producer_epoch, base_sequence) = (4000, 3, 17);
    ProducerStamp { producer_id, producer_epoch, base_sequence, transactional: true }
}

fn ours(codec: Compression) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for record in records() {
        let expected = builder.len_with(&record);
        builder.append(&record);
        assert_eq!(builder.len(), expected);
    }
    builder.finish(Some(stamp()))
}

#[test]
fn a_plain_batch_has_the_bytes_that_java_writes() {
    assert_eq!(ours(Compression::None), golden(Compression::None));
}

#[test]
fn batches_of_java_are_read_in_every_compression() {
    for codec in Compression::ALL {
        let batches: Vec<_> = Batches::new(golden(codec)).map(Result::unwrap).collect();
        assert_eq!(batches.len(), 1);
        let header = &batches[0].header;
        assert_eq!(header.compression, codec);
        assert_eq!((header.producer_id, header.producer_epoch), (4000, 3));
        assert!(header.transactional && !header.control);
        assert_eq!(header.next_offset(), 4);
        assert_eq!(header.max_timestamp, 1_700_000_000_100);
        assert_eq!(batches[0].records().unwrap(), records(), "{codec:?}");
    }
}

#[test]
fn our_batches_are_read_back_in_every_compression() {
    for codec in Compression::ALL {
        let batch = ours(codec);
        if let Ok(folder) = std::env::var("CORELOG_WRITE_BATCHES") {
            std::fs::write(format!("{folder}/ours-{}.bin", codec.name()), &batch).unwrap();
        }
        let batches: Vec<_> = Batches::new(batch).map(Result::unwrap).collect();
        assert_eq!(batches[0].records().unwrap(), records(), "{codec:?}");
    }
}

#[test]
fn a_batch_that_is_cut_off_is_left_out_and_what_precedes_it_is_read() {
    let whole = golden(Compression::Gzip);
    let mut two = whole.to_vec();
    two.extend_from_slice(&whole);
    for end in whole.len()..two.len() {
        assert_eq!(Batches::new(two[..end].to_vec().into()).map(Result::unwrap).count(), 1);
    }
}

#[test]
fn a_flipped_bit_is_found() {
    let whole = golden(Compression::None);
    for at in 21..200 {
        let mut damaged = whole.to_vec();
        damaged[at] ^= 0x10;
        assert!(Batches::new(damaged.into()).next().unwrap().is_err(), "byte {at}");
    }
}
