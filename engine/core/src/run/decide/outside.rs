//! Calls of steps to the outside: how they are written, intended, and asked for again.

use serde_json::{Map, json};

use super::{Decider, Effect, fail::expression_error, scope::Frame};
use crate::{
    Json,
    call::{Call, CallError, CallKind, CallOutcome, fingerprint},
    evaluate::EvaluateError,
    id::StepPath,
    run::{apply::Illegal, entry::What},
    woo::WooRequest,
    workflow::{HttpStep, ParseBody, Step, StepKind, WooStep},
};

impl Decider<'_> {
    /// Begins the call of an `http` or `woo` step.
    pub(super) fn begin_call(&mut self, step: &Step, path: &StepPath, frame: &Frame) -> Result<(), Illegal> {
        // Its `output:` failed and a person retries: what was answered is not asked again.
        if let Some(Some(CallOutcome::Ok(output))) = self.state().calls(path).first().map(|call| call.outcome.clone()) {
            return self.succeed(step, path, output, frame);
        }
        match self.step_call(step, frame) {
            Ok(call) => self.intend(path, 0, call),
            Err(error) => self.fail_step(step, path, error, None),
        }
    }

    /// The call of a step, in the form that the host functions share.
    fn step_call(&self, step: &Step, frame: &Frame) -> Result<Call, CallError> {
        match &step.kind {
            StepKind::Http(http) => self.http_call(http, frame).map_err(|error| expression_error("http", &error)),
            StepKind::Woo(woo) => self.woo_call(woo, frame),
            _ => Err(CallError::r#final("internal", "a step without a call was asked for one (a bug)")),
        }
    }

    fn http_call(&self, http: &HttpStep, frame: &Frame) -> Result<Call, EvaluateError> {
        let mut spec = Map::new();
        spec.insert("method".into(), json!(http.method));
        let optional = [("headers", &http.headers), ("query", &http.query), ("body", &http.body), ("form", &http.form)];
        spec.insert("url".into(), self.render_outbound(&http.url, frame)?);
        for (key, template) in optional {
            if let Some(template) = template {
                spec.insert(key.into(), self.render_outbound(template, frame)?);
            }
        }
        if let Some(timeout) = http.call_timeout {
            spec.insert("timeout_ms".into(), json!(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)));
        }
        if !http.expect.is_empty() {
            let patterns: Vec<String> = http.expect.iter().map(|p| format!("{}-{}", p.from, p.to)).collect();
            spec.insert("expect".into(), json!(patterns));
        }
        spec.insert("parse".into(), json!(parse_word(http.parse)));
        let args = vec![Json::Object(spec)];
        let function = format!("http::{}", http.method.to_lowercase());
        let shown = self.context.marks.redact_json(&args[0]);
        let summary = format!("{} {}", http.method, shown["url"].as_str().unwrap_or_default());
        let fingerprint = fingerprint(&function, &[shown]);
        let kind = CallKind::Outside { repeatable: http.idempotent };
        Ok(Call { function, kind, args, fingerprint, summary })
    }

    fn woo_call(&self, woo: &WooStep, frame: &Frame) -> Result<Call, CallError> {
        let mut spec = Map::new();
        spec.insert("method".into(), json!(woo.method.as_str()));
        spec.insert("all".into(), json!(woo.all));
        let parts = [
            ("path", "woo", Some(&woo.path)),
            ("store", "store", woo.store.as_ref()),
            ("query", "query", woo.query.as_ref()),
            ("body", "with", woo.body.as_ref()),
        ];
        for (key, shown, template) in parts {
            let Some(template) = template else { continue };
            let value = self.render(template, frame).map_err(|error| expression_error(shown, &error))?;
            spec.insert(key.into(), value);
        }
        let spec = Json::Object(spec);
        self.without_secrets(&spec)?;
        let request = WooRequest::parse(&spec).map_err(|problem| CallError::r#final("invalid", problem))?;
        Ok(Call {
            function: request.function().into(),
            kind: request.kind(),
            fingerprint: request.fingerprint(),
            summary: request.summary(),
            args: vec![request.spec()],
        })
    }

    /// A store keeps and shows what it is sent, so no secret may be in it.
    pub(super) fn without_secrets(&self, spec: &Json) -> Result<(), CallError> {
        if !self.context.marks.links_in_json(spec).is_empty() {
            let message = "a link to an approval cannot be sent to a store: a store shows what it is sent, and whoever \
                           has the link may answer. Send it with an `http` step";
            return Err(CallError::r#final("secret", message));
        }
        let Some(name) = self.context.marks.names_in_json(spec).pop_first() else { return Ok(()) };
        let message = format!(
            "the secret `{name}` cannot be sent to a store: a store shows what it is sent. Stores are called with their \
             own keys, which the engine adds by itself"
        );
        Err(CallError::r#final("secret", message))
    }

    /// Writes the intent of a call and asks for it.
    pub(super) fn intend(&mut self, path: &StepPath, index: u32, call: Call) -> Result<(), Illegal> {
        self.record(What::CallIntended {
            path: path.clone(),
            index,
            function: call.function.clone(),
            fingerprint: call.fingerprint.clone(),
            summary: call.summary.clone(),
            repeatable: !matches!(call.kind, CallKind::Outside { repeatable: false }),
        })?;
        self.ask_for(path, index, call);
        Ok(())
    }

    /// Asks again for a call whose intent is in the journal: it was deferred, or a crash hid what came of it.
    pub(super) fn ask_again(&mut self, path: &StepPath, index: u32, call: Call) -> Result<(), Illegal> {
        let known = self.state().calls(path).get(index as usize);
        let again = match known.is_some_and(|call| call.is_deferred()) {
            true => self.state().doubts.of(path, index).map(|again| again.until),
            // The process that asked for it died at some moment before now.
            false => Some(self.context.now),
        };
        self.record(What::CallRepeated { path: path.clone(), index, again })?;
        self.ask_for(path, index, call);
        Ok(())
    }

    fn ask_for(&mut self, path: &StepPath, index: u32, call: Call) {
        let state = self.state();
        let key = state.call_key(path, index);
        let again = state.doubts.of(path, index);
        self.effects.push(Effect::Call { path: path.clone(), index, call, key, again });
    }

    /// Asks again for the call of a step whose intent is in the journal.
    pub(super) fn repeat_call(&mut self, step: &Step, path: &StepPath, frame: &Frame) -> Result<(), Illegal> {
        match self.step_call(step, frame) {
            Ok(call) => self.ask_again(path, 0, call),
            Err(error) => {
                let message = format!("the call cannot be written again: {}", error.message);
                self.attempt_failed(step, path, CallError { message, ..error }, Some(0))
            }
        }
    }
}

fn parse_word(parse: ParseBody) -> &'static str {
    match parse {
        ParseBody::Auto => "auto",
        ParseBody::Json => "json",
        ParseBody::Text => "text",
        ParseBody::None => "none",
    }
}
