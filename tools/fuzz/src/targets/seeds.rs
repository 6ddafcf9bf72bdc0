//! Where first inputs come from: the golden files of the tests, and samples of every message.

use std::path::Path;

use codec::CatalogEntry;
use codegen::proof;

/// Longer files make a run slow and reach nothing more.
const GOLDEN_BYTES_MAX: u64 = 8 * 1024;

/// The golden files of the engine with this ending.
pub(super) fn golden(ending: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engine/tests/golden");
    let entries = std::fs::read_dir(&folder).expect("the golden files are part of the tree");
    let mut paths: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.metadata().is_ok_and(|data| data.len() <= GOLDEN_BYTES_MAX))
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    paths.sort_unstable();
    paths.iter().map(|path| std::fs::read(path).expect("it was just listed")).collect()
}

/// A message of every kind and version, its place and version in front as `codec::decode_any`
/// expects it.
pub(super) fn messages(catalog: &[CatalogEntry]) -> Vec<Vec<u8>> {
    let samples = proof::samples(catalog, 1, 1).expect("the tables are part of the tree");
    let seed = |sample: proof::Sample<'_>| {
        let place = u16::try_from(sample.place).expect("a catalog has some hundred entries");
        let version = sample.version.strict_sub(*sample.entry.versions.start());
        let version = u8::try_from(version).expect("a message has some twenty versions");
        [&place.to_be_bytes()[..], &[version], &sample.bytes].concat()
    };
    samples.into_iter().map(seed).collect()
}

/// `bytes` behind its length, as [`crate::source::Source::piece`] takes it off.
pub(super) fn piece(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}
