//! A workflow file as domain types: what [`parse()`] makes of YAML, and what decisions read.
//!
//! The way of a file: [`yaml`] (tree of nodes) → [`reader`] (typed values) with [`triggers`], [`grants`], [`steps`]
//! driven by the [`registry`] → [`check`] (what can be known before a run) → [`Workflow`], or [`diagnostic`]s.

mod model;
pub mod parse;
pub mod diagnostic;
pub mod render;
pub mod report;
pub mod codes;
pub mod yaml;
pub(crate) mod node;
mod scalar;
mod rhai;
mod mentions;
mod function_calls;
pub mod template;
pub(crate) mod reader;
#[cfg(test)]
mod reference;
pub mod registry;
pub mod triggers;
pub mod gates;
pub mod grants;
pub mod steps;
pub mod concurrency;
mod check;
pub mod schema;
pub mod format;
pub mod visit;
pub mod shapes;
pub mod topic;
pub mod selector;
pub mod duration;
mod cron;
pub mod inputs;
pub mod set;
mod between;
mod known;

pub use concurrency::CONCURRENCY_FIELDS;
pub(crate) use diagnostic::nearest;
pub use diagnostic::{Diagnostic, Severity};
pub use duration::{format_duration, parse_duration};
pub use format::{FileKind, Unformatted, format};
pub use function_calls::{FunctionCall, function_calls};
pub use gates::{Collect, Debounce, Dedupe, Gates, Throttle};
pub use inputs::{InputKind, InputSpec};
pub use known::Known;
pub use mentions::Mentions;
pub use model::*;
pub use parse::{Parsed, parse, parse_bytes};
pub use render::render;
pub use schema::json_schema;
pub use set::WorkflowSet;
pub use triggers::CATCH_UP_MAX;
pub use visit::Code;
