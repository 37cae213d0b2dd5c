//! Which `approve` steps a step can send links to: those outside loops, and those of the iterations it stands in.

use std::collections::BTreeMap;

use super::scope::Frame;
use crate::{
    id::StepPath,
    run::stage::Stage,
    workflow::{Block, StepKind, Workflow},
};

/// Their paths by id.
pub(super) fn links(workflow: &Workflow, frame: &Frame) -> BTreeMap<String, StepPath> {
    let mut links = BTreeMap::new();
    let mut any = false;
    workflow.visit_steps(&mut |step| any |= matches!(step.kind, StepKind::Approve(_)));
    if any {
        find(&workflow.steps, Stage::Main.prefix(), frame, &mut links);
        find(&workflow.on_failure, Stage::Failure.prefix(), frame, &mut links);
        find(&workflow.on_cancel, Stage::Cancel.prefix(), frame, &mut links);
    }
    links
}

fn find(block: &Block, prefix: &str, frame: &Frame, links: &mut BTreeMap<String, StepPath>) {
    for step in block {
        let path = format!("{prefix}{}", step.id);
        match &step.kind {
            StepKind::Approve(_) => drop(links.insert(step.id.clone(), StepPath::new(path))),
            StepKind::Choose(branches) => {
                for (index, branch) in branches.iter().enumerate() {
                    find(&branch.steps, &format!("{path}.{index}/"), frame, links);
                }
            }
            StepKind::Parallel(sides) => {
                for (index, side) in sides.iter().enumerate() {
                    find(&side.steps, &format!("{path}.{index}/"), frame, links);
                }
            }
            StepKind::ForEach(each) => {
                let opened = format!("{path}[");
                let here = frame.iterations.iter().find(|iteration| is_of(iteration, &opened));
                if let Some(iteration) = here {
                    find(&each.steps, iteration, frame, links);
                }
            }
            _ => {}
        }
    }
}

/// `each[3]/` of `each[`, and not an iteration of a loop inside of it.
fn is_of(iteration: &str, opened: &str) -> bool {
    let number = iteration.strip_prefix(opened).and_then(|rest| rest.strip_suffix("]/"));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}
