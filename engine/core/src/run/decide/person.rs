//! What people ask of a run: to go on, to end, to be given up, to take their word for what an unknown call did. What
//! cannot be done to the run as it is, is refused with what can be done instead.

use std::collections::BTreeSet;

use super::{Decider, Said, Stop, Which};
use crate::{
    Json,
    id::{RunId, StepPath},
    run::{
        apply::Illegal,
        entry::What,
        iteration::why_not_again,
        row::{RunError, RunStatus},
        stage::Stage,
        state::{Phase, RunState, StepState},
    },
};

/// Unknown calls that a refusal names at most.
const NAMED_MAX: usize = 10;

impl Decider<'_> {
    pub(super) fn cancel(&mut self, by: String) -> Result<(), Stop> {
        if let Phase::Ended { status, .. } = &self.state().phase {
            return refused(format!("the run is over: it {}", past(*status)));
        }
        let error = RunError { step: None, code: "cancelled".into(), message: format!("cancelled by {by}") };
        self.record(What::CancelRequested { by })?;
        Ok(self.end_by_hand(error)?)
    }

    /// Stops everything; `on_cancel` follows, then the end. What has not begun has nothing to clean up, and whoever asks
    /// twice means at once.
    pub(super) fn end_by_hand(&mut self, error: RunError) -> Result<(), Illegal> {
        let error = self.with_what_was_undone(error);
        self.stop_everything();
        let state = self.state();
        let has_begun = state.vars.is_some() || !state.steps.is_empty();
        let first = match &state.phase {
            Phase::Cancelling { error } | Phase::Parked { failure: Some(error), stage: Stage::Cancel, .. } => {
                Some(error)
            }
            _ => None,
        };
        if let Some(first) = first {
            let message = format!("{}; then {} before on_cancel was over", first.message, error.message);
            let error = RunError { message, ..first.clone() };
            return self.end(RunStatus::Cancelled, Json::Null, Some(error));
        }
        if self.context.workflow.on_cancel.is_empty() || !has_begun {
            return self.end(RunStatus::Cancelled, Json::Null, Some(error));
        }
        self.record(What::CancelHandling { error })?;
        self.advance()
    }

    /// A later run of its group takes its place. Whoever is over by then, or about to be, is out of its way.
    pub(super) fn replace(&mut self, by: &RunId) -> Result<(), Stop> {
        let has_place = self.state().slot.is_held() || self.state().slot.is_wanted();
        if !has_place || matches!(self.state().phase, Phase::Cancelling { .. }) {
            return Ok(());
        }
        let message = format!("replaced by {by}, a later run of the same `concurrency` group");
        self.record(What::CancelRequested { by: format!("run {by}") })?;
        Ok(self.end_by_hand(RunError { step: None, code: "replaced".into(), message })?)
    }

    pub(super) fn retry(&mut self, by: String, repeat_unknown: bool) -> Result<(), Stop> {
        let moving = match self.state().status() {
            RunStatus::Parked | RunStatus::Failed => false,
            RunStatus::Waiting | RunStatus::Running if self.state().deferred().next().is_some() => true,
            status => {
                let what = "only parked and failed runs, and runs whose calls were put off, can be retried";
                return refused(format!("{what}; this one {}", past(status)));
            }
        };
        if let (false, Some(path)) = (repeat_unknown, self.blind_step()) {
            return refused(format!(
                "nobody knows whether the call of step `{path}` happened. Look at the receiver and say so with `runs resolve` \
                 (--done or --not-done); if doing it twice does no harm, retry with --repeat-unknown"
            ));
        }
        self.go_on(by, repeat_unknown, moving)
    }

    /// Begins failed iterations again, each at the step that failed; a parked or failed run goes on too. What came after a
    /// loop that is over is not done again.
    pub(super) fn retry_iterations(&mut self, by: String, mut iterations: Vec<StepPath>) -> Result<(), Stop> {
        // Named twice is meant once.
        iterations.sort_unstable();
        iterations.dedup();
        let state = self.state();
        let status = state.status();
        if !matches!(status, RunStatus::Parked | RunStatus::Failed | RunStatus::Succeeded) {
            return refused(format!(
                "iterations of a run that is parked or over can be retried; this one {}",
                past(status)
            ));
        }
        if let Some(reason) = why_not_again(state, &iterations) {
            return refused(reason);
        }
        if state.has_undone() {
            return refused("steps of this run were undone, so an iteration alone makes no whole".to_owned());
        }
        let is_open = |(path, step): (&StepPath, &StepState)| {
            Stage::of(path) == Stage::Main && matches!(step, StepState::Active(_) | StepState::Retrying { .. })
        };
        if status == RunStatus::Succeeded && state.steps.iter().any(is_open) {
            return refused("the run ended with `stop` before all its steps were over".to_owned());
        }
        if let Some(path) = self.blind_step() {
            return refused(format!("nobody knows whether the call of step `{path}` happened; `runs resolve` first"));
        }
        let generation = state.generation;
        self.record(What::RunRetried { by, generation, repeat_unknown: false, input: None, iterations })?;
        if self.holds() {
            return Ok(self.want_slot()?);
        }
        self.resume(&BTreeSet::new())?;
        Ok(self.advance()?)
    }

    /// Begins the run anew with other input, under new identities of its calls. The first step is for the next
    /// [`Input::Resume`](super::Input::Resume), whose context has the new data.
    pub(super) fn anew(&mut self, by: String, input: Json) -> Result<(), Stop> {
        if let Some(reason) = why_not_anew(self.state()) {
            return refused(reason);
        }
        let generation = self.state().generation + 1;
        self.stop_everything();
        Ok(self.record(What::RunRetried {
            by,
            generation,
            repeat_unknown: false,
            input: Some(input),
            iterations: Vec::new(),
        })?)
    }

    fn go_on(&mut self, by: String, repeat_unknown: bool, moving: bool) -> Result<(), Stop> {
        let generation = self.state().generation;
        if matches!(self.state().phase, Phase::Ended { .. }) && self.state().has_undone() {
            return self.begin_again(by);
        }
        self.record(What::RunRetried { by, generation, repeat_unknown, input: None, iterations: Vec::new() })?;
        if self.holds() {
            return Ok(self.want_slot()?);
        }
        match moving {
            true => self.ask_all_deferred()?,
            false => self.resume(&BTreeSet::new())?,
        }
        Ok(self.advance()?)
    }

    /// What was undone cannot be gone on from: the run begins again under new identities of its calls. The first step is
    /// for the next [`Input::Resume`](super::Input::Resume), as with other input.
    fn begin_again(&mut self, by: String) -> Result<(), Stop> {
        if let Some((path, index, summary)) = self.state().unanswered.first() {
            return refused(format!(
                "steps of this run were undone, so it would begin again from the start, and call {index} of step `{path}` \
                 (`{summary}`) may have happened although no answer came: it would be made a second time. Look at the \
                 receiver; `events replay` starts another run"
            ));
        }
        let generation = self.state().generation + 1;
        self.stop_everything();
        Ok(self.record(What::RunRetried {
            by,
            generation,
            repeat_unknown: false,
            input: None,
            iterations: Vec::new(),
        })?)
    }

    /// Takes a person's word for what an unknown call did. A parked run goes on by itself when nothing is unknown any
    /// more; a failed one stays failed until it is retried.
    pub(super) fn resolve(&mut self, by: String, which: &Which, said: Said) -> Result<(), Stop> {
        let (path, index) = match self.meant(which) {
            Ok(call) => call,
            Err(reason) => return refused(reason),
        };
        let (happened, result) = match said {
            Said::Done(result) => (true, result),
            Said::NotDone => (false, Json::Null),
        };
        self.record(What::OutcomeGiven { path, index, by: by.clone(), happened, result })?;
        match &self.state().phase {
            Phase::Ended { .. } => Ok(()),
            Phase::Parked { .. } if self.blind_step().is_none() => self.go_on(by, false, false),
            Phase::Parked { .. } => Ok(()),
            _ => Ok(self.advance()?),
        }
    }

    /// The one unknown call that a person means.
    fn meant(&self, which: &Which) -> Result<(StepPath, u32), String> {
        if let Phase::Ended { status: status @ (RunStatus::Succeeded | RunStatus::Cancelled), .. } = self.state().phase
        {
            return Err(format!("the run is over: it {}", past(status)));
        }
        let all = self.state().unknown_calls();
        let fits = |(path, index): &&(StepPath, u32)| {
            which.step.as_ref().is_none_or(|step| step == path) && which.call.is_none_or(|call| call == *index)
        };
        let mut meant = all.iter().filter(fits);
        match (meant.next(), meant.next()) {
            (Some(one), None) => Ok(one.clone()),
            (None, _) if all.is_empty() => {
                let past = past(self.state().status());
                Err(format!("nothing is unknown about this run: it {past}, and each of its calls is answered or open"))
            }
            (None, _) => Err(format!("that call is not unknown; what is: {}", named(&all))),
            (Some(_), Some(_)) => {
                Err(format!("several calls are unknown; name one with --step and --call: {}", named(&all)))
            }
        }
    }

    /// Ends a parked run as failed.
    pub(super) fn fail_by_hand(&mut self, by: String, reason: Option<String>) -> Result<(), Stop> {
        if !matches!(self.state().phase, Phase::Parked { .. }) {
            let status = self.state().status();
            let instead = if status.is_ended() { "" } else { "; `runs cancel` ends one that moves or waits" };
            return refused(format!("only parked runs can be given up; this one {}{instead}", past(status)));
        }
        let why = match &reason {
            Some(reason) => format!("given up by {by} ({reason})"),
            None => format!("given up by {by}"),
        };
        self.record(What::FailRequested { by, reason })?;
        self.give_up(&why)?;
        Ok(self.advance()?)
    }

    /// A parked run fails. One that was parked while it handled a failure fails with that failure: going into its
    /// `on_failure` again would only park it again. One that could not undo something leaves it as it is.
    pub(super) fn give_up(&mut self, why: &str) -> Result<(), Illegal> {
        let Phase::Parked { error, failure, stage } = self.state().phase.clone() else { return Ok(()) };
        let Some(first) = failure else {
            return self.fail_run(RunError { message: format!("{why}: {}", error.message), ..error });
        };
        let at = error.step.unwrap_or_default();
        let part = match stage {
            Stage::Main | Stage::Failure => "on_failure",
            Stage::Undo => "undoing",
            Stage::Cancel => "on_cancel",
        };
        let message = format!("{}; then {part} stopped at `{at}`, {why}: {}", first.message, error.message);
        let error = RunError { message, ..first };
        match stage {
            Stage::Main | Stage::Failure => self.end(RunStatus::Failed, Json::Null, Some(error)),
            Stage::Undo => {
                self.stop_everything();
                self.handle_failure(error)
            }
            Stage::Cancel => self.end(RunStatus::Cancelled, Json::Null, Some(error)),
        }
    }

    /// A step whose call nobody can find out about; what can be asked first needs no person's word.
    fn blind_step(&self) -> Option<StepPath> {
        let state = self.state();
        let blind = |(path, step): &(&StepPath, &StepState)| match step {
            StepState::Unknown { index, .. } => state.doubts.of(path, *index).is_none(),
            _ => false,
        };
        state.steps.iter().find(blind).map(|(path, _)| path.clone())
    }
}

