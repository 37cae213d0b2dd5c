//! `wait_for` steps: what is registered, what of the scope is kept, and what ends the wait.

use super::*;

const WAIT: &str = r#"
on: { woo: [order.created] }
vars: { least: 10, other: 1 }
steps:
  - { id: one, script: "1" }
  - { id: two, script: "1" }
  - id: wait
    wait_for: { event: order.updated, if: incoming.x == steps.two.output + vars.least, timeout: 3d, lookback: 10m }
    OUTPUT
"#;

fn waiting(output: &str) -> (Bench, Vec<Effect>) {
    let (mut bench, _) = Bench::new(&WAIT.replace("OUTPUT", output));
    bench.script("one", 1, ScriptEnd::Done(json!("first")));
    let effects = bench.script("two", 1, ScriptEnd::Done(json!("second")));
    (bench, effects)
}

#[test]
fn a_wait_keeps_what_its_condition_mentions_and_no_more() {
    let (bench, effects) = waiting("");
    let [Effect::Wait { path, index: 0, topic, condition, scope: Some(scope), since }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((path.as_str(), topic.as_str()), ("wait", "order.updated"));
    assert_eq!(condition.as_deref(), Some("incoming.x == steps.two.output + vars.least"));
    let view = json!({"status": "succeeded", "output": "second"});
    assert_eq!(scope, &json!({"steps": {"two": view}, "vars": {"least": 10, "other": 1}}));
    assert_eq!(bench.now.since(*since), Duration::from_secs(600));
    assert_eq!(bench.status(), RunStatus::Waiting);
    let kept = bench.journal.iter().find_map(|entry| match &entry.what {
        What::WaitSet { scope, since, .. } => Some((scope.clone(), *since)),
        _ => None,
    });
    assert_eq!(kept, Some((Some(scope.clone()), Some(*since))), "the journal has it, for whoever loads the run");
}

#[test]
fn what_came_is_the_output_and_a_crash_waits_on() {
    let (mut bench, _) = waiting("");
    assert!(bench.crash(Duration::from_secs(1)).is_empty(), "it waits on, registered as it was");
    bench.answers("wait", 0, Ok(json!({"topic": "order.updated"})));
    assert_eq!((bench.status(), bench.step("wait").output), (RunStatus::Succeeded, json!({"topic": "order.updated"})));
    assert!(bench.state().waits.is_empty() && bench.state().timers.is_empty());
    assert!(bench.answers("wait", 0, Ok(json!("again"))).is_empty(), "a second event changes nothing");
}

#[test]
fn its_own_timeout_gives_nothing_and_the_steps_fails_it() {
    let (mut bench, _) = waiting("");
    bench.fires("wait", TimerKind::Wait(0));
    assert_eq!((bench.status(), bench.step("wait").output), (RunStatus::Succeeded, Json::Null));
    let (mut bench, _) = waiting("timeout: 1h");
    bench.fires("wait", TimerKind::StepTimeout);
    assert_eq!(bench.state().row().error.map(|error| error.code), Some("timeout".into()));
    assert!(bench.state().waits.is_empty());
}

#[test]
fn what_came_is_kept_when_its_output_cannot_be_trimmed() {
    let (mut bench, _) = waiting("output: bad");
    bench.answers("wait", 0, Ok(json!(1)));
    assert_eq!(bench.status(), RunStatus::Failed);
    assert!(bench.retry(false).unwrap().iter().all(|effect| !matches!(effect, Effect::Wait { .. })));
}

#[test]
fn a_cut_between_what_came_and_the_steps_end_leads_on() {
    let (mut bench, _) = waiting("");
    bench.answers("wait", 0, Ok(json!(1)));
    let cut = bench.journal.iter().position(|entry| matches!(entry.what, What::CallResolved { .. })).unwrap();
    bench.journal.truncate(cut + 1);
    bench.crash(Duration::from_secs(1));
    assert_eq!((bench.status(), bench.step("wait").output), (RunStatus::Succeeded, json!(1)));
}

#[test]
fn too_much_to_keep_and_no_topic_fail_the_step_with_advice() {
    let (mut bench, _) = Bench::new(&WAIT.replace("OUTPUT", ""));
    bench.script("one", 1, ScriptEnd::Done(json!(1)));
    bench.script("two", 1, ScriptEnd::Done(json!("x".repeat(70_000))));
    let error = bench.state().row().error.unwrap();
    assert_eq!((error.code.as_str(), error.message.contains("output:")), ("limit", true), "{error:?}");
    let (bench, _) = Bench::new("on: { event: go }\nsteps: [{ wait_for: '${{ \"no topic\" }}' }]\n");
    assert_eq!(bench.state().row().error.map(|error| error.code), Some("invalid".into()));
}

/// Nothing would ever drop it.
#[test]
fn a_wait_that_ends_with_what_is_around_it_is_not_registered() {
    let text = r#"
on: { event: go }
steps:
  - parallel:
      left: [{ id: w, wait_for: order.updated }]
      right: [{ id: f, fail: at once }]
    on_error: continue
"#;
    let (bench, effects) = Bench::new(text);
    assert_eq!(bench.status(), RunStatus::Succeeded);
    assert!(effects.iter().all(|effect| !matches!(effect, Effect::Wait { .. })), "{effects:?}");
}
