//! What of an outcome is not as expected: all of it, each with its place in the test file.

use std::fmt;

use super::{
    At, Expect, ExpectFailure, ExpectRuns, ExpectStatus, ExpectStep, Outcome, Response, RunOutcome, StepOutcome,
    TestCase, judge_calls, step_id, value,
};
use crate::{
    run::row::RunStatus,
    workflow::{Span, format_duration},
};

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where in the outcome: `calls[1].body.text`.
    pub at: String,
    /// Where in the test file the expectation stands.
    pub span: Span,
    /// How it differs.
    pub how: How,
}

/// How something differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// One value.
    Value {
        /// As the test says.
        expected: String,
        /// As it was.
        actual: String,
    },
    /// A list: shown with what is missing and what is too much.
    Lines {
        /// As the test says.
        expected: Vec<String>,
        /// As it was.
        actual: Vec<String>,
    },
    /// In words.
    Said(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.how {
            How::Value { expected, actual } => write!(f, "{}: expected {expected}, got {actual}", self.at),
            How::Lines { expected, actual } => {
                write!(f, "{}: expected [{}], got [{}]", self.at, expected.join(", "), actual.join(", "))
            }
            How::Said(said) => write!(f, "{}: {said}", self.at),
        }
    }
}

/// Everything of a case's outcome that is not as expected.
pub fn judge(case: &TestCase, outcome: &Outcome) -> Vec<Difference> {
    judge_expect(&case.expect, outcome)
}

/// The same by the expectation alone.
pub(super) fn judge_expect(expect: &Expect, outcome: &Outcome) -> Vec<Difference> {
    let mut judge = Judge { found: Vec::new() };
    judge.case(expect, outcome);
    judge_calls::judge(expect, &outcome.calls, &mut judge.found);
    judge.emitted(expect, outcome);
    for (key, wanted) in &expect.state {
        let there = outcome.state.get(&key.value).cloned().unwrap_or_default();
        value::differences(wanted, &there, &format!("state.{}", key.value), &key.span, &mut judge.found);
    }
    judge.found
}

struct Judge {
    found: Vec<Difference>,
}

impl Judge {
    fn say(&mut self, at: &str, span: &Span, said: String) {
        self.found.push(Difference { at: at.to_owned(), span: span.clone(), how: How::Said(said) });
    }

    fn differ(&mut self, at: &str, span: &Span, expected: impl fmt::Display, actual: impl fmt::Display) {
        let how = How::Value { expected: expected.to_string(), actual: actual.to_string() };
        self.found.push(Difference { at: at.to_owned(), span: span.clone(), how });
    }

    fn lines(&mut self, at: &str, expected: &At<Vec<String>>, actual: Vec<String>) {
        if expected.value != actual {
            let how = How::Lines { expected: expected.value.clone(), actual };
            self.found.push(Difference { at: at.to_owned(), span: expected.span.clone(), how });
        }
    }

    fn case(&mut self, expect: &Expect, outcome: &Outcome) {
        if let Some(reason) = &expect.reason
            && !outcome.not_started.iter().any(|why| why.contains(&reason.value))
        {
            let shown = if outcome.not_started.is_empty() { "nothing" } else { &outcome.not_started.join("; ") };
            self.differ("reason", &reason.span, format!("`{}`", reason.value), shown);
        }
        if let Some(events) = &expect.events {
            self.lines("events", events, outcome.events.clone());
        }
        let none = ExpectRuns::Count(0);
        let not_started = expect.status.as_ref().filter(|status| status.value == ExpectStatus::NotStarted);
        let (runs, span) = match (&expect.runs, not_started) {
            (Some(runs), _) => (&runs.value, &runs.span),
            (None, Some(status)) => (&none, &status.span),
            (None, None) => (&ExpectRuns::Count(1), &expect.span),
        };
        let each = match runs {
            ExpectRuns::Count(_) => &[][..],
            ExpectRuns::Each(each) => each,
        };
        let wanted = match runs {
            ExpectRuns::Count(count) => *count as usize,
            ExpectRuns::Each(each) => each.len(),
        };
        if wanted != outcome.runs.len() {
            self.count(wanted, outcome, span);
        }
        if let Some(response) = expect.response.as_ref().filter(|_| outcome.runs.is_empty()) {
            let there = outcome.refused.clone().unwrap_or_else(|| Response::engine(202));
            there.judge(response, "response", &mut self.found);
        }
        for (index, run) in outcome.runs.iter().enumerate() {
            let at = if outcome.runs.len() > 1 { format!("runs[{index}].") } else { String::new() };
            match each.get(index) {
                // What the list says of a run goes before what is said of all.
                Some(own) => {
                    self.run(&Expect { status: own.status.clone().or(expect.status.clone()), ..own.clone() }, run, &at);
                    self.run_details(expect, run, &at);
                }
                None if wanted > 0 => self.run(expect, run, &at),
                None => {}
            }
        }
    }

