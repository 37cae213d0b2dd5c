//! A journal as a timeline: one line an entry, the step at the left, what happened at the right.

use cartwright_core::{
    call::CallOutcome,
    id::StepPath,
    run::entry::{Entry, TimerKind, What},
    time::Timestamp,
};

use super::{Terminal, Tone, one_line, shorten, span, tone_of};

/// Width of the column with the time since the start.
const TIME_WIDTH: usize = 9;
const MIN_STEP_WIDTH: usize = 6;
const MAX_STEP_WIDTH: usize = 24;
/// Texts longer than this are cut also where output is not a terminal.
const MAX_TEXT_CHARS: usize = 400;

/// Prints entries as they come.
pub(crate) struct Timeline {
    step_width: usize,
    start: Option<Timestamp>,
}

impl Timeline {
    /// For a journal whose steps are known; `steps` gives the width of their column.
    pub(crate) fn new<'a>(steps: impl IntoIterator<Item = &'a str>) -> Self {
        let widest = steps.into_iter().map(|step| step.chars().count()).max().unwrap_or(0);
        Self { step_width: widest.clamp(MIN_STEP_WIDTH, MAX_STEP_WIDTH), start: None }
    }

    pub(crate) fn of(journal: &[Entry]) -> Self {
        Self::new(journal.iter().filter_map(|entry| describe(&entry.what).step))
    }

    pub(crate) fn line(&mut self, entry: &Entry, terminal: &Terminal) -> String {
        self.line_beside(entry, terminal, 0)
    }

    /// A line that leaves room for `beside` characters after it.
    pub(crate) fn line_beside(&mut self, entry: &Entry, terminal: &Terminal, beside: usize) -> String {
        let start = *self.start.get_or_insert(entry.at);
        let line = describe(&entry.what);
        let time = format!("{:>width$}", format!("+{}", span(entry.at.since(start))), width = TIME_WIDTH);
        let step = shorten(line.step.unwrap_or(""), self.step_width);
        let rest = terminal
            .width()
            .map_or(MAX_TEXT_CHARS, |width| width.saturating_sub(TIME_WIDTH + self.step_width + 6 + beside));
        let text = terminal.paint(line.tone, shorten(&line.text, rest));
        format!(
            "{}  {step:width$}  {} {text}",
            terminal.paint(Tone::Quiet, time),
            terminal.paint(line.tone, line.mark),
            width = self.step_width
        )
    }
}

/// What an entry says, for people.
pub(crate) struct Line<'a> {
    pub(crate) step: Option<&'a str>,
    pub(crate) mark: char,
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

