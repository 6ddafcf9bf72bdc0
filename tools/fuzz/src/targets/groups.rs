//! `__consumer_offsets` as a coordinator loads it: any keys and values, then time passes. What the
//! coordinator writes from then on can be loaded again.

use std::path::Path;

use bytes::Bytes;
use engine::group::{
    Coordinator, DeleteGroup, DescribeGroup, GroupId, GroupOptions, Input, ListGroups, Now, Output,
    RecordBytes, Reply, Request, RequestId,
};
use engine::types::{Millis, Timestamp};

use super::{Target, seeds};
use crate::source::Source;

pub(super) const TARGET: Target = Target {
    name: "group_records",
    run,
    seeds,
    memory_factor: 256,
    memory_bytes_base: 256 * 1024,
    rounds: 10_000,
};

/// Ticks until nothing can be left that waits: sessions, rebalances, retention.
const TICKS: u32 = 12;

fn seeds() -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../../engine/tests/golden/group-records.txt");
    let text = std::fs::read_to_string(path).expect("the golden files are part of the tree");
    let records: Vec<Vec<u8>> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(key, value)| {
            let is_tombstone = value.trim() == "-";
            let value = if is_tombstone { Vec::new() } else { from_hex(value.trim()) };
            let key = from_hex(key);
            [vec![u8::from(is_tombstone)], seeds::piece(&key), seeds::piece(&value)].concat()
        })
        .collect();
    records.chunks(6).map(<[Vec<u8>]>::concat).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    let number = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().filter_map(number).collect()
}

fn now(millis: u64) -> Now {
    let passed = i64::try_from(millis).unwrap_or(i64::MAX);
    Now { monotonic: Millis(millis), wall: Timestamp(1_700_000_000_000_i64.saturating_add(passed)) }
}

fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let mut coordinator = Coordinator::new(GroupOptions::default());
    while !source.is_empty() {
        let is_tombstone = source.flag();
        let key = Bytes::copy_from_slice(source.piece());
        let value = Bytes::copy_from_slice(source.piece());
        let value = (!is_tombstone).then_some(&value);
        drop(coordinator.replay(now(0), &key, value));
    }
    let mut outputs = Vec::new();
    coordinator.loaded(now(0), &mut outputs);
    let mut written = settle(&mut coordinator, now(0), &mut outputs);
    let groups = groups(&mut coordinator);
    for group in &groups {
        let request = Request::DescribeGroup(DescribeGroup { group: group.clone() });
        ask(&mut coordinator, now(0), request, &mut outputs);
    }
    let mut at = 0;
    for _ in 0..TICKS {
        let Some(deadline) = coordinator.next_deadline() else { break };
        at = deadline.0.max(at);
        coordinator.step(now(at), Input::Tick, &mut outputs);
        written.extend(settle(&mut coordinator, now(at), &mut outputs));
    }
    for group in groups {
        let request = Request::DeleteGroup(DeleteGroup { group });
        ask(&mut coordinator, now(at), request, &mut outputs);
        written.extend(settle(&mut coordinator, now(at), &mut outputs));
    }
    coordinator.unload(&mut outputs);
    load_again(&written);
}

fn ask(coordinator: &mut Coordinator, now: Now, request: Request, outputs: &mut Vec<Output>) {
    coordinator.step(now, Input::Request { id: RequestId(1), request }, outputs);
}

fn groups(coordinator: &mut Coordinator) -> Vec<GroupId> {
    let mut outputs = Vec::new();
    let everything = ListGroups { states: Vec::new(), types: Vec::new() };
    ask(coordinator, now(0), Request::ListGroups(everything), &mut outputs);
    let listed = outputs.into_iter().find_map(|output| match output {
        Output::Reply { reply: Reply::ListGroups(groups), .. } => Some(groups),
        Output::Reply { .. } | Output::Append { .. } | Output::AppendMarker { .. } => None,
    });
    listed.expect("a list is answered at once").into_iter().map(|listed| listed.group).collect()
}

/// Appends whatever the coordinator wants to append.
fn settle(coordinator: &mut Coordinator, now: Now, outputs: &mut Vec<Output>) -> Vec<RecordBytes> {
    let mut written = Vec::new();
    while let Some(output) = outputs.pop() {
        if let Output::Append { ticket, records, .. } = output {
            written.extend(records);
            coordinator.step(now, Input::Appended { ticket }, outputs);
        }
    }
    written
}

fn load_again(written: &[RecordBytes]) {
    let mut coordinator = Coordinator::new(GroupOptions::default());
    for (key, value) in written {
        let read = coordinator.replay(now(0), key, value.as_ref());
        read.expect("what a coordinator writes can be loaded");
    }
    coordinator.loaded(now(0), &mut Vec::new());
}
