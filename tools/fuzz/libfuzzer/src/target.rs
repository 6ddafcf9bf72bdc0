//! Every target is this file; the name of the executable says which.
#![no_main]

use std::sync::LazyLock;

use fuzz::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = env!("CARGO_BIN_NAME");
    fuzz::find(name).unwrap_or_else(|| panic!("no target is called {name}"))
});

fuzz_target!(|data: &[u8]| (TARGET.run)(data));
