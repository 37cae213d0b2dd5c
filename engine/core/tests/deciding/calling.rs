//! A step calls another workflow: exactly one child, whose end is the step's outcome.

use cartwright_core::{
    event::Source,
    run::{child::Parent, decide::HOPS_MAX},
};

use super::*;

const YAML: &str = r#"
on: { woo: [order.created] }
grants: { http: ["h.example"] }
steps:
  - { id: ask, call: stock/count, with: { sku: A }, timeout: 1h }
  - { id: tell, http: PUT https://h.example/tell }
"#;

/// The one event that the last input raised, and the run that it starts.
fn child(bench: &mut Bench) -> (Event, RunId) {
    let event = bench.emits.remove(0);
    assert!(bench.emits.is_empty());
    let run = RunId::derived(event.time, &event.id, event.source.workflow().unwrap());
    (event, run)
}

fn ends(bench: &mut Bench, child: &RunId, outcome: Result<Json, CallError>) -> Vec<Effect> {
    let outcome = outcome.map_or_else(CallOutcome::Err, CallOutcome::Ok);
    bench.take(Input::Child { path: StepPath::new("ask"), child: child.clone(), outcome })
}

#[test]
fn a_call_starts_one_child_and_goes_on_with_its_output() {
    let (mut bench, effects) = Bench::new(YAML);
    assert!(effects.is_empty());
    let (event, run) = child(&mut bench);
    assert_eq!((event.topic.as_str(), event.data.get(), event.hops), ("call", r#"{"sku":"A"}"#, 1));
    assert_eq!((event.shard(), event.store.as_ref().unwrap().as_str()), (bench.state().shard, "shop"));
    assert!(
        matches!(&event.source, Source::Call { awaited: true, workflow, .. } if workflow.as_str() == "stock/count")
    );
    assert_eq!((bench.status(), &bench.state().children[&StepPath::new("ask")]), (RunStatus::Waiting, &run));
    // A crash waits for the same child and starts no other.
    assert!(bench.crash(Duration::from_secs(9)).is_empty() && bench.emits.is_empty());
    assert_eq!(call(&ends(&mut bench, &run, Ok(json!(7)))).path.as_str(), "tell");
    assert_eq!(bench.step("ask").output, json!(7));
    assert!(ends(&mut bench, &run, Ok(json!(8))).is_empty() && bench.cancels.is_empty(), "told once");
}

#[test]
fn without_await_the_childs_run_id_is_given_at_once() {
    let (mut bench, effects) = Bench::new(&YAML.replace("timeout: 1h", "await: false"));
    assert_eq!(call(&effects).path.as_str(), "tell");
    let (_, run) = child(&mut bench);
    assert_eq!(bench.step("ask").output, json!(run));
    assert!(bench.state().children.is_empty());
    bench.take(Input::Cancel { by: "ann".into() });
    assert!(bench.cancels.is_empty(), "it goes its own way");
}

#[test]
fn a_failed_child_fails_the_step_and_a_retry_calls_anew() {
    let (mut bench, _) = Bench::new(YAML);
    let (first, run) = child(&mut bench);
    ends(&mut bench, &run, Err(CallError::r#final("call_failed", "run_1 of `stock/count` failed")));
    assert_eq!(bench.status(), RunStatus::Failed);
    let error = bench.state().row().error.unwrap();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("call_failed", "run_1 of `stock/count` failed"));
    bench.retry(false).unwrap();
    let (second, again) = child(&mut bench);
    assert!(first.id != second.id && run != again, "the same moment, another attempt");
    assert!(ends(&mut bench, &run, Ok(json!(1))).is_empty(), "nobody waits for the first any more");
    assert_eq!(call(&ends(&mut bench, &again, Ok(json!(2)))).path.as_str(), "tell");
}

#[test]
fn whoever_stops_waiting_ends_the_child() {
    let (mut bench, _) = Bench::new(YAML);
    let (_, run) = child(&mut bench);
    bench.take(Input::Cancel { by: "ann".into() });
    assert_eq!((bench.status(), std::mem::take(&mut bench.cancels)), (RunStatus::Cancelled, vec![run]));
    let (mut bench, _) = Bench::new(YAML);
    let (_, run) = child(&mut bench);
    bench.fires("ask", TimerKind::StepTimeout);
    assert_eq!((bench.status(), std::mem::take(&mut bench.cancels)), (RunStatus::Failed, vec![run]));
}

#[test]
fn a_child_that_ends_while_its_caller_is_parked_is_not_lost() {
    let yaml = r#"
on: { woo: [order.created] }
grants: { http: ["h.example"] }
steps:
  - id: both
    for_each: "[1, 2]"
    parallel: 2
    steps:
      - choose:
          - { if: "true", steps: [{ id: ask, call: other }] }
"#;
    let (mut bench, _) = Bench::new(yaml);
    let events = std::mem::take(&mut bench.emits);
    assert_eq!(events.len(), 2, "each iteration calls its own");
    assert_ne!(events[0].id, events[1].id);
    let path = |index: u32| StepPath::new(format!("both[{index}]/step1.0/ask"));
    let path = |index| {
        bench
            .state()
            .children
            .keys()
            .find(|p| p.as_str().starts_with(&format!("both[{index}]")))
            .cloned()
            .unwrap_or(path(index))
    };
    let (first, second) = (path(0), path(1));
    let run = |bench: &Bench, path: &StepPath| bench.state().children[path].clone();
    let child = run(&bench, &first);
    let park = CallError { class: ErrorClass::Park, ..CallError::r#final("revoked", "no key") };
    bench.take(Input::Child { path: first, child, outcome: CallOutcome::Err(park) });
    assert_eq!(bench.status(), RunStatus::Parked);
    let child = run(&bench, &second);
    bench.take(Input::Child { path: second, child, outcome: CallOutcome::Ok(json!(5)) });
    assert!(bench.state().children.is_empty() && bench.cancels.is_empty());
    bench.retry(false).unwrap();
    assert_eq!(bench.emits.len(), 1, "only what failed is called again");
}

#[test]
fn the_chain_of_callers_is_named_when_it_is_too_long() {
    let (mut bench, _) = Bench::new(YAML);
    let What::RunStarted { hops, parent, .. } = &mut bench.journal[0].what else { panic!() };
    *hops = HOPS_MAX - 1;
    let (run, step) = (RunId::derived(START, &EventId::new(START, [2; 10]), &"a".parse().unwrap()), StepPath::new("s"));
    *parent = Some(Parent { run, step, awaited: true, chain: vec!["a".parse().unwrap(), "b".parse().unwrap()] });
    bench.journal.truncate(1);
    bench.emits.clear();
    bench.crash(Duration::ZERO);
    assert!(bench.emits.is_empty());
    let error = bench.state().row().error.unwrap();
    assert_eq!(error.code, "too_deep");
    assert!(error.message.ends_with("a → b → sample → stock/count"), "{}", error.message);
    // What its own caller is told.
    let (parent, outcome) = bench.state().told_to_parent().unwrap();
    assert_eq!(parent.step.as_str(), "s");
    assert!(
        matches!(outcome, CallOutcome::Err(error) if error.code == "call_failed" && error.message.contains("a → b"))
    );
}

#[test]
fn only_workflows_that_are_there_can_be_called() {
    let other =
        |yaml: &str| Arc::new(parse("stock/counts".parse().unwrap(), yaml, &|_| Err(String::new())).workflow.unwrap());
    let called = |name: &str, yaml: &str| {
        let (mut bench, _) = Bench::new(&YAML.replace("stock/count", name));
        bench.journal.truncate(1);
        bench.emits.clear();
        bench.set = Some(WorkflowSet::new(vec![other(yaml)]));
        bench.crash(Duration::ZERO);
        (bench.emits.len(), bench.state().row().error.map(|error| (error.code, error.message)))
    };
    let fine = "on: { manual: { inputs: { sku: string } } }\nsteps: [{ stop: done }]\n";
    assert_eq!(called("stock/counts", fine), (1, None));
    let (events, error) = called("stock/count", fine);
    let told =
        ("unknown_workflow".to_owned(), "there is no workflow `stock/count`; did you mean `stock/counts`?".to_owned());
    assert_eq!((events, error), (0, Some(told)));
    let (events, error) = called("stock/counts", &format!("enabled: false\n{fine}"));
    assert_eq!((events, error.unwrap().0.as_str()), (0, "workflow_disabled"));
    let (events, error) = called("stock/counts", &fine.replace("sku: string", "sku: integer"));
    let (code, message) = error.unwrap();
    assert!(events == 0 && code == "invalid" && message.contains("`sku` must be a whole number"), "{message}");
}
