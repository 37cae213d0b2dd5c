//! `approve` steps: a person is asked once, and what they say is the output; so is that nobody says anything.

use super::*;

const ASK: &str = r#"
on: { woo: [order.created] }
steps:
  - id: ask
    approve: "Refund ${{ 300 }}?"
    timeout: 3d
    by: [owner]
    OUTPUT
  - { id: after, script: "1" }
"#;

fn asked(output: &str) -> Bench {
    let (bench, effects) = Bench::new(&ASK.replace("OUTPUT", output));
    assert!(effects.is_empty());
    bench
}

fn says(bench: &mut Bench, approved: bool, by: &str) -> Result<Vec<Effect>, String> {
    let comment = Some("a good customer".into());
    bench.try_take(Input::Approve { path: StepPath::new("ask"), approved, by: by.into(), comment })
}

#[test]
fn a_run_waits_for_its_answer_and_the_answer_is_the_output() {
    for approved in [true, false] {
        let mut bench = asked("");
        let (path, open) = bench.state().open_approvals().next().unwrap();
        assert_eq!((path.as_str(), open.question.as_str()), ("ask", "Refund 300?"));
        assert_eq!(open.due.map(|due| due.since(bench.now)), Some(Duration::from_secs(3 * 24 * 3600)));
        assert_eq!((bench.status(), bench.step("ask").status.as_str()), (RunStatus::Waiting, "waiting"));
        assert!(bench.crash(Duration::from_secs(60)).is_empty(), "nobody is asked twice");
        assert_eq!(runs_script(&says(&mut bench, approved, "user:ann").unwrap()), 1);
        let expected = json!({"approved": approved, "by": "user:ann", "at": bench.now, "comment": "a good customer"});
        assert_eq!(bench.step("ask").output, expected);
        assert!(bench.state().open_approvals().next().is_none() && bench.state().timers.is_empty());
    }
}

#[test]
fn the_same_answer_again_changes_nothing_and_another_one_is_refused() {
    let mut bench = asked("");
    says(&mut bench, true, "user:ann").unwrap();
    let entries = bench.journal.len();
    assert!(says(&mut bench, true, "user:bob").unwrap().is_empty());
    assert_eq!(bench.journal.len(), entries);
    let refusal = says(&mut bench, false, "user:bob").unwrap_err();
    assert!(refusal.contains("approved already, by user:ann"), "{refusal}");
    bench.script("after", 1, ScriptEnd::Done(json!(1)));
    assert_eq!(bench.status(), RunStatus::Succeeded);
    assert!(says(&mut bench, true, "user:ann").unwrap().is_empty(), "also when the run is over");
    assert!(says(&mut bench, false, "user:ann").is_err());
    let nothing = bench.try_take(Input::Approve {
        path: StepPath::new("after"),
        approved: true,
        by: "ann".into(),
        comment: None,
    });
    assert!(nothing.unwrap_err().contains("asks for no approval"));
}

#[test]
fn nobody_answering_in_time_is_a_no() {
    let mut bench = asked("");
    bench.now = bench.now.plus(Duration::from_secs(3 * 24 * 3600));
    assert_eq!(runs_script(&bench.fires("ask", TimerKind::Wait(0))), 1);
    let expected = json!({"approved": false, "by": null, "at": bench.now, "comment": "nobody answered within 3d"});
    assert_eq!(bench.step("ask").output, expected);
    let refusal = says(&mut bench, true, "user:ann").unwrap_err();
    assert!(refusal.contains("nobody answered in time"), "{refusal}");
    assert!(says(&mut bench, false, "user:ann").is_err(), "that was nobody's answer");
}

#[test]
fn an_answer_is_kept_when_its_output_cannot_be_trimmed() {
    let mut bench = asked("output: bad");
    says(&mut bench, true, "user:ann").unwrap();
    assert_eq!(bench.status(), RunStatus::Failed);
    bench.retry(false).unwrap();
    assert!(bench.state().open_approvals().next().is_none(), "nobody is asked again");
}

#[test]
fn a_cut_between_the_answer_and_the_steps_end_leads_on() {
    let mut bench = asked("");
    says(&mut bench, true, "user:ann").unwrap();
    let cut = bench.journal.iter().position(|entry| matches!(entry.what, What::ApprovalGiven { .. })).unwrap();
    bench.journal.truncate(cut + 1);
    assert_eq!(runs_script(&bench.crash(Duration::from_secs(1))), 1);
}

#[test]
fn a_question_goes_with_its_run_and_is_asked_again_by_a_retry() {
    let text = r#"
on: { event: go }
steps:
  - parallel:
      left: [{ id: ask, approve: "Well?" }]
      right: [{ id: f, sleep: 1h }, { fail: no }]
"#;
    let (mut bench, _) = Bench::new(text);
    assert!(bench.state().asks(&StepPath::new("step1.0/ask")));
    bench.fires("step1.1/f", TimerKind::Sleep);
    assert_eq!(bench.status(), RunStatus::Failed);
    assert!(bench.state().open_approvals().next().is_none());
    let late = Input::Approve { path: StepPath::new("step1.0/ask"), approved: true, by: "ann".into(), comment: None };
    assert!(bench.try_take(late).is_err());
    bench.retry(false).unwrap();
    assert!(bench.journal.iter().filter(|entry| matches!(entry.what, What::ApprovalAsked { .. })).count() == 2);
}
