//! Waits for events: `wait_for` steps and `events::wait_for` in scripts. What the condition of a step mentions is kept
//! with the wait, so that whoever sees an event later can evaluate it without the run.

use std::time::Duration;

use serde_json::{Map, json};

use super::{Decider, Effect, fail::expression_error, scope::Frame};
use crate::{
    Json,
    call::{Call, CallError, CallOutcome, fingerprint},
    evaluate::Prepared,
    id::StepPath,
    run::{
        apply::Illegal,
        entry::{TimerKind, What},
    },
    time::Timestamp,
    workflow::{Expression, Step, WaitFor, format_duration, topic::check_topic},
};

/// What a wait keeps of the run for its condition, at most.
pub const WAIT_SCOPE_BYTES_MAX: usize = 64 * 1024;

const FUNCTION: &str = "events::wait_for";

/// What is waited for.
struct Wanted {
    topic: String,
    condition: Option<String>,
    scope: Option<Json>,
    timeout: Option<Duration>,
    lookback: Duration,
}

impl Decider<'_> {
    /// Begins a `wait_for` step.
    pub(super) fn wait_step(
        &mut self,
        step: &Step,
        wait: &WaitFor,
        path: &StepPath,
        frame: &Frame,
    ) -> Result<(), Illegal> {
        // Its `output:` failed and a person retries: what came is not waited for again.
        if let Some(Some(CallOutcome::Ok(came))) = self.state().calls(path).first().map(|call| call.outcome.clone()) {
            return self.succeed(step, path, came, frame);
        }
        match self.wanted(wait, frame) {
            Ok(wanted) => {
                let spec = json!({
                    "event": wanted.topic,
                    "if": wanted.condition,
                    "timeout": wanted.timeout.map(format_duration),
                    "lookback": format_duration(wanted.lookback),
                });
                let fingerprint = fingerprint(FUNCTION, &[spec]);
                self.begin_wait(path, 0, FUNCTION.to_owned(), fingerprint, wanted)
            }
            Err(error) => self.fail_step(step, path, error, None),
        }
    }

    fn wanted(&self, wait: &WaitFor, frame: &Frame) -> Result<Wanted, CallError> {
        let topic = self.render(&wait.topic, frame).map_err(|error| expression_error("event", &error))?;
        let topic = topic.as_str().map_or_else(|| topic.to_string(), str::to_owned);
        check_topic(&topic).map_err(|problem| CallError::r#final("invalid", problem))?;
        let scope = match &wait.condition {
            Some(condition) => self.kept_scope(condition, frame)?,
            None => None,
        };
        Ok(Wanted {
            topic,
            condition: wait.condition.as_ref().map(|condition| condition.source.to_string()),
            scope,
            timeout: wait.timeout,
            lookback: wait.lookback,
        })
    }

    /// What a condition mentions of its scope, as it is now.
    fn kept_scope(&self, condition: &Expression, frame: &Frame) -> Result<Option<Json>, CallError> {
        let mentions = condition.mentions();
        let kept = self.with_scope(frame, |scope| {
            let values: [(&str, Option<&Prepared>); 6] = [
                ("vars", scope.vars),
                ("inputs", scope.inputs),
                ("store", scope.store),
                ("run", scope.run),
                ("item", scope.item),
                ("failure", scope.failure),
            ];
            let mut kept = Map::new();
            for (name, value) in values {
                if let Some(value) = value.filter(|_| mentions.names.contains(name)) {
                    kept.insert(name.to_owned(), value.json().clone());
                }
            }
            if let Some(index) = scope.index.filter(|_| mentions.names.contains("index")) {
                kept.insert("index".to_owned(), json!(index));
            }
            if let Some(steps) = scope.steps.filter(|_| mentions.names.contains("steps")) {
                let meant = steps.iter().filter(|(id, _)| mentions.all_steps || mentions.steps.contains(*id));
                let meant: Map<_, _> = meant.map(|(id, view)| (id.clone(), view.json().clone())).collect();
                kept.insert("steps".to_owned(), Json::Object(meant));
            }
            kept
        });
        if kept.is_empty() {
            return Ok(None);
        }
        let kept = Json::Object(kept);
        let bytes = kept.to_string().len();
        if bytes > WAIT_SCOPE_BYTES_MAX {
            let message = format!(
                "what the `if` of this wait mentions is {bytes} bytes, and at most {WAIT_SCOPE_BYTES_MAX} are kept while \
                 it waits; trim the steps it mentions with `output:`, or put what it needs into a step of its own"
            );
            return Err(CallError::r#final("limit", message));
        }
        Ok(Some(kept))
    }

    /// A script asks for a wait.
    pub(super) fn script_waits(&mut self, path: &StepPath, index: u32, call: Call) -> Result<(), Illegal> {
        let spec = call.args.first().unwrap_or(&Json::Null);
        let Some(topic) = spec.get("event").and_then(Json::as_str).map(str::to_owned) else {
            let error = CallError::r#final("invalid", "events::wait_for needs #{ event: \"topic\" }");
            return self.resolve_and_rerun(path, index, &call, CallOutcome::Err(error));
        };
        let span = |key: &str| spec.get(key).and_then(Json::as_u64).map(Duration::from_millis);
        let wanted = Wanted {
            topic,
            condition: spec.get("if").and_then(Json::as_str).map(str::to_owned),
            scope: None,
            timeout: span("timeout_ms"),
            lookback: span("lookback_ms").unwrap_or_default(),
        };
        self.begin_wait(path, index, call.function, call.fingerprint, wanted)
    }

    fn begin_wait(
        &mut self,
        path: &StepPath,
        index: u32,
        function: String,
        fingerprint: String,
        wanted: Wanted,
    ) -> Result<(), Illegal> {
        let Wanted { topic, condition, scope, timeout, lookback } = wanted;
        let now = self.context.now;
        let back = i64::try_from(lookback.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp::from_millis(now.as_millis().saturating_sub(back));
        let timeout = timeout.map(|timeout| now.plus(timeout));
        self.record(What::WaitSet {
            path: path.clone(),
            index,
            function,
            fingerprint,
            topic: topic.clone(),
            condition: condition.clone(),
            timeout,
            since: Some(since),
            scope: scope.clone(),
        })?;
        if let Some(due) = timeout {
            self.record(What::TimerSet { path: path.clone(), timer: TimerKind::Wait(index), due })?;
        }
        self.effects.push(Effect::Wait { path: path.clone(), index, topic, condition, scope, since });
        Ok(())
    }
}
