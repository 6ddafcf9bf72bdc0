//! Every record that the engine keeps; the first three bytes choose which.

use std::sync::LazyLock;

use codec::CatalogEntry;

use super::{Target, seeds};

static CATALOG: LazyLock<Vec<CatalogEntry>> = LazyLock::new(|| engine::records::CATALOGS.concat());

pub(super) const TARGET: Target = Target {
    name: "engine_records",
    run: |data| {
        codec::decode_any(&CATALOG, data);
    },
    seeds: || seeds::messages(&CATALOG),
    memory_factor: 64,
    memory_bytes_base: 64 * 1024,
    rounds: 40_000,
};
