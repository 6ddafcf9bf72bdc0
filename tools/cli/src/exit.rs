//! How a command ends: exit code 0 when all was done, 1 when it failed, 2 when it was asked wrongly.

use std::fmt::Display;
use std::process::ExitCode;

/// One sentence for the user, and the code for the script.
#[derive(Debug)]
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

    /// Whoever read the answer has read enough (`… | head`): no error, and nothing more to say.
    pub fn unheard() -> Self {
        Self { message: String::new(), code: 0 }
    }

    /// The user has been told already, on standard output as Kafka's tools do.
    pub fn told() -> Self {
        Self { message: String::new(), code: 1 }
    }

    /// The same sentence with the code that Kafka's own tools end with.
    pub fn into_kafka(mut self) -> Self {
        self.code = self.code.min(1);
        self
    }

    /// Whether there is nothing to say.
    pub fn is_quiet(&self) -> bool {
        self.message.is_empty()
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    #[expect(clippy::print_stderr, reason = "this is where a command speaks to its user")]
    pub fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("error: {}", self.message);
        }
        ExitCode::from(self.code)
    }
}

/// Whatever goes wrong below says itself what happened.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::failed(error)
    }
}
