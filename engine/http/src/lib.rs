//! The door: webhooks, HTTP triggers, the API and the status page.
//!
//! A webhook's way in: [`ingest`] takes the request, [`webhook`] reads it, [`verify`] makes it trusted, and only then
//! is it accepted by the engine. [`endpoint`] does the same for HTTP triggers, with what [`hook`] and [`presets`] know. [`door`] has all routes, [`serve`] the
//! connections.

pub mod door;
mod ingest;
mod endpoint;
pub mod presets;
pub mod body_schema;
mod sync;
pub mod webhook;
pub mod verify;
pub mod hook;
mod idempotent;
pub mod json;
mod files;
mod auth;
mod caller;
mod origin;
mod throttle;
mod sign_in;
mod api;
mod describe;
mod status;
mod operations;
pub mod limits;
mod metrics;
pub mod problem;
pub mod serve;
mod stalled;

pub use auth::AdminToken;
pub use describe::json as openapi_json;
pub use door::{Config, router};
pub use files::{FileFindings, Findings};
pub use limits::Quotas;
pub use serve::serve;
pub use sync::{DEFAULT_SYNC_CALLERS, DEFAULT_SYNC_SECONDS};
