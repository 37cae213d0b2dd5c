//! Takes back what a failed run did: the undos of the steps that succeeded, the last first, one after another. Each is
//! done before the next begins; one that cannot be done parks the run, so that nothing stays half undone unseen.

use super::{
    Decider,
    scope::{Frame, locate},
    walk::Flow,
};
use crate::{
    id::StepPath,
    run::{apply::Illegal, row::RunError, stage::Stage, state::Phase, undo::Armed},
    workflow::{OnError, Step},
};

/// Steps that a message names at most.
const NAMED_MAX: usize = 10;

impl Decider<'_> {
    /// Whether a step that succeeds now is undone when the run fails.
    pub(super) fn is_undone_on_failure(&self, step: &Step, path: &StepPath) -> bool {
        step.undo.is_some() && self.context.workflow.undo_on_failure && Stage::of(path) == Stage::Main
    }

    /// Undoes as far as it goes without waiting. `Failed`: an undo failed whose `on_error` says to leave the rest.
    pub(super) fn undo(&mut self) -> Result<Flow, Illegal> {
        while let Some(armed) = self.state().undos.next().cloned() {
            let path = undo_path(&armed);
            let Some((step, _)) = locate(self.context.workflow, self.state(), &path) else {
                let message = format!("the workflow has no undo for `{}` any more", armed.path);
                let error = RunError { step: Some(path.to_string()), code: "internal".into(), message };
                return Ok(Flow::Parked(error));
            };
            let flow = self.run_step(step, &path, &Frame::undo(&armed))?;
            if self.state().undos.next().is_none_or(|next| next.path != armed.path) {
                continue;
            }
            let error = match flow {
                Flow::Failed(error) | Flow::Parked(error) => error,
                _ => return Ok(Flow::Pending),
            };
            let error = RunError { message: format!("{}. {}", error.message, self.how_far()), ..error };
            return Ok(match step.on_error {
                Some(OnError::Fail) if error.code != "unknown" => Flow::Failed(error),
                _ => Flow::Parked(error),
            });
        }
        Ok(Flow::Done(None))
    }

    /// `Undone: note, coupon. Not undone: score`
    fn how_far(&self) -> String {
        let undos = &self.state().undos;
        let undone = named(undos.undone().iter());
        format!("Undone: {undone}. Not undone: {}", named(undos.left()))
    }

    /// A failure says which steps with an undo stay as they are because nobody knows whether they happened.
    pub(super) fn with_what_stays_unknown(&self, error: RunError) -> RunError {
        let has_undo = |path: &&StepPath| {
            let id = path.as_str().rsplit('/').next().unwrap_or_default();
            Stage::of(path) == Stage::Main && self.context.workflow.step(id).is_some_and(|step| step.undo.is_some())
        };
        let mut unknown: Vec<&StepPath> = self.state().unanswered.paths().filter(has_undo).collect();
        unknown.dedup();
        if unknown.is_empty() {
            return error;
        }
        let unknown = named(unknown.into_iter());
        let message = format!("{}; not undone, because nobody knows whether it happened: {unknown}", error.message);
        RunError { message, ..error }
    }

    /// The end of a run in the middle of its undos says how far they came.
    pub(super) fn with_what_was_undone(&self, error: RunError) -> RunError {
        let stage = match &self.state().phase {
            Phase::Parked { stage, .. } => Some(*stage),
            phase => phase.stage(),
        };
        if stage != Some(Stage::Undo) {
            return error;
        }
        RunError { message: format!("{} while it was undoing. {}", error.message, self.how_far()), ..error }
    }
}

fn undo_path(armed: &Armed) -> StepPath {
    StepPath::new(format!("{}{}", Stage::Undo.prefix(), armed.path))
}

/// `note, coupon`, or `nothing`.
fn named<'p>(paths: impl Iterator<Item = &'p StepPath>) -> String {
    let all: Vec<&str> = paths.map(StepPath::as_str).collect();
    match all.len() {
        0 => "nothing".to_owned(),
        count if count > NAMED_MAX => format!("{}, and {} more", all[..NAMED_MAX].join(", "), count - NAMED_MAX),
        _ => all.join(", "),
    }
}
