//! Pure vocabulary and decisions of Cartwright: no async, clock, randomness, environment, filesystem or network.
//!
//! Read in this order: [`event`] (what happened), [`workflow`] (what to do about it), [`trigger`] (which workflow an
//! event starts), [`testing`] (tests beside workflows), [`run`] (how a run moves: `apply` folds its journal, `decide` says what comes next).

pub mod id;
pub mod time;
pub mod shard;
pub mod event;
pub mod call;
pub mod woo;
pub mod secret;
pub mod evaluate;
pub mod workflow;
pub mod testing;
pub mod gate;
pub mod trigger;
pub mod grant;
pub mod access;
pub mod retry;
pub mod run;
pub mod slots;
pub mod plugin;
#[cfg(feature = "schema")]
mod schema;

/// Any JSON value. Numbers keep their exact decimal text (`arbitrary_precision`), maps are sorted by key.
pub type Json = serde_json::Value;
