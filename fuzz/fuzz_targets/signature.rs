//! Requests to a workflow's own address: four lines of headers, then the body. No scheme of signatures trusts what nobody
//! signed, nothing panics.
#![no_main]

use cartwright_tests::entrances;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| entrances::signature_bytes(input));
