//! Dialogues with the coordinator as text. A file is a list of blocks: lines that start with `>`
//! go in, the lines after them came out. What came out is part of the file, so that a changed rule
//! shows as a changed dialogue; `REWRITE_TRANSCRIPTS=1` writes the files anew, to be reviewed.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::dialogue::Dialogue;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(crate::TRANSCRIPTS)
}

/// The dialogue of a file as it goes today. Comments and blank lines stay where they are; a line
/// `> restart` begins with a new coordinator and an empty log.
fn play(script: &str) -> String {
    let mut dialogue = Dialogue::new();
    let mut played = String::new();
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(played, "{line}").expect("a string takes all");
            if command == "restart" {
                dialogue = Dialogue::new();
                continue;
            }
            for outcome in dialogue.line(command) {
                writeln!(played, "{outcome}").expect("a string takes all");
            }
        } else if line.is_empty() || line.starts_with("//") {
            writeln!(played, "{line}").expect("a string takes all");
        }
    }
    played
}

#[test]
fn every_dialogue_goes_as_it_is_written_down() {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .expect("the transcripts' folder")
        .map(|entry| entry.expect("a folder that can be read").path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for file in files {
        let written = fs::read_to_string(&file).expect("a readable transcript");
        let played = play(&written);
        if played == written {
            continue;
        }
        if std::env::var_os("REWRITE_TRANSCRIPTS").is_some() {
            fs::write(&file, &played).expect("a writable transcript");
        } else {
            let (line, (before, after)) = written
                .lines()
                .zip(played.lines().chain(std::iter::repeat("")))
                .enumerate()
                .find(|(_, (before, after))| before != after)
                .unwrap_or_default();
            wrong.push(format!(
                "{}:{}: written «{before}», played «{after}»",
                file.display(),
                line + 1
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
