//! What of a run can be taken back, and how far that is: the steps with an `undo` that succeeded, with all that their
//! undos' expressions may see (an ended iteration is folded away, and its steps with it). Folded from the journal like
//! everything else of a run.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    Json,
    evaluate::Prepared,
    id::StepPath,
    run::{
        stage::Stage,
        state::{Inner, RunState, StepState},
    },
};

/// The undos of one run.
#[derive(Debug, Default)]
pub struct Undos {
    /// In the order in which their steps succeeded.
    armed: BTreeMap<u64, Arc<Armed>>,
    orders: BTreeMap<StepPath, u64>,
    /// While undos run: those from here on are over.
    next: Option<u64>,
    /// What was undone, in that order.
    undone: Vec<StepPath>,
}

/// A step that succeeded and can be undone.
#[derive(Debug)]
pub struct Armed {
    /// The step, not its undo.
    pub path: StepPath,
    /// What the step gave.
    pub output: Prepared,
    /// The item of the innermost loop.
    pub item: Option<Arc<Prepared>>,
    /// Its index.
    pub index: Option<u64>,
    /// Steps of the iterations it stood in, by id, as far as they were over.
    pub steps: BTreeMap<String, Arc<Prepared>>,
}

/// What was taken back of a run that failed, for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UndoView {
    /// The steps that were undone, in the order of undoing.
    pub done: Vec<StepPath>,
    /// Those that were not, in the order in which they would be.
    pub left: Vec<StepPath>,
}

impl Undos {
    /// How far undoing came; `None`: it did not begin.
    pub fn view(&self) -> Option<UndoView> {
        self.next.map(|_| UndoView { done: self.undone.clone(), left: self.left().cloned().collect() })
    }

    /// The next to be undone, while undos run: what succeeded last comes first.
    pub fn next(&self) -> Option<&Arc<Armed>> {
        self.armed.range(..self.next?).next_back().map(|(_, armed)| armed)
    }

    /// The step that an undo belongs to; `path` is the undo's.
    pub fn of(&self, path: &StepPath) -> Option<&Arc<Armed>> {
        let step = path.as_str().strip_prefix(Stage::Undo.prefix())?;
        self.armed.get(self.orders.get(&StepPath::new(step))?)
    }

    /// Whether any step can be undone.
    pub fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }

    /// The steps that were undone, in the order of undoing.
    pub fn undone(&self) -> &[StepPath] {
        &self.undone
    }

    /// The steps whose undos did not run yet, in the order in which they would.
    pub fn left(&self) -> impl Iterator<Item = &StepPath> {
        let end = self.next.unwrap_or(u64::MAX);
        self.armed.range(..end).rev().map(|(_, armed)| &armed.path)
    }

    /// A step succeeded; a step that did so again is undone once.
    fn arm(&mut self, order: u64, armed: Armed) {
        if let Some(before) = self.orders.insert(armed.path.clone(), order) {
            self.armed.remove(&before);
        }
        self.armed.insert(order, Arc::new(armed));
    }

    /// The run failed.
    pub(super) fn begin(&mut self) {
        self.next = Some(u64::MAX);
    }

    /// The undo at this path is over.
    pub(super) fn over(&mut self, path: &StepPath, well: bool) -> Result<(), &'static str> {
        let step = path.as_str().strip_prefix(Stage::Undo.prefix()).map(StepPath::new);
        let order = step.as_ref().and_then(|step| self.orders.get(step)).copied();
        let (Some(step), Some(order)) = (step, order) else { return Err("there is nothing to undo") };
        self.next = Some(order);
        if well {
            self.undone.push(step);
        }
        Ok(())
    }

    /// The run goes on with its steps: what was not undone may be, when it fails again.
    pub(super) fn put_off(&mut self) {
        self.next = None;
    }
}

impl RunState {
    /// Whether its undos took back anything, or may have: then it cannot go on from where it failed.
    pub fn has_undone(&self) -> bool {
        use crate::call::{CallOutcome, ErrorClass};
        let prefix = Stage::Undo.prefix();
        let mut begun =
            self.steps.range(StepPath::new(prefix)..).take_while(|(path, _)| Stage::of(path) == Stage::Undo);
        !self.undos.undone.is_empty()
            || begun.any(|(path, step)| {
                let answered = self.calls(path).iter().any(|call| matches!(call.outcome, Some(CallOutcome::Ok(_))));
                let unsure = match step {
                    StepState::Unknown { .. } => true,
                    StepState::Failed { error, .. } => error.class == ErrorClass::Unknown,
                    _ => false,
                };
                answered || unsure
            })
    }

    /// Keeps what the undo of a step that succeeds now may see.
    pub(super) fn arm(&mut self, path: &StepPath, output: &Json) {
        let text = path.as_str();
        let ends: Vec<usize> = text.match_indices("]/").map(|(at, _)| at + 2).collect();
        let mut steps = BTreeMap::new();
        for end in &ends {
            self.seen_below(&text[..*end], &mut |id, view| {
                steps.insert(id.to_owned(), view);
            });
        }
        let (item, index) = ends.last().and_then(|end| self.iteration(&text[..*end])).unzip();
        let output = Prepared::new(output.clone());
        self.undos.arm(self.len, Armed { path: path.clone(), output, item: item.flatten(), index, steps });
    }

    /// The item and the index of `loop[3]/`.
    fn iteration(&self, prefix: &str) -> Option<(Option<Arc<Prepared>>, u64)> {
        let (of, index) = prefix.strip_suffix("]/")?.rsplit_once('[')?;
        let index: u32 = index.parse().ok()?;
        let item = match self.steps.get(&StepPath::new(of))? {
            StepState::Active(active) => match &active.inner {
                Inner::Loop { items, .. } => items.get(index as usize).cloned(),
                _ => None,
            },
            _ => None,
        };
        Some((item, u64::from(index)))
    }
}
