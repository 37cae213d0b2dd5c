//! Branches side by side: begun at once, waited for, failing together, and the same after a crash at any point.

use super::*;

const SIDES: &str = r#"
on: { woo: [order.created] }
grants: { woo: [orders.write], stores: [self] }
steps:
  - id: both
    parallel:
      right:
        - { id: r1, woo: orders/1/notes, method: POST, with: { note: hello } }
        - { id: r2, woo: orders/2/notes, method: POST, with: { note: hello } }
      left:
        - { id: l1, woo: orders/3/notes, method: POST, with: { note: hello } }
    ON_ERROR
  - { id: after, script: "1" }
"#;

fn sides(on_error: &str) -> (Bench, Vec<Effect>) {
    Bench::new(&SIDES.replace("ON_ERROR", on_error))
}

fn paths(effects: &[Effect]) -> Vec<String> {
    calls(effects).iter().map(|asked| asked.path.to_string()).collect()
}

fn refused() -> CallError {
    CallError::r#final("status", "400")
}

#[test]
fn branches_are_begun_at_once_in_the_order_of_the_file_and_their_last_outputs_are_the_steps() {
    let (mut bench, effects) = sides("");
    assert_eq!(paths(&effects), ["both.0/r1", "both.1/l1"]);
    assert!(bench.answers("both.1/l1", 0, Ok(json!("left"))).is_empty());
    let next = bench.answers("both.0/r1", 0, Ok(json!("first")));
    assert_eq!(paths(&next), ["both.0/r2"]);
    let after = bench.answers("both.0/r2", 0, Ok(json!("right")));
    assert_eq!(runs_script(&after), 1);
    assert_eq!(bench.step("both").output, json!({"left": "left", "right": "right"}));
    let seen: Vec<&str> = bench.state().visible.keys().map(String::as_str).collect();
    assert_eq!(seen, ["both", "l1", "r1", "r2"], "inner steps stay visible");
    let own = bench.journal.iter().filter(|entry| serde_json::to_value(entry).unwrap()["path"] == "both");
    assert_eq!(own.count(), 2, "begun and ended: no more entries than that");
}

#[test]
fn what_others_have_begun_is_waited_for_and_nothing_more_is_begun_when_a_branch_fails() {
    for crashes in [false, true] {
        let (mut bench, _) = sides("");
        assert!(bench.answers("both.1/l1", 0, Err(refused())).is_empty());
        assert_eq!(bench.status(), RunStatus::Running, "r1 is under way");
        if crashes {
            assert_eq!(paths(&bench.crash(Duration::from_secs(1))), ["both.0/r1"]);
        }
        let effects = bench.answers("both.0/r1", 0, Ok(json!(1)));
        assert!(calls(&effects).is_empty(), "r2 is not begun: {effects:?}");
        assert_eq!(bench.status(), RunStatus::Failed);
        assert_eq!(bench.state().row().error.unwrap().step.as_deref(), Some("both.1/l1"));
        let again = bench.retry(false).unwrap();
        assert_eq!(paths(&again), ["both.0/r2", "both.1/l1"], "what ended stays, what failed begins again");
    }
}

#[test]
fn a_branch_that_only_waits_keeps_no_failure() {
    let text =
        SIDES.replace("{ id: r1, woo: orders/1/notes, method: POST, with: { note: hello } }", "{ id: r1, sleep: 1h }");
    let (mut bench, _) = Bench::new(&text.replace("ON_ERROR", ""));
    bench.answers("both.1/l1", 0, Err(refused()));
    assert_eq!((bench.status(), bench.state().timers.len()), (RunStatus::Failed, 0));
}

#[test]
fn the_steps_own_on_error_says_what_follows() {
    let (mut bench, _) = sides("on_error: continue");
    bench.answers("both.0/r1", 0, Err(refused()));
    let effects = bench.answers("both.1/l1", 0, Ok(json!(1)));
    assert_eq!(runs_script(&effects[effects.len() - 1..]), 1, "the run goes on");
    assert_eq!(bench.step("both").status.as_str(), "failed");
    let (mut bench, _) = sides("on_error: park");
    bench.answers("both.0/r1", 0, Err(refused()));
    bench.answers("both.1/l1", 0, Ok(json!(1)));
    assert_eq!(bench.status(), RunStatus::Parked);
    assert_eq!(paths(&bench.retry(false).unwrap()), ["both.0/r1"]);
}

