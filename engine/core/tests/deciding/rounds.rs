//! A run that fails, is retried by a person and fails again handles a second failure: its `on_failure` calls are other
//! calls than those of the first.

use super::*;

const YAML: &str = r#"
on: { woo: [order.created] }
grants: { woo: [orders.write], stores: [self] }
steps:
  - fail: oops
on_failure:
  - { id: note, woo: orders/61/notes, method: POST, with: { note: failed } }
  - { id: more, woo: orders/61/notes, method: POST, with: { note: again } }
"#;

fn refused() -> CallError {
    CallError::r#final("status", "400")
}

#[test]
fn each_failure_is_handled_under_keys_of_its_own() {
    let (mut bench, effects) = Bench::new(YAML);
    let mut keys = BTreeSet::from([call(&effects).key]);
    for failures in 2..=4 {
        bench.answers("on_failure/note", 0, Ok(json!(1)));
        bench.answers("on_failure/more", 0, Ok(json!(2)));
        assert_eq!(bench.status(), RunStatus::Failed);
        let asked = call(&bench.retry(false).unwrap());
        assert_eq!((asked.path.as_str(), asked.again), ("on_failure/note", None));
        keys.insert(asked.key);
        assert_eq!(keys.len(), failures);
    }
}

#[test]
fn the_first_failure_keeps_the_keys_of_journals_from_before() {
    let (bench, effects) = Bench::new(YAML);
    let key = idempotency_key(&bench.state().run, &StepPath::new("on_failure/note"), 0, 0);
    assert_eq!(call(&effects).key, key);
    // A journal that was written before rounds were counted goes on with the keys it used: here in its second failure.
    let (mut bench, _) = Bench::new(YAML);
    bench.answers("on_failure/note", 0, Err(refused()));
    assert_eq!(bench.status(), RunStatus::Failed);
    assert_ne!(call(&bench.retry(false).unwrap()).key, key);
    for entry in &mut bench.journal {
        if let What::FailureHandling { round, .. } = &mut entry.what {
            *round = 0;
        }
    }
    assert_eq!(call(&bench.crash(Duration::from_secs(1))).key, key);
}

#[test]
fn a_doubt_of_one_failure_is_none_of_the_next() {
    let (mut bench, effects) = Bench::new(YAML);
    bench.crash(Duration::from_secs(1));
    bench.answers("on_failure/note", 0, Err(refused()));
    assert_eq!(bench.status(), RunStatus::Failed);
    let asked = call(&bench.retry(false).unwrap());
    assert_eq!(asked.again, None, "nothing was sent under the new key");
    assert_ne!(asked.key, call(&effects).key);
    // Within one failure it stays, with the key, through crashes and a person's retry.
    bench.now = bench.now.plus(Duration::from_secs(1));
    let again = call(&bench.crash(Duration::from_secs(1)));
    assert_eq!((again.again.is_some(), &again.key), (true, &asked.key));
    bench.answers("on_failure/note", 0, Err(CallError { class: ErrorClass::Park, ..refused() }));
    assert_eq!(bench.status(), RunStatus::Parked);
    let retried = call(&bench.retry(false).unwrap());
    assert_eq!((retried.again, &retried.key), (again.again, &asked.key));
}
