//! What an expression sees, depending on where it stands.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use serde_json::json;

use super::{Context, Decider, links::links};
use crate::{
    Json,
    call::CallError,
    evaluate::{EvaluateError, Events, Prepared, Scope},
    id::StepPath,
    run::{
        stage::Stage,
        state::{Inner, RunState, StepState},
        undo::Armed,
    },
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
    pub(super) iterations: Vec<String>,
    /// The ids of steps in branches beside those it stands in: whether they have ended is chance.
    hidden: Vec<String>,
    /// Of an undo: what was kept for it.
    armed: Option<Arc<Armed>>,
}

impl Frame {
    pub(super) fn root(prefix: &str) -> Self {
        let (iterations, hidden) = (Vec::new(), Vec::new());
        Self { prefix: prefix.to_owned(), item: None, index: None, iterations, hidden, armed: None }
    }

    /// Where the undo of a step stands: it sees what its step saw.
    pub(super) fn undo(armed: &Arc<Armed>) -> Self {
        let (item, index) = (armed.item.clone(), armed.index);
        Self { item, index, armed: Some(Arc::clone(armed)), ..Self::root(Stage::Undo.prefix()) }
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
        let (item, index) = (Some(item), Some(u64::from(index)));
        Self { prefix, item, index, iterations, hidden: self.hidden.clone(), armed: None }
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
    let stage = Stage::of(path);
    let mut block = match stage {
        Stage::Main => &workflow.steps,
        Stage::Undo => return locate_undo(workflow, state, path),
        Stage::Failure => &workflow.on_failure,
        Stage::Cancel => &workflow.on_cancel,
    };
    let mut frame = Frame::root(stage.prefix());
    let rest = &path.as_str()[stage.prefix().len()..];
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

fn locate_undo<'w>(workflow: &'w Workflow, state: &RunState, path: &StepPath) -> Option<(&'w Step, Frame)> {
    let armed = state.undos.of(path)?;
    let id = armed.path.as_str().rsplit('/').next()?;
    Some((workflow.step(id)?.undo.as_deref()?, Frame::undo(armed)))
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

    /// A template of an outbound call, where granted secrets and links to approvals appear as sealed marks.
    pub(super) fn render_outbound(&self, template: &Template, frame: &Frame) -> Result<Json, EvaluateError> {
        let names = &self.context.workflow.grants.secrets;
        let links = links(self.context.workflow, frame);
        self.with_scope(frame, |scope| {
            self.context.evaluate.template(template, &Scope { secrets: Some(names), links: Some(&links), ..scope })
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
        events: Some(context.events.map_or(Events::One(context.event), Events::All)),
        store: context.store,
        steps: Some(&steps),
        vars: state.vars.as_deref(),
        inputs: context.inputs.ok().flatten(),
        run: Some(&state.view),
        item: frame.item.as_deref(),
        index: frame.index,
        output: frame.armed.as_deref().map(|armed| &armed.output),
        failure: failure.as_ref(),
        ..Scope::default()
    })
}

/// Steps by id: those outside loops, and over them those of the iterations the frame stands in, innermost last.
fn visible<'s>(state: &'s RunState, frame: &Frame) -> Cow<'s, BTreeMap<String, Arc<Prepared>>> {
    let kept = frame.armed.as_deref().map(|armed| &armed.steps).filter(|steps| !steps.is_empty());
    if frame.iterations.is_empty() && frame.hidden.is_empty() && kept.is_none() {
        return Cow::Borrowed(&state.visible);
    }
    let mut steps = state.visible.clone();
    for (id, view) in kept.into_iter().flatten() {
        steps.insert(id.clone(), Arc::clone(view));
    }
    for prefix in &frame.iterations {
        state.seen_below(prefix, &mut |id, view| {
            steps.insert(id.to_owned(), view);
        });
    }
    for id in &frame.hidden {
        steps.remove(id);
    }
    Cow::Owned(steps)
}

impl RunState {
    /// Tells what expressions see of the steps of an iteration, those of inner loops left out.
    pub(in crate::run) fn seen_below(&self, prefix: &str, tell: &mut dyn FnMut(&str, Arc<Prepared>)) {
        let below = self.steps.range(StepPath::new(prefix)..);
        for (path, step) in below.take_while(|(path, _)| path.as_str().starts_with(prefix)) {
            let rest = &path.as_str()[prefix.len()..];
            if rest.contains('[') {
                continue;
            }
            if let Some(view) = view(step) {
                tell(rest.rsplit('/').next().unwrap_or(rest), view);
            }
        }
    }
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
    let error = state.phase.why()?;
    Some(Prepared::new(json!({"step": error.step, "code": error.code, "message": error.message})))
}
