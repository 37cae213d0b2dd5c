//! Decisions about calls without engine, sandbox and network: inputs go in, entries and effects come out. After every
//! input the state must be what its journal folds to, so that a crash at that point changes nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod anew;
mod approve;
mod calling;
mod cancelling;
mod deferral;
mod doubt;
mod iterations;
mod model;
mod parallel;
mod people;
mod rounds;
mod undoing;
mod undoing_any;
mod wait;
mod slots;
mod woo;
mod writes;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cartwright_core::{
    Json,
    call::{Again, Call, CallError, CallKind, CallOutcome, ErrorClass, UNDECIDED, idempotency_key},
    evaluate::{Evaluate, EvaluateError, Prepared, Scope},
    event::Event,
    id::{EventId, RunId, StepPath},
    run::{
        apply::{apply, fold},
        decide::{Context, DecideError, Decision, Effect, Input, Said, ScriptEnd, ScriptResult, Which, decide},
        entry::{Entry, TimerKind, What},
        row::RunStatus,
        state::RunState,
        steps::{StepView, steps},
    },
    secret::SecretMarks,
    shard::ShardId,
    time::Timestamp,
    woo::WooRequest,
    workflow::{Expression, Template, TextPart, Workflow, WorkflowSet, parse},
};
use serde_json::json;

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// Expressions are JSON, or a text that stands for itself; `bad` cannot be evaluated, and `item`, `index`, `output`,
/// `failure` and `steps` are what is in scope.
struct Words;

impl Evaluate for Words {
    fn expression(&self, expression: &Expression, scope: &Scope<'_>) -> Result<Json, EvaluateError> {
        let seen = |value: Option<&Prepared>| Ok(value.map_or(Json::Null, |value| value.json().clone()));
        match &*expression.source {
            "item" => seen(scope.item),
            "output" => seen(scope.output),
            "failure" => seen(scope.failure),
            "index" => Ok(json!(scope.index)),
            "steps" => {
                Ok(scope.steps.into_iter().flatten().map(|(id, step)| (id.clone(), step.json().clone())).collect())
            }
            "bad" => Err(EvaluateError { message: "bad".into(), offset: None }),
            source => Ok(serde_json::from_str(source).unwrap_or_else(|_| json!(source))),
        }
    }

    fn condition(&self, expression: &Expression, _: &Scope<'_>) -> Result<bool, EvaluateError> {
        Ok(&*expression.source == "true")
    }

    fn template(&self, template: &Template, scope: &Scope<'_>) -> Result<Json, EvaluateError> {
        Ok(match template {
            Template::Literal(json) => json.clone(),
            Template::Expression(expression) => self.expression(expression, scope)?,
            Template::Text(parts) => {
                let text = parts.iter().map(|part| match part {
                    TextPart::Literal(text) => text.clone(),
                    TextPart::Expression(expression) => expression.source.to_string(),
                });
                Json::String(text.collect())
            }
            Template::List(items) => items.iter().map(|item| self.template(item, scope)).collect::<Result<_, _>>()?,
            Template::Map(map) => {
                let value = |(key, item): (&String, _)| Ok((key.clone(), self.template(item, scope)?));
                Json::Object(map.iter().map(value).collect::<Result<_, _>>()?)
            }
        })
    }
}

/// A run under way, with its journal.
struct Bench {
    workflow: Workflow,
    marks: SecretMarks,
    journal: Vec<Entry>,
    state: Option<RunState>,
    now: Timestamp,
    hold: bool,
    /// Events that were raised.
    emits: Vec<Event>,
    /// Runs that are ended because nobody waits for them any more.
    cancels: Vec<RunId>,
    /// What can be called.
    set: Option<WorkflowSet>,
    /// Hold the state against its journal after every input; long histories do it at their crashes only.
    checked: bool,
}

/// A call that the runner was asked to make.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    path: StepPath,
    index: u32,
    call: Call,
    key: String,
    again: Option<Again>,
}

impl Bench {
    /// A run that has just begun, and what it asks for first.
    fn new(text: &str) -> (Self, Vec<Effect>) {
        let parsed = parse("sample".parse().unwrap(), text, &|_| Err("no such file".to_owned()));
        let workflow = parsed.workflow.unwrap_or_else(|| panic!("{:#?}", parsed.diagnostics));
        let event = EventId::new(START, [1; 10]);
        let what = What::RunStarted {
            run: RunId::derived(START, &event, &workflow.id),
            workflow: workflow.id.clone(),
            version: workflow.version.clone(),
            event,
            store: Some("shop".parse().unwrap()),
            shard: ShardId::all().next().unwrap(),
            hops: 0,
            events: Vec::new(),
            parent: None,
        };
        let entry = Entry { at: START, what };
        let state = Some(apply(None, &entry).unwrap());
        let marks = SecretMarks::new([7; 32]);
        let (emits, cancels, journal) = (Vec::new(), Vec::new(), vec![entry]);
        let mut bench =
            Self { workflow, marks, journal, state, now: START, hold: false, emits, cancels, set: None, checked: true };
        let effects = bench.resume();
        (bench, effects)
    }

    fn state(&self) -> &RunState {
        self.state.as_ref().unwrap()
    }

