//! Expressions: a value or an error, within their limits, never a panic.
#![no_main]

use cartwright_tests::entrances;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| entrances::expression(source));
