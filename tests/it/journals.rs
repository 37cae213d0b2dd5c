//! Recorded journals, cut after every entry: what a crash at that very point would leave. From each cut the pure core
//! goes on by itself, with the outcomes the record has, and must come to the state the whole journal folds to.

mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cartwright_core::{
    Json,
    call::CallOutcome,
    evaluate::Prepared,
    id::StepPath,
    run::{
        apply::fold,
        decide::{Context, Effect, Input, ResolvedCall, ScriptEnd, ScriptResult, SlotAnswer, decide, locate, scope_at},
        entry::{Entry, What},
        state::{Phase, RunState},
    },
    secret::SecretMarks,
    time::Timestamp,
    workflow::{StepKind, Workflow, inputs, parse},
};
use cartwright_sandbox::{Immediate, Limits, Recorded, Resolved, Sandbox, ScriptOutcome};
use cartwright_tests::{
    engine::Engine,
    orders,
    random::Random,
    sink::{Answer, Keys, Sink},
};
use serde_json::json;

use crate::straight_path::with_sink;

const WORKFLOWS: &[(&str, &str, &str)] = &[
    (
        "straight",
        "succeeded",
        r#"
on: { woo: [order.created] }
vars: { limit: 3 }
grants: { http: ["127.0.0.1"] }
steps:
  - id: score
    script: 'if event.data.line_items.len() > vars.limit { "gold" } else { "silver" }'
  - id: skipped
    if: steps.score.output == "silver"
    script: "1"
  - id: tell
    http: PUT http://SINK/a
    body: { level: "${{ steps.score.output }}" }
  - id: nap
    sleep: 5ms
  - id: last
    script: steps.tell.output.status
"#,
    ),
    (
        "script",
        "succeeded",
        r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1"] }
steps:
  - id: durable
    script: |
      let n = state::increment("n", 1);
      let first = http::put("http://SINK/b", #{ n: n });
      clock::sleep("5ms");
      let second = http::put("http://SINK/c", #{ seen: first.status });
      first.status + second.status + n
"#,
    ),
    (
        "branches",
        "succeeded",
        r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1"] }
steps:
  - id: each
    for_each: "[1, 2, 3]"
    parallel: 2
    steps:
      - id: pick
        choose:
          - if: item == 2
            steps: [{ id: two, http: "PUT http://SINK/two" }]
          - else: [{ id: other, script: "item * 10" }]
      - id: out
        script: "index + 100"
output: steps.each.output
"#,
    ),
    (
        "sides",
        "succeeded",
        r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1"] }
steps:
  - id: both
    parallel:
      left:
        - id: first
          http: PUT http://SINK/left
        - id: second
          script: steps.first.output.status + 1
      right:
        - id: nap
          sleep: 5ms
        - id: each
          for_each: "[1, 2]"
          steps:
            - parallel:
                one: [{ id: out, http: "PUT http://SINK/right" }]
                two: [{ script: "item * 10" }]
  - id: last
    script: '#{ both: steps.both.output.left, second: steps.second.output, each: steps.both.output.right[1].two }'
"#,
    ),
    (
        "sides-fail",
        "failed",
        r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1"] }
steps:
  - id: both
    parallel:
      left:
        - { id: slow, http: "PUT http://SINK/slow" }
        - { id: never, http: "PUT http://SINK/never" }
      right:
        - { id: bad, fail: "as wanted" }
"#,
    ),
    (
        "fails",
        "failed",
        r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1"] }
steps:
  - id: flaky
    http: PUT http://SINK/flaky
    retry: { attempts: 3, initial: 2ms, factor: 1, max: 4ms }
  - id: bad
    script: throw "as wanted"
on_failure:
  - id: tell
    http: PUT http://SINK/failed
    body: { step: "${{ failure.step }}" }
"#,
    ),
];

/// Immediate calls get the same answers each time.
struct Fixed;

impl Immediate for Fixed {
    fn now(&mut self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn log(&mut self, _level: &str, _message: &str) {}
}

pub(crate) struct Pure {
    pub(crate) workflow: Workflow,
    event: Prepared,
    store: Prepared,
    inputs: Option<Prepared>,
    marks: SecretMarks,
    sandbox: Sandbox,
}

impl Pure {
    pub(crate) fn new(id: &str, text: &str, event: Json) -> Self {
        let none = |name: &str| Err(format!("`{name}` was not found"));
        let parsed = parse(id.parse().expect("an id"), text, &none);
        let workflow = parsed.workflow.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
        let marks = SecretMarks::new([1; 32]);
        let sandbox = Sandbox::new(Limits::default(), marks.clone());
        let store = Prepared::new(json!({ "id": "shop", "tags": [] }));
        let event = Prepared::new(event);
        let inputs = inputs::of_event(workflow.inputs.as_deref(), &event);
        let inputs = inputs.map(|inputs| Prepared::new(inputs.expect("inputs that fit")));
        Self { workflow, event, store, inputs, marks, sandbox }
    }

    fn context(&self) -> Context<'_> {
        Context {
            workflow: &self.workflow,
            event: &self.event,
            events: None,
            store: Some(&self.store),
            inputs: Ok(self.inputs.as_ref()),
            workflows: None,
            evaluate: &self.sandbox,
            marks: &self.marks,
            now: Timestamp::from_millis(1_000_000_000_000),
            hold: false,
        }
    }

    /// Goes on from a prefix of the journal to rest, with outcomes from the entries after it.
    pub(crate) fn go_on(&self, journal: &[Entry], cut: usize) -> RunState {
        let state = fold(&journal[..cut]).expect("a prefix is a journal").expect("not empty");
        self.drive_with(state, outcomes(&journal[cut..]), people(&journal[cut..])).0
    }

    /// From a state to rest; the last state and the entries on the way.
    pub(crate) fn drive(&self, state: RunState, outcomes: Outcomes) -> (RunState, Vec<Entry>) {
        self.drive_with(state, outcomes, VecDeque::new())
    }

    /// The same, with what people said on the way.
    fn drive_with(
        &self,
        mut state: RunState,
        mut outcomes: Outcomes,
        mut people: VecDeque<Input>,
    ) -> (RunState, Vec<Entry>) {
        let at = state.len;
        let mut entries = Vec::new();
        let mut inputs = VecDeque::from([Input::Resume { under_way: BTreeSet::new() }]);
        for _ in 0..10_000 {
            let input = match inputs.pop_front() {
                Some(input) => input,
                None if matches!(state.phase, Phase::Ended { .. } | Phase::Parked { .. }) => return (state, entries),
                None if let Some(said) = said(&state, &mut outcomes, &mut people) => said,
                None => {
                    let first = state.timers.iter().min_by_key(|(_, due)| **due);
                    let Some(((path, kind), _)) = first else {
                        panic!("cut at {at}: {} waits for nothing: {:?}", state.workflow, state.steps);
                    };
                    Input::Timer { path: path.clone(), kind: *kind }
                }
            };
            let decision = decide(state, &self.context(), input).unwrap_or_else(|error| panic!("cut at {at}: {error}"));
            state = decision.state;
            entries.extend(decision.entries);
            for effect in decision.effects {
                inputs.extend(self.answer(&state, effect, &mut outcomes));
            }
        }
        panic!("cut at {at}: does not come to rest");
    }

    fn answer(&self, state: &RunState, effect: Effect, outcomes: &mut Outcomes) -> Option<Input> {
        let mut recorded = |path: &StepPath, index: u32| {
            let queue = outcomes.get_mut(&(path.clone(), index)).and_then(VecDeque::pop_front);
            queue.unwrap_or_else(|| panic!("{path} call {index} was made again although its outcome was recorded"))
        };
        match effect {
            Effect::RunScript { path, attempt } => {
                let result = self.script(state, &path);
                Some(Input::Script { path, attempt, result })
            }
            Effect::Call { path, index, .. } => Some(Input::Call { outcome: recorded(&path, index), path, index }),
            Effect::Store { path, index, call } => {
                let outcome = recorded(&path, index);
                let call = ResolvedCall { index, function: call.function, fingerprint: call.fingerprint, outcome };
                Some(Input::Stored { path, call })
            }
            // No other run is there to wait for.
            Effect::Slot => Some(Input::Slot { answer: SlotAnswer::Taken, under_way: BTreeSet::new() }),
            Effect::Wait { .. } | Effect::Answer | Effect::Abort { .. } => None,
        }
    }

    fn script(&self, state: &RunState, path: &StepPath) -> ScriptResult {
        let (step, frame) = locate(&self.workflow, state, path).expect("the step exists");
        let StepKind::Script(script) = &step.kind else { panic!("{path} is no script") };
        let recorded: Vec<Recorded> = state
            .calls(path)
            .iter()
            .map(|call| Recorded {
                function: call.function.clone(),
                fingerprint: call.fingerprint.clone(),
                outcome: call.outcome.clone(),
            })
            .collect();
        let outcome = scope_at(&self.context(), state, &frame, |scope| {
            self.sandbox.run_script(script, &scope, &recorded, &mut Fixed)
        });
        let resolved = |calls: Vec<Resolved>| {
            let resolved = |call: Resolved| ResolvedCall {
                index: call.index,
                function: call.function,
                fingerprint: call.fingerprint,
                outcome: call.outcome,
            };
            calls.into_iter().map(resolved).collect()
        };
        let (immediate, end) = match outcome {
            ScriptOutcome::Done { value, immediate } => (immediate, ScriptEnd::Done(value)),
            ScriptOutcome::Suspended { index, call, immediate } => (immediate, ScriptEnd::Call { index, call }),
            ScriptOutcome::Failed { error, call, immediate } => (immediate, ScriptEnd::Failed { error, call }),
            ScriptOutcome::Nondeterministic { index, recorded, asked } => {
                (Vec::new(), ScriptEnd::Nondeterministic { index, recorded, asked })
            }
        };
        ScriptResult { immediate: resolved(immediate), end }
    }
}

/// What calls come to, in order, by step and index.
pub(crate) type Outcomes = BTreeMap<(StepPath, u32), VecDeque<CallOutcome>>;

fn outcomes(entries: &[Entry]) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for entry in entries {
        let (path, index, outcome) = match &entry.what {
            What::CallResolved { path, index, outcome, .. } => (path, index, outcome.clone()),
            What::CallDeferred { path, index, error } => (path, index, CallOutcome::Err(error.clone())),
            _ => continue,
        };
        outcomes.entry((path.clone(), *index)).or_default().push_back(outcome);
    }
    outcomes
}

/// What people said from here on: their answers, and that the run shall end.
fn people(entries: &[Entry]) -> VecDeque<Input> {
    let said = |entry: &Entry| match &entry.what {
        What::ApprovalGiven { path, approved, by: Some(by), comment } => {
            let (path, by, comment) = (path.clone(), by.clone(), comment.clone());
            Some(Input::Approve { path, approved: *approved, by, comment })
        }
        What::CancelRequested { by } => Some(Input::Cancel { by: by.clone() }),
        _ => None,
    };
    entries.iter().filter_map(said).collect()
}

/// What comes to a run that waits from outside of it: a person's word, the event it waits for, the end of a run it called.
fn said(state: &RunState, outcomes: &mut Outcomes, people: &mut VecDeque<Input>) -> Option<Input> {
    let mut recorded = |path: &StepPath, index: u32| outcomes.get_mut(&(path.clone(), index))?.pop_front();
    for (path, index) in &state.waits {
        if let Some(outcome) = recorded(path, *index) {
            return Some(Input::Call { path: path.clone(), index: *index, outcome });
        }
    }
    for (path, child) in &state.children {
        if let Some(outcome) = recorded(path, 0) {
            return Some(Input::Child { path: path.clone(), child: child.clone(), outcome });
        }
    }
    people.pop_front()
}

/// What must be equal however often the run was interrupted: all but the times.
pub(crate) fn essence(state: &RunState) -> Json {
    let mut row = serde_json::to_value(state.row()).expect("JSON");
    row["finished"] = Json::Null;
    let output = if let Phase::Ended { output, .. } = &state.phase { output.clone() } else { Json::Null };
    let steps: BTreeMap<&String, &Json> = state.visible.iter().map(|(id, result)| (id, result.json())).collect();
    let responded = state.responded.as_ref().map(StepPath::as_str);
    let undone: Vec<&str> = state.undos.undone().iter().map(StepPath::as_str).collect();
    json!({ "row": row, "output": output, "steps": steps, "responded": responded, "undone": undone })
}

#[test]
fn a_journal_cut_after_any_entry_leads_to_the_same_end() {
    let sink = Sink::start(Keys::Honoured);
    sink.answer("/flaky", [Answer::Json(500, json!({})), Answer::Json(503, json!({}))]);
    for (id, status, text) in WORKFLOWS {
        let text = with_sink(text, &sink);
        let engine = Engine::running(&[(&format!("{id}.yaml"), &text)]);
        let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
        let run = engine.run_of(&event, status);
        let journal: Vec<Entry> = serde_json::from_value(run["journal"].clone()).expect("the journal's entries");
        assert!(journal.len() > 5, "{id}: {} entries", journal.len());
        let whole = fold(&journal).expect("a legal journal").expect("not empty");
        assert_eq!(whole.status().as_str(), *status);

        let pure = Pure::new(id, &text, engine.get(&format!("/api/v1/events/{event}")));
        assert_eq!(whole.version, pure.workflow.version, "{id}: the version is the content's hash");
        for cut in 1..=journal.len() {
            let last = &journal[cut - 1].what;
            assert_eq!(essence(&pure.go_on(&journal, cut)), essence(&whole), "{id} cut after entry {cut}: {last:?}");
        }
    }
}

#[test]
fn entries_out_of_order_are_refused() {
    let engine = Engine::running(&[("one.yaml", "on: { woo: [order.created] }\nsteps:\n  - { id: a, script: '1' }\n")]);
    let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    let run = engine.run_of(&event, "succeeded");
    let journal: Vec<Entry> = serde_json::from_value(run["journal"].clone()).expect("the journal's entries");
    assert!(fold(&journal[1..]).is_err(), "without its beginning");
    let doubled: Vec<Entry> = journal.iter().chain(journal.last()).cloned().collect();
    assert!(fold(&doubled).is_err(), "nothing follows the end");
    let mut swapped = journal;
    swapped.swap(0, 1);
    assert!(fold(&swapped).is_err(), "swapped");
}
