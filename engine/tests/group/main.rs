//! The group coordinator as its clients see it: dialogues as text, and random ones against a model.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks at the few variants it is about")]

#[cfg(test)]
const TRANSCRIPTS: &str = "group";

mod cluster;
#[cfg(test)]
mod command;
#[cfg(test)]
mod consumer_model;
#[cfg(test)]
mod dialogue;
#[cfg(test)]
mod model;
#[cfg(test)]
mod show;
#[cfg(test)]
mod transcripts;
