//! Batches that Apache Kafka's own classes wrote (`tests/java/GoldenBatches.java`), read by us; and
//! batches of ours, read by Kafka's classes where Java is at hand.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use engine::record::{
    Batch, BatchBuilder, Batches, CheckOptions, Compression, ControlRecord, Header, Record,
    RecordError, TargetCompression, TimestampRule, TimestampType, TransactionResult, check,
    check_replicated,
};
use engine::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

const START: i64 = 1_700_000_000_000;

fn golden(name: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    Bytes::from(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn golden_batch(name: &str) -> Batch {
    let batch = Batch::decode(&golden(name)).unwrap();
    batch.verify_checksum().unwrap();
    batch
}

fn timestamp(index: u32) -> i64 {
    START + i64::from(index) * 10 - i64::from(index % 4) * 25
}

/// What `GoldenBatches.java` puts into a batch.
fn expected(count: u32, repeat: usize) -> impl Iterator<Item = Record> {
    (0..count).map(move |index| Record {
        offset_delta: index,
        timestamp_delta: timestamp(index) - START,
        key: (index % 5 != 0).then(|| Bytes::from(format!("key-{index}"))),
        value: (index % 7 != 0).then(|| Bytes::from(format!("value-{index}").repeat(repeat))),
        headers: if index % 3 == 0 {
            vec![
                Header { key: "first".into(), value: Some(Bytes::from(format!("a{index}"))) },
                Header { key: "second".into(), value: None },
            ]
        } else {
            vec![]
        },
    })
}

fn append_expected(builder: &mut BatchBuilder, count: u32, repeat: usize) {
    for record in expected(count, repeat) {
        let time = Timestamp(START + record.timestamp_delta);
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.append(time, key, value, &record.headers);
    }
}

fn build(compression: Compression, count: u32, repeat: usize) -> BatchBuilder {
    let place = (Offset::new(1000).unwrap(), LeaderEpoch::new(7));
    let mut builder = BatchBuilder::new(compression).with_place(place.0, place.1);
    append_expected(&mut builder, count, repeat);
    builder
}

#[test]
fn every_codec_of_kafka_is_read() {
    for compression in Compression::ALL {
        for (suffix, count, repeat) in [("", 50, 1), ("-large", 2000, 9)] {
            let batch = golden_batch(&format!("{}{suffix}.bin", compression.name()));
            let header = batch.header();
            assert_eq!(header.compression().unwrap(), compression);
            assert_eq!(header.base_offset().get(), 1000);
            assert_eq!(header.next_offset().get(), 1000 + u64::from(count));
            assert_eq!(header.leader_epoch(), LeaderEpoch::new(7));
            assert_eq!(header.producer_id(), None);
            assert_eq!(header.base_timestamp().0, START);
            let latest = (0..count).map(timestamp).max().unwrap();
            assert_eq!(header.max_timestamp().0, latest);
            let records: Result<Vec<Record>, RecordError> = batch.records().unwrap().collect();
            assert!(records.unwrap().into_iter().eq(expected(count, repeat)), "{compression:?}");
        }
    }
}

#[test]
fn without_compression_we_write_kafkas_very_bytes() {
    assert_eq!(build(Compression::None, 50, 1).finish(), golden("none.bin"));
    assert_eq!(build(Compression::None, 2000, 9).finish(), golden("none-large.bin"));
}

#[test]
fn an_idempotent_batch_says_its_producer_and_its_wrapped_sequence() {
    let batch = golden_batch("idempotent.bin");
    let header = batch.header();
    assert_eq!(header.producer_id(), ProducerId::new(4000));
    assert_eq!(header.producer_epoch(), ProducerEpoch::new(3));
    assert_eq!(header.base_sequence(), Sequence::new(Sequence::MAX.get() - 9));
    assert_eq!(header.last_sequence(), Sequence::new(39));
    assert!(!header.is_transactional());
    assert!(golden_batch("transactional.bin").header().is_transactional());
}

#[test]
fn an_append_time_stands_for_all_records_of_its_batch() {
    let header = *golden_batch("log-append-time.bin").header();
    assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(header.max_timestamp().0, START + 999);
    let ours = build(Compression::Lz4, 50, 1).finish_checked();
    let ours = ours.with_log_append_time(Timestamp(START + 999));
    assert_eq!(ours.header().max_timestamp(), header.max_timestamp());
    assert_eq!(ours.header().attributes(), header.attributes());
    Batch::decode(&ours.to_bytes()).unwrap().verify_checksum().unwrap();
}

#[test]
fn markers_of_kafka_are_read_and_written_alike() {
    for (name, result) in
        [("commit.bin", TransactionResult::Commit), ("abort.bin", TransactionResult::Abort)]
    {
        let batch = golden_batch(name);
        assert!(batch.header().is_control() && batch.header().is_transactional());
        let record = batch.records().unwrap().next().unwrap().unwrap();
        let marker = ControlRecord::decode(&record).unwrap();
        assert_eq!(marker, ControlRecord::EndTransaction { result, coordinator_epoch: 12 });

        let (id, epoch) = (ProducerId::new(4000).unwrap(), ProducerEpoch::new(3).unwrap());
        let mut builder = BatchBuilder::new(Compression::None)
            .with_place(Offset::new(55).unwrap(), LeaderEpoch::new(7))
            .with_producer(id, epoch, None)
            .transactional()
            .control();
        builder.append(Timestamp(START), Some(&marker.key()), Some(&marker.value()), &[]);
        assert_eq!(builder.finish(), golden(name), "{name}");
    }
}

#[test]
fn a_leader_change_of_kafkas_quorum_is_read() {
    let batch = golden_batch("leader-change.bin");
    assert!(batch.header().is_control() && !batch.header().is_transactional());
    let record = batch.records().unwrap().next().unwrap().unwrap();
    assert!(matches!(ControlRecord::decode(&record), Ok(ControlRecord::LeaderChange(_))));
}

#[test]
fn the_golden_batches_pass_the_leaders_check_once_they_start_at_zero() {
    let options = CheckOptions {
        produce_version: 12,
        batch_bytes_max: 1 << 20,
        segment_bytes_max: 1 << 30,
        is_compacted: false,
        timestamps: TimestampRule::CreateTime { before_max: Millis(50_000), after_max: Millis(0) },
        compression: TargetCompression::Producer,
        now: Timestamp(START + 20_000),
    };
    for compression in Compression::ALL {
        let bytes = golden(&format!("{}-large.bin", compression.name()));
        let refused = check(&bytes, &options).unwrap_err();
        assert_eq!(refused, RecordError::BaseOffset { base_offset: 1000 });
        // The base offset stands outside the checksum.
        let from_zero = Bytes::from([&[0; 8], &bytes[8..]].concat());
        let checked = check(&from_zero, &options).unwrap();
        assert_eq!(checked.to_bytes(), from_zero, "nothing needs to be rewritten");
        let stamped = checked.stamp(Offset::new(1000).unwrap(), LeaderEpoch::new(7).unwrap());
        assert_eq!(stamped.encode()[..], bytes[..61]);
    }
}

#[test]
fn a_buffer_of_several_batches_may_end_inside_the_last() {
    let (first, second) = (golden("gzip.bin"), golden("zstd.bin"));
    let both = Bytes::from([first.as_ref(), second.as_ref()].concat());
    for len in 0..both.len() {
        let cut = both.slice(..len);
        let whole = usize::from(len >= first.len());
        assert_eq!(Batches::new(cut.clone()).map(Result::unwrap).count(), whole);
        assert_eq!(check_replicated(&cut).unwrap().len(), whole);
    }
    assert_eq!(check_replicated(&both).unwrap().len(), 2);
}

/// `KAFKA_LIBS` names the folder with the jars of an Apache Kafka.
#[test]
#[ignore = "needs Java, and KAFKA_LIBS in the environment"]
fn kafka_reads_what_we_build() {
    let libs = std::env::var("KAFKA_LIBS").expect("KAFKA_LIBS names a folder of jars");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut files = Vec::new();
    let mut wanted = String::new();
    for compression in Compression::ALL {
        for (count, repeat) in [(50, 1), (2000, 9)] {
            let path = folder.join(format!("{}-{count}.bin", compression.name()));
            std::fs::write(&path, build(compression, count, repeat).finish()).unwrap();
            files.push(path);
            let latest = (0..count).map(timestamp).max().unwrap();
            writeln!(
                wanted,
                "batch 1000..{} {} epoch=7 producer=-1/-1/-1..-1 CreateTime max={latest} \
                 transactional=false control=false",
                999 + count,
                compression.name(),
            )
            .unwrap();
            for record in expected(count, repeat) {
                wanted.push_str(&line(&record));
            }
        }
    }
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java/ReadBatches.java");
    let mut java = Command::new("java");
    java.args(["-cp", &format!("{libs}/*")]).arg(reader).args(files);
    let output = java.output().expect("java starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = String::from_utf8(output.stdout).unwrap();
    for (read, wanted) in read.lines().zip(wanted.lines()) {
        assert_eq!(read, wanted);
    }
    assert_eq!(read.lines().count(), wanted.lines().count());
}

/// What `ReadBatches.java` prints of a record.
fn line(record: &Record) -> String {
    let text = |bytes: Option<&Bytes>| match bytes {
        None => "null".to_owned(),
        Some(bytes) => format!("'{}'", String::from_utf8_lossy(bytes)),
    };
    let offset = 1000 + record.offset_delta;
    let time = START + record.timestamp_delta;
    let (key, value) = (text(record.key.as_ref()), text(record.value.as_ref()));
    let mut line = format!("record {offset} {time} {key} {value}");
    for header in &record.headers {
        let key = String::from_utf8_lossy(&header.key);
        write!(line, " {key}={}", text(header.value.as_ref())).unwrap();
    }
    line + "\n"
}
