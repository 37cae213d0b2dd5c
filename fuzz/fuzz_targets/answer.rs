//! Answers of stores: whatever comes back means something, and nothing panics. See `entrances::answer` for the form.
#![no_main]

use cartwright_tests::entrances;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| entrances::answer(input));
