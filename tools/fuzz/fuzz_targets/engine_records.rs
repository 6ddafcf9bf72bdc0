//! Any record that the engine reads; the first three bytes choose which.
#![no_main]

use std::sync::LazyLock;

use codec::CatalogEntry;
use libfuzzer_sys::fuzz_target;

static CATALOG: LazyLock<Vec<CatalogEntry>> = LazyLock::new(|| engine::records::CATALOGS.concat());

fuzz_target!(|data: &[u8]| {
    codec::decode_any(&CATALOG, data);
});
