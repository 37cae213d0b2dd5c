//! What people say about runs: an unknown call did or did not happen, a parked run is given up. Their words are in the
//! journal, so a crash after any of them changes nothing.

use super::*;

const MAIL: &str = r#"
on: { woo: [order.created] }
grants: { woo: [orders.write], stores: [self] }
steps:
  - { id: mail, woo: orders/61/actions/send_email, method: POST, with: {} }
  - { id: note, woo: orders/61/notes, method: POST, with: { note: hello } }
"#;

const HANDLED: &str = "on_failure:\n  - { id: tell, woo: orders/61/actions/send_email, method: POST, with: {} }\n";

const LOOP: &str = r#"
on: { woo: [order.created] }
grants: { woo: [orders.write], stores: [self] }
steps:
  - id: each
    for_each: "[1, 2]"
    parallel: 2
    steps:
      - { id: mail, woo: orders/61/actions/send_email, method: POST, with: {} }
"#;

fn resolve(bench: &mut Bench, which: Which, said: Said) -> Result<Vec<Effect>, String> {
    bench.try_take(Input::Resolve { by: "ann".into(), which, said })
}

fn any() -> Which {
    Which::default()
}

fn step(path: &str) -> Which {
    Which { step: Some(StepPath::new(path)), call: None }
}

fn fail(bench: &mut Bench) -> Result<Vec<Effect>, String> {
    bench.try_take(Input::Fail { by: "ann".into(), reason: Some("no use".into()) })
}

/// A run whose first call nobody knows about.
fn in_doubt(yaml: &str) -> (Bench, Asked) {
    let (mut bench, effects) = Bench::new(yaml);
    let asked = call(&effects);
    assert!(bench.answers(asked.path.as_str(), 0, Err(unknown())).is_empty());
    assert_eq!(bench.status(), RunStatus::Parked);
    (bench, asked)
}

#[test]
fn a_call_that_happened_is_not_made_again_and_the_run_goes_on_with_what_it_gave() {
    let (mut bench, _) = in_doubt(MAIL);
    let next = call(&resolve(&mut bench, any(), Said::Done(json!({"id": 7}))).unwrap());
    assert_eq!(next.path.as_str(), "note");
    let mail = bench.step("mail");
    assert_eq!((mail.status.as_str(), &mail.output, &mail.calls[0].status[..]), ("succeeded", &json!({"id": 7}), "ok"));
    assert_eq!(bench.state().retries, 1);
}

#[test]
fn a_call_that_did_not_happen_is_made_again_under_its_identity() {
    let (mut bench, first) = in_doubt(MAIL);
    let again = call(&resolve(&mut bench, any(), Said::NotDone).unwrap());
    assert_eq!((&again.path, &again.key, &again.call, again.again), (&first.path, &first.key, &first.call, None));
    assert_eq!(bench.step("mail").attempts, 2);
}

#[test]
fn a_script_gets_the_given_result_by_replay() {
    let (mut bench, _) = Bench::new(SCRIPT);
    let spec = json!({"method": "POST", "path": "orders/61/actions/send_email", "body": {}});
    bench.script("work", 1, asks(0, &note_spec()));
    bench.answers("work", 0, Ok(json!(1)));
    bench.script("work", 1, asks(1, &spec));
    bench.answers("work", 1, Err(unknown()));
    assert_eq!(bench.status(), RunStatus::Parked);
    let effects = resolve(&mut bench, Which { step: None, call: Some(1) }, Said::Done(json!("sent"))).unwrap();
    assert_eq!(runs_script(&effects), 2);
    let outcomes: Vec<_> =
        bench.state().calls(&StepPath::new("work")).iter().map(|call| call.outcome.clone()).collect();
    assert_eq!(outcomes, [json!(1), json!("sent")].map(|json| Some(CallOutcome::Ok(json))));
    // The same after a crash: the person's word is in the journal.
    assert_eq!(runs_script(&bench.crash(Duration::from_secs(1))), 2);
    bench.script("work", 2, ScriptEnd::Done(json!("done")));
    assert_eq!(bench.status(), RunStatus::Succeeded);
}

#[test]
fn a_word_about_what_could_be_found_out_ends_the_looking() {
    for (said, path) in [(Said::Done(json!(1)), None), (Said::NotDone, Some("note"))] {
        let (mut bench, _) = Bench::new(&NOTE.replace("steps:", "retry: 1\nsteps:"));
        bench.answers("note", 0, Err(unknown()));
        assert!(bench.state().doubts.of(&StepPath::new("note"), 0).is_some());
        let asked = calls(&resolve(&mut bench, any(), said.clone()).unwrap());
        let shown: Vec<_> = asked.iter().map(|asked| (asked.path.as_str(), asked.again)).collect();
        assert_eq!(shown, path.map(|path| (path, None)).into_iter().collect::<Vec<_>>(), "{said:?}");
    }
}

