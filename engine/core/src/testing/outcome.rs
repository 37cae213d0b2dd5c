//! What came of a case, without journals, ids and clocks: what expectations and snapshots are compared with.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Response, pattern::or_null};
use crate::{
    Json,
    call::CallError,
    run::row::{RunError, RunStatus},
};

/// An event that the tested workflow does not listen to.
pub const NOT_HEARD: &str = "not_heard";
/// What was refused before it became an event.
pub const REFUSED: &str = "refused";

/// Everything that came of a case.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// The tested workflow's runs, in order of start.
    pub runs: Vec<RunOutcome>,
    /// All calls to the outside, in order.
    pub calls: Vec<MadeCall>,
    /// Events that were raised, in order.
    pub emitted: Vec<Emitted>,
    /// What the workflow remembers at the end.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub state: BTreeMap<String, Json>,
    /// What became of each event that the case brought, in order: the word of a [`crate::event::MatchOutcome`],
    /// [`NOT_HEARD`] or [`REFUSED`].
    #[serde(skip)]
    pub events: Vec<String>,
    /// What was refused before it became an event; what a caller gets then.
    #[serde(skip)]
    pub refused: Option<Response>,
    /// Why events started nothing, in words for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_started: Vec<String>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunOutcome {
    /// How it ended, or where it was left.
    pub status: RunStatus,
    /// What it gave.
    pub output: Json,
    /// Why it failed or is parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<RunError>,
    /// What a caller that waits gets.
    #[serde(skip_serializing_if = "Response::is_usual")]
    pub response: Response,
    /// Its steps, in the order in which they began.
    pub steps: Vec<StepOutcome>,
    /// Between its start and its end, in milliseconds.
    #[serde(skip)]
    pub slept_millis: u64,
}

/// One step, or one iteration of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepOutcome {
    /// Its path.
    pub path: String,
    /// How it ended.
    pub status: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What it gave.
    #[serde(skip_serializing_if = "Json::is_null")]
    pub output: Json,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<CallError>,
}

impl StepOutcome {
    /// Its id in the workflow file.
    pub fn id(&self) -> &str {
        step_id(&self.path)
    }
}

/// The id of the step that a path leads to.
pub fn step_id(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MadeCall {
    /// The path of the step.
    pub step: String,
    /// To which store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// What was asked.
    pub request: Request,
    /// No stub answered it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unstubbed: bool,
}

/// What a call asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Request {
    /// `http`, `woo`, `command`, `plugin` or `workflow`.
    pub kind: &'static str,
    /// Upper case; empty for commands and plugins.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// The URL, the path, the name.
    pub target: String,
    /// A map, or `null`.
    #[serde(skip_serializing_if = "Json::is_null")]
    pub query: Json,
    /// A map, or `null`.
    #[serde(skip_serializing_if = "Json::is_null")]
    pub headers: Json,
    /// What is sent.
    #[serde(skip_serializing_if = "Json::is_null")]
    pub body: Json,
    /// A map sent as a web form, or `null`.
    #[serde(skip_serializing_if = "Json::is_null")]
    pub form: Json,
}

impl Request {
    /// From the canonical map of an HTTP call, see [`crate::call::Call::args`].
    pub fn http(spec: &Json) -> Self {
        let method = spec["method"].as_str().unwrap_or("GET").to_ascii_uppercase();
        Self::of("http", method, spec["url"].as_str().unwrap_or_default(), spec)
    }

    /// From the canonical map of a call to a store, see [`crate::woo`].
    pub fn woo(spec: &Json) -> Self {
        let method = spec["method"].as_str().unwrap_or("GET").to_ascii_uppercase();
        Self::of("woo", method, spec["path"].as_str().unwrap_or_default(), spec)
    }

    /// A workflow that is called, with what it is given.
    pub fn workflow(id: &str, with: Json) -> Self {
        Self { kind: "workflow", target: id.to_owned(), body: with, ..Self::default() }
    }

    /// A plugin's function, `name/function`, with what it is given.
    pub fn plugin(target: &str, with: Json) -> Self {
        Self { kind: "plugin", target: target.to_owned(), body: with, ..Self::default() }
    }

    fn of(kind: &'static str, method: String, target: &str, spec: &Json) -> Self {
        let part = |key: &str| or_null(spec.get(key)).clone();
        let (query, headers, body, form) = (part("query"), part("headers"), part("body"), part("form"));
        Self { kind, method, target: target.to_owned(), query, headers, body, form }
    }

    /// `POST orders/61/notes`
    pub fn line(&self) -> String {
        if self.method.is_empty() { self.target.clone() } else { format!("{} {}", self.method, self.target) }
    }
}

/// An event that was raised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Emitted {
    /// Its topic.
    pub topic: String,
    /// Its data.
    pub data: Json,
}
