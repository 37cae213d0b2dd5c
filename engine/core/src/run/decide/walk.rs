//! Walks the workflow from its first step and does what can be done now. What is over is passed, what is under way is
//! left alone, what is next is begun; so every input ends in the same place, whatever happened in between.

use std::sync::Arc;

use super::{Decider, Effect, scope::Frame};
use crate::{
    Json,
    call::{CallError, ErrorClass},
    evaluate::Prepared,
    id::StepPath,
    run::{
        apply::Illegal,
        entry::{TimerKind, What},
        iteration::ended,
        row::{RunError, RunStatus},
        stage::Stage,
        state::{Inner, Phase, StepState},
    },
    workflow::{Block, Branch, ForEach, OnError, Step, StepKind},
};

/// What a step or a block came to.
pub(super) enum Flow {
    /// Over; what the last step gave (`None`: nothing).
    Done(Option<Arc<Prepared>>),
    /// Over; go on at this step of the same block.
    Goto(String),
    /// Something is under way or waits.
    Pending,
    /// The run ends well, now.
    Stop(Json),
    /// The run fails.
    Failed(RunError),
    /// The run waits for a person.
    Parked(RunError),
}

impl<'a> Decider<'a> {
    /// Carries the run as far as it goes without waiting. One that needs a slot and has none gets no further than to ask.
    pub(super) fn advance(&mut self) -> Result<(), Illegal> {
        if self.holds() {
            return self.want_slot();
        }
        self.go_far()?;
        self.lend_slot()
    }

    fn go_far(&mut self) -> Result<(), Illegal> {
        loop {
            // What failed for good while it had no slot, or ended, has none for what follows.
            if !self.has_slot() {
                return self.want_slot();
            }
            let workflow = self.context.workflow;
            match self.state().phase.clone() {
                Phase::Ended { .. } | Phase::Parked { .. } => return Ok(()),
                // `throttle` holds it back; its timer carries it on.
                Phase::Main if self.state().delayed_until().is_some() => return Ok(()),
                Phase::Main => {
                    if let Some(error) = self.begin_run()? {
                        self.fail_run(error)?;
                        continue;
                    }
                    match self.run_block(&workflow.steps, &Frame::root(""))? {
                        Flow::Pending => return Ok(()),
                        Flow::Done(last) => self.finish(last.as_deref())?,
                        Flow::Goto(_) => self.finish(None)?,
                        Flow::Stop(why) => self.end(RunStatus::Succeeded, why, None)?,
                        Flow::Failed(error) => self.fail_run(error)?,
                        Flow::Parked(error) => self.park(error)?,
                    }
                }
                Phase::Undoing { error } => match self.undo()? {
                    Flow::Pending => return Ok(()),
                    Flow::Parked(error) => self.park(error)?,
                    Flow::Failed(second) => self.handle_failure(then(error, "an undo", &second))?,
                    Flow::Done(_) | Flow::Goto(_) | Flow::Stop(_) => self.handle_failure(error)?,
                },
                Phase::Failing { error } => match self.run_block(&workflow.on_failure, &Frame::root("on_failure/"))? {
                    Flow::Pending => return Ok(()),
                    Flow::Parked(error) => self.park(error)?,
                    Flow::Done(_) | Flow::Goto(_) | Flow::Stop(_) => {
                        self.end(RunStatus::Failed, Json::Null, Some(error))?;
                    }
                    Flow::Failed(second) => {
                        self.end(RunStatus::Failed, Json::Null, Some(then(error, "on_failure", &second)))?;
                    }
                },
                Phase::Cancelling { error } => match self.run_block(&workflow.on_cancel, &Frame::root("on_cancel/"))? {
                    Flow::Pending => return Ok(()),
                    Flow::Parked(error) => self.park(error)?,
                    Flow::Done(_) | Flow::Goto(_) | Flow::Stop(_) => {
                        self.end(RunStatus::Cancelled, Json::Null, Some(error))?;
                    }
                    Flow::Failed(second) => {
                        self.end(RunStatus::Cancelled, Json::Null, Some(then(error, "on_cancel", &second)))?;
                    }
                },
            }
        }
    }