#[test]
fn of_several_unknown_calls_each_is_named_and_the_last_word_lets_the_run_go_on() {
    let (mut bench, _) = Bench::new(LOOP);
    bench.answers("each[0]/mail", 0, Err(unknown()));
    bench.answers("each[1]/mail", 0, Err(unknown()));
    assert_eq!(bench.status(), RunStatus::Parked);
    let refusal = resolve(&mut bench, any(), Said::NotDone).unwrap_err();
    assert!(refusal.contains("--step each[0]/mail --call 0, --step each[1]/mail --call 0"), "{refusal}");
    assert!(resolve(&mut bench, step("each[1]/mail"), Said::Done(json!(2))).unwrap().is_empty());
    assert_eq!((bench.status(), bench.step("each[1]/mail").status.as_str()), (RunStatus::Parked, "waiting"));
    assert!(bench.retry(false).unwrap_err().contains("each[0]/mail"), "the other one is still unknown");
    let refusal = resolve(&mut bench, step("each[1]/mail"), Said::NotDone).unwrap_err();
    assert!(refusal.contains("not unknown"), "said once: {refusal}");
    assert!(bench.crash(Duration::from_secs(1)).is_empty());
    let again = call(&resolve(&mut bench, any(), Said::NotDone).unwrap());
    assert_eq!(again.path.as_str(), "each[0]/mail");
    bench.answers("each[0]/mail", 0, Ok(json!(1)));
    assert_eq!(bench.status(), RunStatus::Succeeded);
    assert_eq!(bench.step("each").output, json!([1, 2]));
}

#[test]
fn a_word_while_others_still_work_lets_the_step_go_on() {
    let (mut bench, _) = Bench::new(LOOP);
    bench.answers("each[0]/mail", 0, Err(unknown()));
    assert_eq!(bench.status(), RunStatus::Running);
    assert_eq!(call(&resolve(&mut bench, any(), Said::NotDone).unwrap()).path.as_str(), "each[0]/mail");
    assert_eq!(bench.state().retries, 0);
    bench.answers("each[0]/mail", 0, Ok(json!(1)));
    bench.answers("each[1]/mail", 0, Ok(json!(2)));
    assert_eq!(bench.status(), RunStatus::Succeeded);
}