/// An entry in words.
pub(crate) fn describe(what: &What) -> Line<'_> {
    let line = |step, mark, tone, text| Line { step, mark, tone, text };
    match what {
        What::RunStarted { workflow, event, events, .. } => {
            let more = match events.len() {
                0 | 1 => String::new(),
                count => format!(" and {} before it", count - 1),
            };
            line(None, '▶', Tone::Strong, format!("{workflow} starts for {event}{more}"))
        }
        What::StartDelayed { until, .. } => line(None, '◷', Tone::Wait, format!("throttled until {until}")),
        // The path is the gate's, no step's.
        What::TimerFired { timer: TimerKind::Start, .. } => {
            line(None, '◷', Tone::Plain, fired(TimerKind::Start).to_owned())
        }
        What::SlotAsked { group, .. } => line(None, '·', Tone::Quiet, format!("asks for a slot of {group}")),
        What::SlotQueued { ahead } => line(None, '◷', Tone::Wait, format!("waits for a slot; {ahead} wait already")),
        What::SlotTaken {} => line(None, '·', Tone::Plain, "has its slot".into()),
        What::SlotFreed {} => line(None, '·', Tone::Plain, "gives its slot back while it waits".into()),
        What::VarsSet { vars } => line(None, '·', Tone::Quiet, format!("vars {}", one_line(vars))),
        What::StepSkipped { path } => {
            line(Some(path.as_str()), '-', Tone::Quiet, "skipped: its condition is false".into())
        }
        What::StepStarted { path, attempt: 1, .. } => line(Some(path.as_str()), '·', Tone::Plain, "starts".into()),
        What::StepStarted { path, attempt, .. } => {
            line(Some(path.as_str()), '·', Tone::Plain, format!("starts, attempt {attempt}"))
        }
        What::BranchTaken { path, branch: Some(branch) } => {
            line(Some(path.as_str()), '·', Tone::Plain, format!("takes branch {}", branch + 1))
        }
        What::BranchTaken { path, branch: None } => {
            line(Some(path.as_str()), '-', Tone::Quiet, "no branch holds".into())
        }
        What::LoopStarted { path, items } => {
            line(Some(path.as_str()), '·', Tone::Plain, format!("loops over {} items", items.len()))
        }
        What::IterationEnded { path, index, error: Some(error), .. } => {
            let why = format!("{} ({})", error.message, error.code);
            line(Some(path.as_str()), '✗', Tone::Bad, format!("{path}[{index}] failed, the loop goes on: {why}"))
        }
        What::IterationEnded { path, index, output, error: None } => {
            line(Some(path.as_str()), '·', Tone::Plain, format!("item {} done: {}", index + 1, one_line(output)))
        }
        What::CallIntended { path, summary, .. } => line(Some(path.as_str()), '→', Tone::Move, summary.clone()),
        What::CallDeferred { path, error, .. } => {
            line(Some(path.as_str()), '◷', Tone::Wait, format!("put off: {} ({})", error.message, error.code))
        }
        What::CallRepeated { path, again, .. } => {
            let what = if again.is_some() { "asks again; an earlier try may have arrived" } else { "asks again" };
            line(Some(path.as_str()), '→', Tone::Move, what.into())
        }
        What::CallResolved { path, function, outcome, .. } => match outcome {
            CallOutcome::Ok(value) => {
                line(Some(path.as_str()), '←', Tone::Plain, format!("{function} gives {}", answer(value)))
            }
            CallOutcome::Err(error) => {
                line(Some(path.as_str()), '←', Tone::Bad, format!("{function}: {} ({})", error.message, error.code))
            }
        },
        What::TimerSet { path, timer, due } => {
            line(step_of(path.as_str()), '◷', Tone::Wait, format!("{} until {due}", waits(*timer)))
        }
        What::TimerFired { path, timer } => line(step_of(path.as_str()), '◷', Tone::Plain, fired(*timer).into()),
        What::ChildStarted { path, run, workflow, awaited, .. } => {
            let waits = if *awaited { ", waits for its end" } else { "" };
            line(Some(path.as_str()), '→', Tone::Move, format!("calls {workflow}: {run}{waits}"))
        }
        What::WaitSet { path, topic, timeout, .. } => {
            let limit = timeout.map(|timeout| format!(", at the longest until {timeout}")).unwrap_or_default();
            line(Some(path.as_str()), '◷', Tone::Wait, format!("waits for {topic}{limit}"))
        }
        What::ApprovalAsked { path, question, due, .. } => {
            let limit = due.map(|due| format!(", until {due}")).unwrap_or_default();
            line(Some(path.as_str()), '◷', Tone::Wait, format!("asks for approval: {question}{limit}"))
        }
        What::ApprovalGiven { path, approved, by, comment } => {
            let by = by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
            let comment = comment.as_deref().map(|comment| format!(": {comment}")).unwrap_or_default();
            let word = if *approved { "approved" } else { "rejected" };
            line(Some(path.as_str()), '✎', Tone::Strong, format!("{word}{by}{comment}"))
        }
        What::Responded { path, answer } => {
            line(Some(path.as_str()), '←', Tone::Move, format!("answers {} {}", answer.status, one_line(&answer.body)))
        }
        What::StepSucceeded { path, output, .. } => {
            let output = if output.is_null() { String::new() } else { format!(": {}", answer(output)) };
            line(Some(path.as_str()), '✓', Tone::Good, format!("done{output}"))
        }
        What::AttemptFailed { path, attempt, error, .. } => line(
            Some(path.as_str()),
            '!',
            Tone::Wait,
            format!("attempt {attempt} failed: {} ({})", error.message, error.code),
        ),
        What::StepFailed { path, error, .. } => {
            line(Some(path.as_str()), '✗', Tone::Bad, format!("failed: {} ({})", error.message, error.code))
        }
        What::StepUnknown { path, message, .. } => {
            line(Some(path.as_str()), '?', Tone::Bad, format!("outcome unknown: {message}"))
        }
        What::RunParked { error } => {
            line(error.step.as_deref(), '‖', Tone::Bad, format!("run parked: {} ({})", error.message, error.code))
        }
        What::RunRetried { by, input: Some(input), .. } => {
            line(None, '▶', Tone::Strong, format!("begun anew by {by} with other input: {}", one_line(input)))
        }
        What::RunRetried { by, iterations, .. } if !iterations.is_empty() => {
            let which: Vec<&str> = iterations.iter().map(StepPath::as_str).collect();
            line(None, '▶', Tone::Strong, format!("{} retried by {by}", which.join(", ")))
        }
        What::RunRetried { by, .. } => line(None, '▶', Tone::Strong, format!("retried by {by}")),
        What::OutcomeGiven { path, index, by, happened: true, result } => {
            let gave = if result.is_null() { String::new() } else { format!(" and gave {}", answer(result)) };
            line(Some(path.as_str()), '✎', Tone::Strong, format!("{by} says that call {index} happened{gave}"))
        }
        What::OutcomeGiven { path, index, by, happened: false, .. } => {
            line(Some(path.as_str()), '✎', Tone::Strong, format!("{by} says that call {index} did not happen"))
        }
        What::FailRequested { by, reason } => {
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            line(None, '■', Tone::Wait, format!("given up by {by}{reason}"))
        }
        What::CancelRequested { by } => line(None, '■', Tone::Wait, format!("cancelled by {by}")),
        What::CancelHandling { error } => line(None, '■', Tone::Wait, format!("on_cancel runs: {}", error.message)),
        What::UndoHandling { error } => {
            line(None, '✗', Tone::Bad, format!("undoes what succeeded: {} ({})", error.message, error.code))
        }
        What::FailureHandling { error, .. } => {
            line(None, '✗', Tone::Bad, format!("on_failure runs: {} ({})", error.message, error.code))
        }
        What::RunFinished { status, error, output } => {
            let tail = match error {
                Some(error) => format!(": {} ({})", error.message, error.code),
                None if output.is_null() => String::new(),
                None => format!(": {}", answer(output)),
            };
            line(None, '■', tone_of(status.as_str()), format!("run {}{tail}", status.as_str()))
        }
    }
}

