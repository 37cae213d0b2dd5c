//! Files with tests of workflows: read or refused with a place, never a panic.
#![no_main]

use cartwright_tests::entrances;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| entrances::tests_of_workflows(text));
