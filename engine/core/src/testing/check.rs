//! A test file against its workflow: steps that do not exist, triggers that it does not have.

use std::collections::BTreeSet;

use super::{Expect, ExpectRuns, Happening, TestCase, TestFile, step_id};
use crate::workflow::{Diagnostic, Span, TriggerKind, Workflow, codes};

/// Everything that does not fit.
pub fn check(file: &TestFile, workflow: &Workflow) -> Vec<Diagnostic> {
    let mut ids = BTreeSet::new();
    workflow.visit_steps(&mut |step| {
        ids.insert(step.id.as_str());
    });
    let mut check = Check { ids, workflow, found: Vec::new() };
    for stub in &file.ground.stubs {
        check.stub(stub);
    }
    file.cases.iter().for_each(|case| check.case(case));
    check.found
}

struct Check<'w> {
    ids: BTreeSet<&'w str>,
    workflow: &'w Workflow,
    found: Vec<Diagnostic>,
}

impl Check<'_> {
    fn stub(&mut self, stub: &super::Stub) {
        if let Some(step) = &stub.fits.step {
            self.step(&step.value, &step.span);
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
        expect.steps.iter().for_each(|(id, _)| self.step(&id.value, &id.span));
        for call in expect.calls.iter().flat_map(|calls| &calls.value) {
            if let Some(step) = &call.step {
                self.step(step, &call.span);
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
        // `each[0]` is an iteration of `each` as a whole.
        let bare = id.split('[').next().unwrap_or(id);
        if self.ids.contains(id) || self.ids.contains(bare) {
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
