//! Which steps have run when a piece of code is evaluated, from where both stand in the file.

use std::collections::BTreeMap;

use super::super::{Step, StepKind, Workflow};

/// Why a step's result is not there.
const NOT_YET: &str = "runs later, or is this step itself";
const OTHER_BRANCH: &str = "stands in another branch: only one of them runs";
const IN_LOOP: &str = "stands in a loop and has one result for each item";
const ASIDE: &str = "runs only when the run ends badly";

/// One step on the way down to another: its block and its number there, and whether the block is a loop's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Level {
    block: usize,
    number: usize,
    looped: bool,
    /// Its block runs side by side with others; what they may ask of each other is checked on its own.
    beside: bool,
}

/// What a block is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Plain,
    Loop,
    Parallel,
}

/// Where every step stands.
#[derive(Debug, Default)]
pub(super) struct Order<'w> {
    steps: BTreeMap<&'w str, (String, Vec<Level>)>,
    /// The blocks of `on_failure` and the like begin here.
    aside: usize,
    blocks: usize,
}

impl<'w> Order<'w> {
    pub(super) fn of(workflow: &'w Workflow) -> Self {
        let mut order = Self::default();
        order.block(&workflow.steps, &[], Inside::Plain);
        order.aside = order.blocks;
        order.block(&workflow.on_failure, &[], Inside::Plain);
        order.block(&workflow.on_cancel, &[], Inside::Plain);
        order
    }

    fn block(&mut self, steps: &'w [Step], above: &[Level], inside: Inside) {
        let block = self.blocks;
        self.blocks += 1;
        for (number, step) in steps.iter().enumerate() {
            let mut levels = above.to_vec();
            let (looped, beside) = (inside == Inside::Loop, inside == Inside::Parallel);
            levels.push(Level { block, number, looped, beside });
            match &step.kind {
                StepKind::Choose(branches) => {
                    branches.iter().for_each(|branch| self.block(&branch.steps, &levels, Inside::Plain));
                }
                StepKind::ForEach(each) => self.block(&each.steps, &levels, Inside::Loop),
                StepKind::Parallel(sides) => {
                    sides.iter().for_each(|side| self.block(&side.steps, &levels, Inside::Parallel));
                }
                _ => {}
            }
            self.steps.insert(&step.id, (step.id.clone(), levels));
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &String> {
        self.steps.values().map(|(id, _)| id)
    }

    /// Whether a step belongs to `on_failure` or `on_cancel`, not to the main steps.
    pub(super) fn is_aside(&self, id: &str) -> bool {
        let first = self.steps.get(id).and_then(|(_, levels)| levels.first());
        first.is_some_and(|level| level.block >= self.aside)
    }

    /// The steps whose result cannot be there for the code of step `here`, with why; `None` is behind all steps.
    pub(super) fn unseen(&self, here: Option<&str>) -> BTreeMap<String, &'static str> {
        let here = here.map(|id| self.steps.get(id).map(|(_, levels)| levels.as_slice()).unwrap_or_default());
        let why = |(id, levels): &(String, Vec<Level>)| Some((id.clone(), self.why(levels, here)?));
        self.steps.values().filter_map(why).collect()
    }

    fn why(&self, there: &[Level], here: Option<&[Level]>) -> Option<&'static str> {
        let looped = |levels: &[Level]| levels.iter().any(|level| level.looped).then_some(IN_LOOP);
        let aside = |levels: &[Level]| levels.first().is_some_and(|level| level.block >= self.aside);
        let Some(here) = here else { return if aside(there) { Some(ASIDE) } else { looped(there) } };
        match (aside(there), aside(here)) {
            (true, false) => return Some(ASIDE),
            (false, true) => return looped(there),
            _ => {}
        }
        let common = there.iter().zip(here).take_while(|(a, b)| a == b).count();
        match (there.get(common), here.get(common)) {
            (Some(a), Some(b)) if a.block != b.block => (!a.beside).then_some(OTHER_BRANCH),
            (Some(a), Some(b)) if a.number > b.number => Some(NOT_YET),
            (Some(_), Some(_)) => looped(&there[common + 1..]),
            // The step itself, a step around it, or one inside of it.
            _ => Some(NOT_YET),
        }
    }
}