    fn count(&mut self, wanted: usize, outcome: &Outcome, span: &Span) {
        let plural = |count: usize| if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
        let mut said = format!("expected {}, there were {}", plural(wanted), plural(outcome.runs.len()));
        if !outcome.not_started.is_empty() {
            said += &format!(": {}", outcome.not_started.join("; "));
        } else if outcome.runs.is_empty() {
            said += ": the workflow does not listen to what starts the case";
        }
        self.say("runs", span, said);
    }

    fn run(&mut self, expect: &Expect, run: &RunOutcome, at: &str) {
        let (wanted, span) = match &expect.status {
            Some(status) => (status.value, &status.span),
            None if expect.failure.is_some() => return self.run_details(expect, run, at),
            None => (ExpectStatus::Run(RunStatus::Succeeded), &expect.span),
        };
        if let ExpectStatus::Run(wanted) = wanted
            && wanted != run.status
        {
            let why = run.failure.as_ref().map(|failure| {
                let step = failure.step.as_ref().map(|step| format!(" at {step}")).unwrap_or_default();
                format!("{step}: {} ({})", failure.message, failure.code)
            });
            let actual = format!("{}{}", run.status.as_str(), why.unwrap_or_default());
            self.differ(&format!("{at}status"), span, wanted.as_str(), actual);
        }
        self.run_details(expect, run, at);
    }

    fn run_details(&mut self, expect: &Expect, run: &RunOutcome, at: &str) {
        if let Some(ran) = &expect.ran {
            self.lines(&format!("{at}ran"), ran, ids(run, |step| step.status != "skipped"));
        }
        if let Some(skipped) = &expect.skipped {
            self.lines(&format!("{at}skipped"), skipped, ids(run, |step| step.status == "skipped"));
        }
        for (id, wanted) in &expect.steps {
            self.step(id, wanted, run, at);
        }
        if let Some(output) = &expect.output {
            value::differences(&output.value, &run.output, &format!("{at}output"), &output.span, &mut self.found);
        }
        if let Some(response) = &expect.response {
            run.response.judge(response, &format!("{at}response"), &mut self.found);
        }
        if let Some(slept) = &expect.slept {
            let took = std::time::Duration::from_millis(run.slept_millis);
            if took < slept.value.min || took > slept.value.max {
                let shown = slept.value;
                let exact = shown.max.saturating_sub(shown.min) <= std::time::Duration::from_millis(200);
                let wanted = match exact {
                    true => format_duration(shown.min + (shown.max - shown.min) / 2),
                    false if shown.max == std::time::Duration::MAX => {
                        format!("at least {}", format_duration(shown.min))
                    }
                    false => format!("{} to {}", format_duration(shown.min), format_duration(shown.max)),
                };
                self.differ(&format!("{at}slept"), &slept.span, wanted, format_duration(took));
            }
        }
        if let Some(wanted) = &expect.failure {
            match &run.failure {
                None => self.say(&format!("{at}failure"), &wanted.span, "expected a failure, there was none".into()),
                Some(failure) => {
                    let there = (failure.step.as_deref(), failure.code.as_str(), failure.message.as_str());
                    self.failure(&wanted.value, there, &wanted.span, &format!("{at}failure"));
                }
            }
        }
    }

