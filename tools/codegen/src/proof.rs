//! What the tests of generated code share: samples of every message in every version, and the
//! answers of Kafka's own classes to them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use codec::{CatalogEntry, RecodeError, decode_any};
use thiserror::Error;

use crate::files::{FilesError, Tables};
use crate::model::Module;
use crate::sample::{self, Random};

/// More differences than these do not help to find the first.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Error)]
pub enum ProofError {
    #[error("{0}")]
    Tables(#[from] FilesError),
    #[error("no schema is called {name}")]
    NoSchema { name: &'static str },
    #[error("Kafka's jars are not in {folder}; fetch them by tools/peer/fetch-kafka")]
    NoJars { folder: PathBuf },
    #[error("java: {message}")]
    Java { message: String },
    #[error("{} differences, among them\n{}", .differences.len(),
        .differences.iter().take(SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join("\n"))]
    Different { differences: Vec<String> },
}

/// A message as bytes of one version.
#[derive(Clone, Debug)]
pub struct Sample<'catalog> {
    /// Its place in the catalog.
    pub place: usize,
    pub entry: &'catalog CatalogEntry,
    pub version: i16,
    pub bytes: Bytes,
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// `count` samples of every message in every version.
pub fn samples(
    catalog: &[CatalogEntry],
    seed: u64,
    count: usize,
) -> Result<Vec<Sample<'_>>, ProofError> {
    let tables = Tables::read(root())?;
    let mut random = Random(seed);
    let mut samples = Vec::new();
    for (place, entry) in catalog.iter().enumerate() {
        let schema = Module::ALL
            .iter()
            .find_map(|module| tables.live(*module).find(|schema| schema.name == entry.name));
        let schema = schema.ok_or(ProofError::NoSchema { name: entry.name })?;
        for version in entry.versions.clone() {
            for _ in 0..count {
                let bytes = sample::message(schema, version, &mut random).into();
                samples.push(Sample { place, entry, version, bytes });
            }
        }
    }
    Ok(samples)
}

/// Kafka's classes, in one Java process per question list.
#[derive(Debug)]
pub struct Kafka {
    libs: PathBuf,
}

impl Kafka {
    /// The jars stand in the folder that `CORELOG_KAFKA_LIBS` names, else where the project's script
    /// puts them.
    pub fn find() -> Result<Self, ProofError> {
        let named = std::env::var_os("CORELOG_KAFKA_LIBS").map(PathBuf::from);
        let libs = named.unwrap_or_else(|| root().join(".cache/kafka/libs"));
        if !libs.is_dir() {
            return Err(ProofError::NoJars { folder: libs });
        }
        Ok(Self { libs })
    }

    /// One answer per question; `tools/codegen/java/KafkaBytes.java` says what can be asked.
    pub fn ask(&self, questions: &[String]) -> Result<Vec<String>, ProofError> {
        let failed = |message: String| ProofError::Java { message };
        let mut child = Command::new("java")
            .args(["-XX:+UseSerialGC", "-Xshare:auto", "-cp"])
            .arg(self.libs.join("*"))
            .arg(root().join("tools/codegen/java/KafkaBytes.java"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let input = child.stdin.take();
        let text = questions.iter().map(|question| format!("{question}\n")).collect::<String>();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || input.map(|mut input| input.write_all(text.as_bytes())));
            child.wait_with_output()
        });
        let output = output.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let answers = printed.lines().map(str::to_owned).collect::<Vec<_>>();
        if answers.len() != questions.len() {
            return Err(failed(format!(
                "{} answers to {} questions",
                answers.len(),
                questions.len()
            )));
        }
        Ok(answers)
    }
}

