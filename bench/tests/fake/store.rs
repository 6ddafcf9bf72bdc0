//! What the fake broker keeps, and where it goes wrong.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use client::batch::{BATCH_HEADER_BYTES, BatchBuilder, BatchHeaders, Compression, Record};

use super::Fault;

pub struct Store {
    pub port: u16,
    pub topics: BTreeMap<String, Vec<Partition>>,
    pub next_producer_id: i64,
    fault: Fault,
    /// Produce requests so far.
    requests: u64,
}

#[derive(Default)]
pub struct Partition {
    pub end: i64,
    /// From their base offsets.
    batches: Vec<(i64, Bytes)>,
    /// Waits for the next, to stand behind it.
    swapped: Option<Bytes>,
}

impl Store {
    pub fn new(port: u16, fault: Fault) -> Self {
        Self { port, topics: BTreeMap::new(), next_producer_id: 0, fault, requests: 0 }
    }

    /// Whether it is time for it.
    pub fn stall(&self) -> Option<Duration> {
        match self.fault {
            Fault::Stall { at, length } if at == self.requests => Some(length),
            _ => None,
        }
    }

    /// Where the batch is said to be.
    pub fn append(&mut self, topic: &str, index: i32, batch: Bytes) -> i64 {
        let place = self.requests;
        self.requests += 1;
        let partition = &mut self.topics.get_mut(topic).unwrap()[index as usize];
        let base = partition.end;
        match self.fault {
            Fault::KeepsNothing => {}
            Fault::KeepsNothingFrom(from) if from <= place => {}
            Fault::Drops(at) if at == place => {}
            Fault::Repeats(at) if at == place => {
                partition.keep(&batch);
                partition.keep(&batch);
            }
            Fault::Swaps(at) if at == place => partition.swapped = Some(batch),
            Fault::Damages(at) if at == place => partition.keep(&damaged(&batch)),
            Fault::Replaces(at) if at == place => partition.keep(&replaced(&batch)),
            Fault::Skips(at) if at == place => {
                partition.end += 1;
                partition.keep(&batch);
            }
            Fault::Withholds(from) if from <= place => partition.end += record_count(&batch),
            _ => partition.keep(&batch),
        }
        if matches!(self.fault, Fault::Swaps(at) if at != place)
            && let Some(earlier) = partition.swapped.take()
        {
            partition.keep(&earlier);
        }
        base
    }
}

impl Partition {
    fn keep(&mut self, batch: &Bytes) {
        let mut bytes = batch.to_vec();
        bytes[..8].copy_from_slice(&self.end.to_be_bytes());
        self.batches.push((self.end, bytes.into()));
        self.end += record_count(batch);
    }

    /// Whole batches from an offset on, and at least one if there is any.
    pub fn read(&self, offset: i64, bytes_max: usize) -> Bytes {
        let from = self.batches.partition_point(|(base, _)| *base < offset);
        let mut found = Vec::new();
        for (_, batch) in &self.batches[from..] {
            if !found.is_empty() && found.len() + batch.len() > bytes_max {
                break;
            }
            found.extend_from_slice(batch);
        }
        found.into()
    }
}

fn record_count(batch: &Bytes) -> i64 {
    i64::from(BatchHeaders::new(batch).next().unwrap().record_count)
}

fn damaged(batch: &Bytes) -> Bytes {
    let mut bytes = batch.to_vec();
    bytes[BATCH_HEADER_BYTES + 20] ^= 1;
    bytes.into()
}

/// As many records, at the same time, with other values.
fn replaced(batch: &Bytes) -> Bytes {
    let header = BatchHeaders::new(batch).next().unwrap();
    let mut builder = BatchBuilder::new(Compression::None);
    for _ in 0..header.record_count {
        let value = Some(Bytes::from_static(b"other"));
        let timestamp = header.base_timestamp;
        builder.append(&Record { timestamp, value, ..Record::default() });
    }
    builder.finish(None)
}
