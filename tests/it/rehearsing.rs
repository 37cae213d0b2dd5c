//! Workflows before they run: `test` with its reports, recorded runs against changed files, files against what runs.

use std::{fs, path::Path, process::Output};

use cartwright_tests::engine::{Engine, text};
use serde_json::{Value, json};

const WORKFLOW: &str = "on: { event: [go.now], manual: true }
grants: { emit: [went.on] }
steps:
  - id: both
    parallel:
      left: [{ id: sub, call: child, with: { n: 7 } }]
      right: [{ id: nap, sleep: 10ms }]
  - { id: hold, wait_for: { event: go.on, if: incoming.data.id == 7, timeout: 10m } }
  - { id: ask, approve: \"Go on with ${{ steps.both.output.left }}?\", timeout: 10m }
  - { id: told, emit: went.on, data: { ok: \"${{ steps.ask.output.approved }}\" }, undo: { emit: went.on, data: { ok: null } } }
output: steps.both.output.left
";
const CHILD: &str =
    "on: { manual: true }\nsteps: [{ id: twice, script: \"event.data.n * 2\" }]\noutput: steps.twice.output\n";

fn cases(output: &str) -> String {
    format!(
        "cases:
  - name: a person says yes
    event: {{ topic: go.now, data: {{}} }}
    then:
      - {{ after: 1m, event: {{ topic: go.on, data: {{ id: 7 }} }} }}
      - {{ after: 2m, approve: {{ step: ask, approved: true }} }}
    expect:
      output: {output}
      slept: 2m
      emitted: [{{ topic: went.on, data: {{ ok: true }} }}]
    snapshot: true
"
    )
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

#[test]
fn tests_pass_fail_with_a_difference_and_are_reported_to_machines() {
    let engine = Engine::new(&[("main.yaml", WORKFLOW), ("child.yaml", CHILD)]);
    let (file, report) = (engine.workflows().join("main.test.yaml"), engine.folder().join("report.xml"));
    let report_name = report.to_str().unwrap();
    write(&file, &cases("14"));
    let output = engine.command(&["test"]);
    assert_eq!(code(&output), Some(1), "{}", text(&output));
    assert!(text(&output).contains("there is no snapshot"), "{}", text(&output));
    assert_eq!(code(&engine.command(&["test", "--bless"])), Some(0));
    let snapshot = engine.workflows().join("main.test.snap.json");
    let kept: Value = serde_json::from_str(&fs::read_to_string(&snapshot).unwrap()).unwrap();
    assert!(kept.to_string().contains("went.on"));
    let output = engine.command(&["test", "--junit", report_name, "--coverage", "--coverage-min", "90"]);
    assert_eq!(code(&output), Some(0), "{}", text(&output));
    assert!(text(&output).contains("1 passed, 0 failed") && text(&output).contains('%'), "{}", text(&output));
    assert!(fs::read_to_string(&report).unwrap().contains("tests=\"1\" failures=\"0\" errors=\"0\""));

    // A changed workflow: what was expected, what the snapshot says.
    write(&engine.workflows().join("child.yaml"), &CHILD.replace("* 2", "* 3"));
    let output = engine.command(&["test", "--junit", report_name]);
    let said = text(&output);
    assert_eq!(code(&output), Some(1), "{said}");
    for part in ["a person says yes", "output", "- 14", "+ 21", "snapshot", "0 passed, 1 failed"] {
        assert!(said.contains(part), "`{part}` in:\n{said}");
    }
    let xml = fs::read_to_string(&report).unwrap();
    assert!(xml.contains("failures=\"1\"") && xml.contains("expected 14, got 21"), "{xml}");
    assert_eq!(code(&engine.command(&["test", "--filter", "nobody"])), Some(1), "a filter that fits nothing");

    // Coverage that is too small, and a file that cannot be read.
    write(
        &file,
        "cases: [{ name: left, event: { topic: go.now }, then: [{ after: 1m, cancel: true }], expect: { status: cancelled } }]\n",
    );
    let output = engine.command(&["test", "--coverage-min", "100"]);
    assert_eq!(code(&output), Some(1), "{}", text(&output));
    write(&file, "cases: [{ nam: x }]\n");
    let output = engine.command(&["test"]);
    assert_eq!(code(&output), Some(1));
    assert!(text(&output).contains("E0104"), "{}", text(&output));
}

#[test]
fn recorded_runs_of_every_kind_of_step_are_held_against_changed_files() {
    let engine = Engine::running(&[("main.yaml", WORKFLOW), ("child.yaml", CHILD)]);
    let raise = |topic: &str, data: Value| {
        let answer = engine.api("POST", "/api/v1/events", Some(&json!({ "topic": topic, "data": data })));
        assert_eq!(answer.status, 202, "{topic}");
    };
    raise("go.now", json!({}));
    let main = |status: &str| engine.runs(&format!("workflow=main&status={status}")).into_iter().next();
    let run = engine.wait("a run that waits for an event", || {
        let run = main("waiting")?;
        let shown = engine.run(run["id"].as_str()?);
        let steps = shown["steps"].as_array()?;
        steps.iter().any(|step| step["id"] == "hold" && step["status"] == "waiting").then_some(run)
    });
    let id = run["id"].as_str().unwrap();
    raise("go.on", json!({ "id": 7 }));
    engine.wait("a question", || {
        let output = engine.command(&["approvals", "approve", id, "ask"]);
        (code(&output) == Some(0)).then_some(())
    });
    engine.wait("its end", || main("succeeded"));

    let workflows = engine.workflows();
    let same = engine.command(&["replay", id, "--with", workflows.to_str().unwrap()]);
    assert_eq!(code(&same), Some(0), "{}", text(&same));
    let changed = engine.folder().join("changed");
    write(&changed.join("main.yaml"), &WORKFLOW.replace("${{ steps.ask.output.approved }}", "changed"));
    let folder = changed.to_str().unwrap();
    let output = engine.command(&["replay", id, "--with", folder]);
    assert_eq!(code(&output), Some(1), "{}", text(&output));
    for part in ["emitted[0].data.ok", "- true", "+ \"changed\""] {
        assert!(text(&output).contains(part), "`{part}` in:\n{}", text(&output));
    }

    let check = engine.command(&["replay-check", workflows.to_str().unwrap(), "--last", "20"]);
    assert_eq!(code(&check), Some(0), "{}", text(&check));
    assert!(text(&check).contains("2 the same, 0 different"), "{}", text(&check));
    let (export, report) = (engine.folder().join("all.jsonl"), engine.folder().join("replay.xml"));
    engine.command_ok(&["export", export.to_str().unwrap()]);
    let arguments = ["replay-check", folder, "--runs", export.to_str().unwrap(), "--junit", report.to_str().unwrap()];
    let output = engine.command(&arguments);
    assert_eq!(code(&output), Some(1), "{}", text(&output));
    assert!(text(&output).contains("0 the same, 1 different, 1 say nothing"), "{}", text(&output));
    assert!(fs::read_to_string(&report).unwrap().contains("failures=\"1\" errors=\"1\""));
}

#[test]
fn a_run_of_which_one_iteration_was_retried_is_replayed_with_that_retry() {
    let workflow = "on: { manual: true }
steps:
  - id: each
    for_each: \"[1, 2]\"
    on_error: continue
    steps: [{ id: odd, script: \"if item == 2 { throw `not ${item}` } item\" }]
output: steps.each.errors.len()
";
    let engine = Engine::running(&[("loop.yaml", workflow)]);
    assert_eq!(engine.api("POST", "/api/v1/workflows/loop/run", Some(&json!({}))).status, 202);
    let ended = || engine.runs("status=succeeded").into_iter().next();
    let run = engine.wait("its end", ended);
    let id = run["id"].as_str().unwrap();
    let refused = engine.command(&["runs", "retry", id, "--iteration", "each[0]"]);
    assert!(code(&refused) == Some(1) && text(&refused).contains("these are: each[1]"), "{}", text(&refused));
    engine.command_ok(&["runs", "retry", id, "--iteration", "each[1]"]);
    engine.wait("its second end", || ended().filter(|run| run["retries"] == 1));
    let shown = engine.command_ok(&["runs", "show", id]);
    for part in ["each[1] failed, the loop goes on: ", "each[1] retried by "] {
        assert!(shown.contains(part), "`{part}` in:\n{shown}");
    }
    let workflows = engine.workflows();
    let same = engine.command(&["replay", id, "--with", workflows.to_str().unwrap()]);
    assert_eq!(code(&same), Some(0), "{}", text(&same));
}

#[test]
fn a_broken_edit_keeps_what_runs_and_is_shown_until_it_is_mended() {
    let engine = Engine::running(&[("child.yaml", CHILD)]);
    let same = engine.command(&["diff"]);
    assert_eq!(code(&same), Some(0), "{}", text(&same));
    let before = engine.command_ok(&["workflows", "ls", "--json"]);
    engine.write_workflow("child.yaml", "on: { manual: true }\nsteps: [oops\n");
    let listed = engine.wait("the finding", || {
        let listed = text(&engine.command(&["workflows", "ls"]));
        listed.contains("E0101").then_some(listed)
    });
    assert!(listed.contains("child") && listed.contains("child.yaml:"), "{listed}");
    let versions = |text: &str| serde_json::from_str::<Value>(text).unwrap()["items"][0]["version"].clone();
    assert_eq!(versions(&engine.command_ok(&["workflows", "ls", "--json"])), versions(&before));
    assert!(text(&engine.command(&["workflows", "show", "child"])).contains("* 2"), "the last good version");
    let output = engine.command(&["diff"]);
    assert_eq!(code(&output), Some(1));
    assert!(text(&output).contains("broken child") && text(&output).contains("+steps: [oops"), "{}", text(&output));
    engine.write_workflow("child.yaml", &CHILD.replace("* 2", "* 5"));
    engine.wait("the new version", || {
        let shown = text(&engine.command(&["workflows", "show", "child"]));
        shown.contains("* 5").then_some(())
    });
    assert!(!text(&engine.command(&["workflows", "ls"])).contains("E0101"));

    // Another checkout is compared as a whole; what is nowhere is said.
    let other = engine.folder().join("other");
    write(&other.join("child.yaml"), CHILD);
    let output = engine.command(&["diff", other.to_str().unwrap()]);
    assert_eq!(code(&output), Some(1));
    assert!(text(&output).contains("changed child"), "{}", text(&output));
    assert_eq!(code(&engine.command(&["diff", "nowhere.yaml"])), Some(2));
}
