//! Webhook requests: the first line of input is the signature, the second the topic, the rest the body. Nothing is
//! verified without the right signature, nothing panics.
#![no_main]

use cartwright_tests::entrances;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| entrances::webhook_bytes(input));
