//! Calls that could not be made now: nothing is spent, nothing is thrown, nothing is lost.

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn a_deferred_call_waits_is_no_attempt_and_is_made_later() {
    let (mut bench, effects) = Bench::new(NOTE);
    let first = call(&effects);
    for times in 1..40 {
        assert!(bench.answers("note", 0, Err(deferred(None))).is_empty());
        let step = bench.step("note");
        assert_eq!((bench.status(), step.attempts, step.calls.len()), (RunStatus::Waiting, 1, 1), "{times}");
        assert_eq!(step.error.unwrap().message, "the store does not answer");
        assert_eq!(step.waits_until, Some(bench.now.plus(bench.pause("note").unwrap())));
        assert_eq!(call(&bench.wait("note")), first, "the same call, and nothing was sent before");
        assert_eq!(bench.status(), RunStatus::Running);
    }
    bench.answers("note", 0, Ok(json!(1)));
    let step = bench.step("note");
    assert_eq!((bench.status(), step.attempts, step.error), (RunStatus::Succeeded, 1, None));
}

#[test]
fn deferrals_leave_all_attempts_to_real_failures() {
    let yaml = NOTE.replace("steps:", "retry: 3\nsteps:");
    let (mut bench, _) = Bench::new(&yaml);
    for attempt in 1..=3 {
        for _ in 0..5 {
            bench.answers("note", 0, Err(deferred(None)));
            bench.wait("note");
        }
        assert_eq!(bench.step("note").attempts, attempt);
        bench.answers("note", 0, Err(unavailable()));
        if attempt < 3 {
            assert_eq!(call(&bench.wait("note")).again, None);
        }
    }
    assert_eq!((bench.status(), bench.step("note").attempts), (RunStatus::Parked, 3));
}

#[test]
fn the_store_says_how_long_to_wait_at_least() {
    let (mut bench, _) = Bench::new(NOTE);
    bench.answers("note", 0, Err(deferred(Some(600_000))));
    assert_eq!(bench.pause("note"), Some(Duration::from_secs(600)));
}

#[test]
fn a_week_of_deferrals_parks_the_run_and_a_retry_begins_anew() {
    let (mut bench, _) = Bench::new(NOTE);
    bench.answers("note", 0, Err(deferred(None)));
    bench.now = bench.now.plus(7 * DAY - Duration::from_secs(1));
    bench.fires("note", TimerKind::Retry);
    bench.answers("note", 0, Err(deferred(None)));
    assert_eq!(bench.status(), RunStatus::Waiting);
    bench.wait("note");
    bench.answers("note", 0, Err(deferred(None)));
    assert_eq!((bench.status(), bench.step("note").attempts), (RunStatus::Parked, 1));
    let message = bench.step("note").error.unwrap().message;
    assert!(message.contains(&START.to_string()) && message.contains("the store does not answer"), "{message}");
    assert_eq!(call(&bench.retry(false).unwrap()).again, None);
    bench.answers("note", 0, Err(deferred(None)));
    assert_eq!(bench.status(), RunStatus::Waiting);
}

#[test]
fn on_error_decides_about_a_deferral_that_was_given_up() {
    for (on_error, status) in [("continue", RunStatus::Succeeded), ("fail", RunStatus::Failed)] {
        let (mut bench, _) = Bench::new(&format!("{NOTE}    on_error: {on_error}\n"));
        bench.answers("note", 0, Err(deferred(None)));
        bench.now = bench.now.plus(8 * DAY);
        bench.fires("note", TimerKind::Retry);
        bench.answers("note", 0, Err(deferred(None)));
        assert_eq!(bench.status(), status);
    }
}

#[test]
fn a_failure_in_between_begins_the_week_again() {
    let (mut bench, _) = Bench::new(NOTE);
    bench.answers("note", 0, Err(deferred(None)));
    bench.wait("note");
    bench.answers("note", 0, Err(unavailable()));
    bench.now = bench.now.plus(8 * DAY);
    bench.fires("note", TimerKind::Retry);
    bench.answers("note", 0, Err(deferred(None)));
    assert_eq!(bench.status(), RunStatus::Waiting);
}

#[test]
fn a_script_sees_nothing_of_a_deferral_and_keeps_what_it_did() {
    let (mut bench, _) = Bench::new(SCRIPT);
    let (first, second) = (json!({"path": "orders/61"}), note_spec());
    bench.script("work", 1, asks(0, &first));
    assert_eq!(runs_script(&bench.answers("work", 0, Ok(json!({"id": 61})))), 1);
    let asked = call(&bench.script("work", 1, asks(1, &second)));
    assert!(bench.answers("work", 1, Err(deferred(None))).is_empty(), "not thrown into the script");
    assert_eq!(bench.status(), RunStatus::Waiting);
    assert_eq!(runs_script(&bench.wait("work")), 1);
    let calls = bench.state().calls(&StepPath::new("work"));
    assert_eq!(calls.iter().map(|call| call.outcome.is_some()).collect::<Vec<_>>(), [true, false]);
    assert_eq!(call(&bench.script("work", 1, asks(1, &second))), asked);
    bench.answers("work", 1, Ok(json!({"id": 5})));
    bench.script("work", 1, ScriptEnd::Done(json!("done")));
    let step = bench.step("work");
    assert_eq!((step.attempts, step.calls[1].status.as_str(), bench.status()), (1, "ok", RunStatus::Succeeded));
}