    pub(super) fn run_block(&mut self, block: &'a Block, frame: &Frame) -> Result<Flow, Illegal> {
        let mut last = None;
        let mut next = 0;
        while let Some(step) = block.get(next) {
            let path = frame.path(step);
            match self.run_step(step, &path, frame)? {
                Flow::Done(given) => {
                    last = given;
                    next += 1;
                }
                // The parser allows only later steps of the same block, so this ends.
                Flow::Goto(id) => next = block.iter().position(|step| step.id == id).unwrap_or(block.len()),
                other => return Ok(other),
            }
        }
        Ok(Flow::Done(last))
    }

    /// Looks at a step, begins it if it is next, and goes into it if it is a container.
    pub(super) fn run_step(&mut self, step: &'a Step, path: &StepPath, frame: &Frame) -> Result<Flow, Illegal> {
        if !self.begins_nothing
            && matches!(self.state().steps.get(path), None | Some(StepState::Reopened { .. }))
            && let Some(stop) = self.begin(step, path, frame)?
        {
            return Ok(stop);
        }
        match self.state().steps.get(path) {
            Some(StepState::Active(active)) => match (&step.kind, &active.inner) {
                (StepKind::Choose(branches), Inner::Branch(branch)) => {
                    let branch = *branch;
                    let flow = self.run_branch(branches, branch, step, path, frame)?;
                    self.contain(step, path, flow)
                }
                (StepKind::ForEach(each), Inner::Loop { .. }) => {
                    let flow = self.run_loop(each, step, path, frame)?;
                    self.contain(step, path, flow)
                }
                (StepKind::Parallel(sides), Inner::Parallel) => {
                    let flow = self.run_sides(sides, step, path, frame)?;
                    self.contain(step, path, flow)
                }
                _ => Ok(Flow::Pending),
            },
            Some(_) => Ok(self.settled(step, path)),
            None => Ok(Flow::Pending),
        }
    }

    /// What an ended or waiting step means for its block.
    pub(super) fn settled(&self, step: &Step, path: &StepPath) -> Flow {
        match self.state().steps.get(path) {
            Some(StepState::Skipped) => Flow::Done(None),
            // Looked at again only while branches beside it are waited for.
            Some(StepState::Succeeded { result, .. }) if matches!(step.kind, StepKind::Stop(_)) => {
                Flow::Stop(output_of(Some(result)))
            }
            Some(StepState::Succeeded { result, .. }) => Flow::Done(Some(Arc::clone(result))),
            Some(StepState::Failed { handled: true, .. }) => match &step.on_error {
                Some(OnError::Goto(id)) => Flow::Goto(id.clone()),
                _ => Flow::Done(None),
            },
            Some(StepState::Failed { error, .. }) => failed(step, path, error),
            Some(StepState::Unknown { message, .. }) => Flow::Parked(RunError {
                step: Some(path.to_string()),
                code: "unknown".into(),
                message: message.clone(),
            }),
            Some(StepState::Active(_) | StepState::Retrying { .. } | StepState::Reopened { .. }) | None => {
                Flow::Pending
            }
        }
    }

    fn run_branch(
        &mut self,
        branches: &'a [Branch],
        branch: Option<u32>,
        step: &'a Step,
        path: &StepPath,
        frame: &Frame,
    ) -> Result<Flow, Illegal> {
        let Some((index, taken)) = branch.and_then(|index| Some((index, branches.get(index as usize)?))) else {
            self.succeed(step, path, Json::Null, frame)?;
            return Ok(self.settled(step, path));
        };
        let inner = frame.inside(format!("{path}.{index}/"));
        match self.run_block(&taken.steps, &inner)? {
            Flow::Done(last) => {
                self.succeed(step, path, output_of(last.as_deref()), frame)?;
                Ok(self.settled(step, path))
            }
            other => Ok(other),
        }
    }

