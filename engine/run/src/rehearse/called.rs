//! Workflows that the played one calls: they run when they are called, and nothing else starts them.

use std::{collections::BTreeMap, sync::Arc};

use cartwright_core::{
    id::WorkflowId,
    run::entry::{Entry, What},
    workflow::Workflow,
};

use crate::definition::{Definition, Loaded};

/// A workflow as those are that are only called: what it listens to starts nothing.
pub fn only_called(loaded: &Loaded) -> Loaded {
    let triggers = something(&loaded.definition.id).map(|other| other.workflow.triggers.clone()).unwrap_or_default();
    let workflow = Workflow { triggers, ..(*loaded.workflow).clone() };
    Loaded { definition: loaded.definition.clone(), workflow: Arc::new(workflow) }
}

/// The workflows that a recorded run called: those of `known`, and others as something that can be called, for their
/// outcome is recorded.
pub(super) fn called_in(journal: &[Entry], tested: &WorkflowId, known: &BTreeMap<WorkflowId, Loaded>) -> Vec<Loaded> {
    let mut called: BTreeMap<WorkflowId, Loaded> =
        known.iter().map(|(id, loaded)| (id.clone(), only_called(loaded))).collect();
    for entry in journal {
        if let What::ChildStarted { workflow, .. } = &entry.what
            && !called.contains_key(workflow)
        {
            called.extend(something(workflow).map(|loaded| (workflow.clone(), loaded)));
        }
    }
    called.remove(tested);
    called.into_values().collect()
}

/// A workflow that listens to nothing and can be called.
fn something(id: &WorkflowId) -> Option<Loaded> {
    let source = "on: { manual: true }\nsteps:\n  - stop: nothing is known of it\n".to_owned();
    let definition = Definition { id: id.clone(), source, files: BTreeMap::new() };
    let workflow = definition.parse().0?;
    Some(Loaded { definition, workflow })
}
