//! A person ends a run: its `on_cancel` follows, then it is over, whatever happens in between.

use super::*;

const YAML: &str = r#"
on: { woo: [order.created] }
grants: { http: ["h.example"], woo: [orders.write], stores: [self] }
steps:
  - { id: tell, http: POST https://h.example/tell }
on_failure:
  - { id: sorry, http: POST https://h.example/sorry }
on_cancel:
  - { id: first, http: POST https://h.example/first, body: "${{ failure }}" }
  - { id: note, woo: orders/61/notes, method: POST, with: { note: ended } }
"#;

fn cancel(bench: &mut Bench, by: &str) -> Vec<Effect> {
    bench.take(Input::Cancel { by: by.into() })
}

fn message(bench: &Bench) -> String {
    bench.state().row().error.unwrap().message
}

#[test]
fn on_cancel_runs_and_the_run_ends_cancelled() {
    let (mut bench, _) = Bench::new(YAML);
    let effects = cancel(&mut bench, "ann");
    assert!(matches!(&effects[0], Effect::Abort { path } if path.as_str().is_empty()), "what was under way stops");
    let first = call(&effects);
    assert_eq!(first.path.as_str(), "on_cancel/first");
    assert_eq!(first.call.args[0]["body"], json!({"step": null, "code": "cancelled", "message": "cancelled by ann"}));
    assert_eq!((bench.status(), message(&bench).as_str()), (RunStatus::Running, "cancelled by ann"));
    // What was under way is in doubt, and stays recorded.
    assert_eq!(bench.step("tell").status.as_str(), "unknown");
    assert!(bench.answers("tell", 0, Ok(json!(1))).is_empty(), "nobody waits for it any more");
    let note = call(&bench.answers("on_cancel/first", 0, Ok(json!(1))));
    assert_eq!(note.path.as_str(), "on_cancel/note");
    bench.answers("on_cancel/note", 0, Ok(json!(1)));
    assert_eq!((bench.status(), message(&bench).as_str()), (RunStatus::Cancelled, "cancelled by ann"));
    assert!(bench.try_take(Input::Cancel { by: "bob".into() }).is_err() && bench.retry(false).is_err());
}

#[test]
fn whoever_cancels_twice_means_at_once() {
    let (mut bench, _) = Bench::new(YAML);
    cancel(&mut bench, "ann");
    let effects = cancel(&mut bench, "bob");
    assert!(matches!(effects[..], [Effect::Abort { .. }]));
    assert_eq!(bench.status(), RunStatus::Cancelled);
    assert_eq!(message(&bench), "cancelled by ann; then cancelled by bob before on_cancel was over");
    assert_eq!(bench.step("on_cancel/first").status.as_str(), "unknown");
}

#[test]
fn a_failure_in_on_cancel_is_told_and_the_run_ends_cancelled() {
    let (mut bench, _) = Bench::new(YAML);
    cancel(&mut bench, "ann");
    assert!(calls(&bench.answers("on_cancel/first", 0, Err(CallError::r#final("status", "400")))).is_empty());
    assert_eq!(bench.status(), RunStatus::Cancelled);
    assert_eq!(message(&bench), "cancelled by ann; then on_cancel failed at `on_cancel/first`: 400");
}

#[test]
fn a_parked_run_that_is_cancelled_runs_it_too() {
    let (mut bench, _) = Bench::new(YAML);
    bench.answers("tell", 0, Err(unknown()));
    assert_eq!(bench.status(), RunStatus::Parked);
    assert_eq!(call(&cancel(&mut bench, "ann")).path.as_str(), "on_cancel/first");
    assert!(bench.state().timers.is_empty(), "it does not fail by itself any more");
    assert_eq!(bench.state().unknown_calls().len(), 1, "what is unknown stays recorded");
}

#[test]
fn on_cancel_that_cannot_go_on_waits_for_a_person() {
    let (mut bench, _) = Bench::new(YAML);
    cancel(&mut bench, "ann");
    bench.answers("on_cancel/first", 0, Err(unknown()));
    assert_eq!(bench.status(), RunStatus::Parked);
    let again = call(&bench.retry(true).unwrap());
    assert_eq!(again.path.as_str(), "on_cancel/first");
    bench.answers("on_cancel/first", 0, Err(unknown()));
    bench.take(Input::Fail { by: "bob".into(), reason: None });
    assert_eq!(bench.status(), RunStatus::Cancelled);
    assert!(
        message(&bench).starts_with("cancelled by ann; then on_cancel stopped at `on_cancel/first`, given up by bob")
    );
    // The other way out is to cancel again.
    let (mut bench, _) = Bench::new(YAML);
    cancel(&mut bench, "ann");
    bench.answers("on_cancel/first", 0, Err(unknown()));
    cancel(&mut bench, "bob");
    assert_eq!(bench.status(), RunStatus::Cancelled);
}

#[test]
fn on_failure_can_be_cancelled_and_is_not_taken_for_on_cancel() {
    let (mut bench, _) = Bench::new(YAML);
    let sorry = call(&bench.answers("tell", 0, Err(CallError::r#final("status", "400"))));
    assert_eq!(sorry.path.as_str(), "on_failure/sorry");
    let first = call(&cancel(&mut bench, "ann"));
    assert_eq!(first.path.as_str(), "on_cancel/first");
    assert_ne!(first.key, sorry.key);
}

#[test]
fn what_has_not_begun_has_nothing_to_clean_up() {
    let (mut bench, _) = Bench::new(YAML);
    bench.journal.truncate(1);
    bench.state = fold(&bench.journal).unwrap();
    assert!(calls(&cancel(&mut bench, "ann")).is_empty());
    assert_eq!(bench.status(), RunStatus::Cancelled);
}

#[test]
fn a_crash_after_any_entry_loses_nothing_of_it() {
    let (mut bench, _) = Bench::new(YAML);
    let mut keys = vec![call(&cancel(&mut bench, "ann")).key];
    keys.push(call(&bench.answers("on_cancel/first", 0, Ok(json!(1)))).key);
    bench.answers("on_cancel/note", 0, Ok(json!(1)));
    let whole = bench.journal.clone();
    let began = whole.iter().position(|entry| matches!(entry.what, What::CancelHandling { .. })).unwrap();
    for cut in began + 1..whole.len() {
        bench.journal = whole[..cut].to_vec();
        let mut effects = bench.crash(Duration::from_secs(1));
        for _ in 0..4 {
            for asked in calls(&effects) {
                assert!(keys.contains(&asked.key), "cut {cut}: the same calls, not others");
                effects = bench.answers(asked.path.as_str(), asked.index, Ok(json!(1)));
            }
            if bench.status() == RunStatus::Parked {
                // A POST whose outcome the crash hid.
                effects = bench.retry(true).unwrap();
            }
        }
        assert_eq!(bench.status(), RunStatus::Cancelled, "cut {cut}");
    }
}
