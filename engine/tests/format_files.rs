//! The files beside a log's batches, read by Apache Kafka's own dump tool.
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::path::PathBuf;
use std::process::Command;

use engine::log::format::offset_index::OffsetIndex;
use engine::log::format::producer_snapshot::{self, ProducerSnapshotEntry, SnapshotBatch};
use engine::log::format::time_index::TimeIndex;
use engine::log::format::transaction_index::{AbortedTransaction, TransactionIndex};
use engine::record::{BatchBuilder, Compression};
use engine::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

const START: i64 = 1_700_000_000_000;

fn offset(value: u64) -> Offset {
    Offset::new(value).unwrap()
}

/// A segment of five batches with ten records each, and its indexes, as a log writes them.
fn write_segment(folder: &std::path::Path) -> Vec<PathBuf> {
    let (mut offsets, mut times) = (OffsetIndex::new(offset(0)), TimeIndex::new(offset(0)));
    let mut segment = Vec::new();
    for number in 0..5 {
        let (base, position) = (number * 10, u32::try_from(segment.len()).unwrap());
        let place = offset(base);
        let mut builder =
            BatchBuilder::new(Compression::Zstd).with_place(place, LeaderEpoch::new(2));
        let time = Timestamp(START + i64::try_from(base).unwrap());
        for _ in 0..10 {
            builder.append(time, Some(b"key"), Some(b"value"), &[]);
        }
        segment.extend_from_slice(&builder.finish());
        if number > 0 {
            assert!(offsets.append(offset(base + 9), position));
            assert!(times.append(time, offset(base + 9)));
        }
    }
    let mut transactions = TransactionIndex::default();
    assert!(transactions.append(AbortedTransaction {
        producer_id: ProducerId::new(4000).unwrap(),
        first_offset: offset(3),
        last_offset: offset(17),
        last_stable_offset: offset(18),
    }));
    let snapshot = producer_snapshot::encode(&[ProducerSnapshotEntry {
        producer_id: ProducerId::new(4000).unwrap(),
        epoch: ProducerEpoch::new(3).unwrap(),
        last_batch: Some(SnapshotBatch {
            last_sequence: Sequence::new(41),
            last_offset: offset(49),
            offset_delta: 9,
        }),
        timestamp: Timestamp(START),
        coordinator_epoch: 12,
        transaction_first_offset: Some(offset(40)),
    }]);
    let files = [
        ("00000000000000000000.log", segment),
        ("00000000000000000000.index", offsets.as_bytes().to_vec()),
        ("00000000000000000000.timeindex", times.as_bytes().to_vec()),
        ("00000000000000000000.txnindex", transactions.encode()),
        ("00000000000000000050.snapshot", snapshot),
    ];
    let write = |(name, bytes): (&str, Vec<u8>)| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    files.into_iter().map(write).collect()
}

/// `KAFKA_LIBS` names the folder with the jars of an Apache Kafka.
#[test]
#[ignore = "needs Java, and KAFKA_LIBS in the environment"]
fn kafkas_dump_tool_finds_nothing_wrong_with_our_files() {
    let libs = std::env::var("KAFKA_LIBS").expect("KAFKA_LIBS names a folder of jars");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("format_files");
    std::fs::create_dir_all(&folder).unwrap();
    let paths = write_segment(&folder);
    let names: Vec<&str> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    let output = Command::new("java")
        .args(["-cp", &format!("{libs}/*"), "org.apache.kafka.tools.DumpLogSegments"])
        .args(["--deep-iteration", "--files", &names.join(",")])
        .output()
        .expect("java starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    // The tool lists what an index has wrong under such headings.
    for complaint in ["mismatches", "out of order", "Non-secutive", "isvalid: false", "rror"] {
        assert!(!text.contains(complaint), "{complaint}: {text}");
    }
    for finding in [
        "baseOffset: 40 lastOffset: 49 count: 10",
        "partitionLeaderEpoch: 2",
        "compresscodec: zstd",
        "offset: 19 position: ",
        &format!("timestamp: {} offset: 49", START + 40),
        "producerId: 4000 firstOffset: 3 lastOffset: 17 lastStableOffset: 18",
        "producerId: 4000 producerEpoch: 3 coordinatorEpoch: 12 currentTxnFirstOffset: \
         OptionalLong[40]",
        "firstSequence: 32 lastSequence: 41 lastOffset: 49 offsetDelta: 9",
    ] {
        assert!(text.contains(finding), "{finding} is not in: {text}");
    }
}
