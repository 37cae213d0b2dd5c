//! Begins steps: evaluates what must be known, writes the intent, and asks for the effect.

use std::sync::Arc;

use serde_json::json;

use super::{Decider, Effect, fail::expression_error, scope::Frame, walk::Flow};
use crate::{
    Json,
    call::CallError,
    evaluate::EvaluateError,
    id::StepPath,
    run::{
        apply::Illegal,
        entry::{TimerKind, What},
        row::RunError,
        state::StepState,
    },
    time::Timestamp,
    workflow::{Branch, Step, StepKind, Template, parse_duration},
};

/// A loop takes at most this many items.
pub const LOOP_ITEMS_MAX: usize = 10_000;

impl<'a> Decider<'a> {
    /// Evaluates `vars` and sets the run's deadline, once.
    pub(super) fn begin_run(&mut self) -> Result<Option<RunError>, Illegal> {
        if self.state().vars.is_some() || !self.state().steps.is_empty() {
            return Ok(None);
        }
        let workflow = self.context.workflow;
        if let Err(problems) = self.context.inputs {
            return Ok(Some(RunError { step: None, code: "inputs_invalid".into(), message: problems.to_owned() }));
        }
        let run = StepPath::new("");
        if let (Some(timeout), false) =
            (workflow.timeout, self.state().timers.contains_key(&(run.clone(), TimerKind::RunTimeout)))
        {
            let due = self.context.now.plus(timeout);
            self.record(What::TimerSet { path: run, timer: TimerKind::RunTimeout, due })?;
        }
        if matches!(&workflow.vars, Template::Literal(Json::Object(vars)) if vars.is_empty()) {
            return Ok(None);
        }
        match self.render(&workflow.vars, &Frame::root("")) {
            Ok(vars) => {
                self.record(What::VarsSet { vars })?;
                Ok(None)
            }
            Err(error) => {
                Ok(Some(RunError { step: None, code: "expression".into(), message: format!("`vars`: {error}") }))
            }
        }
    }

    /// Begins a step that is new or was reopened. `Some`: the run ends here.
    pub(super) fn begin(&mut self, step: &'a Step, path: &StepPath, frame: &Frame) -> Result<Option<Flow>, Illegal> {
        let fresh = !self.state().steps.contains_key(path);
        let holds = match &step.condition {
            Some(condition) if fresh => self.condition(condition, frame),
            _ => Ok(true),
        };
        if let Ok(false) = holds {
            self.record(What::StepSkipped { path: path.clone() })?;
            return Ok(None);
        }
        let attempt = self.state().steps.get(path).map_or(0, StepState::attempt) + 1;
        self.record(What::StepStarted { path: path.clone(), attempt, kind: step.kind.word().into() })?;
        if let Err(error) = holds {
            self.fail_step(step, path, expression_error("if", &error), None)?;
            return Ok(None);
        }
        // A person's retry begins a new span; an automatic one keeps the first.
        // For an approval it is an answer, not a failure.
        if let Some(timeout) = step.timeout.filter(|_| !matches!(step.kind, StepKind::Approve(_))) {
            let due = self.context.now.plus(timeout);
            self.record(What::TimerSet { path: path.clone(), timer: TimerKind::StepTimeout, due })?;
        }
        self.perform(step, path, frame)
    }

    /// Does what an attempt of a step does first.
    pub(super) fn perform(&mut self, step: &'a Step, path: &StepPath, frame: &Frame) -> Result<Option<Flow>, Illegal> {
        match &step.kind {
            StepKind::Script(_) | StepKind::Plugin(_) => {
                let attempt = self.state().steps.get(path).map_or(0, StepState::attempt);
                self.effects.push(Effect::RunScript { path: path.clone(), attempt });
            }
            StepKind::Http(_) | StepKind::Woo(_) => self.begin_call(step, path, frame)?,
            StepKind::Emit { topic, data } => self.emit_step(step, topic, data, path, frame)?,
            StepKind::Sleep { until, .. } => {
                let due = self.render(until, frame).map_err(|error| expression_error("sleep", &error));
                match due.and_then(|until| wake_time(&until, self.context.now)) {
                    Ok(due) => {
                        self.record(What::TimerSet { path: path.clone(), timer: TimerKind::Sleep, due })?;
                    }
                    Err(error) => self.fail_step(step, path, error, None)?,
                }
            }
            StepKind::WaitFor(wait) => self.wait_step(step, wait, path, frame)?,
            StepKind::Approve(approve) => self.ask_person(step, approve, path, frame)?,
            StepKind::Call(call) => self.begin_child(step, call, path, frame)?,
            StepKind::Choose(branches) => match self.choose(branches, frame) {
                Ok(branch) => self.record(What::BranchTaken { path: path.clone(), branch })?,
                Err(error) => self.fail_step(step, path, expression_error("choose", &error), None)?,
            },
            StepKind::ForEach(each) => {
                let items = self.evaluate(&each.items, frame);
                match items.map_err(|error| expression_error("for_each", &error)).and_then(loop_items) {
                    Ok(items) => self.record(What::LoopStarted { path: path.clone(), items })?,
                    Err(error) => self.fail_step(step, path, error, None)?,
                }
            }
            // That it was begun is all; the walk goes into its branches.
            StepKind::Parallel(_) => {}
            StepKind::Respond(respond) => self.respond(step, respond, path, frame)?,
            StepKind::Stop(why) => return self.end_early(step, why, path, frame, true),
            StepKind::Fail(why) => return self.end_early(step, why, path, frame, false),
        }
        Ok(None)
    }

