//! Standard output, which belongs to what a command answers. A reader that goes away (`| head`)
//! ends the command without an error; a full disk does not.

use std::io::{self, Write};

use serde::Serialize;

use crate::exit::Failure;

/// Writes text as it is.
pub fn print(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// Writes text and a line feed.
pub fn line(text: &str) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Writes a value for scripts, on one line.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(&serde_json::to_string(value)?)
}

pub fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(failure)
}

/// What a failed write to standard output means.
pub fn failure(error: io::Error) -> Failure {
    match error.kind() == io::ErrorKind::BrokenPipe {
        true => Failure::unheard(),
        false => Failure::failed(format!("cannot write to standard output: {error}")),
    }
}

/// Writes a remark for the user, beside the answer.
#[expect(clippy::print_stderr, reason = "this is where a command speaks to its user")]
pub fn remark(text: &str) {
    eprintln!("{text}");
}
