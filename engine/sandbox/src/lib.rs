//! Runs foreign code for Cartwright: expressions, templates, Rhai scripts and WebAssembly plugins, within limits.
//!
//! A source goes through [`source`] (Rhai with paths from the scope), [`compile`], and an evaluation that is one
//! [`session`] of its thread. [`expression`] answers what decisions ask; [`script`] runs scripts as durable functions
//! whose calls, defined in [`functions`], are recorded and replayed; [`plugin`] does the same for WebAssembly components.
//! [`library`] is what expressions and scripts can call freely.

mod limits;
mod source;
mod value;
mod error;
mod secret;
mod session;
mod library;
mod engine;
mod compile;
mod expression;
mod script;
mod known;
mod examine;
pub mod functions;
pub mod plugin;

pub use expression::Sandbox;
pub use limits::{Bounds, Limits};
pub use script::{Immediate, Recorded, Resolved, ScriptOutcome};
