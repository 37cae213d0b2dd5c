//! A run whose workflow limits how many move at once: nothing of it begins without a slot, what ends meanwhile is
//! written down, and it asks again whenever it goes on after it had to let go of its slot.

use super::*;
use cartwright_core::{
    run::decide::{SlotAnswer, wanted_slot},
    slots::Slot,
};

const LIMITED: &str = r#"
on: { woo: [order.created] }
concurrency: { key: "order ${{ 61 }}" }
grants: { http: ["sink.example.com"] }
retry: 1
steps:
  - { id: tell, http: POST http://sink.example.com/tell }
  - { id: rest, sleep: 1h }
  - { id: again, http: POST http://sink.example.com/again, idempotent: true }
on_failure:
  - { id: last, http: POST http://sink.example.com/last }
"#;

fn lending() -> String {
    LIMITED.replace("key: \"order ${{ 61 }}\"", "hold_while_waiting: false")
}

fn answered(bench: &mut Bench, answer: SlotAnswer) -> Vec<Effect> {
    bench.take(Input::Slot { answer, under_way: BTreeSet::new() })
}

fn asks_for_slot(effects: &[Effect]) {
    assert!(matches!(effects, [Effect::Slot] | [Effect::Abort { .. }, Effect::Slot]), "{effects:?}");
}

fn ended(bench: &Bench) -> (RunStatus, String) {
    assert_eq!(bench.state().slot, Slot::None);
    (bench.status(), bench.state().row().error.map(|error| error.code).unwrap_or_default())
}

fn no_connection() -> CallError {
    CallError::retryable("connection", "no answer")
}

#[test]
fn nothing_begins_before_the_slot_is_there_and_all_of_it_afterwards() {
    let (mut bench, effects) = Bench::new(LIMITED);
    asks_for_slot(&effects);
    assert_eq!((bench.status(), bench.state().steps.len()), (RunStatus::Queued, 0));
    let (group, ask) = wanted_slot(bench.state(), &bench.workflow).unwrap();
    assert_eq!((group.to_string().as_str(), ask.limit, ask.again), ("sample @ shop [order 61]", 1, false));
    assert!(answered(&mut bench, SlotAnswer::Queued { ahead: 3 }).is_empty());
    asks_for_slot(&bench.crash(Duration::from_secs(1)));
    assert!(answered(&mut bench, SlotAnswer::Queued { ahead: 3 }).is_empty());
    let queued = bench.journal.iter().filter(|entry| matches!(entry.what, What::SlotQueued { .. })).count();
    assert_eq!(queued, 1, "a place in the queue is taken once");
    let effects = answered(&mut bench, SlotAnswer::Taken);
    assert_eq!(call(&effects).path.as_str(), "tell");
    assert_eq!(bench.status(), RunStatus::Running);
    assert!(answered(&mut bench, SlotAnswer::Taken).is_empty(), "an answer that comes twice changes nothing");
}

#[test]
fn a_slot_is_kept_while_the_run_waits_unless_the_workflow_says_otherwise() {
    let (mut bench, _) = Bench::new(LIMITED);
    answered(&mut bench, SlotAnswer::Taken);
    bench.answers("tell", 0, Ok(json!(1)));
    assert!(bench.state().slot.is_held() && bench.status() == RunStatus::Waiting);

    let (mut bench, _) = Bench::new(&lending());
    answered(&mut bench, SlotAnswer::Taken);
    assert!(bench.answers("tell", 0, Ok(json!(1))).is_empty());
    assert!(matches!(bench.state().slot, Slot::Lent(_)) && bench.status() == RunStatus::Waiting);
    assert!(bench.resume().is_empty(), "it waits on without asking");
    let first = bench.state().slot.standing().unwrap().place.clone();
    bench.now = bench.now.plus(Duration::from_secs(3600));
    asks_for_slot(&bench.fires("rest", TimerKind::Sleep));
    let (_, ask) = wanted_slot(bench.state(), &bench.workflow).unwrap();
    assert!(ask.again && ask.place < first, "in front of all that have not begun");
    assert_eq!(bench.status(), RunStatus::Queued);
    answered(&mut bench, SlotAnswer::Queued { ahead: 0 });
    asks_for_slot(&bench.crash(Duration::from_secs(1)));
    let effects = answered(&mut bench, SlotAnswer::Taken);
    assert_eq!(call(&effects).path.as_str(), "again");
    bench.answers("again", 0, Ok(json!(1)));
    assert_eq!(ended(&bench), (RunStatus::Succeeded, String::new()));
}

#[test]
fn a_call_that_was_put_off_lets_go_of_the_slot_and_is_made_when_it_is_back() {
    let (mut bench, _) = Bench::new(&lending());
    answered(&mut bench, SlotAnswer::Taken);
    bench.answers("tell", 0, Err(deferred(None)));
    assert!(matches!(bench.state().slot, Slot::Lent(_)));
    asks_for_slot(&bench.wait("tell"));
    assert_eq!(call(&answered(&mut bench, SlotAnswer::Taken)).path.as_str(), "tell");
    bench.answers("tell", 0, Err(deferred(None)));
    asks_for_slot(&bench.retry(false).unwrap());
    assert_eq!(call(&answered(&mut bench, SlotAnswer::Taken)).path.as_str(), "tell");
}

#[test]
fn what_happens_while_an_engine_stops_is_asked_for_at_the_next_start() {
    let (mut bench, _) = Bench::new(&lending());
    answered(&mut bench, SlotAnswer::Taken);
    bench.answers("tell", 0, Ok(json!(1)));
    bench.hold = true;
    assert!(bench.fires("rest", TimerKind::Sleep).is_empty());
    assert_eq!(bench.status(), RunStatus::Queued, "so that the next start takes it up");
    bench.hold = false;
    asks_for_slot(&bench.crash(Duration::from_secs(1)));
}

#[test]
fn a_parked_run_has_no_slot_and_its_retry_asks_for_one() {
    let (mut bench, _) = Bench::new(LIMITED);
    answered(&mut bench, SlotAnswer::Taken);
    bench.answers("tell", 0, Err(no_connection()));
    assert_eq!((bench.status(), &bench.state().slot), (RunStatus::Parked, &Slot::None));
    asks_for_slot(&bench.retry(false).unwrap());
    assert!(wanted_slot(bench.state(), &bench.workflow).unwrap().1.again);
    bench.take(Input::Cancel { by: "ann".into() });
    assert_eq!(ended(&bench), (RunStatus::Cancelled, "cancelled".into()));
}

#[test]
fn a_run_that_is_given_up_or_begins_anew_asks_for_what_follows() {
    let (mut bench, _) = Bench::new(LIMITED);
    answered(&mut bench, SlotAnswer::Taken);
    bench.answers("tell", 0, Err(no_connection()));
    asks_for_slot(&bench.take(Input::Fail { by: "ann".into(), reason: None }));
    assert_eq!(call(&answered(&mut bench, SlotAnswer::Taken)).path.as_str(), "on_failure/last");
    bench.answers("on_failure/last", 0, Err(unavailable()));
    assert_eq!(bench.status(), RunStatus::Parked);
    asks_for_slot(&bench.retry(false).unwrap());
    answered(&mut bench, SlotAnswer::Taken);
    bench.answers("on_failure/last", 0, Ok(json!(1)));
    assert_eq!(ended(&bench).0, RunStatus::Failed);

    let (mut bench, _) = Bench::new(&LIMITED.replace("/tell }", "/tell, idempotent: true }"));
    answered(&mut bench, SlotAnswer::Taken);
    let refused = CallError { status: Some(400), ..CallError::r#final("status", "400") };
    bench.answers("tell", 0, Err(refused));
    bench.answers("on_failure/last", 0, Ok(json!(1)));
    assert_eq!(ended(&bench).0, RunStatus::Failed);
    assert!(bench.take(Input::Anew { by: "ann".into(), input: json!({}) }).iter().all(|e| !matches!(e, Effect::Slot)));
    asks_for_slot(&bench.resume());
    assert_eq!(call(&answered(&mut bench, SlotAnswer::Taken)).path.as_str(), "tell");
}

#[test]
fn a_run_that_is_turned_away_ends_and_says_why() {
    let holder = Some(RunId::derived(START, &EventId::new(START, [9; 10]), &"sample".parse().unwrap()));
    let by = holder.clone().unwrap();
    let cases = [
        (SlotAnswer::Skipped { holder: holder.clone() }, RunStatus::Cancelled, "skipped"),
        (SlotAnswer::Full { holder }, RunStatus::Failed, "concurrency"),
        (SlotAnswer::QueueFull { waiting: 7 }, RunStatus::Failed, "queue_full"),
        (SlotAnswer::WaitsForItself { caller: by.clone() }, RunStatus::Failed, "concurrency"),
        (SlotAnswer::Outdated { by: by.clone() }, RunStatus::Cancelled, "replaced"),
    ];
    for (answer, status, code) in cases {
        let (mut bench, _) = Bench::new(LIMITED);
        let effects = answered(&mut bench, answer);
        assert!(calls(&effects).is_empty());
        assert_eq!(ended(&bench), (status, code.into()));
        let message = bench.state().row().error.unwrap().message;
        assert!(message.contains(by.as_str()) || message.contains('7'), "{message}");
    }
}

#[test]
fn a_run_is_replaced_while_it_holds_a_slot_or_waits_for_one() {
    let by = RunId::derived(START, &EventId::new(START, [9; 10]), &"sample".parse().unwrap());
    for answer in [SlotAnswer::Taken, SlotAnswer::Queued { ahead: 0 }] {
        let (mut bench, _) = Bench::new(LIMITED);
        answered(&mut bench, answer);
        bench.take(Input::Replace { by: by.clone() });
        assert_eq!(ended(&bench), (RunStatus::Cancelled, "replaced".into()));
        let ended = bench.journal.len();
        bench.take(Input::Replace { by: by.clone() });
        assert_eq!(bench.journal.len(), ended, "what is over is out of the way");
    }
}

#[test]
fn a_key_that_gives_nothing_to_tell_runs_apart_by_fails_the_run() {
    for key in ["${{ bad }}", "${{ null }}", "${{ [1] }}", "${{ {} }}"] {
        let (bench, effects) = Bench::new(&LIMITED.replace("order ${{ 61 }}", key));
        assert!(calls(&effects).is_empty());
        assert_eq!(ended(&bench), (RunStatus::Failed, "expression".into()), "{key}");
    }
    let (bench, _) = Bench::new(&LIMITED.replace("order ${{ 61 }}", &"x".repeat(1_001)));
    assert_eq!(ended(&bench).1, "expression");
    let (bench, _) = Bench::new(&LIMITED.replace("order ${{ 61 }}", "${{ 61.50 }}"));
    assert_eq!(wanted_slot(bench.state(), &bench.workflow).unwrap().0.key, "61.50");
}

#[test]
fn steps_of_a_loop_that_wait_side_by_side_let_go_once_and_come_back_one_by_one() {
    let text = r#"
on: { woo: [order.created] }
concurrency: { limit: 1, hold_while_waiting: false }
grants: { http: ["sink.example.com"] }
steps:
  - id: each
    for_each: "[1, 2]"
    parallel: 2
    steps:
      - { id: rest, sleep: 1h }
      - { id: tell, http: PUT http://sink.example.com/tell }
"#;
    let (mut bench, _) = Bench::new(text);
    answered(&mut bench, SlotAnswer::Taken);
    assert!(matches!(bench.state().slot, Slot::Lent(_)));
    asks_for_slot(&bench.fires("each[0]/rest", TimerKind::Sleep));
    answered(&mut bench, SlotAnswer::Queued { ahead: 1 });
    bench.fires("each[1]/rest", TimerKind::Sleep);
    let effects = answered(&mut bench, SlotAnswer::Taken);
    assert_eq!(calls(&effects).len(), 2, "both go on");
    bench.answers("each[0]/tell", 0, Ok(json!(1)));
    assert!(bench.state().slot.is_held());
    bench.answers("each[1]/tell", 0, Ok(json!(1)));
    assert_eq!(ended(&bench).0, RunStatus::Succeeded);
}

#[test]
fn a_replaced_run_keeps_its_slot_while_it_cleans_up() {
    let by = RunId::derived(START, &EventId::new(START, [9; 10]), &"sample".parse().unwrap());
    let text = format!("{LIMITED}on_cancel:\n  - {{ id: bye, http: POST http://sink.example.com/bye }}\n");
    let (mut bench, _) = Bench::new(&text);
    answered(&mut bench, SlotAnswer::Taken);
    let effects = bench.take(Input::Replace { by: by.clone() });
    assert_eq!(call(&effects).path.as_str(), "on_cancel/bye");
    bench.take(Input::Replace { by });
    assert!(bench.state().slot.is_held(), "told twice, it still cleans up");
    bench.answers("on_cancel/bye", 0, Ok(json!(1)));
    assert_eq!(ended(&bench), (RunStatus::Cancelled, "replaced".into()));
}
