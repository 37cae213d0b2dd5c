//! What a person sees while the demo runs: what people do in the stores, and each run's change, as a line. Runs come from
//! the engine's own API, as any other program would ask it.

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

use super::news::{News, Paper};
use crate::{
    client::Client,
    command::{field, time_of},
    terminal::{Terminal, Tone, one_line, shorten, span, tone_of},
};

/// Between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Lines printed for one look; a person cannot read more.
const MAX_LINES: usize = 12;
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
    /// Prints what happened since the last look, in order of time.
    pub(super) async fn look(&mut self, client: &Client, paper: &Paper, terminal: &Terminal) {
        let mut lines: Vec<(Timestamp, String)> =
            paper.take().iter().map(|news| (news.time, news_line(news, terminal))).collect();
        // An engine that is stopping refuses; there is nothing to show then.
        let Ok(runs) = client.list("/api/v1/runs", &[], MAX_RUNS).await else { return };
        for run in runs.iter().rev() {
            let (id, status) = (field(run, "id"), field(run, "status"));
            if matches!(status.as_str(), "queued" | "running") {
                continue;
            }
            let told = if status == "waiting" { wait(client, &id).await } else { String::new() };
            if status == "waiting" && told.is_empty() {
                continue;
            }
            if self.is_news(&id, format!("{status} {told}")) {
                lines.push(run_line(client, run, &status, told, terminal).await);
            }
        }
        lines.sort_by_key(|(time, _)| *time);
        let left_out = lines.len().saturating_sub(MAX_LINES);
        lines.into_iter().take(MAX_LINES).for_each(|(_, line)| terminal.line(line));
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

/// A run's journal.
async fn journal(client: &Client, id: &str) -> Vec<Entry> {
    let Ok(run) = client.get(&format!("/api/v1/runs/{id}")).await else { return Vec::new() };
    serde_json::from_value(run["journal"].clone()).unwrap_or_default()
}

/// What a run waits for, with the time.
async fn wait(client: &Client, id: &str) -> String {
    let journal = journal(client, id).await;
    let since_start = journal.iter().rev().take_while(|entry| !matches!(entry.what, What::StepStarted { .. }));
    since_start.filter_map(|entry| told(&entry.what)).next().unwrap_or_default()
}

/// What a run waits for, in words that are the same for all that wait for the same.
pub(super) async fn cause(client: &Client, id: &str) -> String {
    let journal = journal(client, id).await;
    let known = journal.iter().rev().find_map(|entry| match &entry.what {
        What::CallDeferred { error, .. } | What::AttemptFailed { error, .. } => {
            Some(one_line(&error.message.clone().into()))
        }
        What::TimerSet { path, timer: TimerKind::Sleep | TimerKind::Call(_), .. } => {
            Some(format!("sleeps in `{path}`"))
        }
        What::WaitSet { topic, .. } => Some(format!("waits for {topic}")),
        _ => None,
    });
    known.unwrap_or_default()
}

/// A wait in few words.
fn told(what: &What) -> Option<String> {
    match what {
        What::CallDeferred { path, error, .. } => Some(format!("{path}: {}, its work waits", error.code)),
        // Of the first the second try tells enough.
        What::AttemptFailed { attempt: 1, .. } => Some(String::new()),
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

/// When a run came to where it is, and the line that says so.
async fn run_line(client: &Client, run: &Json, status: &str, wait: String, terminal: &Terminal) -> (Timestamp, String) {
    let time = time_of(run, "finished").unwrap_or_else(|| SystemClock.now());
    let error = run.get("error").filter(|error| !error.is_null() && status != "succeeded");
    let told = match error {
        Some(error) => error.get("message").map(one_line).unwrap_or_default(),
        None if status == "succeeded" => outcome(client, run).await,
        None => wait,
    };
    let words = [&field(run, "store"), &field(run, "workflow"), status, &told];
    (time, columns(time, words, [Tone::Plain, tone_of(status), Tone::Plain], terminal))
}

/// What a run that succeeded says about itself.
async fn outcome(client: &Client, run: &Json) -> String {
    let journal = journal(client, &field(run, "id")).await;
    let output = journal.into_iter().rev().find_map(|entry| match entry.what {
        What::RunFinished { output: Json::String(text), .. } => Some(text),
        _ => None,
    });
    let took = time_of(run, "started").zip(time_of(run, "finished")).map(|(from, to)| span(to.since(from)));
    output.unwrap_or_else(|| format!("after {}", took.unwrap_or_default()))
}

fn news_line(news: &News, terminal: &Terminal) -> String {
    let tone = if news.who == "store" { Tone::Wait } else { Tone::Quiet };
    columns(news.time, [&news.store, news.who, news.does, &news.what], [tone; 3], terminal)
}

/// `13:02:11  kiel      vip-coupon   succeeded  #1042: 10 % coupon and a note`
fn columns(time: Timestamp, words: [&str; 4], tones: [Tone; 3], terminal: &Terminal) -> String {
    /// Everything before the last column.
    const BEFORE: usize = 10 + 10 + 13 + 11;
    let [store, who, does, told] = words;
    let rest = terminal.width().map_or(200, |width| width.saturating_sub(BEFORE));
    let (store, who) = (shorten(store, 8), shorten(who, 11));
    format!(
        "{}  {}  {}  {}",
        terminal.paint(Tone::Quiet, clock(time)),
        terminal.paint(tones[0], format_args!("{store:8}  {who:11}")),
        terminal.paint(tones[1], format_args!("{does:9}")),
        terminal.paint(tones[2], shorten(told, rest))
    )
}

/// `07:45:12`
fn clock(time: Timestamp) -> String {
    time.to_string().chars().skip(11).take(8).collect()
}