/// Every message, read in every version and written in every version, is what Kafka's own class
/// makes of it: the same bytes, or a refusal where Kafka refuses.
pub fn compare_with_kafka(
    catalog: &[CatalogEntry],
    seed: u64,
    count: usize,
) -> Result<usize, ProofError> {
    let kafka = Kafka::find()?;
    let mut questions = Vec::new();
    let mut ours = Vec::new();
    for sample in samples(catalog, seed, count)? {
        let Sample { entry, version, bytes, .. } = sample;
        for to in entry.versions.clone() {
            questions.push(format!("recode {} {version} {to} {}", entry.name, hex(&bytes)));
            ours.push((entry.recode)(&bytes, version, to));
        }
    }
    for entry in catalog {
        for to in entry.versions.clone() {
            questions.push(format!("default {} {to}", entry.name));
            ours.push((entry.encode_default)(to).map_err(RecodeError::Encode));
        }
    }
    let answers = kafka.ask(&questions)?;
    let mut differences = Vec::new();
    for ((question, answer), ours) in questions.iter().zip(&answers).zip(&ours) {
        let agrees = match ours {
            Ok(bytes) => hex(bytes) == *answer,
            Err(RecodeError::Encode(_)) => answer.starts_with("unwritable"),
            Err(RecodeError::Decode(_)) => false,
        };
        if !agrees {
            let ours = ours.as_ref().map(|bytes| hex(bytes)).map_err(ToString::to_string);
            differences.push(format!("{question}\n  Kafka: {answer}\n  ours:  {ours:?}"));
        }
    }
    if differences.is_empty() {
        Ok(questions.len())
    } else {
        Err(ProofError::Different { differences })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks that no message can be read from only its beginning.
///
/// # Panics
/// When one can, or the tables cannot be read.
pub fn refuse_prefixes(catalog: &[CatalogEntry], seed: u64, count: usize) {
    let samples = samples(catalog, seed, count).expect("the tables are part of the tree");
    for Sample { entry, version, bytes, .. } in samples {
        for length in 0..bytes.len() {
            let outcome = (entry.recode)(&bytes.slice(..length), version, version);
            let name = entry.name;
            assert!(
                matches!(outcome, Err(RecodeError::Decode(_))),
                "{length} of {} bytes of {name} {version} were read",
                bytes.len()
            );
        }
    }
}

/// Checks that changed messages are refused, or read back as they are written.
///
/// # Panics
/// When one is neither, or the tables cannot be read.
pub fn survive_mutations(catalog: &[CatalogEntry], seed: u64, rounds: usize) {
    let samples = samples(catalog, seed, 1).expect("the tables are part of the tree");
    let mut random = Random(seed);
    for Sample { place, entry, version, bytes } in samples {
        let place = u16::try_from(place).expect("a catalog has some hundred entries");
        let version = u8::try_from(version.strict_sub(*entry.versions.start()));
        let version = version.expect("a message has some twenty versions");
        let [high, low] = place.to_be_bytes();
        for _ in 0..rounds {
            let mut data = vec![high, low, version];
            data.extend(mutated(&bytes, &mut random));
            decode_any(catalog, &data);
        }
    }
}

/// Up to four changes: a byte, a bit, an extreme length, a cut, a piece repeated.
fn mutated(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    const EXTREMES: [&[u8]; 5] = [
        &[0xff; 4],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x80; 6],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0; 4],
    ];
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let place = random.below(bytes.len().max(1));
        let end = bytes.len().min(place + random.below(8));
        let [byte, ..] = random.number().to_le_bytes();
        match random.below(5) {
            0 => bytes.iter_mut().skip(place).take(1).for_each(|old| *old = byte),
            1 => bytes.iter_mut().skip(place).take(1).for_each(|old| *old ^= 1 << (byte & 7)),
            2 => {
                let extreme = EXTREMES.get(random.below(EXTREMES.len())).copied();
                bytes.splice(place.min(end)..end, extreme.unwrap_or_default().iter().copied());
            }
            3 => bytes.truncate(place),
            _ => {
                let piece = bytes.get(place..end).unwrap_or_default().to_vec();
                bytes.splice(end..end, piece);
            }
        }
    }
    bytes
}
