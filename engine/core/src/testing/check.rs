//! A test file against its workflow: steps that do not exist, triggers that it does not have.

use std::collections::BTreeSet;

use super::{Expect, ExpectRuns, Happening, TestCase, TestFile, step_id};
use crate::workflow::{Diagnostic, Respond, Span, StepKind, TriggerKind, Workflow, codes};

/// Everything that does not fit. `called`: the workflows that it calls, directly or not.
pub fn check<'w>(
    file: &TestFile,
    workflow: &'w Workflow,
    called: impl IntoIterator<Item = &'w Workflow>,
) -> Vec<Diagnostic> {
    let ids_of = |workflow: &'w Workflow, ids: &mut BTreeSet<&'w str>| {
        workflow.visit_steps(&mut |step| {
            ids.insert(step.id.as_str());
        });
    };
    let mut ids = BTreeSet::new();
    ids_of(workflow, &mut ids);
    let mut calling = ids.clone();
    called.into_iter().for_each(|called| ids_of(called, &mut calling));
    let mut check = Check { ids, calling, workflow, found: Vec::new() };
    for stub in &file.ground.stubs {
        check.stub(stub);
    }
    file.cases.iter().for_each(|case| check.case(case));
    check.found
}

struct Check<'w> {
    ids: BTreeSet<&'w str>,
    /// Those of the workflows that it calls besides: they make calls too.
    calling: BTreeSet<&'w str>,
    workflow: &'w Workflow,
    found: Vec<Diagnostic>,
}

impl Check<'_> {
    fn stub(&mut self, stub: &super::Stub) {
        if let Some(step) = &stub.fits.step {
            self.caller(&step.value, &step.span);
        }
    }

    /// A step that makes a call.
    fn caller(&mut self, path: &str, span: &Span) {
        let id = step_id(path);
        if !self.calling.contains(id) && !self.calling.contains(bare(id)) {
            self.step(path, span);
        }
    }

    fn case(&mut self, case: &TestCase) {
        case.ground.stubs.iter().for_each(|stub| self.stub(stub));
        self.happening(&case.start);
        case.then.iter().for_each(|later| self.happening(&later.what));
        self.expect(&case.expect);
    }

    fn expect(&mut self, expect: &Expect) {
        for ids in [&expect.ran, &expect.skipped].into_iter().flatten() {
            ids.value.iter().for_each(|id| self.step(id, &ids.span));
        }
        if let Some(response) = &expect.response {
            self.response(&response.span);
        }
        expect.steps.iter().for_each(|(id, _)| self.step(&id.value, &id.span));
        for call in expect.calls.iter().flat_map(|calls| &calls.value) {
            if let Some(step) = &call.step {
                self.caller(step, &call.span);
            }
        }
        if let Some(step) = expect.failure.as_ref().and_then(|failure| Some((failure.value.step.as_ref()?, failure))) {
            self.step(step.0, &step.1.span);
        }
        if let Some(super::At { value: ExpectRuns::Each(each), .. }) = &expect.runs {
            each.iter().for_each(|expect| self.expect(expect));
        }
    }

    fn step(&mut self, path: &str, span: &Span) {
        let id = step_id(path);
        if self.ids.contains(id) || self.ids.contains(bare(id)) {
            return;
        }
        let message = format!("the workflow has no step `{id}`");
        let found = Diagnostic::error(codes::TEST_STEP, span.clone(), message).suggest(id, self.ids.iter().copied());
        let known: Vec<&str> = self.ids.iter().copied().take(20).collect();
        self.found.push(match found.did_you_mean {
            Some(_) => found,
            None => found.help(format!("it has: {}", known.join(", "))),
        });
    }

    /// Nobody hears what a workflow says that answers nobody.
    fn response(&mut self, span: &Span) {
        let waits = |kind: &TriggerKind| matches!(kind, TriggerKind::Http(http) if http.respond != Respond::Async);
        let mut responds = self.workflow.triggers.iter().any(|trigger| waits(&trigger.kind));
        self.workflow.visit_steps(&mut |step| responds |= matches!(step.kind, StepKind::Respond(_)));
        if !responds {
            let message = "`response` is about callers who wait, and nobody waits for this workflow";
            let found = Diagnostic::error(codes::NO_EFFECT, span.clone(), message);
            self.found.push(found.help("`on.http` with `respond: sync` and a `respond` step make a workflow answer"));
        }
    }

    fn happening(&mut self, what: &Happening) {
        let triggers = &self.workflow.triggers;
        let (has, word, span) = match what {
            Happening::Http(start) => {
                let has = triggers.iter().any(|trigger| matches!(trigger.kind, TriggerKind::Http(_)));
                (has, "http", &start.span)
            }
            Happening::Schedule(start) => {
                let has = triggers.iter().any(|trigger| matches!(trigger.kind, TriggerKind::Schedule(_)));
                (has, "schedule", &start.span)
            }
            Happening::Approve(given) => return self.step(&given.step.value, &given.step.span),
            Happening::Event(_) | Happening::Manual { .. } | Happening::Cancel | Happening::Retry => return,
        };
        if !has {
            let message = format!("the workflow has no trigger `on.{word}`");
            let found = Diagnostic::error(codes::TEST_START, span.clone(), message);
            self.found.push(found.help("start the case with what the workflow listens to"));
        }
    }
}

/// `each[0]` is an iteration of `each` as a whole.
fn bare(id: &str) -> &str {
    id.split('[').next().unwrap_or(id)
}