#[test]
fn where_nothing_is_unknown_there_is_nothing_to_say() {
    let nothing = |bench: &mut Bench, word: &str| {
        for said in [Said::NotDone, Said::Done(Json::Null)] {
            let refusal = resolve(bench, any(), said).unwrap_err();
            assert!(refusal.contains(word), "{refusal}");
        }
    };
    let (mut bench, _) = Bench::new(NOTE);
    nothing(&mut bench, "is running");
    bench.answers("note", 0, Err(deferred(None)));
    nothing(&mut bench, "is waiting");
    bench.wait("note");
    bench.answers("note", 0, Err(CallError { class: ErrorClass::Park, ..CallError::r#final("auth", "revoked") }));
    nothing(&mut bench, "is parked");
    bench.retry(false).unwrap();
    bench.answers("note", 0, Ok(json!(1)));
    nothing(&mut bench, "succeeded");
}

#[test]
fn a_failed_run_takes_the_word_and_stays_failed_until_it_is_retried() {
    let (mut bench, first) = in_doubt(MAIL);
    fail(&mut bench).unwrap();
    assert_eq!(bench.status(), RunStatus::Failed);
    assert!(bench.retry(false).unwrap_err().contains("runs resolve"));
    assert!(resolve(&mut bench, any(), Said::NotDone).unwrap().is_empty());
    assert_eq!((bench.status(), bench.step("mail").status.as_str()), (RunStatus::Failed, "cancelled"));
    let again = call(&bench.retry(false).unwrap());
    assert_eq!((&again.key, again.again), (&first.key, None));
}

#[test]
fn a_parked_run_that_is_given_up_runs_on_failure() {
    let (mut bench, _) = in_doubt(&format!("{MAIL}{HANDLED}"));
    let effects = fail(&mut bench).unwrap();
    assert_eq!(call(&effects).path.as_str(), "on_failure/tell");
    assert!(matches!(effects[0], Effect::Abort { .. }), "nothing else is wanted any more");
    bench.answers("on_failure/tell", 0, Ok(Json::Null));
    let row = bench.state().row();
    let error = row.error.unwrap();
    assert_eq!((row.status, error.code.as_str(), error.step.as_deref()), (RunStatus::Failed, "unknown", Some("mail")));
    assert!(error.message.starts_with("given up by ann (no use): "), "{}", error.message);
}

#[test]
fn a_run_parked_in_its_failure_ends_when_it_is_given_up_or_forgotten() {
    for by_hand in [true, false] {
        let (mut bench, _) = in_doubt(&format!("{MAIL}{HANDLED}"));
        fail(&mut bench).unwrap();
        bench.answers("on_failure/tell", 0, Err(unknown()));
        assert_eq!(bench.status(), RunStatus::Parked);
        let effects = match by_hand {
            true => fail(&mut bench).unwrap(),
            false => bench.fires("", TimerKind::ParkExpiry),
        };
        assert!(calls(&effects).is_empty());
        let error = bench.state().row().error.unwrap();
        assert_eq!((bench.status(), error.code.as_str()), (RunStatus::Failed, "unknown"));
        assert!(error.message.contains("then on_failure stopped at `on_failure/tell`"), "{}", error.message);
    }
}

#[test]
fn only_parked_runs_can_be_given_up() {
    let (mut bench, _) = Bench::new(NOTE);
    assert!(fail(&mut bench).unwrap_err().contains("is running; `runs cancel`"));
    bench.answers("note", 0, Ok(json!(1)));
    assert!(fail(&mut bench).unwrap_err().ends_with("this one succeeded"));
    let (mut bench, _) = in_doubt(MAIL);
    fail(&mut bench).unwrap();
    assert!(fail(&mut bench).unwrap_err().ends_with("this one failed"));
}

/// The word is on stable storage although nothing is begun any more.
#[test]
fn a_stopping_engine_keeps_the_word_for_the_next_start() {
    let (mut bench, first) = in_doubt(MAIL);
    bench.hold = true;
    assert!(resolve(&mut bench, any(), Said::NotDone).unwrap().is_empty());
    assert_eq!(bench.status(), RunStatus::Running, "so that the next start takes it up");
    bench.hold = false;
    assert_eq!(call(&bench.crash(Duration::from_secs(9))).key, first.key);

    let (mut bench, _) = in_doubt(&format!("{MAIL}{HANDLED}"));
    bench.hold = true;
    assert!(calls(&fail(&mut bench).unwrap()).is_empty());
    bench.hold = false;
    assert_eq!(call(&bench.crash(Duration::from_secs(9))).path.as_str(), "on_failure/tell");
}

/// Every history with a person's word in it, cut after every entry: it goes on without a call that is made blindly twice.
#[test]
fn a_crash_after_any_entry_keeps_what_was_said() {
    for said in [Said::Done(json!("sent")), Said::NotDone] {
        let (mut whole, first) = in_doubt(MAIL);
        resolve(&mut whole, any(), said.clone()).unwrap();
        let word = whole.journal.iter().position(|entry| matches!(entry.what, What::OutcomeGiven { .. })).unwrap();
        for cut in word + 1..=whole.journal.len() {
            let mut bench = Bench::new(MAIL).0;
            bench.journal = whole.journal[..cut].to_vec();
            bench.now = whole.now;
            let mut effects = bench.crash(Duration::from_secs(1));
            if bench.status() == RunStatus::Parked {
                // Cut between the word and what follows, which one commit never is.
                match bench.retry(false) {
                    Ok(next) => effects = next,
                    Err(refusal) => assert!(cut > word + 1, "{refusal}"),
                }
            }
            for asked in calls(&effects) {
                match &said {
                    Said::Done(_) => assert_eq!(asked.path.as_str(), "note", "cut after {cut}"),
                    Said::NotDone => assert_eq!(asked.key, first.key, "cut after {cut}"),
                }
            }
        }
    }
}

#[test]
fn entries_of_people_can_be_read_without_what_is_optional() {
    let text = r#"[{"at":"2026-11-21T07:00:00.000Z","type":"outcome_given","path":"a","index":0,"by":"ann","happened":true},
        {"at":"2026-11-21T07:00:00.000Z","type":"fail_requested","by":"ann"}]"#;
    let entries: Vec<Entry> = serde_json::from_str(text).unwrap();
    assert!(matches!(&entries[0].what, What::OutcomeGiven { result: Json::Null, happened: true, .. }));
    assert!(matches!(&entries[1].what, What::FailRequested { reason: None, .. }));
}
