//! What the tests share: a sandbox, scopes over JSON, an `Immediate` that can be read afterwards.

use std::{collections::BTreeMap, sync::Arc};

use cartwright_core::{
    Json,
    evaluate::{Evaluate, EvaluateError, Prepared, Scope},
    secret::SecretMarks,
    time::Timestamp,
    workflow::{Expression, Script},
};
use cartwright_sandbox::{Immediate, Limits, Recorded, Sandbox, ScriptOutcome};

pub(crate) fn marks() -> SecretMarks {
    SecretMarks::new([1; 32])
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(Limits::default(), marks())
}

/// Owns what a [`Scope`] borrows.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) event: Option<Prepared>,
    pub(crate) vars: Option<Prepared>,
    pub(crate) item: Option<Prepared>,
    pub(crate) steps: BTreeMap<String, Arc<Prepared>>,
    pub(crate) secrets: Option<Vec<String>>,
}

impl World {
    pub(crate) fn with_event(data: Json) -> Self {
        let mut event = serde_json::json!({ "id": "evt_1", "topic": "order.created" });
        event["data"] = data;
        Self { event: Some(Prepared::new(event)), ..Self::default() }
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope {
            event: self.event.as_ref(),
            vars: self.vars.as_ref(),
            item: self.item.as_ref(),
            steps: Some(&self.steps),
            secrets: self.secrets.as_deref(),
            ..Scope::default()
        }
    }
}

pub(crate) fn expression(source: &str) -> Expression {
    Expression::new(source, 0..source.len())
}

pub(crate) fn eval(sandbox: &Sandbox, source: &str, world: &World) -> Result<Json, EvaluateError> {
    sandbox.expression(&expression(source), &world.scope())
}

pub(crate) fn script(source: &str) -> Script {
    Script { source: source.into(), file: None, span: 0..source.len(), compiled: Arc::default() }
}

/// Time that stands still, randomness that counts, lines kept.
pub(crate) struct Fixed {
    pub(crate) now: Timestamp,
    pub(crate) byte: u8,
    pub(crate) lines: Vec<String>,
}

impl Default for Fixed {
    fn default() -> Self {
        Self { now: Timestamp::from_millis(1_700_000_000_000), byte: 0, lines: Vec::new() }
    }
}

impl Immediate for Fixed {
    fn now(&mut self) -> Timestamp {
        self.now
    }

    fn random(&mut self, bytes: &mut [u8]) {
        self.byte += 1;
        bytes.fill(self.byte);
    }

    fn log(&mut self, level: &str, message: &str) {
        self.lines.push(format!("{level}: {message}"));
    }
}

pub(crate) fn run(sandbox: &Sandbox, source: &str, world: &World, recorded: &[Recorded]) -> ScriptOutcome {
    sandbox.run_script(&script(source), &world.scope(), recorded, &mut Fixed::default())
}
