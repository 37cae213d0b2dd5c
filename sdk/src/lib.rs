//! Write plugins for Cartwright in Rust: functions with typed input and output that become steps of workflows.
//!
//! A plugin is a WebAssembly component. It sees nothing of the machine that it runs on: no files, no network, no clock,
//! only the host calls of this crate, and of those only what the workflow's `grants` allow. Each answer is kept in the
//! run's journal, so a plugin that is executed again after a crash or a long sleep gets the same answers and goes on
//! where it was.
//!
//! ```
//! use cartwright_plugin::{Call, Failure, clock, log, plugin, state};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// What the step's `with` gives. The comments become descriptions in the schema.
//! #[derive(Deserialize, JsonSchema)]
//! struct Visit {
//!     /// Who came.
//!     customer: String,
//! }
//!
//! /// What the step gives.
//! #[derive(Serialize, JsonSchema)]
//! struct Visits {
//!     count: i64,
//!     at: clock::Moment,
//! }
//!
//! fn count(visit: Visit, call: &Call) -> Result<Visits, Failure> {
//!     if visit.customer.is_empty() {
//!         return Err(Failure::invalid("a visit needs a customer"));
//!     }
//!     let count = state::increment(&format!("visits/{}", visit.customer), 1)?;
//!     log::info(format_args!("visit {count} of {} in run {}", visit.customer, call.run));
//!     Ok(Visits { count, at: clock::now() })
//! }
//!
//! plugin! {
//!     VisitCounter {
//!         name: "visit-counter",
//!         description: "Counts visits of customers.",
//!         functions: { "count": "Counts one visit." => count },
//!     }
//! }
//!
//! # /* in the package this is `#[test] fn visits_are_counted() {`
//! # */
//! use cartwright_plugin::testing::Harness;
//! use serde_json::json;
//!
//! let mut harness = Harness::new(VisitCounter).now("2026-01-02T03:04:05Z");
//! harness.run("count", json!({ "customer": "ada" }));
//! let run = harness.run("count", json!({ "customer": "ada" }));
//! assert_eq!(run.output(), &json!({ "count": 2, "at": "2026-01-02T03:04:05Z" }));
//! ```
//!
//! `cartwright plugin new NAME --lang rust` makes a package around this, `cartwright plugin build` the component, and a
//! workflow uses it:
//!
//! ```yaml
//! steps:
//!   - id: visit
//!     plugin: visit-counter/count
//!     with:
//!       customer: ${{ event.data.billing.email }}
//! ```
//!
//! ## Failures
//!
//! Every host call that can fail gives a [`Failure`], and `?` hands it on. A failure that arrives at the engine as it
//! left counts as that host call's own, so the step's retry rules apply. A plugin's own failures are
//! [`Failure::Invalid`] (trying again cannot help) or [`Failure::Other`]. A panic stops the plugin, not the engine: the
//! step fails, and the panic's message is in the run's lines.
//!
//! ## Money
//!
//! WooCommerce writes amounts as texts, and so should plugins: keep them in a decimal type or in the smallest unit,
//! never in `f64`.
//!
//! ## Determinism
//!
//! Between two executions of a call only the answers of host calls may differ, and those are recorded. A component has
//! no other source of time or chance, so there is nothing to do, except: take no decisions from the addresses of things.
#![cfg_attr(not(target_arch = "wasm32"), forbid(unsafe_code))]

mod failure;
mod call;
mod plugin;
mod macros;
mod input;
mod host;
mod moment;
pub mod http;
pub mod woo;
pub mod state;
pub mod clock;
pub mod random;
pub mod events;
pub mod secrets;
pub mod log;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings;
#[cfg(target_arch = "wasm32")]
mod exports;

pub use call::Call;
pub use failure::Failure;
#[doc(hidden)]
pub use plugin::is_name;
pub use plugin::{Function, Needs, Plugin, describe, handle};
