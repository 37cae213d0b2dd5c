//! What a person sees while the demo runs: each run's change as a line, and the sum of it all from time to time.
//! Everything comes from the engine's own API, as any other program would ask it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use cartwright_core::{
    Json,
    run::entry::{Entry, TimerKind, What},
    time::Timestamp,
};
use cartwright_run::{Clock as _, SystemClock};

use crate::{
    client::Client,
    command::{field, time_of},
    terminal::{Terminal, Tone, one_line, shorten, span, tone_of},
};

/// Between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Lines printed for one look; a person cannot read more.
const MAX_LINES: usize = 8;
/// Runs looked at, newest first.
const MAX_RUNS: usize = 300;
/// Runs remembered.
const MAX_KNOWN: usize = 5000;

/// Knows what was shown already.
#[derive(Default)]
pub(super) struct Watch {
    shown: BTreeMap<String, String>,
    order: VecDeque<String>,
}

impl Watch {
    /// Prints what changed since the last look.
    pub(super) async fn look(&mut self, client: &Client, terminal: &Terminal) {
        // An engine that is stopping refuses; there is nothing to show then.
        let Ok(mut runs) = client.list("/api/v1/runs", &[], MAX_RUNS).await else { return };
        runs.reverse();
        let mut lines = 0;
        let mut left_out = 0;
        for run in &runs {
            let (id, status) = (field(run, "id"), field(run, "status"));
            if matches!(status.as_str(), "queued" | "running") {
                continue;
            }
            let detail = if status == "waiting" { reason(client, &id).await } else { String::new() };
            if !self.is_news(&id, format!("{status} {detail}")) {
                continue;
            }
            if lines == MAX_LINES {
                left_out += 1;
                continue;
            }
            lines += 1;
            terminal.line(line(run, &status, &detail, terminal));
        }
        if left_out > 0 {
            terminal.line(terminal.paint(Tone::Quiet, format_args!("          … and {left_out} more")));
        }
    }

    fn is_news(&mut self, id: &str, state: String) -> bool {
        if self.shown.get(id) == Some(&state) {
            return false;
        }
        if self.shown.insert(id.to_owned(), state).is_none() {
            self.order.push_back(id.to_owned());
        }
        while self.order.len() > MAX_KNOWN {
            if let Some(oldest) = self.order.pop_front() {
                self.shown.remove(&oldest);
            }
        }
        true
    }
}

/// Why a run waits, from its journal.
async fn reason(client: &Client, id: &str) -> String {
    let Ok(run) = client.get(&format!("/api/v1/runs/{id}")).await else { return String::new() };
    let journal: Vec<Entry> = serde_json::from_value(run["journal"].clone()).unwrap_or_default();
    let since_start = journal.iter().rev().take_while(|entry| !matches!(entry.what, What::StepStarted { .. }));
    let telling: Vec<String> = since_start.filter_map(|entry| told(&entry.what)).collect();
    telling.into_iter().next_back().unwrap_or_default()
}

/// A wait in few words: a terminal has room for 27 characters here.
fn told(what: &What) -> Option<String> {
    match what {
        What::AttemptFailed { path, attempt, error, .. } => {
            let why = error.status.map_or_else(|| error.code.clone(), |status| status.to_string());
            Some(format!("{path}: try {attempt} got {why}"))
        }
        What::TimerSet { path, due, timer: TimerKind::Sleep | TimerKind::Call(_) } => {
            Some(format!("{path}: until {}", clock(*due)))
        }
        What::WaitSet { path, topic, .. } => Some(format!("{path}: waits for {topic}")),
        _ => None,
    }
}

fn line(run: &Json, status: &str, detail: &str, terminal: &Terminal) -> String {
    let time = time_of(run, "finished").unwrap_or_else(|| SystemClock.now());
    let told = match (time_of(run, "started"), time_of(run, "finished")) {
        (Some(started), Some(finished)) => format!("after {}", span(finished.since(started))),
        _ => detail.to_owned(),
    };
    let told = match run.get("error").filter(|error| !error.is_null()) {
        Some(error) if status != "succeeded" => error.get("message").map(one_line).unwrap_or_default(),
        _ => told,
    };
    let (workflow, store) = (shorten(&field(run, "workflow"), 18), shorten(&field(run, "store"), 8));
    let rest = terminal.width().map_or(200, |width| width.saturating_sub(53));
    format!(
        "{}  {store:8}  {workflow:18}  {}  {}",
        terminal.paint(Tone::Quiet, clock(time)),
        terminal.paint(tone_of(status), format_args!("{status:9}")),
        shorten(&told, rest)
    )
}

/// `07:45:12`
fn clock(time: Timestamp) -> String {
    time.to_string().chars().skip(11).take(8).collect()
}
