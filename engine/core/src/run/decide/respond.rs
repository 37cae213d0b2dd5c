//! `respond`: the run answers whoever waits for it. The answer is written before anybody hears it, and a run gives one.

use super::{Decider, Effect, fail::expression_error, scope::Frame};
use crate::{
    Json,
    call::CallError,
    evaluate::EvaluateError,
    id::StepPath,
    run::{answer::HttpAnswer, apply::Illegal, entry::What},
    workflow::{RespondStep, Step, Template},
};

impl<'a> Decider<'a> {
    /// Ends the step with whether this was the answer: a run that started without a caller goes through it all the same.
    pub(super) fn respond(
        &mut self,
        step: &'a Step,
        respond: &'a RespondStep,
        path: &StepPath,
        frame: &Frame,
    ) -> Result<(), Illegal> {
        let answer = match self.http_answer(respond, frame) {
            Ok(answer) => answer,
            Err(error) => return self.fail_step(step, path, error, None),
        };
        // A crash may have come between the answer and the end of the step.
        let first = self.state().responded.as_ref().is_none_or(|by| by == path);
        if self.state().responded.is_none() {
            self.record(What::Responded { path: path.clone(), answer })?;
            self.effects.push(Effect::Answer);
        }
        self.succeed(step, path, Json::Bool(first), frame)
    }

    fn http_answer(&self, respond: &RespondStep, frame: &Frame) -> Result<HttpAnswer, CallError> {
        let part = |template: &Option<Template>| -> Result<Json, EvaluateError> {
            template.as_ref().map_or(Ok(Json::Null), |template| self.render(template, frame))
        };
        let parts = part(&respond.status)
            .and_then(|status| Ok((status, part(&respond.headers)?, part(&respond.body)?)))
            .map_err(|error| expression_error("respond", &error))?;
        HttpAnswer::new(&parts.0, &parts.1, parts.2).map_err(|wrong| CallError::r#final("respond", wrong))
    }
}
