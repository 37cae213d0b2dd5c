//! What an expression sees, depending on where it stands.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use serde_json::json;

use super::{Context, Decider};
use crate::{
    Json,
    call::CallError,
    evaluate::{EvaluateError, Prepared, Scope},
    id::StepPath,
    run::state::{Inner, Phase, RunState, StepState},
    workflow::{Block, Expression, Side, Step, StepKind, Template, Workflow, visit::visit_block},
};

/// Where in the workflow a step stands, at run time.
#[derive(Debug, Clone)]
pub struct Frame {
    /// What step ids are appended to.
    pub(crate) prefix: String,
    /// The innermost loop's item.
    item: Option<Arc<Prepared>>,
    /// The innermost loop's index.
    index: Option<u64>,
    /// The prefixes of the iterations it stands in, outermost first.
    iterations: Vec<String>,
    /// The ids of steps in branches beside those it stands in: whether they have ended is chance.
    hidden: Vec<String>,
}

impl Frame {
    pub(super) fn root(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), item: None, index: None, iterations: Vec::new(), hidden: Vec::new() }
    }

    pub(super) fn path(&self, step: &Step) -> StepPath {
        StepPath::new(format!("{}{}", self.prefix, step.id))
    }

    pub(super) fn inside(&self, prefix: String) -> Self {
        Self { prefix, ..self.clone() }
    }

    pub(super) fn iteration(&self, path: &StepPath, index: u32, item: Arc<Prepared>) -> Self {
        let prefix = format!("{path}[{index}]/");
        let mut iterations = self.iterations.clone();
        iterations.push(prefix.clone());
        Self { prefix, item: Some(item), index: Some(u64::from(index)), iterations, hidden: self.hidden.clone() }
    }

    /// In a branch of a `parallel`, where the steps of the others are not seen.
    pub(super) fn side(&self, path: &StepPath, index: usize, sides: &[Side]) -> Self {
        let mut inner = self.inside(format!("{path}.{index}/"));
        for (_, other) in sides.iter().enumerate().filter(|(other, _)| *other != index) {
            visit_block(&other.steps, &mut |step| inner.hidden.push(step.id.clone()));
        }
        inner
    }
}

/// Finds the step a path names, and where it stands. `None`: the workflow has no such step.
pub fn locate<'w>(workflow: &'w Workflow, state: &RunState, path: &StepPath) -> Option<(&'w Step, Frame)> {
    let (mut block, mut frame, rest) = match path.as_str().strip_prefix("on_failure/") {
        Some(rest) => (&workflow.on_failure, Frame::root("on_failure/"), rest),
        None => (&workflow.steps, Frame::root(""), path.as_str()),
    };
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let id = segment.split(['[', '.']).next().unwrap_or(segment);
        let step = find(block, id)?;
        let here = frame.path(step);
        if segments.peek().is_none() {
            return Some((step, frame));
        }
        let number: u32 = segment[id.len()..].trim_matches(['[', ']', '.']).parse().ok()?;
        match &step.kind {
            StepKind::Choose(branches) => {
                block = &branches.get(number as usize)?.steps;
                frame = frame.inside(format!("{here}.{number}/"));
            }
            StepKind::ForEach(each) => {
                block = &each.steps;
                frame = frame.iteration(&here, number, item(state, &here, number)?);
            }
            StepKind::Parallel(sides) => {
                let index = number as usize;
                block = &sides.get(index)?.steps;
                frame = frame.side(&here, index, sides);
            }
            _ => return None,
        }
    }
    None
}

fn find<'w>(block: &'w Block, id: &str) -> Option<&'w Step> {
    block.iter().find(|step| step.id == id)
}

fn item(state: &RunState, path: &StepPath, index: u32) -> Option<Arc<Prepared>> {
    match state.steps.get(path)? {
        StepState::Active(active) => match &active.inner {
            Inner::Loop { items, .. } => items.get(index as usize).cloned(),
            Inner::None | Inner::Branch(_) | Inner::Parallel => None,
        },
        _ => None,
    }
}