    fn step(&mut self, id: &At<String>, wanted: &ExpectStep, run: &RunOutcome, at: &str) {
        let by_path: Vec<&StepOutcome> = run.steps.iter().filter(|step| step.path == id.value).collect();
        let found: Vec<&StepOutcome> = match by_path.is_empty() {
            true => run.steps.iter().filter(|step| step.id() == id.value).collect(),
            false => by_path,
        };
        if found.is_empty() {
            if wanted.status.as_deref() != Some("not_run") {
                let wanted = wanted.status.as_deref().unwrap_or("that it ran");
                self.differ(&format!("{at}steps.{}", id.value), &id.span, wanted, "not_run");
            }
            return;
        }
        for step in found {
            let at = format!("{at}steps.{}", step.path);
            if let Some(status) = wanted.status.as_ref().filter(|status| **status != step.status) {
                let why = step.error.as_ref().map(|error| format!(": {} ({})", error.message, error.code));
                self.differ(&format!("{at}.status"), &id.span, status, step.status.clone() + &why.unwrap_or_default());
            }
            if let Some(output) = &wanted.output {
                value::differences(output, &step.output, &format!("{at}.output"), &id.span, &mut self.found);
            }
            if let Some(attempts) = wanted.attempts.filter(|attempts| *attempts != step.attempts) {
                self.differ(&format!("{at}.attempts"), &id.span, attempts, step.attempts);
            }
            match (&wanted.error, &step.error) {
                (Some(wanted), Some(error)) => {
                    let there = (Some(step.path.as_str()), error.code.as_str(), error.message.as_str());
                    self.failure(wanted, there, &id.span, &format!("{at}.error"));
                }
                (Some(_), None) => self.say(&at, &id.span, "expected an error, there was none".into()),
                (None, _) => {}
            }
        }
    }

    fn failure(&mut self, wanted: &ExpectFailure, there: (Option<&str>, &str, &str), span: &Span, at: &str) {
        let (step, code, message) = there;
        let is_there = |wanted: &str| step.is_some_and(|step| step == wanted || step_id(step) == wanted);
        if let Some(wanted) = wanted.step.as_ref().filter(|wanted| !is_there(wanted)) {
            self.differ(&format!("{at}.step"), span, wanted, step.unwrap_or("none"));
        }
        if let Some(wanted) = wanted.code.as_ref().filter(|wanted| *wanted != code) {
            self.differ(&format!("{at}.code"), span, wanted, format!("{code}: {message}"));
        }
        if let Some(wanted) = wanted.message.as_ref().filter(|wanted| !message.contains(wanted.as_str())) {
            self.differ(&format!("{at}.message"), span, wanted, message);
        }
    }

    fn emitted(&mut self, expect: &Expect, outcome: &Outcome) {
        let Some(wanted) = &expect.emitted else { return };
        let topics =
            At { value: wanted.value.iter().map(|one| one.topic.clone()).collect(), span: wanted.span.clone() };
        let there: Vec<String> = outcome.emitted.iter().map(|one| one.topic.clone()).collect();
        let same = topics.value == there;
        self.lines("emitted", &topics, there);
        for (index, (wanted, made)) in wanted.value.iter().zip(&outcome.emitted).enumerate().filter(|_| same) {
            if let Some(data) = &wanted.data {
                let at = format!("emitted[{index}].data");
                value::differences(data, &made.data, &at, &wanted.span, &mut self.found);
            }
        }
    }
}

/// Ids of steps in the order in which they first began, each once.
fn ids(run: &RunOutcome, which: impl Fn(&StepOutcome) -> bool) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for step in run.steps.iter().filter(|step| which(step)) {
        if !ids.iter().any(|id| id == step.id()) {
            ids.push(step.id().to_owned());
        }
    }
    ids
}
