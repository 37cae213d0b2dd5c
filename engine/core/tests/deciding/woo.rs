//! The `woo` step: what it asks for, what it gives, what it refuses.

use super::*;

#[test]
fn a_step_asks_for_its_canonical_call_and_gives_the_body() {
    let (mut bench, effects) = Bench::new(NOTE);
    let asked = call(&effects);
    let request = WooRequest::parse(&note_spec()).unwrap();
    assert_eq!(asked.call.args, [request.spec()]);
    assert_eq!((asked.call.function.as_str(), asked.call.summary.as_str()), ("woo::post", "POST orders/61/notes"));
    assert_eq!((asked.call.kind, asked.again), (CallKind::Outside { repeatable: true }, None));
    assert_eq!(asked.call.fingerprint, request.fingerprint());
    bench.answers("note", 0, Ok(json!({"id": 5})));
    assert_eq!((bench.status(), bench.step("note").output), (RunStatus::Succeeded, json!({"id": 5})));
}

#[test]
fn parts_are_rendered_and_null_is_absent() {
    let yaml = r#"
on: { woo: [order.created] }
grants: { woo: [orders.read], stores: [self] }
steps:
  - id: list
    woo: /wp-json/wc/v3/${{ orders }}/
    query: { status: "${{ [\"processing\"] }}" }
    store: ${{ null }}
    all: true
"#;
    let (_, effects) = Bench::new(yaml);
    let spec = json!({"method": "GET", "path": "orders", "query": {"status": ["processing"]}, "all": true});
    assert_eq!((call(&effects).call.args, call(&effects).call.function.as_str()), (vec![spec], "woo::all"));
}

#[test]
fn a_call_that_cannot_be_written_fails_the_step_and_is_not_made() {
    for (line, code) in [
        ("woo: ${{ ../orders }}", "invalid"),
        ("woo: ${{ 12 }}", "invalid"),
        ("woo: ${{ bad }}", "expression"),
        ("woo: orders\n    store: ${{ No Store }}", "invalid"),
        ("woo: orders\n    query: ${{ [1] }}", "invalid"),
    ] {
        let yaml = format!(
            "on: {{ woo: [a.b] }}\ngrants: {{ woo: [orders.read], stores: [self] }}\nsteps:\n  - id: call\n    {line}\n"
        );
        let (bench, effects) = Bench::new(&yaml);
        assert!(calls(&effects).is_empty(), "{line}");
        assert_eq!(
            (bench.status(), bench.step("call").error.unwrap().code.as_str()),
            (RunStatus::Failed, code),
            "{line}"
        );
    }
}

#[test]
fn a_secret_never_goes_to_a_store() {
    let (mut bench, _) = Bench::new(SCRIPT);
    let mark = bench.marks.mark("token");
    let spec = json!({"method": "POST", "path": "orders/61/notes", "body": {"note": format!("it is {mark}")}});
    let effects = bench.script("work", 1, asks(0, &spec));
    runs_script(&effects);
    let Some(CallOutcome::Err(error)) = &bench.state().calls(&StepPath::new("work"))[0].outcome else { panic!() };
    assert_eq!((error.code.as_str(), error.class), ("secret", ErrorClass::Final));
    assert!(error.message.contains("`token`") && !serde_json::to_string(&bench.journal).unwrap().contains(&mark));
}

#[test]
fn an_answer_whose_output_cannot_be_trimmed_is_kept_for_the_retry() {
    let yaml = format!("{NOTE}    output: bad\n");
    let (mut bench, _) = Bench::new(&yaml);
    bench.answers("note", 0, Ok(json!({"id": 5})));
    assert_eq!(bench.status(), RunStatus::Failed);
    let effects = bench.retry(false).unwrap();
    assert!(calls(&effects).is_empty(), "the note was made already");
    assert_eq!(bench.status(), RunStatus::Failed);
}
