//! `call` steps: one workflow starts another. The child's event goes out in the commit that says so, so that there is
//! exactly one child; what became of it comes back as mail.

use serde_json::value::to_raw_value;

use super::{Decider, EMIT_BYTES_MAX, HOPS_MAX, begin::kind_of, fail::expression_error, scope::Frame};
use crate::{
    Json,
    call::{CallError, CallOutcome},
    event::{Event, Source},
    id::{EventId, RunId, StepPath, WorkflowId},
    run::{apply::Illegal, entry::What, state::StepState},
    workflow::{CallStep, Step, diagnostic::nearest, inputs},
};

/// The topic of an event that starts a called workflow.
pub const CALL_TOPIC: &str = "call";

impl Decider<'_> {
    pub(super) fn begin_child(
        &mut self,
        step: &Step,
        call: &CallStep,
        path: &StepPath,
        frame: &Frame,
    ) -> Result<(), Illegal> {
        // Its `output:` failed and a person retries: nothing is started again.
        if let Some(Some(CallOutcome::Ok(output))) = self.state().calls(path).first().map(|call| call.outcome.clone()) {
            return self.succeed(step, path, output, frame);
        }
        let event = match self.child_event(call, path, frame) {
            Ok(event) => event,
            Err(error) => return self.fail_step(step, path, error, None),
        };
        let Some(workflow) = event.source.workflow().cloned() else { return Ok(()) };
        let run = RunId::derived(event.time, &event.id, &workflow);
        let (path, event_id) = (path.clone(), event.id.clone());
        self.emits.push(event);
        let (child, awaited) = (run.clone(), call.awaited);
        self.record(What::ChildStarted { path: path.clone(), run, workflow, event: event_id, awaited })?;
        if awaited { Ok(()) } else { self.succeed(step, &path, Json::from(child.as_str()), frame) }
    }

    /// Takes what became of a child, unless its step has moved on.
    pub(super) fn child_ended(&mut self, path: &StepPath, child: &RunId, outcome: CallOutcome) -> Result<(), Illegal> {
        match self.state().children.get(path) == Some(child) {
            true => self.call_ended(path, 0, outcome),
            false => Ok(()),
        }
    }

    fn child_event(&self, call: &CallStep, path: &StepPath, frame: &Frame) -> Result<Event, CallError> {
        let (state, now) = (self.state(), self.context.now);
        let rendered = self.render(&call.workflow, frame).map_err(|error| expression_error("call", &error))?;
        let with = self.render(&call.with, frame).map_err(|error| expression_error("with", &error))?;
        let invalid = |message: String| CallError::r#final("invalid", message);
        if !with.is_object() {
            return Err(invalid(format!("`with` must be a map, this is {}", kind_of(&with))));
        }
        let workflow: WorkflowId = match rendered.as_str().map(str::parse) {
            Some(Ok(id)) => id,
            Some(Err(problem)) => return Err(invalid(problem.to_string())),
            None => return Err(invalid(format!("`call` names a workflow, this is {}", kind_of(&rendered)))),
        };
        let mut chain = state.parent.as_ref().map(|parent| parent.chain.clone()).unwrap_or_default();
        chain.push(state.workflow.clone());
        self.may_be_called(&workflow, &with)?;
        if state.hops + 1 >= HOPS_MAX {
            let chain: Vec<&str> = chain.iter().chain([&workflow]).map(WorkflowId::as_str).collect();
            let message = format!("workflows call each other too deep, {HOPS_MAX} is the limit: {}", chain.join(" → "));
            return Err(CallError::r#final("too_deep", message));
        }
        let data = to_raw_value(&with).map_err(|error| invalid(error.to_string()))?;
        if data.get().len() > EMIT_BYTES_MAX {
            return Err(CallError::r#final("too_large", format!("`with` holds at most {EMIT_BYTES_MAX} bytes")));
        }
        let attempt = state.steps.get(path).map_or(0, StepState::attempt).to_string();
        let cause = [state.run.as_str(), path.as_str(), CALL_TOPIC, &attempt, &state.generation.to_string()];
        let (run, step, shard) = (state.run.clone(), path.clone(), state.shard);
        Ok(Event {
            id: EventId::derived(now, &cause),
            topic: CALL_TOPIC.to_owned(),
            store: state.store.clone(),
            time: now,
            source: Source::Call { run, step, workflow, shard, awaited: call.awaited, chain },
            hops: state.hops + 1,
            data: data.into(),
        })
    }

    /// A workflow that is not there would be waited for in vain.
    fn may_be_called(&self, id: &WorkflowId, with: &Json) -> Result<(), CallError> {
        let Some(set) = self.context.workflows else { return Ok(()) };
        let Some(workflow) = set.get(id) else {
            let known = set.iter().map(|workflow| workflow.id.as_str());
            let meant = nearest(id.as_str(), known).map(|id| format!("; did you mean `{id}`?")).unwrap_or_default();
            return Err(CallError::r#final("unknown_workflow", format!("there is no workflow `{id}`{meant}")));
        };
        if !workflow.enabled {
            return Err(CallError::r#final("workflow_disabled", format!("the workflow `{id}` is disabled")));
        }
        let problems = workflow.inputs.as_deref().and_then(|spec| inputs::read(spec, with).err());
        problems.map_or(Ok(()), |problems| {
            Err(CallError::r#final("invalid", format!("`with` for `{id}`: {}", inputs::in_one_line(&problems))))
        })
    }
}