    fn choose(&self, branches: &[Branch], frame: &Frame) -> Result<Option<u32>, EvaluateError> {
        for (index, branch) in (0..).zip(branches) {
            let holds = match &branch.condition {
                Some(condition) => self.condition(condition, frame)?,
                None => true,
            };
            if holds {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn end_early(
        &mut self,
        step: &'a Step,
        why: &Template,
        path: &StepPath,
        frame: &Frame,
        well: bool,
    ) -> Result<Option<Flow>, Illegal> {
        match self.render(why, frame) {
            Ok(why) if well => {
                self.record(What::StepSucceeded { path: path.clone(), output: why.clone(), undo: false })?;
                Ok(Some(Flow::Stop(why)))
            }
            Ok(why) => {
                let message = why.as_str().map_or_else(|| why.to_string(), str::to_owned);
                self.fail_step(step, path, CallError::r#final("failed", message), None)?;
                Ok(None)
            }
            Err(error) => {
                self.fail_step(step, path, expression_error("stop", &error), None)?;
                Ok(None)
            }
        }
    }

    fn emit_step(
        &mut self,
        step: &'a Step,
        topic: &Template,
        data: &Template,
        path: &StepPath,
        frame: &Frame,
    ) -> Result<(), Illegal> {
        let rendered = self.render(topic, frame).and_then(|topic| Ok((topic, self.render(data, frame)?)));
        let (topic, data) = match rendered {
            Ok(rendered) => rendered,
            Err(error) => return self.fail_step(step, path, expression_error("emit", &error), None),
        };
        let topic = topic.as_str().map_or_else(|| topic.to_string(), str::to_owned);
        match self.raise(path, 0, &topic, &data) {
            Ok(id) => self.succeed(step, path, json!(id), frame),
            Err(error) => self.fail_step(step, path, error, None),
        }
    }

    /// A step gave a value: trims it and ends the step well.
    pub(super) fn succeed(&mut self, step: &Step, path: &StepPath, output: Json, frame: &Frame) -> Result<(), Illegal> {
        let output = match &step.output {
            None => Ok(output),
            Some(expression) => self.trim(expression, &Arc::new(crate::evaluate::Prepared::new(output)), frame),
        };
        match output {
            Ok(output) => {
                let undo = self.is_undone_on_failure(step, path);
                self.record(What::StepSucceeded { path: path.clone(), output, undo })
            }
            Err(error) => self.fail_step(step, path, expression_error("output", &error), None),
        }
    }
}

fn loop_items(items: Json) -> Result<Vec<Json>, CallError> {
    match items {
        Json::Array(items) if items.len() <= LOOP_ITEMS_MAX => Ok(items),
        Json::Array(items) => Err(CallError::r#final(
            "limit",
            format!(
                "for_each takes at most {LOOP_ITEMS_MAX} items, this list has {}; use chunk() to group them",
                items.len()
            ),
        )),
        other => Err(CallError::r#final("type", format!("for_each needs a list, this is {}", kind_of(&other)))),
    }
}

/// The kind of a value, for people.
pub(super) fn kind_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "() (nothing)",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
    }
}

/// When a sleep ends: a duration as text, a number of seconds, or a time (RFC 3339).
pub(super) fn wake_time(until: &Json, now: Timestamp) -> Result<Timestamp, CallError> {
    let bad = |what: String| {
        CallError::r#final("sleep", format!("cannot sleep {what}; give a duration (10m, 2d), seconds, or a time"))
    };
    match until {
        Json::String(text) => match (parse_duration(text), Timestamp::parse(text)) {
            (Ok(span), _) => Ok(now.plus(span)),
            (Err(_), Some(time)) => Ok(time.min(Timestamp::MAX)),
            (Err(_), None) => Err(bad(format!("`{text}`"))),
        },
        Json::Number(seconds) => {
            let millis = seconds.as_u64().and_then(|s| s.checked_mul(1000));
            millis.map(|ms| now.plus(std::time::Duration::from_millis(ms))).ok_or_else(|| bad(seconds.to_string()))
        }
        other => Err(bad(kind_of(other).to_owned())),
    }
}
