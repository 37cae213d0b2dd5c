//! A workflow file as domain types: what [`parse`](self) makes of YAML, and what decisions read.

mod model;

pub use model::*;
