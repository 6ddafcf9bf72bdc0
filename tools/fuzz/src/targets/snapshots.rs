//! Metadata snapshots as files: from any bytes to an image, or a refusal.

use bytes::Bytes;
use engine::cluster::ClusterImage;
use engine::cluster::snapshot::{Snapshot, SnapshotId};
use engine::types::{LeaderEpoch, Timestamp};

use super::seal::sealed;
use super::{Target, metadata, seeds};
use crate::source::Source;

pub(super) const TARGET: Target = Target {
    name: "metadata_snapshots",
    run,
    seeds: || {
        let files = seeds::golden("checkpoint").into_iter();
        files.map(|file| [&[1], &file[..]].concat()).collect()
    },
    memory_factor: 2048,
    memory_bytes_base: 4 * 1024 * 1024,
    rounds: 6_000,
};

fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let is_sealed = source.flag();
    let rest = source.rest();
    if let Ok(name) = std::str::from_utf8(rest)
        && let Some(id) = SnapshotId::from_file_name(name)
    {
        assert_eq!(SnapshotId::from_file_name(&id.file_name()), Some(id));
    }
    let bytes = if is_sealed { sealed(rest) } else { Bytes::copy_from_slice(rest) };
    let Ok(snapshot) = Snapshot::decode(&bytes) else { return };
    let written = snapshot.encode(LeaderEpoch::ZERO, Timestamp(1));
    // Fields that newer versions of a record cannot carry are refused, and lost by nobody.
    if let Ok(written) = written {
        let again = Snapshot::decode(&written).expect("what was written can be read");
        assert_eq!(format!("{again:?}"), format!("{snapshot:?}"));
    }
    let mut image = ClusterImage::new("fuzzed");
    if snapshot.records.iter().all(|record| image.apply(record).is_ok()) {
        let kinds = snapshot.records.iter().map(engine::records::metadata::MetadataRecord::kind);
        let is_open = kinds.filter(|kind| (23..=25).contains(kind)).last() == Some(23);
        if !is_open {
            metadata::check_image(&image);
        }
    }
}
