//! What a run did outside, and what a retry does with it: the preview must say what the retry then does.

use cartwright_core::run::writes::{Retried, writes};

use super::*;

const STEPS: &str = r#"
on: { woo: [order.created] }
grants: { woo: [orders.read, orders.write], stores: [self] }
steps:
  - { id: note, woo: orders/61/notes, method: POST, with: { note: hello } }
  - { id: look, woo: orders/61 }
  - { id: mail, woo: orders/61/actions/send_email, method: POST, with: {} }
on_failure:
  - { id: tell, woo: orders/61/notes, method: POST, with: { note: failed } }
"#;

fn fates(bench: &Bench) -> Vec<(String, Retried)> {
    let found = writes(&bench.journal).unwrap();
    found.into_iter().map(|write| (write.step.to_string(), write.retry)).collect()
}

fn are(bench: &Bench, expect: &[(&str, Retried)]) {
    let expect: Vec<_> = expect.iter().map(|(step, fate)| ((*step).to_owned(), *fate)).collect();
    assert_eq!(fates(bench), expect);
}

fn at_the_mail() -> Bench {
    let (mut bench, _) = Bench::new(STEPS);
    bench.now = bench.now.plus(Duration::from_secs(1));
    bench.answers("note", 0, Ok(json!(1)));
    bench.now = bench.now.plus(Duration::from_secs(1));
    bench.answers("look", 0, Ok(json!(1)));
    bench
}

#[test]
fn what_was_answered_is_kept_what_was_refused_is_made_again_and_reads_are_no_writes() {
    let mut bench = at_the_mail();
    bench.answers("mail", 0, Err(CallError::r#final("status", "400")));
    bench.now = bench.now.plus(Duration::from_secs(1));
    bench.answers("on_failure/tell", 0, Ok(json!(1)));
    assert_eq!(bench.status(), RunStatus::Failed);
    are(&bench, &[("note", Retried::Kept), ("mail", Retried::Repeated), ("on_failure/tell", Retried::Kept)]);
    assert_eq!(call(&bench.retry(false).unwrap()).path.as_str(), "mail", "and so it is");
}

#[test]
fn what_nobody_knows_is_in_doubt_until_somebody_says() {
    let mut bench = at_the_mail();
    bench.answers("mail", 0, Err(unknown()));
    are(&bench, &[("note", Retried::Kept), ("mail", Retried::InDoubt)]);
    let mut other = at_the_mail();
    other.crash(Duration::from_secs(1));
    are(&other, &[("note", Retried::Kept), ("mail", Retried::InDoubt)]);
    bench.take(Input::Resolve { by: "ann".into(), which: Which::default(), said: Said::Done(Json::Null) });
    are(&bench, &[("note", Retried::Kept), ("mail", Retried::Kept)]);
    other.take(Input::Resolve { by: "ann".into(), which: Which::default(), said: Said::NotDone });
    are(&other, &[("note", Retried::Kept), ("mail", Retried::InDoubt)]);
}

#[test]
fn a_failure_that_the_run_went_past_is_not_made_again() {
    let lenient = STEPS.replace("{ note: hello } }", "{ note: hello }, on_error: continue }");
    let (mut bench, _) = Bench::new(&lenient);
    bench.answers("note", 0, Err(CallError::r#final("status", "400")));
    bench.now = bench.now.plus(Duration::from_secs(1));
    bench.answers("look", 0, Ok(json!(1)));
    bench.answers("mail", 0, Err(CallError::r#final("status", "400")));
    bench.now = bench.now.plus(Duration::from_secs(1));
    bench.answers("on_failure/tell", 0, Ok(json!(1)));
    are(&bench, &[("note", Retried::Kept), ("mail", Retried::Repeated), ("on_failure/tell", Retried::Kept)]);
    assert_eq!(call(&bench.retry(false).unwrap()).path.as_str(), "mail", "and so it is");
}

#[test]
fn what_was_put_off_did_not_happen() {
    let (mut bench, _) = Bench::new(STEPS);
    bench.answers("note", 0, Err(deferred(None)));
    are(&bench, &[("note", Retried::Repeated)]);
}

#[test]
fn what_a_loop_did_is_kept_with_its_iteration_and_done_again_where_the_loop_begins_again() {
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
    let (mut bench, _) = Bench::new(yaml);
    bench.now = bench.now.plus(Duration::from_secs(1));
    bench.answers("each[0]/note", 0, Ok(json!(1)));
    bench.now = bench.now.plus(Duration::from_secs(1));
    bench.answers("each[0]/mail", 0, Ok(json!(1)));
    let kept = [("each[0]/note", Retried::Kept), ("each[0]/mail", Retried::Kept)];
    are(&bench, &[kept[0], kept[1], ("each[1]/note", Retried::InDoubt)]);
    bench.fires("each", TimerKind::StepTimeout);
    assert_eq!(bench.status(), RunStatus::Failed);
    let again = [("each[0]/note", Retried::Repeated), ("each[0]/mail", Retried::Repeated)];
    are(&bench, &[again[0], again[1], ("each[1]/note", Retried::InDoubt)]);
    assert_eq!(call(&bench.retry(false).unwrap()).path.as_str(), "each[0]/note", "and so it is");
}