/// Why a run cannot begin anew with other input; `None`: it can.
pub fn why_not_anew(state: &RunState) -> Option<String> {
    let status = state.status();
    if !matches!(status, RunStatus::Parked | RunStatus::Failed) {
        return Some(format!("only parked and failed runs can be retried with other input; this one {}", past(status)));
    }
    if let Some((path, index)) = state.unknown_calls().first() {
        return Some(format!(
            "nobody knows whether call {index} of step `{path}` happened, and with other input it would be made under a new \
             identity. Look at the receiver; then `runs fail`, `runs resolve` (--done or --not-done), and this again"
        ));
    }
    state.unanswered.first().map(|(path, index, summary)| {
        format!(
            "call {index} of step `{path}` (`{summary}`) may have happened although no answer came, and with other input it \
             would be made under a new identity, so perhaps twice. `runs retry` without other input makes it again \
             under its own; `events replay` starts another run"
        )
    })
}

/// `--step tell --call 0, --step each[1]/note --call 0`
fn named(calls: &[(StepPath, u32)]) -> String {
    let shown = calls.iter().take(NAMED_MAX).map(|(path, index)| format!("--step {path} --call {index}"));
    let more = if calls.len() > NAMED_MAX { format!(", and {} more", calls.len() - NAMED_MAX) } else { String::new() };
    format!("{}{more}", shown.collect::<Vec<_>>().join(", "))
}

fn refused(reason: String) -> Result<(), Stop> {
    Err(Stop::Refused(reason))
}

fn past(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Queued => "is queued",
        RunStatus::Running => "is running",
        RunStatus::Waiting => "is waiting",
        RunStatus::Parked => "is parked",
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "was cancelled",
    }
}
