//! A request frame as it comes from a socket: the header names the body.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    wire::decode_any_request(data);
});
