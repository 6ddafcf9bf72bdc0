//! What a person reads, and a script: what is wrong, where, what a start would do, what a repair
//! would lose.

use std::fmt::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

/// What a start of the broker does about something, without any repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// It puts it right by itself, or it does not matter.
    PutsRight,
    /// It opens the partition, and whoever reads there is told that the records are corrupt.
    Serves,
    /// It opens the partition, and gives offsets out a second time.
    ReusesOffsets,
    /// It leaves the partition closed.
    RefusesPartition,
    /// The node does not start.
    RefusesNode,
}

impl Start {
    /// Whether there is something to repair.
    pub fn needs_repair(self) -> bool {
        match self {
            Self::PutsRight => false,
            Self::Serves | Self::ReusesOffsets | Self::RefusesPartition | Self::RefusesNode => true,
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PutsRight => "a start puts it right by itself",
            Self::Serves => "a start opens the partition; who reads there gets CORRUPT_MESSAGE",
            Self::ReusesOffsets => "a start opens the partition and gives these offsets out again",
            Self::RefusesPartition => "a start leaves this partition closed",
            Self::RefusesNode => "the node does not start",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub file: String,
    pub position: Option<u64>,
    pub offset: Option<u64>,
    pub message: String,
    pub start: Start,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum RepairKind {
    /// Leave out what cannot be read, and keep every whole batch behind it.
    Skip,
    /// Give up everything from the first damaged place on.
    Cut,
}

impl fmt::Display for RepairKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skip => "skip",
            Self::Cut => "cut",
        })
    }
}

/// Records that a repair takes out of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    pub file: String,
    pub position: u64,
    pub bytes: u64,
    /// The first offset that is lost.
    pub from: u64,
    /// The first one that is not.
    pub to: u64,
    /// Whole batches and records among it; what cannot be read cannot be counted.
    pub batches: u64,
    pub records: u64,
    /// Some of it cannot be read.
    pub has_unreadable: bool,
    /// Below this offset all of it was on disk, and acknowledged; what is behind may have been.
    pub acknowledged_below: u64,
}

/// One way to make a partition whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repair {
    pub kind: RepairKind,
    pub loses: Vec<Loss>,
    /// New records get offsets from here on, so that none is given out twice.
    pub goes_on_at: u64,
}

pub fn finding(text: &mut String, finding: &Finding) {
    let Finding { file, position, offset, message, start } = finding;
    let kind = if start.needs_repair() { "WRONG" } else { "note" };
    let position = position.map_or_else(String::new, |at| format!(", byte {at}"));
    let offset = offset.map_or_else(String::new, |at| format!(", offset {at}"));
    let _ = writeln!(text, "  {kind}: {file}{position}{offset}: {message}\n      {start}");
}

pub fn repair(text: &mut String, repair: &Repair) {
    let Repair { kind, loses, goes_on_at } = repair;
    let does = match kind {
        RepairKind::Skip => "leave out what cannot be read, and keep every whole batch behind it",
        RepairKind::Cut => "give up everything from the first damaged place on",
    };
    let _ = writeln!(text, "  repair `{kind}`: {does}; new records begin with offset {goes_on_at}");
    if loses.is_empty() {
        text.push_str("      loses nothing that is still there\n");
    }
    for loss in loses {
        let Loss { file, position, bytes, from, to, batches, records, .. } = loss;
        let _ = write!(
            text,
            "      loses offsets {from} to {to} (exclusive): {bytes} bytes from byte {position} of {file}"
        );
        if 0 < *batches {
            let _ = write!(text, ", {batches} whole batches with {records} records");
        }
        if loss.has_unreadable {
            text.push_str(", what cannot be read included");
        }
        let known = loss.acknowledged_below;
        let acknowledged = if *to <= known {
            "all of it was on disk, and acknowledged".to_owned()
        } else if *from < known {
            format!("below offset {known} it was on disk, and acknowledged; the rest may have been")
        } else {
            "it may have been acknowledged".to_owned()
        };
        let _ = writeln!(text, "; {acknowledged}");
    }
}
