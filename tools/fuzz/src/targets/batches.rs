//! Record batches as producers and other brokers send them: what the check lets into a log can be
//! read by everybody, and the client's own reader sees the same records.

use bytes::Bytes;
use engine::record::{
    Batch, Batches, CheckOptions, Compression, ControlRecord, Record, TargetCompression,
    TimestampRule, TimestampType, check, check_replicated,
};
use engine::types::limits::BATCH_BYTES_MAX;
use engine::types::{Millis, Timestamp};

use super::seal::sealed;
use super::{Target, seeds};
use crate::source::Source;

pub(super) const TARGET: Target = Target {
    name: "record_batches",
    run,
    seeds,
    // Packed records become larger; the readers unpack one batch at a time.
    memory_factor: 256,
    memory_bytes_base: 4 * 1024 * 1024,
    rounds: 3_000,
};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn seeds() -> Vec<Vec<u8>> {
    let batches = seeds::golden("bin");
    let with = |choices: [u8; 3]| {
        batches.iter().map(move |batch| {
            // The check wants batches that no broker has placed yet.
            let mut batch = batch.clone();
            batch.iter_mut().take(8).for_each(|byte| *byte = 0);
            [&choices[..], &batch].concat()
        })
    };
    let mut seeds: Vec<_> = with([1, 0, 0]).collect();
    for codec in 1..6 {
        seeds.extend(with([1, codec, codec]));
    }
    seeds
}

fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let is_sealed = source.flag();
    let options = options(&mut source);
    let rest = source.rest();
    let bytes = if is_sealed { sealed(rest) } else { Bytes::copy_from_slice(rest) };
    read(&bytes);
    produce(&bytes, &options);
    replicate(&bytes);
    compare_with_the_client(&bytes);
}

fn options(source: &mut Source<'_>) -> CheckOptions {
    let compression = match source.below(6) {
        0 => TargetCompression::Producer,
        target => {
            let compression = Compression::ALL.get(target.strict_sub(1)).copied();
            TargetCompression::Fixed { compression: compression.unwrap_or_default(), level: None }
        }
    };
    let choices = source.byte();
    let timestamps = if choices & 1 == 0 {
        TimestampRule::CreateTime { before_max: Millis(u64::MAX), after_max: Millis(3_600_000) }
    } else {
        TimestampRule::LogAppendTime
    };
    CheckOptions {
        produce_version: if choices & 2 == 0 { 12 } else { 3 },
        batch_bytes_max: BATCH_BYTES_MAX,
        segment_bytes_max: BATCH_BYTES_MAX,
        is_compacted: choices & 4 != 0,
        timestamps,
        compression,
        now: NOW,
    }
}

/// The sound records of a batch, and whether that is all of it.
fn records_of(batch: &Batch) -> (Vec<Record>, bool) {
    let Ok(records) = batch.records() else { return (Vec::new(), false) };
    let mut sound = Vec::new();
    for record in records {
        match record {
            Ok(record) => sound.push(record),
            Err(_) => return (sound, false),
        }
    }
    let count = usize::try_from(batch.header().record_count()).unwrap_or(usize::MAX);
    assert_eq!(sound.len(), count, "as many records as the header says");
    (sound, true)
}

fn read(bytes: &Bytes) {
    let mut batches = Batches::new(bytes.clone());
    let mut passed = 0_usize;
    while let Some(Ok(batch)) = batches.next() {
        passed = passed.strict_add(batch.bytes().len());
        assert_eq!(passed.strict_add(batches.rest().len()), bytes.len(), "nothing is skipped");
        if batch.verify_checksum().is_err() {
            continue;
        }
        let (records, _is_all) = records_of(&batch);
        if batch.header().is_control() {
            records.iter().for_each(control);
        }
    }
}

fn control(record: &Record) {
    let Ok(read) = ControlRecord::decode(record) else { return };
    let written = Record { key: Some(read.key()), value: Some(read.value()), ..Record::default() };
    assert_eq!(ControlRecord::decode(&written), Ok(read));
}

fn produce(bytes: &Bytes, options: &CheckOptions) {
    let Ok(checked) = check(bytes, options) else { return };
    let stored = checked.to_bytes();
    assert_eq!(stored.len(), checked.batch_bytes());
    let batch = Batch::decode(&stored).expect("what was checked can be read");
    batch.verify_checksum().expect("what was checked has its checksum");
    let (records, is_all) = records_of(&batch);
    assert!(is_all, "a record that was let in cannot be read");
    for (index, record) in (0_u32..).zip(&records) {
        assert_eq!(record.offset_delta, index, "offsets have no gap");
    }
    let target = match options.compression {
        TargetCompression::Producer => None,
        TargetCompression::Fixed { compression, .. } => Some(compression),
    };
    let compression = batch.header().compression().expect("it was just read");
    assert!(target.is_none_or(|target| target == compression), "packed as the topic says");
    // A producer may not say that times are the log's.
    let was_created = Batch::decode(bytes)
        .is_ok_and(|batch| batch.header().timestamp_type() == TimestampType::CreateTime)
        && options.timestamps != TimestampRule::LogAppendTime;
    let may_be_zstd = compression != Compression::Zstd || options.produce_version >= 7;
    if was_created && may_be_zstd {
        let again = check(&stored, options).expect("what was let in once is let in again");
        assert_eq!(again.to_bytes(), stored, "nothing is left to change");
    }
}

fn replicate(bytes: &Bytes) {
    let Ok(batches) = check_replicated(bytes) else { return };
    let kept: Vec<Bytes> = batches.iter().map(engine::record::CheckedBatch::to_bytes).collect();
    assert!(bytes.starts_with(&kept.concat()), "a replica's bytes are its leader's");
}

/// Two readers that share no code.
fn compare_with_the_client(bytes: &Bytes) {
    let ours = Batches::new(bytes.clone()).map_while(Result::ok);
    let theirs = client::batch::Batches::new(bytes.clone()).map_while(Result::ok);
    for (ours, theirs) in ours.zip(theirs) {
        assert_eq!(ours.header().record_count().cast_signed(), theirs.header.record_count);
        let (records, is_all) = records_of(&ours);
        let Ok(others) = theirs.records() else { continue };
        if !is_all {
            continue;
        }
        assert_eq!(records.len(), others.len());
        for (record, other) in records.iter().zip(&others) {
            assert_eq!((&record.key, &record.value), (&other.key, &other.value));
            let headers = record.headers.iter().map(|header| &header.value);
            assert!(headers.eq(other.headers.iter().map(|header| &header.value)));
        }
    }
}