#[test]
fn an_unknown_outcome_parks_the_run_once_the_other_branch_rests() {
    let (mut bench, _) =
        Bench::new(&SIDES.replace("ON_ERROR", "").replace("orders/1/notes", "orders/1/actions/send_email"));
    assert!(bench.answers("both.0/r1", 0, Err(unknown())).is_empty());
    assert_eq!(bench.status(), RunStatus::Running);
    bench.answers("both.1/l1", 0, Ok(json!(1)));
    assert_eq!(bench.status(), RunStatus::Parked);
    let which = Which { step: Some(StepPath::new("both.0/r1")), call: Some(0) };
    let effects = bench.try_take(Input::Resolve { by: "ann".into(), which, said: Said::Done(json!(1)) }).unwrap();
    assert_eq!(paths(&effects), ["both.0/r2"]);
}

#[test]
fn an_inner_failure_that_is_handled_there_stops_no_branch() {
    let text = SIDES.replace("with: { note: hello } }\n    ON", "with: { note: hello }, on_error: continue }\n    ON");
    let (mut bench, _) = Bench::new(&text.replace("ON_ERROR", ""));
    bench.answers("both.1/l1", 0, Err(refused()));
    assert_eq!(paths(&bench.answers("both.0/r1", 0, Ok(json!(1)))), ["both.0/r2"]);
    bench.answers("both.0/r2", 0, Ok(json!(2)));
    assert_eq!(bench.step("both").output, json!({"left": null, "right": 2}));
}

#[test]
fn its_timeout_stops_all_branches_and_a_retry_begins_them_anew() {
    let (mut bench, first) = sides("timeout: 5m");
    bench.answers("both.0/r1", 0, Ok(json!(1)));
    bench.fires("both", TimerKind::StepTimeout);
    assert_eq!(bench.status(), RunStatus::Failed);
    let again = calls(&bench.retry(false).unwrap());
    let keys = |asked: &[Asked]| asked.iter().map(|asked| asked.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&again), keys(&calls(&first)), "under the same identities");
    assert!(again.iter().all(|asked| asked.again.is_some()), "each is asked about first: {again:?}");
}

#[test]
fn loops_and_branches_nest() {
    let text = r#"
on: { woo: [order.created] }
steps:
  - id: each
    for_each: "[1, 2]"
    steps:
      - id: both
        parallel:
          a: [{ id: x, script: "1" }]
          b: [{ id: inner, for_each: "[1]", steps: [{ id: y, script: "1" }] }]
"#;
    let (mut bench, mut effects) = Bench::new(text);
    let mut order = Vec::new();
    while let Some(effect) = effects.pop() {
        let Effect::RunScript { path, attempt } = effect else { continue };
        order.push(path.to_string());
        effects.extend(bench.script(path.as_str(), attempt, ScriptEnd::Done(json!(path))));
    }
    assert_eq!(order.len(), 4, "{order:?}");
    assert_eq!(bench.status(), RunStatus::Succeeded);
    let expected = |n: u32| json!({"a": format!("each[{n}]/both.0/x"), "b": [format!("each[{n}]/both.1/inner[0]/y")]});
    assert_eq!(bench.step("each").output, json!([expected(0), expected(1)]));
}

#[test]
fn a_branch_that_stops_the_run_ends_it_well_once_the_others_rest() {
    let stops = SIDES.replace("woo: orders/1/notes, method: POST, with: { note: hello }", "stop: enough");
    let (mut bench, effects) = Bench::new(&stops.replace("ON_ERROR", ""));
    assert_eq!((paths(&effects), bench.status()), (vec!["both.1/l1".to_owned()], RunStatus::Running));
    assert_eq!(paths(&bench.crash(Duration::from_secs(1))), ["both.1/l1"]);
    bench.answers("both.1/l1", 0, Ok(json!(1)));
    assert_eq!(bench.status(), RunStatus::Succeeded);
    let last = bench.journal.last().map(|entry| serde_json::to_value(entry).unwrap());
    assert_eq!(last.unwrap()["output"], "enough");
}
