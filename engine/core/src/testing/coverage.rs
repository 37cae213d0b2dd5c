//! Which steps and ways of a workflow its tests took.

use std::collections::BTreeSet;

use super::step_id;
use crate::{
    run::entry::{Entry, What},
    workflow::{OnError, Step, StepKind, Workflow},
};

/// What can happen in a workflow, and which of it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    ways: Vec<(Way, bool)>,
}

/// Something that can happen at a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// The step's id.
    pub step: String,
    /// What: `runs`, `if is false`, `branch 2`, `no items`, …
    pub what: String,
    /// Where the step stands in the workflow file, in bytes.
    pub start: usize,
}

impl Coverage {
    /// Everything that can happen, none of it taken.
    pub fn of(workflow: &Workflow) -> Self {
        let mut ways = Vec::new();
        workflow.visit_steps(&mut |step| {
            for what in ways_of(step) {
                ways.push((Way { step: step.id.clone(), what, start: step.span.start }, false));
            }
        });
        Self { ways }
    }

    /// Notes what a run did.
    pub fn take(&mut self, journal: &[Entry]) {
        let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
        for entry in journal {
            let (path, whats) = match &entry.what {
                What::StepStarted { path, .. } => (path, vec!["runs".to_owned(), "if is true".to_owned()]),
                What::StepSkipped { path } => (path, vec!["if is false".to_owned()]),
                What::BranchTaken { path, branch: Some(branch) } => (path, vec![branch_name(*branch as usize)]),
                What::BranchTaken { path, branch: None } => (path, vec![NO_BRANCH.to_owned()]),
                What::LoopStarted { path, items } if items.is_empty() => (path, vec![NO_ITEMS.to_owned()]),
                What::LoopStarted { path, .. } => (path, vec![ITEMS.to_owned()]),
                What::StepFailed { path, handled: true, .. } => (path, vec![ON_ERROR.to_owned()]),
                _ => continue,
            };
            let id = step_id(path.as_str());
            seen.extend(whats.into_iter().map(|what| (id.to_owned(), what)));
        }
        for (way, taken) in &mut self.ways {
            *taken = *taken || seen.contains(&(way.step.clone(), way.what.clone()));
        }
    }

    /// Adds what another run of the same workflow took.
    pub fn add(&mut self, other: &Self) {
        for ((_, taken), (_, also)) in self.ways.iter_mut().zip(&other.ways) {
            *taken = *taken || *also;
        }
    }

    /// How many ways were taken, and how many there are.
    pub fn figures(&self) -> (usize, usize) {
        (self.ways.iter().filter(|(_, taken)| *taken).count(), self.ways.len())
    }

    /// What no run did, in the order of the file. Of a step that never ran nothing else is told.
    pub fn missing(&self) -> Vec<&Way> {
        let missing = self.ways.iter().filter(|(_, taken)| !taken).map(|(way, _)| way);
        let never: BTreeSet<&str> =
            missing.clone().filter(|way| way.what == "runs").map(|way| way.step.as_str()).collect();
        missing.filter(|way| way.what == "runs" || !never.contains(way.step.as_str())).collect()
    }

    /// The share of ways that were taken, in whole percent, rounded down. Of nothing all was taken.
    pub fn percent(&self) -> u32 {
        match self.figures() {
            (_, 0) => 100,
            (taken, all) => u32::try_from(taken * 100 / all).unwrap_or(100),
        }
    }
}

const NO_BRANCH: &str = "no branch";
const NO_ITEMS: &str = "no items";
const ITEMS: &str = "items";
const ON_ERROR: &str = "on_error";

fn branch_name(index: usize) -> String {
    format!("branch {}", index + 1)
}

fn ways_of(step: &Step) -> Vec<String> {
    let mut ways = vec!["runs".to_owned()];
    if step.condition.is_some() {
        ways.extend(["if is true".to_owned(), "if is false".to_owned()]);
    }
    match &step.kind {
        StepKind::Choose(branches) => {
            ways.extend((0..branches.len()).map(branch_name));
            if branches.iter().all(|branch| branch.condition.is_some()) {
                ways.push(NO_BRANCH.to_owned());
            }
        }
        StepKind::ForEach(_) => ways.extend([NO_ITEMS.to_owned(), ITEMS.to_owned()]),
        _ => {}
    }
    if matches!(step.on_error, Some(OnError::Continue | OnError::Goto(_))) && !matches!(step.kind, StepKind::ForEach(_))
    {
        ways.push(ON_ERROR.to_owned());
    }
    ways
}
