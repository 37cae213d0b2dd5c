//! Makes runs move: accepts events, starts runs, drives them through their steps, and takes them up again after a crash.
//!
//! Read in this order: [`engine`] (what others call), [`accept`] (the promise), [`dispatch`] (event → runs), [`driver`]
//! (one run), [`script`] and [`host`] (what its steps do), [`commit`] (how it becomes true), [`timers`], [`recover`].

mod accept;
mod callers;
mod answers;
mod approvals;
mod backup;
pub mod access;
mod clock;
mod commit;
mod definition;
mod dispatch;
mod gates;
mod driver;
mod engine;
mod export;
mod hold;
mod host;
mod inner;
pub mod json_schema;
mod keys;
mod line;
mod links;
pub mod live;
mod metrics;
mod operate;
mod plugin;
pub mod outbound;
mod recall;
mod recover;
pub mod rehearse;
mod retention;
mod schedule;
mod script;
mod secrets;
mod slots;
mod store_call;
mod stores;
mod telemetry;
mod timers;
mod trace;
mod views;
mod wait;

#[cfg(test)]
mod tests;

pub use accept::{AcceptError, Acceptance, Incoming};
pub use answers::{ANSWER_BYTES_MAX, ANSWER_LIFE, Answers, KeptAnswer, Known};
pub use approvals::OpenApproval;
pub use backup::{Contents, RestoreError, check_empty, restore_record};
pub use callers::Heard;
pub use clock::{Clock, Entropy, SystemClock, SystemEntropy};
pub use definition::{Definition, Loaded};
pub use engine::{Engine, Options, Parts, RunDetail, StartError, run_detail};
pub use export::{Head, ImportError, Imported, Kind, LINE_BYTES_MAX, Line, LineError, Part, VERSION as EXPORT_VERSION};
pub use gates::HeldGroup;
pub use hold::{Hold, hold};
pub use keys::{KeyError, KeyList, Rotated, needed_key};
pub use line::Backlog;
pub use links::{ApprovalLink, BY_LINK, LinkFault, Linked, TOKEN_CHARS_MAX};
pub use metrics::{Histogram, HistogramView, Metrics, Times};
pub use operate::OperatorError;
pub use plugin::{InstalledPlugin, PluginFigures, PluginHost, PluginSource};
pub use secrets::{SecretError, SecretInfo, Secrets};
pub use slots::{RunSlot, SlotGroup, SlotHolder, SlotState, check_slots};
pub use stores::{OpenStore, StoreError, Stores};
pub use telemetry::{Attribute, Span, SpanCounts, Telemetry};

/// The expression language, as [`Parts`] takes it.
pub use cartwright_sandbox as sandbox;
/// The words that arguments and answers of [`Engine`] are made of.
pub use cartwright_storage as storage;
/// Stores, secrets and the vault, as [`Engine`] takes and shows them.
pub use cartwright_woo as woo;
