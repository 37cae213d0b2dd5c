//! Calls that may have arrived: the next try says so, whatever comes in between.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn between(since: Timestamp, until: Timestamp) -> Option<Again> {
    Some(Again { since, until })
}

#[test]
fn a_call_that_a_crash_hid_says_that_it_may_have_arrived() {
    let (mut bench, effects) = Bench::new(NOTE);
    let first = call(&effects);
    let again = call(&bench.crash(HOUR));
    assert_eq!((again.again, &again.key, &again.call), (between(START, bench.now), &first.key, &first.call));
    // A second crash: the try before it may have been sent just now.
    assert_eq!(call(&bench.crash(HOUR)).again, between(START, START.plus(2 * HOUR)));
    assert_eq!(bench.step("note").attempts, 1);
}

#[test]
fn doubt_outlives_deferrals_failures_and_crashes_until_there_is_an_answer() {
    let (mut bench, _) = Bench::new(NOTE);
    let doubt = between(START, START.plus(HOUR));
    assert_eq!(call(&bench.crash(HOUR)).again, doubt);
    bench.answers("note", 0, Err(deferred(Some(60_000))));
    assert_eq!(call(&bench.wait("note")).again, doubt);
    bench.answers("note", 0, Err(unavailable()));
    assert!(bench.crash(Duration::ZERO).is_empty());
    assert_eq!(call(&bench.wait("note")).again, doubt, "the failed try sent nothing");
    bench.answers("note", 0, Err(CallError { class: ErrorClass::Park, ..CallError::r#final("auth", "key revoked") }));
    assert_eq!(bench.status(), RunStatus::Parked);
    assert_eq!(call(&bench.retry(false).unwrap()).again, doubt);
    bench.answers("note", 0, Ok(json!(1)));
    assert_eq!(bench.state().doubts, Default::default());
}

#[test]
fn an_unknown_outcome_is_tried_again_with_the_time_of_the_last_one() {
    let (mut bench, effects) = Bench::new(NOTE);
    for attempt in 2..=5 {
        bench.now = bench.now.plus(HOUR);
        let failed_at = bench.now;
        bench.answers("note", 0, Err(unknown()));
        assert_eq!(bench.status(), RunStatus::Waiting);
        let asked = call(&bench.wait("note"));
        assert_eq!((asked.again, &asked.key), (between(START, failed_at), &call(&effects).key));
        assert_eq!(bench.step("note").attempts, attempt);
    }
    bench.answers("note", 0, Err(unknown()));
    assert_eq!((bench.status(), bench.step("note").status.as_str()), (RunStatus::Parked, "unknown"));
}

fn exhausted() -> (Bench, Timestamp) {
    let (mut bench, _) = Bench::new(&NOTE.replace("steps:", "retry: 1\nsteps:"));
    bench.answers("note", 0, Err(unknown()));
    assert_eq!(bench.step("note").status.as_str(), "unknown");
    let failed_at = bench.now;
    bench.now = bench.now.plus(HOUR);
    (bench, failed_at)
}

/// Only tries that may have been sent count: neither one that was put off nor one that is known to have failed.
#[test]
fn doubt_begins_with_the_first_try_that_may_have_been_sent() {
    let (mut bench, _) = Bench::new(NOTE);
    bench.answers("note", 0, Err(deferred(Some(60_000))));
    assert_eq!(call(&bench.wait("note")).again, None);
    bench.answers("note", 0, Err(unavailable()));
    assert_eq!(call(&bench.wait("note")).again, None);
    let first = bench.now;
    assert!(first > START.plus(Duration::from_secs(60)));
    let restart = call(&bench.crash(HOUR));
    assert_eq!(restart.again, between(first, bench.now));
    bench.now = bench.now.plus(HOUR);
    bench.answers("note", 0, Err(unknown()));
    let failed_at = bench.now;
    assert_eq!(call(&bench.wait("note")).again, between(first, failed_at));
}

#[test]
fn a_person_retries_what_can_be_found_out_without_accepting_anything() {
    let (mut bench, failed_at) = exhausted();
    assert_eq!(call(&bench.retry(false).unwrap()).again, between(START, failed_at));
    // Who says that twice is fine is taken at their word.
    let (mut bench, _) = exhausted();
    assert_eq!(call(&bench.retry(true).unwrap()).again, None);
}

/// Each look would tell the same, and a person waits.
#[test]
fn a_look_that_cannot_tell_is_a_matter_for_a_person_at_once() {
    let (mut bench, _) = Bench::new(NOTE);
    bench.crash(HOUR);
    let until = bench.now;
    bench.now = bench.now.plus(HOUR);
    let undecided = CallError { class: ErrorClass::Unknown, ..CallError::r#final(UNDECIDED, "two are alike") };
    assert!(bench.answers("note", 0, Err(undecided)).is_empty());
    let step = bench.step("note");
    assert_eq!((bench.status(), step.status.as_str(), step.attempts), (RunStatus::Parked, "unknown", 1));
    bench.now = bench.now.plus(HOUR);
    assert_eq!(call(&bench.retry(false).unwrap()).again, between(START, until), "the look sent nothing");
}

#[test]
fn what_nobody_can_find_out_stays_a_matter_for_a_person() {
    let yaml = NOTE.replace("61/notes", "61/actions/send_email");
    for crash in [true, false] {
        let (mut bench, effects) = Bench::new(&yaml);
        assert_eq!(call(&effects).call.kind, CallKind::Outside { repeatable: false });
        match crash {
            true => assert!(bench.crash(HOUR).is_empty()),
            false => assert!(bench.answers("note", 0, Err(unknown())).is_empty()),
        }
        let step = bench.step("note");
        assert_eq!((bench.status(), step.status.as_str()), (RunStatus::Parked, "unknown"));
        assert!(!step.error.unwrap().message.contains("idempotent"), "a store has no such thing");
        assert!(bench.retry(false).is_err());
        assert_eq!(call(&bench.retry(true).unwrap()).again, None);
    }
}

#[test]
fn a_script_never_catches_a_failure_that_may_hide_a_success() {
    let (mut bench, _) = Bench::new(SCRIPT);
    bench.script("work", 1, asks(0, &note_spec()));
    bench.answers("work", 0, Err(unknown()));
    let failed_at = bench.now;
    assert_eq!(runs_script(&bench.wait("work")), 2);
    assert_eq!(call(&bench.script("work", 2, asks(0, &note_spec()))).again, between(START, failed_at));
    // This try did nothing, but the first one may have: not for the script to catch.
    assert!(bench.answers("work", 0, Err(unavailable())).is_empty());
    assert_eq!(runs_script(&bench.wait("work")), 3);
    assert_eq!(call(&bench.script("work", 3, asks(0, &note_spec()))).again, between(START, failed_at));
    let refused = CallError::r#final("status", "400");
    assert_eq!(runs_script(&bench.answers("work", 0, Err(refused))), 3, "a refusal is an answer");
}

#[test]
fn a_script_catches_a_failure_that_hides_nothing() {
    let (mut bench, _) = Bench::new(SCRIPT);
    bench.script("work", 1, asks(0, &note_spec()));
    assert_eq!(runs_script(&bench.answers("work", 0, Err(unavailable()))), 1);
}

#[test]
fn a_script_asks_again_for_what_a_crash_hid() {
    let (mut bench, _) = Bench::new(SCRIPT);
    bench.script("work", 1, asks(0, &note_spec()));
    assert_eq!(runs_script(&bench.crash(HOUR)), 1);
    assert_eq!(call(&bench.script("work", 1, asks(0, &note_spec()))).again, between(START, bench.now));
}

#[test]
fn a_call_that_a_timeout_or_the_end_of_the_run_cut_off_may_have_arrived() {
    let (mut bench, _) = Bench::new(&format!("{NOTE}    timeout: 1m\n"));
    bench.now = bench.now.plus(HOUR);
    bench.fires("note", TimerKind::StepTimeout);
    let cut_at = bench.now;
    bench.now = bench.now.plus(HOUR);
    assert_eq!(call(&bench.retry(false).unwrap()).again, between(START, cut_at));

    let (mut bench, _) = Bench::new(&NOTE.replace("steps:", "timeout: 1m\nsteps:"));
    bench.fires("", TimerKind::RunTimeout);
    bench.now = bench.now.plus(HOUR);
    assert_eq!(call(&bench.retry(false).unwrap()).again, between(START, START));
}

#[test]
fn a_loop_that_begins_again_looks_for_what_it_did() {
    let yaml = r#"
on: { woo: [order.created] }
grants: { woo: [orders.write], stores: [self] }
steps:
  - id: each
    for_each: "[1, 2]"
    timeout: 1m
    steps:
      - { id: note, woo: orders/61/notes, method: POST, with: { note: hello } }
      - { id: mail, woo: orders/61/actions/send_email, method: POST, with: {} }
"#;
    let (mut bench, effects) = Bench::new(yaml);
    bench.answers("each[0]/note", 0, Ok(json!(1)));
    bench.answers("each[0]/mail", 0, Ok(json!(1)));
    bench.now = bench.now.plus(HOUR);
    bench.fires("each", TimerKind::StepTimeout);
    assert_eq!(bench.status(), RunStatus::Failed);
    let failed_at = bench.now;
    bench.now = bench.now.plus(HOUR);
    let asked = call(&bench.retry(false).unwrap());
    assert_eq!((asked.again, &asked.key), (between(START, failed_at), &call(&effects).key));
    let asked = call(&bench.answers("each[0]/note", 0, Ok(json!(1))));
    assert_eq!((asked.path.as_str(), asked.again), ("each[0]/mail", None), "nobody could find out");
}

#[test]
fn journals_of_before_can_be_read() {
    let text = r#"[{"at":"2026-11-21T07:00:00.000Z","type":"run_retried","by":"ann","generation":0},
        {"at":"2026-11-21T07:00:00.000Z","type":"call_repeated","path":"a","index":0},
        {"at":"2026-11-21T07:00:00.000Z","type":"failure_handling","error":{"step":null,"code":"a","message":"b"}}]"#;
    let entries: Vec<Entry> = serde_json::from_str(text).unwrap();
    assert!(matches!(entries[0].what, What::RunRetried { repeat_unknown: false, .. }));
    assert!(matches!(entries[1].what, What::CallRepeated { again: None, .. }));
    assert!(matches!(entries[2].what, What::FailureHandling { round: 0, .. }));
}

/// Every history of a call, cut after every entry: whoever may have sent it says so, whoever cannot have does not.
#[test]
fn a_crash_after_any_entry_leaves_no_call_without_its_doubt() {
    let histories: [&[fn(&mut Bench)]; 4] = [
        &[|b| drop(b.answers("note", 0, Err(unknown()))), |b| drop(b.wait("note"))],
        &[|b| drop(b.answers("note", 0, Err(deferred(None)))), |b| drop(b.wait("note"))],
        &[|b| drop(b.crash(HOUR)), |b| drop(b.answers("note", 0, Err(deferred(None)))), |b| drop(b.wait("note"))],
        &[
            |b| drop(b.answers("note", 0, Err(unknown()))),
            |b| drop(b.wait("note")),
            |b| drop(b.answers("note", 0, Err(deferred(None)))),
            |b| drop(b.retry(false)),
        ],
    ];
    for (number, history) in histories.iter().enumerate() {
        let (mut whole, _) = Bench::new(NOTE);
        history.iter().for_each(|event| event(&mut whole));
        for cut in 1..=whole.journal.len() {
            let (mut bench, _) = Bench::new(NOTE);
            bench.journal = whole.journal[..cut].to_vec();
            let sent = bench.journal.iter().any(|entry| match &entry.what {
                What::CallResolved { outcome: CallOutcome::Err(error), .. } => error.class == ErrorClass::Unknown,
                What::CallRepeated { again, .. } => again.is_some(),
                _ => false,
            });
            let open =
                matches!(bench.journal.last().unwrap().what, What::CallIntended { .. } | What::CallRepeated { .. });
            bench.now = whole.now;
            let mut effects = bench.crash(HOUR);
            if bench.pause("note").is_some() {
                effects = bench.wait("note");
            }
            let asked = call(&effects);
            assert_eq!(
                asked.again.is_some(),
                sent || open,
                "history {number} cut after {cut}: {:?}",
                bench.journal.last()
            );
            if open {
                assert_eq!(asked.again.unwrap().until, bench.now, "history {number} cut after {cut}");
            }
        }
    }
}
