//! Which generated file stands where, so that writing and checking cannot disagree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use thiserror::Error;

use crate::model::{Module, Schema};
use crate::protocol_page;
use crate::rust::{api_keys, error_codes, families, message, names};
use crate::table::{self, TableError};

#[derive(Debug, Error)]
pub enum FilesError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}, {source}")]
    Table { path: PathBuf, source: TableError },
    #[error("rustfmt: {message}")]
    Rustfmt { message: String },
    #[error("{path} has no place for the generated table")]
    NoMarks { path: PathBuf },
}

/// The committed tables.
#[derive(Debug)]
pub struct Tables {
    modules: Vec<(Module, Vec<Schema>)>,
    errors: Vec<crate::model::ErrorCode>,
}

pub fn table_path(root: &Path, module: Module) -> PathBuf {
    root.join("tools/codegen/schema").join(module.name()).with_extension("txt")
}

pub fn errors_path(root: &Path) -> PathBuf {
    root.join("tools/codegen/schema/errors.txt")
}

impl Tables {
    pub fn read(root: &Path) -> Result<Self, FilesError> {
        let mut modules = Vec::new();
        for module in Module::ALL {
            let path = table_path(root, module);
            let parsed = table::parse(&read(&path)?);
            modules.push((module, parsed.map_err(|source| FilesError::Table { path, source })?));
        }
        let path = errors_path(root);
        let errors = table::parse_errors(&read(&path)?);
        let errors = errors.map_err(|source| FilesError::Table { path, source })?;
        Ok(Self { modules, errors })
    }

    /// The schemas of a module which exist in some version.
    pub fn live(&self, module: Module) -> impl Iterator<Item = &Schema> {
        let ours = self.modules.iter().filter(move |(of, _)| *of == module);
        ours.flat_map(|(_, schemas)| schemas).filter(|schema| !schema.versions.is_empty())
    }

    fn named(&self, module: Module, wanted: &[&str]) -> Vec<&Schema> {
        self.live(module).filter(|schema| wanted.contains(&schema.name.as_str())).collect()
    }

    fn all(&self, module: Module) -> &[Schema] {
        let found = self.modules.iter().find(|(of, _)| *of == module);
        found.map_or(&[], |(_, schemas)| schemas)
    }
}

/// A folder of generated files only: what is not generated any more does not belong there.
const OWNED_FOLDERS: [&str; 8] = [
    "net/wire/src/messages",
    "engine/src/records/metadata",
    "engine/src/records/group",
    "engine/src/records/transaction",
    "engine/src/records/share",
    "engine/src/records/consumer_protocol",
    "engine/src/records/storage",
    "engine/src/records/raft",
];

/// Every generated file by its path under `root`, formatted.
pub fn generate(root: &Path, tables: &Tables) -> Result<BTreeMap<PathBuf, String>, FilesError> {
    let mut files = BTreeMap::new();
    wire(tables, &mut files);
    engine(tables, &mut files);
    rustfmt(root, &mut files)?;
    let page = PathBuf::from("docs/protocol.md");
    let text = read(&root.join(&page))?;
    let refreshed = protocol_page::refreshed(&text, tables.all(Module::Clients));
    files.insert(page.clone(), refreshed.ok_or(FilesError::NoMarks { path: page })?);
    Ok(files)
}

fn wire(tables: &Tables, files: &mut BTreeMap<PathBuf, String>) {
    let schemas = tables.live(Module::Clients).collect::<Vec<_>>();
    let folder = Path::new("net/wire/src/messages");
    messages(folder, "Every request, response and header of the protocol.", &schemas, &[], files);
    let clients = tables.all(Module::Clients);
    files.insert("net/wire/src/api_key/table.rs".into(), api_keys::file(clients));
    files.insert("net/wire/src/error_code/table.rs".into(), error_codes::file(&tables.errors));
}

fn messages(
    folder: &Path,
    about: &str,
    schemas: &[&Schema],
    extra: &[(&str, &str)],
    files: &mut BTreeMap<PathBuf, String>,
) {
    for schema in schemas {
        let file = folder.join(names::snake(&schema.name)).with_extension("rs");
        files.insert(file, message::file(schema));
    }
    files.insert(folder.join("mod.rs"), message::module(schemas, about, extra));
}