    fn try_take(&mut self, input: Input) -> Result<Vec<Effect>, String> {
        let context = Context {
            inputs: Ok(None),
            workflow: &self.workflow,
            event: &Prepared::new(json!({"id": "evt"})),
            events: None,
            store: None,
            workflows: self.set.as_ref(),
            evaluate: &Words,
            marks: &self.marks,
            now: self.now,
            hold: self.hold,
        };
        match decide(self.state.take().unwrap(), &context, input) {
            Ok(Decision { state, entries, effects, emits, cancels, .. }) => {
                self.emits.extend(emits);
                self.cancels.extend(cancels);
                self.journal.extend(entries);
                self.state = Some(state);
                if self.checked {
                    self.is_what_the_journal_says();
                }
                Ok(effects)
            }
            Err(DecideError::Refused { reason, state }) => {
                self.state = Some(*state);
                Err(reason)
            }
            Err(DecideError::Illegal(illegal)) => panic!("{illegal}\n{:#?}", self.journal),
        }
    }

    fn take(&mut self, input: Input) -> Vec<Effect> {
        self.try_take(input).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Also after a way through storage.
    fn is_what_the_journal_says(&self) {
        let text = serde_json::to_string(&self.journal).unwrap();
        let journal: Vec<Entry> = serde_json::from_str(&text).unwrap();
        let folded = fold(&journal).unwrap().unwrap();
        assert_eq!(format!("{folded:?}"), format!("{:?}", self.state()));
    }

    fn resume(&mut self) -> Vec<Effect> {
        self.take(Input::Resume { under_way: BTreeSet::new() })
    }

    /// The process dies here; another one starts after a while on what the journal has.
    fn crash(&mut self, after: Duration) -> Vec<Effect> {
        self.now = self.now.plus(after);
        self.state = fold(&self.journal).unwrap();
        self.resume()
    }

    fn answers(&mut self, path: &str, index: u32, outcome: Result<Json, CallError>) -> Vec<Effect> {
        let outcome = outcome.map_or_else(CallOutcome::Err, CallOutcome::Ok);
        self.take(Input::Call { path: StepPath::new(path), index, outcome })
    }

    fn script(&mut self, path: &str, attempt: u32, end: ScriptEnd) -> Vec<Effect> {
        let result = ScriptResult { immediate: Vec::new(), end };
        self.take(Input::Script { path: StepPath::new(path), attempt, result })
    }

    fn retry(&mut self, repeat_unknown: bool) -> Result<Vec<Effect>, String> {
        self.try_take(Input::Retry { by: "ann".into(), repeat_unknown })
    }

    fn pause(&self, path: &str) -> Option<Duration> {
        let due = self.state().timers.get(&(StepPath::new(path), TimerKind::Retry))?;
        Some(due.since(self.now))
    }

    /// Time passes until the step's pause is over.
    fn wait(&mut self, path: &str) -> Vec<Effect> {
        self.now = self.now.plus(self.pause(path).unwrap());
        self.fires(path, TimerKind::Retry)
    }

    fn fires(&mut self, path: &str, kind: TimerKind) -> Vec<Effect> {
        self.take(Input::Timer { path: StepPath::new(path), kind })
    }

    fn status(&self) -> RunStatus {
        self.state().status()
    }

    fn step(&self, id: &str) -> StepView {
        steps(&self.journal).into_iter().find(|step| step.id.as_str() == id).unwrap()
    }
}

/// The calls among some effects.
fn calls(effects: &[Effect]) -> Vec<Asked> {
    let call = |effect: &Effect| match effect {
        Effect::Call { path, index, call, key, again } => {
            Some(Asked { path: path.clone(), index: *index, call: call.clone(), key: key.clone(), again: *again })
        }
        _ => None,
    };
    effects.iter().filter_map(call).collect()
}

/// The one call among some effects.
fn call(effects: &[Effect]) -> Asked {
    let calls = calls(effects);
    assert_eq!(calls.len(), 1, "{effects:?}");
    calls[0].clone()
}

/// The attempt of the one script that is to be executed.
fn runs_script(effects: &[Effect]) -> u32 {
    match effects {
        [Effect::RunScript { attempt, .. }] => *attempt,
        other => panic!("{other:?}"),
    }
}

/// What a script's call of a store looks like.
fn asks(index: u32, spec: &Json) -> ScriptEnd {
    let request = WooRequest::parse(spec).unwrap();
    let (function, kind) = (request.function().to_owned(), request.kind());
    let call = Call {
        function,
        kind,
        fingerprint: request.fingerprint(),
        summary: request.summary(),
        args: vec![request.spec()],
    };
    ScriptEnd::Call { index, call }
}

fn unknown() -> CallError {
    CallError { class: ErrorClass::Unknown, ..CallError::r#final("timeout", "no answer in time") }
}

fn unavailable() -> CallError {
    CallError { status: Some(500), ..CallError::retryable("status", "500") }
}

fn deferred(retry_after_ms: Option<u64>) -> CallError {
    CallError::deferred("unreachable", "the store does not answer", retry_after_ms)
}

const NOTE: &str = r#"
on: { woo: [order.created] }
grants: { woo: [orders.write], stores: [self] }
steps:
  - id: note
    woo: orders/61/notes
    method: POST
    with: { note: hello }
"#;

const SCRIPT: &str = r#"
on: { woo: [order.created] }
grants: { woo: [orders.write], stores: [self] }
steps:
  - id: work
    script: "1"
"#;

fn note_spec() -> Json {
    json!({"method": "POST", "path": "orders/61/notes", "body": {"note": "hello"}})
}
