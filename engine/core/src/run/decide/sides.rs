//! `parallel`: branches side by side. All are begun at once; when one fails, parks or stops the
//! run, the others begin nothing more, and what they have begun outside is waited for first.

use serde_json::Map;

use super::{Decider, scope::Frame, walk::Flow};
use crate::{
    Json,
    id::StepPath,
    run::apply::Illegal,
    workflow::{Side, Step},
};

impl<'a> Decider<'a> {
    pub(super) fn run_sides(
        &mut self,
        sides: &'a [Side],
        step: &'a Step,
        path: &StepPath,
        frame: &Frame,
    ) -> Result<Flow, Illegal> {
        let before = std::mem::replace(&mut self.begins_nothing, true);
        let looked = self.walk_sides(sides, path, frame);
        self.begins_nothing = before;
        // Whichever branch failed: no other one may begin anything after that.
        let flow = match looked? {
            Flow::Pending if !before => self.walk_sides(sides, path, frame)?,
            flow => flow,
        };
        match flow {
            Flow::Failed(_) | Flow::Parked(_) | Flow::Stop(_) if self.state().is_busy_below(path) => Ok(Flow::Pending),
            Flow::Done(_) => {
                let outputs = self.side_outputs(sides, path, frame)?;
                self.succeed(step, path, outputs, frame)?;
                Ok(self.settled(step, path))
            }
            flow => Ok(flow),
        }
    }

    /// Goes through all branches: `Done` when all are, else what the first one came to that ends the step or the run.
    fn walk_sides(&mut self, sides: &'a [Side], path: &StepPath, frame: &Frame) -> Result<Flow, Illegal> {
        let (mut pending, mut trouble) = (false, None);
        for index in 0..sides.len() {
            let inner = frame.side(path, index, sides);
            match self.run_block(&sides[index].steps, &inner)? {
                Flow::Done(_) | Flow::Goto(_) => {}
                Flow::Pending => pending = true,
                other => trouble = trouble.or(Some(other)),
            }
        }
        Ok(match trouble {
            Some(trouble) => trouble,
            None if pending => Flow::Pending,
            None => Flow::Done(None),
        })
    }

    /// What ended branches gave, by name.
    fn side_outputs(&mut self, sides: &'a [Side], path: &StepPath, frame: &Frame) -> Result<Json, Illegal> {
        let mut outputs = Map::new();
        for (index, side) in sides.iter().enumerate() {
            let inner = frame.side(path, index, sides);
            let output = match self.run_block(&side.steps, &inner)? {
                Flow::Done(last) => super::walk::output_of(last.as_deref()),
                _ => Json::Null,
            };
            outputs.insert(side.name.clone(), output);
        }
        Ok(Json::Object(outputs))
    }
}
