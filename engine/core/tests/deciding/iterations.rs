//! One iteration of a loop that went on is retried alone: at the step that failed, under the old identities, and nothing
//! else is done again.

use super::*;

const LOOP: &str = r#"
on: { woo: [order.created] }
grants: { woo: [orders.write], stores: [self] }
steps:
  - id: each
    for_each: "[1, 2, 3]"
    on_error: continue
    steps:
      - { id: first, woo: orders/61/notes, method: POST, with: { note: one } }
      - { id: second, woo: orders/61/notes, method: POST, with: { note: two } }
  - { id: after, woo: orders/61/notes, method: POST, with: { note: after } }
"#;

fn refusal() -> CallError {
    CallError { status: Some(400), ..CallError::r#final("rest_invalid", "no such order") }
}

fn retry(bench: &mut Bench, which: &[&str]) -> Result<Vec<Effect>, String> {
    let iterations = which.iter().map(|path| StepPath::new(*path)).collect();
    bench.try_take(Input::RetryIterations { by: "ann".into(), iterations })
}

/// Answers what is asked for until nothing is; `each[1]/second` is refused.
fn answered(bench: &mut Bench, effects: &[Effect], refuses: &[&str]) -> Vec<Asked> {
    let mut made = Vec::new();
    let mut open = calls(effects);
    while let Some(asked) = open.pop() {
        let refused = refuses.contains(&asked.path.as_str());
        let answer = if refused { Err(refusal()) } else { Ok(json!({"path": asked.path.as_str()})) };
        open.extend(calls(&bench.answers(asked.path.as_str(), asked.index, answer)));
        made.push(asked);
    }
    made
}

fn paths(made: &[Asked]) -> Vec<&str> {
    made.iter().map(|asked| asked.path.as_str()).collect()
}

fn ended(yaml: &str, refuses: &[&str]) -> (Bench, Vec<Asked>) {
    let (mut bench, effects) = Bench::new(yaml);
    let made = answered(&mut bench, &effects, refuses);
    (bench, made)
}

#[test]
fn the_failed_iteration_of_a_run_that_succeeded_is_done_and_nothing_else() {
    let (mut bench, made) = ended(LOOP, &["each[1]/second"]);
    assert_eq!((bench.status(), made.len()), (RunStatus::Succeeded, 7));
    let view = bench.state().visible["each"].json().clone();
    assert_eq!(view["output"], json!([{"path": "each[0]/second"}, null, {"path": "each[2]/second"}]));
    let error = json!({"index": 1, "step": "each[1]/second", "code": "rest_invalid", "message": "no such order"});
    assert_eq!(view["errors"], json!([error]));

    let effects = retry(&mut bench, &["each[1]"]).unwrap();
    bench.crash(Duration::ZERO);
    let again = answered(&mut bench, &effects, &[]);
    assert_eq!(paths(&again), ["each[1]/second"]);
    let first = made.iter().find(|asked| asked.path == again[0].path).unwrap();
    assert_eq!(first.key, again[0].key, "the receiver knows it as the same call");
    assert_eq!(bench.status(), RunStatus::Succeeded);
    let view = bench.state().visible["each"].json().clone();
    let output: Vec<_> = (0..3).map(|index| json!({"path": format!("each[{index}]/second")})).collect();
    assert_eq!((&view["output"], &view["errors"]), (&json!(output), &json!([])));
    assert_eq!(bench.step("each[1]/second").attempts, 2);
    assert_eq!(bench.step("each").status.as_str(), "succeeded");
}

#[test]
fn one_that_fails_again_can_be_retried_again_and_the_others_later() {
    let refuses = ["each[0]/first", "each[2]/second"];
    let (mut bench, made) = ended(LOOP, &refuses);
    assert_eq!(made.len(), 6);
    let effects = retry(&mut bench, &["each[0]"]).unwrap();
    assert_eq!(paths(&answered(&mut bench, &effects, &refuses)), ["each[0]/first"]);
    assert_eq!(bench.status(), RunStatus::Succeeded);
    let effects = retry(&mut bench, &["each[0]", "each[2]"]).unwrap();
    let made = answered(&mut bench, &effects, &[]);
    assert_eq!(paths(&made), ["each[0]/first", "each[0]/second", "each[2]/second"]);
    assert_eq!(bench.state().visible["each"].json()["errors"], json!([]));
    let reason = retry(&mut bench, &["each[0]"]).unwrap_err();
    assert!(reason.contains("this run has none"), "{reason}");
}

#[test]
fn a_failed_run_goes_on_too() {
    let (mut bench, _) = ended(LOOP, &["each[1]/second", "after"]);
    assert_eq!(bench.status(), RunStatus::Failed);
    let effects = retry(&mut bench, &["each[1]"]).unwrap();
    let made = answered(&mut bench, &effects, &[]);
    assert_eq!((paths(&made), bench.status()), (vec!["each[1]/second", "after"], RunStatus::Succeeded));
}

#[test]
fn loops_in_branches_are_opened_with_what_stands_around_them() {
    let indented: String = LOOP
        .lines()
        .skip_while(|line| !line.contains("id: each"))
        .take_while(|line| !line.contains("id: after"))
        .map(|line| format!("          {line}\n"))
        .collect();
    let yaml = format!(
        "on: {{ woo: [order.created] }}\ngrants: {{ woo: [orders.write], stores: [self] }}\nsteps:\n  - id: way\n    choose:\n      - if: \"true\"\n        steps:\n{indented}"
    );
    let (mut bench, _) = ended(&yaml, &["way.0/each[2]/first"]);
    assert_eq!(bench.status(), RunStatus::Succeeded);
    let effects = retry(&mut bench, &["way.0/each[2]"]).unwrap();
    let made = answered(&mut bench, &effects, &[]);
    assert_eq!(paths(&made), ["way.0/each[2]/first", "way.0/each[2]/second"]);
    assert_eq!(bench.state().visible["way"].json()["output"][2], json!({"path": "way.0/each[2]/second"}));
}

#[test]
fn what_is_no_failed_iteration_is_refused_with_those_that_are() {
    let (mut bench, _) = ended(LOOP, &["each[1]/second"]);
    for wrong in ["each[0]", "each", "each[9]", "other[1]", "each[1]/second", ""] {
        let reason = retry(&mut bench, &[wrong]).unwrap_err();
        assert!(reason.contains("these are: each[1]"), "{reason}");
    }
    let (mut bench, effects) = Bench::new(LOOP);
    let asked = call(&effects);
    let reason = retry(&mut bench, &["each[0]"]).unwrap_err();
    assert!(reason.contains("this one is running"), "{reason}");
    bench.answers(asked.path.as_str(), 0, Err(refusal()));
    bench.take(Input::Cancel { by: "ann".into() });
    assert!(retry(&mut bench, &["each[0]"]).unwrap_err().contains("was cancelled"));
}

#[test]
fn one_that_is_named_twice_is_retried_once() {
    let (mut bench, _) = ended(LOOP, &["each[1]/second"]);
    let effects = retry(&mut bench, &["each[1]", "each[1]"]).unwrap();
    assert_eq!(paths(&answered(&mut bench, &effects, &[])), ["each[1]/second"]);
    assert_eq!(bench.status(), RunStatus::Succeeded);
}

#[test]
fn a_container_that_fails_forgets_its_own_iterations_and_no_others() {
    let yaml = r#"
on: { woo: [order.created] }
grants: { woo: [orders.write], stores: [self] }
steps:
  - id: each
    for_each: "[1]"
    on_error: continue
    steps: [{ id: first, woo: orders/61/notes, method: POST, with: { note: one } }]
  - id: e
    on_error: continue
    parallel:
      left:
        - id: inside
          for_each: "[1]"
          on_error: continue
          steps: [{ id: third, woo: orders/61/notes, method: POST, with: { note: three } }]
      right: [{ id: bad, woo: orders/61/notes, method: POST, with: { note: bad } }]
"#;
    let (mut bench, _) = ended(yaml, &["each[0]/first", "e.0/inside[0]/third", "e.1/bad"]);
    assert_eq!(bench.status(), RunStatus::Succeeded);
    let reason = retry(&mut bench, &["e.0/inside[0]"]).unwrap_err();
    assert!(reason.contains("these are: each[0]"), "{reason}");
    let effects = retry(&mut bench, &["each[0]"]).unwrap();
    assert_eq!(paths(&answered(&mut bench, &effects, &[])), ["each[0]/first"]);
}
