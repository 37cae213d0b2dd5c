//! A run fails: what succeeded is undone, the last first, each once, before `on_failure`.

use super::*;

const YAML: &str = r#"
on: { woo: [order.created] }
grants: { http: ["h.example"], woo: [orders.write], stores: [self] }
undo_on_failure: true
retry: 1
steps:
  - id: a
    http: PUT https://h.example/a
    undo: { http: PUT https://h.example/undo-a, body: "${{ output }}" }
  - { id: plain, http: PUT https://h.example/plain }
  - id: each
    for_each: "[10, 20]"
    steps:
      - { id: seen, http: PUT https://h.example/seen }
      - id: b
        http: PUT https://h.example/b
        undo: { http: PUT https://h.example/undo-b, body: ["${{ item }}", "${{ index }}", "${{ output }}", "${{ steps }}"] }
  - id: pick
    choose:
      - else:
          - id: c
            http: PUT https://h.example/c
            undo: { http: PUT https://h.example/undo-c, retry: 2 }
  - { id: last, http: PUT https://h.example/last }
on_failure:
  - { id: sorry, http: PUT https://h.example/sorry }
"#;

const STEPS: [&str; 7] = ["a", "plain", "each[0]/seen", "each[0]/b", "each[1]/seen", "each[1]/b", "pick.0/c"];
const UNDOS: [&str; 4] = ["undo/pick.0/c", "undo/each[1]/b", "undo/each[0]/b", "undo/a"];

fn refused() -> CallError {
    CallError::r#final("status", "400")
}

/// All steps but the last have succeeded; the last fails.
fn failed() -> (Bench, Vec<Effect>) {
    let (mut bench, mut effects) = Bench::new(YAML);
    for path in STEPS {
        assert_eq!(call(&effects).path.as_str(), path);
        effects = bench.answers(path, 0, Ok(json!(path)));
    }
    assert_eq!(call(&effects).path.as_str(), "last");
    let effects = bench.answers("last", 0, Err(refused()));
    (bench, effects)
}

fn message(bench: &Bench) -> String {
    bench.state().row().error.unwrap().message
}

fn paths<'p>(paths: impl IntoIterator<Item = &'p StepPath>) -> Vec<&'p str> {
    paths.into_iter().map(StepPath::as_str).collect()
}

#[test]
fn what_succeeded_is_undone_in_reverse_and_then_on_failure_runs() {
    let (mut bench, mut effects) = failed();
    for path in UNDOS {
        assert_eq!(call(&effects).path.as_str(), path, "one after another");
        effects = bench.answers(path, 0, Ok(json!(1)));
    }
    assert_eq!(call(&effects).path.as_str(), "on_failure/sorry");
    bench.answers("on_failure/sorry", 0, Ok(json!(1)));
    assert_eq!((bench.status(), message(&bench).as_str()), (RunStatus::Failed, "400"));
    let undo = bench.state().undos.view().unwrap();
    assert_eq!((paths(&undo.done), undo.left), (vec!["pick.0/c", "each[1]/b", "each[0]/b", "a"], Vec::new()));
    assert_eq!(bench.step("undo/each[1]/b").status.as_str(), "succeeded");
}

#[test]
fn an_undo_sees_what_its_step_saw_and_gave() {
    let (mut bench, effects) = failed();
    assert_eq!(call(&effects).path.as_str(), "undo/pick.0/c");
    let b = call(&bench.answers("undo/pick.0/c", 0, Ok(json!(1))));
    let body = &b.call.args[0]["body"];
    assert_eq!((&body[0], &body[1], &body[2]), (&json!(20), &json!(1), &json!("each[1]/b")));
    let steps = &body[3];
    assert_eq!((&steps["seen"]["output"], &steps["a"]["output"]), (&json!("each[1]/seen"), &json!("a")));
    bench.answers("undo/each[1]/b", 0, Ok(json!(1)));
    let a = call(&bench.answers("undo/each[0]/b", 0, Ok(json!(1))));
    assert_eq!(a.call.args[0]["body"], json!("a"));
    let view = bench.state().visible.get("a").unwrap().json().clone();
    assert_eq!(view["output"], json!("a"), "the undo does not stand in for its step");
}

#[test]
fn an_undo_that_fails_for_good_parks_the_run_and_says_how_far_it_came() {
    let (mut bench, _) = failed();
    bench.answers("undo/pick.0/c", 0, Ok(json!(1)));
    assert!(calls(&bench.answers("undo/each[1]/b", 0, Err(refused()))).is_empty(), "on_failure does not run");
    assert_eq!(bench.status(), RunStatus::Parked);
    assert_eq!(message(&bench), "400. Undone: pick.0/c. Not undone: each[1]/b, each[0]/b, a");
    // A retry goes on with the undo that failed.
    assert_eq!(call(&bench.retry(false).unwrap()).path.as_str(), "undo/each[1]/b");
    bench.answers("undo/each[1]/b", 0, Err(refused()));
    // Giving up leaves the rest and goes on to on_failure.
    let sorry = call(&bench.take(Input::Fail { by: "ann".into(), reason: None }));
    assert_eq!(sorry.path.as_str(), "on_failure/sorry");
    bench.answers("on_failure/sorry", 0, Ok(json!(1)));
    assert_eq!(bench.status(), RunStatus::Failed);
    assert_eq!(
        message(&bench),
        "400; then undoing stopped at `undo/each[1]/b`, given up by ann: 400. Undone: pick.0/c. Not undone: each[1]/b, each[0]/b, a"
    );
    assert_eq!(paths(&bench.state().undos.view().unwrap().left), ["each[1]/b", "each[0]/b", "a"]);
}

#[test]
fn an_undo_is_tried_again_and_an_unknown_one_parks() {
    let (mut bench, effects) = failed();
    let first = call(&effects);
    assert!(calls(&bench.answers("undo/pick.0/c", 0, Err(unavailable()))).is_empty());
    let second = call(&bench.wait("undo/pick.0/c"));
    assert_eq!(second.key, first.key, "one effect has one key");
    bench.answers("undo/pick.0/c", 0, Err(unknown()));
    assert_eq!(bench.status(), RunStatus::Parked);
    assert_eq!(bench.state().unknown_calls().len(), 1);
    // A person knows that it happened: the next one follows.
    let which = Which { step: Some(StepPath::new("undo/pick.0/c")), call: None };
    let effects = bench.take(Input::Resolve { by: "ann".into(), which, said: Said::Done(Json::Null) });
    assert_eq!(call(&effects).path.as_str(), "undo/each[1]/b");
}

#[test]
fn on_error_of_an_undo_says_what_becomes_of_the_others() {
    let (mut bench, _) = Bench::new(&YAML.replace("retry: 2 }", "on_error: continue }"));
    for path in STEPS {
        bench.answers(path, 0, Ok(json!(path)));
    }
    bench.answers("last", 0, Err(refused()));
    assert_eq!(call(&bench.answers("undo/pick.0/c", 0, Err(refused()))).path.as_str(), "undo/each[1]/b");
    let (mut bench, _) = Bench::new(&YAML.replace("retry: 2 }", "on_error: fail }"));
    for path in STEPS {
        bench.answers(path, 0, Ok(json!(path)));
    }
    bench.answers("last", 0, Err(refused()));
    assert_eq!(call(&bench.answers("undo/pick.0/c", 0, Err(refused()))).path.as_str(), "on_failure/sorry");
    assert!(message(&bench).contains("Not undone: pick.0/c, each[1]/b, each[0]/b, a"), "{}", message(&bench));
}

#[test]
fn a_failed_run_with_undone_steps_is_retried_from_the_start_under_new_keys() {
    let (mut bench, mut effects) = failed();
    let mut before = BTreeSet::new();
    for path in UNDOS {
        before.insert(call(&effects).key);
        effects = bench.answers(path, 0, Ok(json!(1)));
    }
    bench.answers("on_failure/sorry", 0, Ok(json!(1)));
    assert!(calls(&bench.retry(false).unwrap()).is_empty());
    let mut effects = bench.resume();
    assert_eq!(bench.state().generation, 1);
    for path in STEPS {
        let asked = call(&effects);
        assert_eq!((asked.path.as_str(), asked.again), (path, None));
        assert!(before.insert(asked.key), "another call than before");
        effects = bench.answers(path, 0, Ok(json!(path)));
    }
    let mut effects = bench.answers("last", 0, Err(refused()));
    for path in UNDOS {
        let asked = call(&effects);
        assert!(asked.path.as_str() == path && before.insert(asked.key), "another undo than before");
        effects = bench.answers(path, 0, Ok(json!(1)));
    }
}

#[test]
fn a_failed_run_of_which_nothing_was_undone_goes_on_where_it_failed() {
    let (mut bench, _) = failed();
    bench.answers("undo/pick.0/c", 0, Err(refused()));
    bench.take(Input::Fail { by: "ann".into(), reason: None });
    bench.answers("on_failure/sorry", 0, Ok(json!(1)));
    assert_eq!(bench.status(), RunStatus::Failed);
    assert_eq!(call(&bench.retry(false).unwrap()).path.as_str(), "last");
    assert_eq!(bench.state().generation, 0);
    // It fails again: all of it is undone now.
    let mut effects = bench.answers("last", 0, Err(refused()));
    for path in UNDOS {
        assert_eq!(call(&effects).path.as_str(), path);
        effects = bench.answers(path, 0, Ok(json!(1)));
    }
}

#[test]
fn a_call_of_which_nobody_knows_whether_it_happened_is_not_undone_blindly() {
    let (mut bench, _) = Bench::new(&YAML.replace("http: PUT https://h.example/b", "http: POST https://h.example/b"));
    for path in &STEPS[..3] {
        bench.answers(path, 0, Ok(json!(path)));
    }
    bench.answers("each[0]/b", 0, Err(unknown()));
    assert_eq!(bench.status(), RunStatus::Parked);
    let effects = bench.take(Input::Fail { by: "ann".into(), reason: None });
    assert_eq!(call(&effects).path.as_str(), "undo/a", "only what is known to have succeeded");
    let told = message(&bench);
    assert!(told.ends_with("; not undone, because nobody knows whether it happened: each[0]/b"), "{told}");
}

#[test]
fn cancelling_undoes_nothing_and_stops_undoing() {
    let (mut bench, _) = Bench::new(YAML);
    bench.answers("a", 0, Ok(json!(1)));
    assert!(calls(&bench.take(Input::Cancel { by: "ann".into() })).is_empty());
    assert_eq!(bench.status(), RunStatus::Cancelled);
    let (mut bench, _) = failed();
    bench.answers("undo/pick.0/c", 0, Ok(json!(1)));
    assert!(calls(&bench.take(Input::Cancel { by: "ann".into() })).is_empty());
    assert_eq!(bench.status(), RunStatus::Cancelled);
    let told = "cancelled by ann while it was undoing. Undone: pick.0/c. Not undone: each[1]/b, each[0]/b, a";
    assert_eq!(message(&bench), told);
}

#[test]
fn without_undo_on_failure_nothing_is_undone() {
    let (mut bench, _) = Bench::new(&YAML.replace("undo_on_failure: true", "undo_on_failure: false"));
    for path in STEPS {
        bench.answers(path, 0, Ok(json!(path)));
    }
    assert_eq!(call(&bench.answers("last", 0, Err(refused()))).path.as_str(), "on_failure/sorry");
    assert_eq!(bench.state().undos.view(), None);
}

#[test]
fn a_crash_after_any_entry_undoes_each_step_once() {
    let (mut bench, mut effects) = failed();
    for path in UNDOS {
        effects = bench.answers(path, 0, Ok(json!(1)));
    }
    bench.answers("on_failure/sorry", 0, Ok(json!(1)));
    drop(effects);
    let whole = bench.journal.clone();
    let ended = |journal: &[Entry]| {
        let ends = |entry: &Entry| match &entry.what {
            What::StepSucceeded { path, .. } if path.as_str().starts_with("undo/") => Some(path.to_string()),
            _ => None,
        };
        journal.iter().filter_map(ends).collect::<Vec<_>>()
    };
    for cut in 1..whole.len() {
        bench.journal = whole[..cut].to_vec();
        let mut effects = bench.crash(Duration::from_secs(1));
        while let Some(asked) = calls(&effects).pop() {
            let path = asked.path.as_str();
            let answer = if path == "last" { Err(refused()) } else { Ok(json!(path)) };
            effects = bench.answers(path, 0, answer);
        }
        assert_eq!(bench.status(), RunStatus::Failed, "cut {cut}");
        assert_eq!(ended(&bench.journal), UNDOS, "cut {cut}");
    }
}