    fn run_loop(&mut self, each: &'a ForEach, step: &'a Step, path: &StepPath, frame: &Frame) -> Result<Flow, Illegal> {
        let (count, first) = self.loop_progress(path);
        let (mut under_way, mut trouble) = (0, None);
        for index in first..count {
            if under_way >= each.parallel.max(1) {
                break;
            }
            let Some(item) = self.open_item(path, index) else { continue };
            let inner = frame.iteration(path, index, item);
            if trouble.is_some() && !self.has_begun(&inner.prefix) {
                continue;
            }
            match self.run_block(&each.steps, &inner)? {
                Flow::Done(last) => self.record(ended(path, index, output_of(last.as_deref()), None))?,
                Flow::Goto(_) => self.record(ended(path, index, Json::Null, None))?,
                Flow::Pending => under_way += 1,
                Flow::Stop(why) => return Ok(Flow::Stop(why)),
                Flow::Failed(error) if each.continue_on_error => {
                    self.record(ended(path, index, Json::Null, Some(error)))?;
                }
                other => trouble = trouble.or(Some(other)),
            }
        }
        match trouble {
            // What the others have begun outside is waited for: nothing is left half known.
            Some(_) if self.state().is_busy_below(path) => Ok(Flow::Pending),
            Some(trouble) => Ok(trouble),
            None if under_way > 0 => Ok(Flow::Pending),
            None => {
                let outputs = self.loop_outputs(path);
                self.succeed(step, path, outputs, frame)?;
                Ok(self.settled(step, path))
            }
        }
    }

    /// How many items there are, and the first that may not have ended.
    fn loop_progress(&self, path: &StepPath) -> (u32, u32) {
        let Some(StepState::Active(active)) = self.state().steps.get(path) else { return (0, 0) };
        let Inner::Loop { items, outputs } = &active.inner else { return (0, 0) };
        let ended = u32::try_from(outputs.len()).unwrap_or(u32::MAX);
        // In a sequential loop what ended is a prefix; only a parallel one has gaps to look for.
        let is_prefix = ended == 0
            || outputs.contains_key(&(ended - 1)) && outputs.last_key_value().map(|l| *l.0) == Some(ended - 1);
        let first = if is_prefix { ended } else { (0..).find(|index| !outputs.contains_key(index)).unwrap_or(0) };
        (u32::try_from(items.len()).unwrap_or(u32::MAX), first)
    }

    fn open_item(&self, path: &StepPath, index: u32) -> Option<Arc<Prepared>> {
        let Some(StepState::Active(active)) = self.state().steps.get(path) else { return None };
        let Inner::Loop { items, outputs } = &active.inner else { return None };
        if outputs.contains_key(&index) { None } else { items.get(index as usize).cloned() }
    }

    fn loop_outputs(&self, path: &StepPath) -> Json {
        let Some(StepState::Active(active)) = self.state().steps.get(path) else { return Json::Null };
        match &active.inner {
            Inner::Loop { outputs, .. } => Json::Array(outputs.values().cloned().collect()),
            Inner::None | Inner::Branch(_) | Inner::Parallel => Json::Null,
        }
    }

    fn has_begun(&self, prefix: &str) -> bool {
        let from = StepPath::new(prefix);
        self.state().steps.range(from..).next().is_some_and(|(path, _)| path.as_str().starts_with(prefix))
    }

    /// A container whose inner steps failed may have an `on_error` of its own.
    fn contain(&mut self, step: &'a Step, path: &StepPath, flow: Flow) -> Result<Flow, Illegal> {
        let Flow::Failed(error) = flow else { return Ok(flow) };
        match &step.on_error {
            Some(OnError::Continue | OnError::Goto(_)) => {
                let at = error.step.unwrap_or_default();
                let error = CallError::r#final(&error.code, format!("{} (at `{at}`)", error.message));
                self.record(What::StepFailed { path: path.clone(), error, call: None, handled: true })?;
                Ok(self.settled(step, path))
            }
            Some(OnError::Park) => Ok(Flow::Parked(error)),
            Some(OnError::Fail) | None => Ok(Flow::Failed(error)),
        }
    }

