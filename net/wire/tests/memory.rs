//! The memory that hostile bytes can make a decoder claim. It stands alone in its process, since it
//! measures the process.

use std::sync::Mutex;

use bytes::Bytes;
use codegen::proof;
use wire::messages::CATALOG;

/// Two measurements at once would see each other's memory.
static MEASURING: Mutex<()> = Mutex::new(());

/// The most address space this process has had so far.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).expect("a peak");
    let kibibytes = line.split_whitespace().nth(1).expect("a number");
    kibibytes.parse::<usize>().expect("a number") * 1024
}

/// Reserved memory counts although it is never touched, so the peak is of addresses.
#[test]
fn a_length_that_claims_gigabytes_costs_no_memory() {
    const ALLOWED_BYTES: usize = 32 * 1024 * 1024;
    let _alone = MEASURING.lock().unwrap();
    let samples = proof::samples(CATALOG, 6, 1).unwrap();
    let before = peak_bytes();
    for sample in samples {
        for place in 0..sample.bytes.len() {
            for claim in [&[0x7f, 0xff, 0xff, 0xff][..], &[0xff, 0xff, 0xff, 0xff, 0x07][..]] {
                let mut bytes = sample.bytes.to_vec();
                let end = (place + claim.len()).min(bytes.len());
                bytes.splice(place..end, claim.iter().copied());
                let bytes = Bytes::from(bytes);
                let _outcome = (sample.entry.recode)(&bytes, sample.version, sample.version);
            }
        }
    }
    let grown = peak_bytes() - before;
    assert!(grown < ALLOWED_BYTES, "{grown} bytes were claimed");
}

/// Small elements take more memory than bytes; the budget bounds by how much.
#[test]
fn a_frame_full_of_the_smallest_elements_takes_a_bounded_multiple_of_its_size() {
    const FRAME_BYTES: usize = 8 * 1024 * 1024;
    const ALLOWED_BYTES: usize = 24 * FRAME_BYTES;
    const TOPIC_BYTES_MIN: usize = 6;
    let _alone = MEASURING.lock().unwrap();
    let count = i32::try_from((FRAME_BYTES - 12) / TOPIC_BYTES_MIN).unwrap();
    let mut bytes = vec![0xff, 0xff, 0, 0, 0, 0, 0, 0];
    bytes.extend(count.to_be_bytes());
    bytes.resize(FRAME_BYTES, 0);
    let bytes = Bytes::from(bytes);
    let entry = CATALOG.iter().find(|entry| entry.name == "ProduceRequest").unwrap();
    let before = peak_bytes();
    let _outcome = (entry.recode)(&bytes, 3, 3);
    let grown = peak_bytes() - before;
    assert!(grown < ALLOWED_BYTES, "{grown} bytes were claimed");
}
