//! The `cartwright` binary.
fn main() {}
