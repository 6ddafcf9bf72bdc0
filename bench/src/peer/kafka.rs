//! Apache Kafka from its jars: broker and controller in one process, with the heap and the collector
//! that its own start script gives it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::Premises;
use crate::BenchError;

const CLUSTER_ID: &str = "Y29yZWxvZy1iZW5jaC1hYQ";
const HEAP: [&str; 2] = ["-Xms1g", "-Xmx1g"];
/// As in `kafka-run-class.sh`.
const COLLECTOR: [&str; 5] = [
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];
/// As in `kafka-producer-perf-test.sh`.
const CLIENT_HEAP: &str = "-Xmx512M";
/// Formatting is short work.
const SHORT_LIVED: [&str; 3] = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];
/// Only what went wrong.
const LOGGING: &str = "status = error
appender.stderr.type = Console
appender.stderr.name = STDERR
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d %p %c: %m%n
rootLogger.level = warn
rootLogger.appenderRefs = stderr
rootLogger.appenderRef.stderr.ref = STDERR
";

/// The command that starts a broker, its settings written and its folder formatted.
pub fn prepare(
    premises: &Premises,
    folder: &Path,
    port: u16,
    controller_port: u16,
    settings: &[(&str, &str)],
) -> Result<Command, BenchError> {
    let class_path = class_path(&premises.kafka_libs, folder)?;
    let properties = write_properties(folder, port, controller_port, settings)?;
    let data = folder.join("data");
    if !data.join("meta.properties").exists() {
        let mut format = Command::new("java");
        format.args(SHORT_LIVED).arg("-cp").arg(&class_path);
        format.args(["kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID, "-c"]);
        format.arg(&properties);
        let words = format!("{format:?}");
        let done = format
            .output()
            .map_err(|source| BenchError::Spawn { command: words.clone(), source })?;
        if !done.status.success() {
            let said = [done.stdout, done.stderr].concat();
            let tail = String::from_utf8_lossy(&said).into_owned();
            return Err(BenchError::NotStarted { system: "kafka".to_owned(), tail });
        }
    }
    let mut command = Command::new("java");
    command.args(HEAP).args(COLLECTOR).arg("-cp").arg(&class_path).arg("kafka.Kafka");
    command.arg(&properties).current_dir(folder);
    Ok(command)
}

/// One of the programs of its jars, with the heap and the collector of its own start script.
pub fn client(libs: &Path, folder: &Path, class: &str) -> Result<Command, BenchError> {
    let class_path = class_path(libs, folder)?;
    let mut command = Command::new("java");
    command.arg(CLIENT_HEAP).args(COLLECTOR).arg("-cp").arg(class_path).arg(class);
    Ok(command)
}

/// Whether the jars are there.
pub fn find_jars(libs: &Path) -> Result<(), BenchError> {
    let has_broker = fs::read_dir(libs)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("kafka_2."));
    match has_broker {
        true => Ok(()),
        false => Err(BenchError::NoKafka { libs: libs.to_owned() }),
    }
}

fn class_path(libs: &Path, folder: &Path) -> Result<String, BenchError> {
    find_jars(libs)?;
    let conf = folder.join("conf");
    let written =
        fs::create_dir_all(&conf).and_then(|()| fs::write(conf.join("log4j2.properties"), LOGGING));
    written.map_err(|source| BenchError::Folder { folder: conf.clone(), source })?;
    Ok(format!("{}:{}/*", conf.display(), libs.display()))
}

fn write_properties(
    folder: &Path,
    port: u16,
    controller_port: u16,
    settings: &[(&str, &str)],
) -> Result<PathBuf, BenchError> {
    let listeners =
        format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}");
    let controller = format!("127.0.0.1:{controller_port}");
    let data = folder.join("data").display().to_string();
    let own = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.quorum.bootstrap.servers", &controller),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", &listeners),
        ("advertised.listeners", &listeners),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
        ("log.dirs", &data),
    ];
    let lines = own.iter().chain(settings).map(|(key, value)| format!("{key}={value}\n"));
    let path = folder.join("server.properties");
    fs::write(&path, lines.collect::<String>())
        .map_err(|source| BenchError::Folder { folder: path.clone(), source })?;
    Ok(path)
}