    fn finish(&mut self, last: Option<&Prepared>) -> Result<(), Illegal> {
        let workflow = self.context.workflow;
        let output = match &workflow.output {
            None => Ok(output_of(last)),
            Some(expression) => self.evaluate(expression, &Frame::root("")),
        };
        match output {
            Ok(output) => self.end(RunStatus::Succeeded, output, None),
            Err(error) => {
                let message = format!("the workflow's `output`: {error}");
                self.fail_run(RunError { step: None, code: "expression".into(), message })
            }
        }
    }

    pub(super) fn fail_run(&mut self, error: RunError) -> Result<(), Illegal> {
        self.stop_everything();
        let in_main = matches!(self.state().phase, Phase::Main | Phase::Parked { stage: Stage::Main, .. });
        if in_main && self.context.workflow.undo_on_failure && !self.state().undos.is_empty() {
            let error = self.with_what_stays_unknown(error);
            return self.record(What::UndoHandling { error });
        }
        self.handle_failure(error)
    }

    /// What was to be undone is: `on_failure` follows, then the end.
    pub(super) fn handle_failure(&mut self, error: RunError) -> Result<(), Illegal> {
        if self.context.workflow.on_failure.is_empty() {
            return self.end(RunStatus::Failed, Json::Null, Some(error));
        }
        let round = self.state().revivals;
        self.record(What::FailureHandling { error, round })
    }

    pub(super) fn park(&mut self, error: RunError) -> Result<(), Illegal> {
        self.record(What::RunParked { error })?;
        let due = self.context.now.plus(super::PARK_EXPIRY);
        self.record(What::TimerSet { path: StepPath::new(""), timer: TimerKind::ParkExpiry, due })
    }

    /// Nothing more is to be done: the run ends as it would have after its last step.
    pub(super) fn end_early_enough(&mut self, output: Json) -> Result<(), Illegal> {
        match self.state().phase.clone() {
            Phase::Failing { error } => self.end(RunStatus::Failed, Json::Null, Some(error)),
            Phase::Cancelling { error } => self.end(RunStatus::Cancelled, Json::Null, Some(error)),
            _ => self.end(RunStatus::Succeeded, output, None),
        }
    }

    pub(super) fn end(&mut self, status: RunStatus, output: Json, error: Option<RunError>) -> Result<(), Illegal> {
        self.stop_everything();
        self.record(What::RunFinished { status, output, error })
    }

    /// Nothing under way is wanted any more, nor what this decision was about to begin.
    pub(super) fn stop_everything(&mut self) {
        self.effects.clear();
        self.effects.push(Effect::Abort { path: StepPath::new("") });
    }
}

/// A failure that was being handled, and what became of that.
fn then(error: RunError, part: &str, second: &RunError) -> RunError {
    let at = second.step.as_deref().unwrap_or_default();
    let message = format!("{}; then {part} failed at `{at}`: {}", error.message, second.message);
    RunError { message, ..error }
}

/// A failed step without a handler parks the run where trying again later may help, and fails it otherwise.
fn failed(step: &Step, path: &StepPath, error: &CallError) -> Flow {
    let blamed = RunError { step: Some(path.to_string()), code: error.code.clone(), message: error.message.clone() };
    match (&step.on_error, error.class) {
        (Some(OnError::Fail), _) => Flow::Failed(blamed),
        (Some(OnError::Park), _) => Flow::Parked(blamed),
        (_, ErrorClass::Retryable | ErrorClass::Deferred | ErrorClass::Park) => Flow::Parked(blamed),
        (_, ErrorClass::Final | ErrorClass::Unknown) => Flow::Failed(blamed),
    }
}

/// What a step gave, out of what expressions see of it.
pub(super) fn output_of(view: Option<&Prepared>) -> Json {
    view.and_then(|view| view.json().get("output")).cloned().unwrap_or(Json::Null)
}
