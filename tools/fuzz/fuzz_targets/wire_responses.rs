//! Any message of the protocol, responses among them; the first three bytes choose which.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    codec::decode_any(wire::messages::CATALOG, data);
});
