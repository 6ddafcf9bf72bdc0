//! The transaction coordinator as its clients see it: dialogues as text, and random ones against a
//! model.

#[cfg(test)]
const TRANSCRIPTS: &str = "txn";

#[cfg(test)]
mod command;
#[cfg(test)]
mod dialogue;
#[cfg(test)]
mod model;
#[cfg(test)]
mod show;
#[cfg(test)]
#[path = "../group/transcripts.rs"]
mod transcripts;