fn engine(tables: &Tables, files: &mut BTreeMap<PathBuf, String>) {
    let records = Path::new("engine/src/records");

    let folder = records.join("metadata");
    let schemas = tables.live(Module::Metadata).collect::<Vec<_>>();
    let about = "The records of the metadata log.";
    messages(&folder, about, &schemas, &[("metadata_record", "MetadataRecord")], files);
    let about = "Any record of the metadata log.";
    let text = families::framed("MetadataRecord", about, &schemas);
    files.insert(folder.join("metadata_record.rs"), text);

    let schemas = tables.live(Module::GroupCoordinator).collect::<Vec<_>>();
    let about = "Keys and values of `__consumer_offsets`.";
    coordinator(&records.join("group"), "Group", about, &schemas, files);

    let mut schemas = tables.live(Module::TransactionCoordinator).collect::<Vec<_>>();
    schemas.extend(tables.named(Module::Clients, &["EndTxnMarker"]));
    let about = "Keys and values of `__transaction_state`, and the marker that ends a transaction.";
    coordinator(&records.join("transaction"), "Transaction", about, &schemas, files);

    let schemas = tables.live(Module::ShareCoordinator).collect::<Vec<_>>();
    let about = "Keys and values of `__share_group_state`.";
    coordinator(&records.join("share"), "Share", about, &schemas, files);

    let wanted = ["ConsumerProtocolAssignment", "ConsumerProtocolSubscription"];
    let schemas = tables.named(Module::Clients, &wanted);
    let about = "What members of a classic consumer group tell each other through the coordinator.";
    messages(&records.join("consumer_protocol"), about, &schemas, &[], files);

    let folder = records.join("storage");
    let schemas = tables.live(Module::Storage).collect::<Vec<_>>();
    let about = "Records beside the log: producer snapshots and the remote log's metadata.";
    messages(&folder, about, &schemas, &[("remote_log_record", "RemoteLogRecord")], files);
    let about = "Any record of `__remote_log_metadata`.";
    let text = families::framed("RemoteLogRecord", about, &schemas);
    files.insert(folder.join("remote_log_record.rs"), text);

    let wanted = [
        "ControlRecordTypeSchema",
        "KRaftVersionRecord",
        "LeaderChangeMessage",
        "SnapshotFooterRecord",
        "SnapshotHeaderRecord",
        "VotersRecord",
    ];
    let mut schemas = tables.named(Module::Clients, &wanted);
    schemas.extend(tables.live(Module::Raft));
    let about = "Control records of the metadata log and its snapshots, and the election's state.";
    messages(&records.join("raft"), about, &schemas, &[], files);
}

fn coordinator(
    folder: &Path,
    name: &str,
    about: &str,
    schemas: &[&Schema],
    files: &mut BTreeMap<PathBuf, String>,
) {
    let (key, value) = (format!("{name}Key"), format!("{name}Value"));
    let (key_file, value_file) = (names::snake(&key), names::snake(&value));
    let extra = [(key_file.as_str(), key.as_str()), (value_file.as_str(), value.as_str())];
    messages(folder, about, schemas, &extra, files);
    let mut enum_file = |file: &str, text: String| {
        files.insert(folder.join(file).with_extension("rs"), text);
    };
    enum_file(&key_file, families::keys(&key, "Any key of this log.", schemas));
    enum_file(&value_file, families::values(&value, "Any value of this log.", schemas));
}

/// Writes what differs, and removes what is not generated any more.
pub fn write(root: &Path, files: &BTreeMap<PathBuf, String>) -> Result<Vec<PathBuf>, FilesError> {
    let different = differences(root, files)?;
    for path in &different {
        let target = root.join(path);
        match files.get(path) {
            Some(text) => write_file(&target, text)?,
            None => fs::remove_file(&target)
                .map_err(|source| FilesError::Io { path: target, source })?,
        }
    }
    Ok(different)
}

/// The paths whose file is missing, differs, or should not be there.
pub fn differences(
    root: &Path,
    files: &BTreeMap<PathBuf, String>,
) -> Result<Vec<PathBuf>, FilesError> {
    let differs = |(path, text): &(&PathBuf, &String)| {
        fs::read_to_string(root.join(path)).ok().as_ref() != Some(*text)
    };
    let mut different =
        files.iter().filter(differs).map(|(path, _)| path.clone()).collect::<Vec<_>>();
    for folder in OWNED_FOLDERS {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        for entry in entries {
            let entry = entry.map_err(|source| FilesError::Io { path: folder.into(), source })?;
            let path = Path::new(folder).join(entry.file_name());
            if !files.contains_key(&path) {
                different.push(path);
            }
        }
    }
    Ok(different)
}

/// Formats all files by one call, since starting the formatter takes longer than formatting. They
/// are put into a folder of their own for it, so that a check does not touch the tree.
fn rustfmt(root: &Path, files: &mut BTreeMap<PathBuf, String>) -> Result<(), FilesError> {
    let scratch = std::env::temp_dir().join(format!("corelog-codegen-{}", std::process::id()));
    let formatted = rustfmt_in(&scratch, root, files);
    let removed = fs::remove_dir_all(&scratch);
    formatted?;
    removed.map_err(|source| FilesError::Io { path: scratch, source })
}

fn rustfmt_in(
    scratch: &Path,
    root: &Path,
    files: &mut BTreeMap<PathBuf, String>,
) -> Result<(), FilesError> {
    for (path, text) in &*files {
        write_file(&scratch.join(path), text)?;
    }
    // A module is formatted together with the files it names.
    let is_named = |path: &Path| {
        let module = path.with_file_name("mod.rs");
        path != module && files.contains_key(&module)
    };
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024", "--config-path"]).arg(root);
    command.args(files.keys().filter(|path| !is_named(path)).map(|path| scratch.join(path)));
    let failed = |message: String| FilesError::Rustfmt { message };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    for (path, text) in files {
        *text = read(&scratch.join(path))?;
    }
    Ok(())
}

fn write_file(path: &Path, text: &str) -> Result<(), FilesError> {
    let failed = |source| FilesError::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

fn read(path: &Path) -> Result<String, FilesError> {
    fs::read_to_string(path).map_err(|source| FilesError::Io { path: path.to_owned(), source })
}