/// An HTTP answer by its status and body, anything else whole.
fn answer(value: &cartwright_core::Json) -> String {
    match (value.get("status").and_then(cartwright_core::Json::as_u64), value.get("headers"), value.get("body")) {
        (Some(status), Some(_), Some(body)) if body.is_null() => status.to_string(),
        (Some(status), Some(_), Some(body)) => format!("{status} {}", one_line(body)),
        _ => one_line(value),
    }
}

fn step_of(path: &str) -> Option<&str> {
    Some(path).filter(|path| !path.is_empty())
}

fn waits(timer: TimerKind) -> &'static str {
    match timer {
        TimerKind::Sleep | TimerKind::Call(_) => "sleeps",
        TimerKind::Wait(_) => "waits",
        TimerKind::Retry => "pauses before the next attempt",
        TimerKind::StepTimeout | TimerKind::RunTimeout => "has time",
        TimerKind::ParkExpiry => "stays parked",
        TimerKind::Start | TimerKind::Gate => "is throttled",
    }
}

fn fired(timer: TimerKind) -> &'static str {
    match timer {
        TimerKind::Sleep | TimerKind::Call(_) => "wakes",
        TimerKind::Wait(_) => "waited long enough",
        TimerKind::Retry => "pause is over",
        TimerKind::StepTimeout | TimerKind::RunTimeout => "time is over",
        TimerKind::ParkExpiry => "was parked for too long",
        TimerKind::Start | TimerKind::Gate => "may begin",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry(value: Value) -> Entry {
        serde_json::from_value(value).expect("an entry")
    }

    #[test]
    fn a_journal_reads_as_a_story() {
        let at = |millis: u32| format!("2026-11-21T07:00:00.{millis:03}Z");
        let error = json!({ "code": "status", "message": "h answered 503", "status": 503, "class": "retryable" });
        let journal: Vec<Entry> = [
            json!({ "at": at(0), "type": "step_started", "path": "tell", "attempt": 2, "kind": "http" }),
            json!({ "at": at(5), "type": "call_intended", "path": "tell", "index": 0, "function": "http::post",
                "fingerprint": "f", "summary": "POST https://h/", "repeatable": true }),
            json!({ "at": at(9), "type": "call_resolved", "path": "tell", "index": 0, "function": "http::post",
                "fingerprint": "f", "outcome": { "ok": { "status": 200, "headers": {}, "body": { "a": 1 } } } }),
            json!({ "at": at(9), "type": "attempt_failed", "path": "tell", "attempt": 2, "error": error, "call": null }),
            json!({ "at": at(999), "type": "run_parked", "error": { "step": "tell", "code": "status", "message": "h answered 503" } }),
        ]
        .into_iter()
        .map(entry)
        .collect();
        let show = |terminal: &Terminal| {
            let mut timeline = Timeline::of(&journal);
            journal.iter().map(|entry| timeline.line(entry, terminal)).collect::<Vec<_>>()
        };
        assert_eq!(
            show(&Terminal::plain(None)),
            [
                "     +0ms  tell    · starts, attempt 2",
                "     +5ms  tell    → POST https://h/",
                "     +9ms  tell    ← http::post gives 200 {\"a\":1}",
                "     +9ms  tell    ! attempt 2 failed: h answered 503 (status)",
                "   +999ms  tell    ‖ run parked: h answered 503 (status)",
            ]
        );
        assert!(show(&Terminal::plain(Some(60))).iter().all(|line| line.chars().count() <= 60));
    }
}