impl Decider<'_> {
    pub(super) fn evaluate(&self, expression: &Expression, frame: &Frame) -> Result<Json, EvaluateError> {
        self.with_scope(frame, |scope| self.context.evaluate.expression(expression, &scope))
    }

    pub(super) fn condition(&self, expression: &Expression, frame: &Frame) -> Result<bool, EvaluateError> {
        self.with_scope(frame, |scope| self.context.evaluate.condition(expression, &scope))
    }

    /// A template where secrets may not appear.
    pub(super) fn render(&self, template: &Template, frame: &Frame) -> Result<Json, EvaluateError> {
        self.with_scope(frame, |scope| self.context.evaluate.template(template, &scope))
    }

    /// A template of an outbound call, where granted secrets appear as sealed marks.
    pub(super) fn render_outbound(&self, template: &Template, frame: &Frame) -> Result<Json, EvaluateError> {
        let names = &self.context.workflow.grants.secrets;
        self.with_scope(frame, |scope| {
            self.context.evaluate.template(template, &Scope { secrets: Some(names), ..scope })
        })
    }

    /// An `output:` expression, which sees what the step gave.
    pub(super) fn trim(
        &self,
        expression: &Expression,
        output: &Prepared,
        frame: &Frame,
    ) -> Result<Json, EvaluateError> {
        self.with_scope(frame, |scope| {
            self.context.evaluate.expression(expression, &Scope { output: Some(output), ..scope })
        })
    }

    pub(super) fn with_scope<T>(&self, frame: &Frame, then: impl FnOnce(Scope<'_>) -> T) -> T {
        scope_at(self.context, self.state(), frame, then)
    }
}

/// Hands `then` what an expression or a script at this place sees.
pub fn scope_at<T>(context: &Context<'_>, state: &RunState, frame: &Frame, then: impl FnOnce(Scope<'_>) -> T) -> T {
    let steps = visible(state, frame);
    let failure = failure_view(state);
    then(Scope {
        event: Some(context.event),
        store: context.store,
        steps: Some(&steps),
        vars: state.vars.as_deref(),
        inputs: context.inputs.ok().flatten(),
        run: Some(&state.view),
        item: frame.item.as_deref(),
        index: frame.index,
        failure: failure.as_ref(),
        ..Scope::default()
    })
}

/// Steps by id: those outside loops, and over them those of the iterations the frame stands in, innermost last.
fn visible<'s>(state: &'s RunState, frame: &Frame) -> Cow<'s, BTreeMap<String, Arc<Prepared>>> {
    if frame.iterations.is_empty() && frame.hidden.is_empty() {
        return Cow::Borrowed(&state.visible);
    }
    let mut steps = state.visible.clone();
    for prefix in &frame.iterations {
        let below = state.steps.range(StepPath::new(prefix.as_str())..);
        for (path, step) in below.take_while(|(path, _)| path.as_str().starts_with(prefix.as_str())) {
            let rest = &path.as_str()[prefix.len()..];
            if rest.contains('[') {
                continue;
            }
            let id = rest.rsplit('/').next().unwrap_or(rest);
            if let Some(view) = view(step) {
                steps.insert(id.to_owned(), view);
            }
        }
    }
    for id in &frame.hidden {
        steps.remove(id);
    }
    Cow::Owned(steps)
}

fn view(step: &StepState) -> Option<Arc<Prepared>> {
    match step {
        StepState::Succeeded { result, .. } => Some(Arc::clone(result)),
        StepState::Skipped => Some(Arc::new(Prepared::new(json!({"status": "skipped", "output": null})))),
        StepState::Failed { error, .. } => Some(Arc::new(Prepared::new(failed_view(error)))),
        StepState::Active(_) | StepState::Retrying { .. } | StepState::Reopened { .. } | StepState::Unknown { .. } => {
            None
        }
    }
}

/// What expressions see of a failed step.
pub(crate) fn failed_view(error: &CallError) -> Json {
    let shown = json!({"code": error.code, "message": error.message, "status": error.status});
    json!({"status": "failed", "output": null, "error": shown})
}

fn failure_view(state: &RunState) -> Option<Prepared> {
    let (Phase::Failing { error } | Phase::Parked { failure: Some(error), .. }) = &state.phase else { return None };
    Some(Prepared::new(json!({"step": error.step, "code": error.code, "message": error.message})))
}
