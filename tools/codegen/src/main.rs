//! `corelog-codegen`: Kafka's facts → our tables → Rust.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use codegen::files::{self, FilesError, Tables};
use codegen::kafka::{self, KafkaError};
use codegen::model::Module;
use codegen::table;
use thiserror::Error;

#[derive(Parser)]
#[command(about = "Generates Rust from the schema tables of the Kafka protocol")]
struct Arguments {
    /// The folder of the workspace.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))]
    root: PathBuf,
    #[command(subcommand)]
    step: Step,
}

#[derive(Subcommand)]
enum Step {
    /// Read Kafka's schemas into our tables.
    Tables {
        /// A folder with Kafka's jars, or with one unpacked folder per module.
        kafka: PathBuf,
    },
    /// Read Kafka's error codes into our table.
    Errors {
        /// A folder with Kafka's jars.
        libs: PathBuf,
    },
    /// Write the generated Rust.
    Rust,
    /// Fail if a committed generated file differs from what the tables say.
    Check,
}

#[derive(Debug, Error)]
enum StepError {
    #[error("{0}")]
    Kafka(#[from] KafkaError),
    #[error("{0}")]
    Files(#[from] FilesError),
    #[error("{path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("these files are not what the tables say; run `cargo run -p corelog-codegen -- rust`:{}",
        .paths.iter().map(|path| format!("\n  {}", path.display())).collect::<String>())]
    Different { paths: Vec<PathBuf> },
}

#[expect(clippy::print_stderr, reason = "a command line tool says why it failed")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.root, &arguments.step) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path, step: &Step) -> Result<(), StepError> {
    match step {
        Step::Tables { kafka } => {
            for module in Module::ALL {
                let schemas = kafka::schemas(kafka, module)?;
                write(files::table_path(root, module), table::print(&schemas))?;
            }
        }
        Step::Errors { libs } => {
            let program = root.join("tools/codegen/java/KafkaErrors.java");
            let errors = kafka::error_codes(libs, &program)?;
            write(files::errors_path(root), table::print_errors(&errors))?;
        }
        Step::Rust => {
            let generated = files::generate(root, &Tables::read(root)?)?;
            files::write(root, &generated)?;
        }
        Step::Check => {
            let generated = files::generate(root, &Tables::read(root)?)?;
            let paths = files::differences(root, &generated)?;
            if !paths.is_empty() {
                return Err(StepError::Different { paths });
            }
        }
    }
    Ok(())
}

fn write(path: PathBuf, text: String) -> Result<(), StepError> {
    std::fs::write(&path, text).map_err(|source| StepError::Write { path, source })
}
