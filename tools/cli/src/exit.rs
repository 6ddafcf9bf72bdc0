//! How a command ends: exit code 0 when all was done, 1 when it failed, 2 when it was asked wrongly.

use std::fmt::Display;
use std::process::ExitCode;

/// One sentence for the user, and the code for the script.
pub struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// What was asked could not be done.
    pub fn failed(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 1 }
    }

    /// What was asked makes no sense: the command line or a file is wrong.
    pub fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 2 }
    }

    #[expect(clippy::print_stderr, reason = "this is where a command speaks to its user")]
    pub fn report(self) -> ExitCode {
        eprintln!("error: {}", self.message);
        ExitCode::from(self.code)
    }
}
