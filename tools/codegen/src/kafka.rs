//! Where Kafka's own facts are read: schema files out of its jars (or a folder they were unpacked
//! to), and error codes out of its classes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use thiserror::Error;

use crate::json::{self, JsonError};
use crate::model::{ErrorCode, Module, Schema};
use crate::table::{self, TableError};

#[derive(Debug, Error)]
pub enum KafkaError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Schema { path: PathBuf, source: JsonError },
    #[error("{folder} has neither kafka-{module}-*.jar nor a folder {module}")]
    NoModule { folder: PathBuf, module: &'static str },
    #[error("{program} failed: {message}")]
    Program { program: &'static str, message: String },
    #[error("the printed error codes: {0}")]
    Errors(#[from] TableError),
}

/// All schemas of one of Kafka's modules, in the order of our tables.
pub fn schemas(folder: &Path, module: Module) -> Result<Vec<Schema>, KafkaError> {
    let mut schemas = Vec::new();
    for (path, text) in schema_files(folder, module)? {
        let schema = json::parse(&text).map_err(|source| KafkaError::Schema { path, source })?;
        schemas.push(schema);
    }
    schemas.sort_by_key(Schema::sort_key);
    Ok(schemas)
}

fn schema_files(folder: &Path, module: Module) -> Result<Vec<(PathBuf, String)>, KafkaError> {
    let unpacked = folder.join(module.name());
    if unpacked.is_dir() {
        return files_of_folder(&unpacked);
    }
    let prefix = format!("kafka-{}-", module.name());
    let is_jar = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let version = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".jar"));
        version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
    };
    let jar = entries(folder)?.into_iter().find(is_jar);
    match jar {
        Some(jar) => files_of_jar(&jar),
        None => Err(KafkaError::NoModule { folder: folder.to_owned(), module: module.name() }),
    }
}

fn files_of_folder(folder: &Path) -> Result<Vec<(PathBuf, String)>, KafkaError> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            files.extend(files_of_folder(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path);
            let text = text.map_err(|source| KafkaError::Io { path: path.clone(), source })?;
            files.push((path, text));
        }
    }
    Ok(files)
}

fn files_of_jar(jar: &Path) -> Result<Vec<(PathBuf, String)>, KafkaError> {
    let list = run("unzip", Command::new("unzip").arg("-Z1").arg(jar))?;
    let names = list.lines().filter(|name| name.ends_with(".json"));
    let read = |name: &str| {
        let text = run("unzip", Command::new("unzip").arg("-p").arg(jar).arg(name))?;
        Ok((jar.join(name), text))
    };
    names.map(read).collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, KafkaError> {
    let failed = |source| KafkaError::Io { path: folder.to_owned(), source };
    let read = fs::read_dir(folder).map_err(failed)?;
    let paths = read.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

/// Kafka's error codes, printed by a small Java program from the jars in `libs`.
pub fn error_codes(libs: &Path, program: &Path) -> Result<Vec<ErrorCode>, KafkaError> {
    let class_path = libs.join("*");
    let mut java = Command::new("java");
    let printed = run("java", java.arg("-cp").arg(class_path).arg(program))?;
    Ok(table::parse_errors(&printed)?)
}

fn run(program: &'static str, command: &mut Command) -> Result<String, KafkaError> {
    let failed = |message: String| KafkaError::Program { program, message };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    String::from_utf8(output.stdout).map_err(|error| failed(error.to_string()))
}