#[test]
fn a_crash_during_a_deferral_asks_when_the_pause_is_over_and_not_before() {
    let (mut bench, effects) = Bench::new(NOTE);
    bench.answers("note", 0, Err(deferred(None)));
    assert!(bench.crash(Duration::ZERO).is_empty());
    assert_eq!(bench.status(), RunStatus::Waiting);
    assert_eq!(call(&bench.wait("note")), call(&effects));
}

#[test]
fn a_stopping_engine_leaves_a_due_deferral_to_the_next_one() {
    // May not be repeated: it must not be taken for a call that was under way.
    let yaml = NOTE.replace("61/notes", "61/actions/send_email");
    for text in [NOTE, &yaml] {
        let (mut bench, effects) = Bench::new(text);
        bench.answers("note", 0, Err(deferred(None)));
        bench.hold = true;
        assert!(bench.wait("note").is_empty());
        bench.hold = false;
        assert_eq!(call(&bench.crash(Duration::ZERO)), call(&effects));
    }
}

#[test]
fn a_person_who_does_not_want_to_wait_has_it_made_now() {
    let (mut bench, effects) = Bench::new(NOTE);
    assert!(bench.retry(false).is_err(), "it is under way");
    bench.answers("note", 0, Err(deferred(None)));
    assert_eq!(call(&bench.retry(false).unwrap()), call(&effects));
    assert_eq!((bench.pause("note"), bench.state().retries, bench.status()), (None, 0, RunStatus::Running));
    bench.answers("note", 0, Ok(json!(1)));
    assert_eq!(bench.status(), RunStatus::Succeeded);
}

const LOOP: &str = r#"
on: { woo: [order.created] }
grants: { woo: [orders.write], stores: [self] }
steps:
  - id: each
    for_each: "[1, 2, 3]"
    parallel: 2
    steps:
      - id: note
        woo: orders/61/notes
        method: POST
        with: { note: hello }
"#;

#[test]
fn iterations_wait_on_their_own() {
    let (mut bench, effects) = Bench::new(LOOP);
    assert_eq!(calls(&effects).len(), 2);
    bench.answers("each[0]/note", 0, Err(deferred(None)));
    assert_eq!(bench.status(), RunStatus::Running);
    // Of the two that may move at once one waits, so only one more begins when the other ends.
    let third = call(&bench.answers("each[1]/note", 0, Ok(json!(1))));
    assert_eq!(third.path.as_str(), "each[2]/note");
    // Only what waits is asked for now; what is under way is not asked twice.
    assert_eq!(call(&bench.retry(false).unwrap()).path.as_str(), "each[0]/note");
    bench.answers("each[0]/note", 0, Ok(json!(0)));
    bench.answers("each[2]/note", 0, Ok(json!(2)));
    assert_eq!((bench.status(), bench.step("each").output), (RunStatus::Succeeded, json!([0, 1, 2])));
}

#[test]
fn a_deferred_iteration_does_not_hold_up_a_failure_and_is_made_by_the_retry() {
    let (mut bench, _) = Bench::new(LOOP);
    bench.answers("each[0]/note", 0, Err(deferred(None)));
    bench.answers("each[1]/note", 0, Err(CallError::r#final("status", "400")));
    assert_eq!(bench.status(), RunStatus::Failed);
    assert!(bench.state().timers.is_empty());
    let asked = calls(&bench.retry(false).unwrap());
    let asked: Vec<(&str, Option<Again>)> = asked.iter().map(|call| (call.path.as_str(), call.again)).collect();
    assert_eq!(asked, [("each[0]/note", None), ("each[1]/note", None)]);
}

#[test]
fn on_failure_waits_as_well() {
    let yaml = r#"
on: { woo: [order.created] }
grants: { woo: [orders.write], stores: [self] }
steps:
  - fail: oops
on_failure:
  - id: note
    woo: orders/61/notes
    method: POST
    with: { note: failed }
"#;
    let (mut bench, _) = Bench::new(yaml);
    bench.answers("on_failure/note", 0, Err(deferred(None)));
    assert_eq!(bench.status(), RunStatus::Waiting);
    assert!(bench.crash(Duration::ZERO).is_empty());
    call(&bench.wait("on_failure/note"));
    bench.answers("on_failure/note", 0, Ok(json!(1)));
    assert_eq!(bench.status(), RunStatus::Failed);
}

#[test]
fn timeouts_and_cancellation_end_a_deferral() {
    let with_timeout = format!("{NOTE}    timeout: 1m\n");
    let (mut bench, _) = Bench::new(&with_timeout);
    bench.answers("note", 0, Err(deferred(None)));
    bench.fires("note", TimerKind::StepTimeout);
    assert_eq!((bench.status(), bench.step("note").attempts), (RunStatus::Failed, 1));
    assert_eq!(call(&bench.retry(false).unwrap()).again, None, "nothing had been sent");

    let (mut bench, _) = Bench::new(&NOTE.replace("steps:", "timeout: 1m\nsteps:"));
    bench.answers("note", 0, Err(deferred(None)));
    bench.fires("", TimerKind::RunTimeout);
    assert_eq!((bench.status(), bench.state().timers.len()), (RunStatus::Failed, 0));

    let (mut bench, _) = Bench::new(NOTE);
    bench.answers("note", 0, Err(deferred(None)));
    bench.take(Input::Cancel { by: "ann".into() });
    assert_eq!((bench.status(), bench.state().timers.len()), (RunStatus::Cancelled, 0));
    assert_eq!(bench.step("note").status.as_str(), "cancelled", "nothing was sent, so nothing is unknown");
}
