//! Batches as bytes: checked before they are appended, and gone through from border to border.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use engine::record::{
    BatchBuilder, Batches, CheckOptions, Compression, TargetCompression, TimestampRule, check,
};
use engine::types::{Millis, Timestamp};

use super::{HotPath, How, Work};

pub const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// Of 100 bytes with what is around them: 64 KiB.
pub const LARGE_BATCH_RECORDS: usize = 640;
const VALUE_BYTES: usize = 90;
/// 1 MiB of large ones.
const BATCHES: usize = 16;

pub const PATHS: [HotPath; 4] = [
    HotPath {
        name: "check-1-record",
        about: "a batch of one record, checked",
        how: How::Plain(|| check_batch(Compression::None, 1)),
    },
    HotPath {
        name: "check-64-kib",
        about: "a batch of 64 KiB, checked",
        how: How::Plain(|| check_batch(Compression::None, LARGE_BATCH_RECORDS)),
    },
    HotPath {
        name: "check-64-kib-lz4",
        about: "a batch of 64 KiB in lz4, checked",
        how: How::Plain(|| check_batch(Compression::Lz4, LARGE_BATCH_RECORDS)),
    },
    HotPath {
        name: "batch-borders-1-mib",
        about: "1 MiB of batches, gone through from border to border",
        how: How::Plain(go_through),
    },
];

/// As a producer sends it.
pub fn batch(records: usize) -> Bytes {
    packed(Compression::None, records)
}

fn packed(compression: Compression, records: usize) -> Bytes {
    let mut builder = BatchBuilder::new(compression);
    for _ in 0..records {
        builder.append(NOW, None, Some(&value()), &[]);
    }
    builder.finish()
}

/// Letters in some order, which a codec packs about as well as text.
pub fn value() -> [u8; VALUE_BYTES] {
    let mut value = [0; VALUE_BYTES];
    let mut random = 0x2545_f491_u32;
    for byte in &mut value {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = b'a'.wrapping_add(random.to_be_bytes().first().map_or(0, |high| high & 15));
    }
    value
}

fn check_batch(compression: Compression, records: usize) -> Work {
    let bytes = packed(compression, records);
    let day = Millis(24 * 3_600_000);
    let options = CheckOptions {
        produce_version: 13,
        batch_bytes_max: 1 << 20,
        segment_bytes_max: 1 << 30,
        is_compacted: false,
        timestamps: TimestampRule::CreateTime { before_max: day, after_max: day },
        compression: TargetCompression::Producer,
        now: NOW,
    };
    Box::new(move || {
        black_box(check(black_box(&bytes), &options).expect("the batch is sound"));
    })
}

fn go_through() -> Work {
    let one = batch(LARGE_BATCH_RECORDS);
    let mut all = BytesMut::new();
    (0..BATCHES).for_each(|_| all.extend_from_slice(&one));
    let all = all.freeze();
    Box::new(move || {
        let count = Batches::new(black_box(all.clone())).filter(Result::is_ok).count();
        assert_eq!(count, BATCHES, "all batches are sound");
    })
}
