//! A run begins anew with other input: under new identities of all its calls, and only where none of them may have happened
//! unseen.

use super::*;

const STEPS: &str = r#"
on: { woo: [order.created] }
vars: { who: ann }
grants: { woo: [orders.read, orders.write], stores: [self], http: ["sink.example.com"] }
retry: 1
steps:
  - { id: look, http: GET http://sink.example.com/look }
  - { id: tell, http: POST http://sink.example.com/tell }
  - { id: again, http: POST http://sink.example.com/again, idempotent: true }
  - { id: slow, http: POST http://sink.example.com/slow, timeout: 1m }
on_failure:
  - { id: last, http: POST http://sink.example.com/last }
"#;

fn anew(bench: &mut Bench) -> Result<Vec<Effect>, String> {
    let effects = bench.try_take(Input::Anew { by: "ann".into(), input: json!({ "id": 62 }) })?;
    assert!(calls(&effects).is_empty(), "nothing begins before the new data is seen");
    Ok(bench.resume())
}

/// A run up to a step, whose call has the given end.
fn until(step: &str, end: CallError) -> Bench {
    let (mut bench, _) = Bench::new(STEPS);
    for before in ["look", "tell", "again", "slow"].into_iter().take_while(|before| *before != step) {
        bench.answers(before, 0, Ok(json!({ "status": 200 })));
    }
    bench.answers(step, 0, Err(end));
    bench
}

fn refused() -> CallError {
    CallError { status: Some(400), ..CallError::r#final("status", "400") }
}

fn no_connection() -> CallError {
    CallError::retryable("connection", "no answer")
}

#[test]
fn everything_begins_again_under_new_identities_with_the_new_data() {
    let (mut bench, effects) = Bench::new(STEPS);
    let first = call(&effects);
    bench.answers("look", 0, Ok(json!(1)));
    bench.answers("tell", 0, Ok(json!(1)));
    bench.answers("again", 0, Err(refused()));
    bench.answers("on_failure/last", 0, Ok(json!(1)));
    assert_eq!(bench.status(), RunStatus::Failed);
    let before = bench.journal.len();
    let new = call(&anew(&mut bench).unwrap());
    assert_eq!((new.path.as_str(), bench.state().generation, bench.state().retries), ("look", 1, 1));
    assert_ne!(new.key, first.key);
    assert_eq!(new.again, None, "it is a first try");
    assert_eq!(bench.state().input.as_ref().map(|input| input.get()), Some(r#"{"id":62}"#));
    let what = |from: usize| bench.journal[from..].iter().map(|entry| &entry.what).collect::<Vec<_>>();
    assert!(matches!(
        what(before)[..2],
        [What::RunRetried { generation: 1, input: Some(_), .. }, What::VarsSet { .. }]
    ));
    assert_eq!(steps(&bench.journal).len(), 1, "people see the steps of the new beginning");
    assert_eq!(bench.step("look").attempts, 1);
    bench.is_what_the_journal_says();
    // The same failure again: its telling is another call than the one of before.
    bench.answers("look", 0, Ok(json!(1)));
    let last = call(&bench.answers("tell", 0, Err(refused())));
    assert_eq!(last.path.as_str(), "on_failure/last");
}

#[test]
fn a_crash_after_the_word_begins_it_with_the_new_data() {
    let mut bench = until("tell", refused());
    bench.answers("on_failure/last", 0, Ok(json!(1)));
    bench.try_take(Input::Anew { by: "ann".into(), input: json!({ "id": 62 }) }).unwrap();
    assert_eq!(bench.status(), RunStatus::Queued, "a status that is taken up at the next start");
    let begun = call(&bench.crash(Duration::from_secs(1)));
    assert_eq!((begun.path.as_str(), bench.state().generation), ("look", 1));
}

#[test]
fn what_may_have_happened_unseen_refuses_and_what_did_not_happen_does_not() {
    for (step, end, may_have_happened) in [
        ("look", no_connection(), false),
        ("tell", refused(), false),
        ("tell", no_connection(), false),
        ("tell", unknown(), true),
        // Of a call that may be repeated, a lost answer looks like a connection that never stood.
        ("again", no_connection(), true),
        ("again", CallError { status: Some(503), ..CallError::retryable("status", "503") }, false),
        ("again", refused(), false),
    ] {
        let mut bench = until(step, end.clone());
        if bench.status() != RunStatus::Parked {
            bench.answers("on_failure/last", 0, Ok(json!(1)));
        }
        let before = bench.journal.clone();
        let answer = anew(&mut bench);
        assert_eq!(answer.is_err(), may_have_happened, "{step}: {end:?}: {answer:?}");
        if let Err(reason) = answer {
            assert!(reason.contains(&format!("step `{step}`")), "{reason}");
            assert_eq!(bench.journal, before, "a refusal changes nothing");
        }
    }
}

#[test]
fn a_call_that_its_steps_timeout_cut_off_may_have_happened() {
    let (mut bench, _) = Bench::new(STEPS);
    for step in ["look", "tell", "again"] {
        bench.answers(step, 0, Ok(json!(1)));
    }
    bench.fires("slow", TimerKind::StepTimeout);
    bench.answers("on_failure/last", 0, Ok(json!(1)));
    assert_eq!(bench.status(), RunStatus::Failed);
    assert!(anew(&mut bench).unwrap_err().contains("`slow`"));
}

#[test]
fn a_word_about_the_unknown_call_lets_a_failed_run_begin_anew() {
    let mut bench = until("tell", unknown());
    bench.take(Input::Fail { by: "ann".into(), reason: None });
    bench.answers("on_failure/last", 0, Ok(json!(1)));
    assert!(anew(&mut bench).unwrap_err().contains("runs resolve"));
    bench.take(Input::Resolve { by: "ann".into(), which: Which::default(), said: Said::NotDone });
    assert_eq!(call(&anew(&mut bench).unwrap()).path.as_str(), "look");
}

#[test]
fn an_answer_after_a_lost_one_clears_it_up() {
    let mut bench = until("again", no_connection());
    bench.retry(false).unwrap();
    bench.answers("again", 0, Ok(json!(1)));
    bench.answers("slow", 0, Err(refused()));
    bench.answers("on_failure/last", 0, Ok(json!(1)));
    assert!(anew(&mut bench).is_ok());
}

#[test]
fn runs_that_move_or_ended_otherwise_do_not_begin_anew() {
    let (mut bench, _) = Bench::new(STEPS);
    assert!(anew(&mut bench).unwrap_err().contains("this one is running"));
    bench.take(Input::Cancel { by: "ann".into() });
    assert!(anew(&mut bench).unwrap_err().contains("this one was cancelled"));
}

#[test]
fn the_preview_says_that_what_was_written_is_written_again() {
    use cartwright_core::run::writes::{Retried, writes, writes_anew};
    let mut bench = until("again", refused());
    bench.answers("on_failure/last", 0, Ok(json!(1)));
    let fates = |all: Vec<cartwright_core::run::writes::Write>| {
        all.into_iter().map(|write| (write.step.to_string(), write.retry)).collect::<Vec<_>>()
    };
    let found = fates(writes_anew(&bench.journal).unwrap());
    assert!(found.len() == 3 && found.iter().all(|(_, fate)| *fate == Retried::Repeated), "{found:?}");
    anew(&mut bench).unwrap();
    let found = fates(writes(&bench.journal).unwrap());
    assert!(!found.is_empty() && found.iter().all(|(_, fate)| *fate == Retried::Kept), "what was, was: {found:?}");
}
