//! Who may import whom. The engine must never reach for a socket and a pure folder never for a disk or a
//! clock: the simulator's promise, that a seed replays a run, rests on that.

use std::collections::BTreeMap;
use std::path::Path;

use crate::source::{code_lines, first_segments};
use crate::tree::SourceFile;

/// Each crate and the crates of ours it may depend on.
pub const CRATES: [(&str, &[&str]); 12] = [
    ("corelog-codec", &[]),
    ("corelog-wire", &["codec"]),
    ("corelog-socket", &[]),
    ("corelog-client", &["codec", "wire", "socket"]),
    ("corelog-engine", &["codec"]),
    ("corelog-server", &["codec", "wire", "socket", "client", "engine"]),
    ("corelog-bench", &["codec", "wire", "client"]),
    ("corelog", &["codec", "wire", "socket", "client", "engine", "server", "bench"]),
    ("corelog-tidy", &[]),
    ("corelog-codegen", &["codec", "wire"]),
    ("corelog-fuzz", &["codec", "wire", "client", "engine"]),
    ("corelog-libfuzzer", &[]),
];

/// Each folder of the engine and the folders it may import. What is missing here may not exist.
pub const ENGINE: [(&str, &[&str]); 17] = [
    ("types", &[]),
    ("records", &["types"]),
    ("record", &["types"]),
    ("config", &["types"]),
    ("io", &["types"]),
    ("log", &["types", "records", "record", "io"]),
    ("journal", &["types", "records", "record", "io", "log"]),
    ("replica", &["types"]),
    ("quorum", &["types", "records", "record"]),
    ("cluster", &["types", "records", "record", "config"]),
    ("coordinator", &["types", "record"]),
    ("group", &["types", "records", "record", "coordinator"]),
    ("txn", &["types", "records", "record", "coordinator"]),
    ("share", &["types", "records", "record", "coordinator"]),
    (
        "shard",
        &[
            "types",
            "records",
            "record",
            "config",
            "io",
            "log",
            "journal",
            "replica",
            "quorum",
            "cluster",
            "coordinator",
            "group",
            "txn",
            "share",
        ],
    ),
    (
        "broker",
        &[
            "types",
            "records",
            "record",
            "config",
            "io",
            "log",
            "journal",
            "replica",
            "quorum",
            "cluster",
            "coordinator",
            "group",
            "txn",
            "share",
            "shard",
        ],
    ),
    (
        "sim",
        &[
            "types",
            "records",
            "record",
            "config",
            "io",
            "log",
            "journal",
            "replica",
            "quorum",
            "cluster",
            "coordinator",
            "group",
            "txn",
            "share",
            "shard",
            "broker",
        ],
    ),
];

/// Folders of the engine that decide and never do.
pub const PURE: [&str; 11] = [
    "types",
    "records",
    "record",
    "config",
    "cluster",
    "coordinator",
    "group",
    "replica",
    "quorum",
    "txn",
    "share",
];

/// What a decision has no business with, as it looks in code.
const DEEDS: [&str; 10] = [
    "async fn",
    "async move",
    ".await",
    "std::fs",
    "std::net",
    "std::thread",
    "std::time::Instant",
    "SystemTime",
    "glommio",
    "std::env",
];

const OUTSIDE_DOORS: [&str; 2] = ["engine/src/io", "net/socket"];

/// Arrows between crates, as their manifests draw them.
#[must_use]
pub fn crate_violations(files: &[SourceFile]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = CRATES.into_iter().collect();
    let ours = ["codec", "wire", "socket", "client", "engine", "server", "bench"];
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        let Ok(manifest) = file.text.parse::<toml::Table>() else {
            wrong.push(format!("{} is not a manifest", file.name()));
            continue;
        };
        let Some(name) = manifest
            .get("package")
            .and_then(|package| package.get("name"))
            .and_then(toml::Value::as_str)
        else {
            continue;
        };
        let Some(targets) = allowed.get(name) else {
            wrong.push(format!("{}: the crate {name} has no arrows in tools/tidy", file.name()));
            continue;
        };
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        for dependency in dependencies.into_iter().flat_map(toml::Table::keys) {
            if ours.contains(&dependency.as_str()) && !targets.contains(&dependency.as_str()) {
                wrong.push(format!("{name} → {dependency} ({})", file.name()));
            }
        }
    }
    wrong
}

/// Arrows between the engine's folders, as `crate::` paths draw them.
#[must_use]
pub fn folder_violations(files: &[SourceFile]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ENGINE.into_iter().collect();
    let mut wrong = Vec::new();
    for file in files {
        let Some(folder) = engine_folder(&file.path) else { continue };
        let Some(targets) = allowed.get(folder) else {
            wrong.push(format!("{}: the folder {folder} has no arrows in tools/tidy", file.name()));
            continue;
        };
        let code = code_lines(&file.text).map(|(_, line)| format!("{line}\n")).collect::<String>();
        for target in first_segments(&code, "crate::") {
            let is_folder = allowed.contains_key(target.as_str());
            if is_folder && target != folder && !targets.contains(&target.as_str()) {
                wrong.push(format!("{folder} → {target} ({})", file.name()));
            }
        }
    }
    wrong.dedup();
    wrong
}

/// Pure folders that await, read a clock or touch the outside.
#[must_use]
pub fn impure_lines(files: &[SourceFile]) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files {
        if !engine_folder(&file.path).is_some_and(|folder| PURE.contains(&folder)) {
            continue;
        }
        for (number, line) in code_lines(&file.text) {
            for deed in DEEDS {
                if line.contains(deed) {
                    wrong.push(format!("{}:{number}: {deed} in a pure folder", file.name()));
                }
            }
        }
    }
    wrong
}

/// Code that names the runtime outside the two doors.
#[must_use]
pub fn runtime_named_inside(files: &[SourceFile]) -> Vec<String> {
    let runtime = concat!("glom", "mio");
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| file.has_extension("rs")) {
        let name = file.name();
        if OUTSIDE_DOORS.iter().any(|door| name.starts_with(door))
            || name.starts_with("tools/tidy/")
        {
            continue;
        }
        for (number, line) in code_lines(&file.text) {
            if first_segments(line, runtime).len() + line.matches(&format!("{runtime}::")).count()
                > 0
            {
                wrong.push(format!("{name}:{number} names {runtime}"));
            }
        }
    }
    wrong
}

/// `log` for engine/src/log/… and engine/src/log.rs.
fn engine_folder(path: &Path) -> Option<&str> {
    let inside = path.strip_prefix("engine/src").ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (path.extension()? == "rs" && name != "lib").then_some(name)
}
