//! Test files from disk to verdict.

mod calls;

use std::{fmt::Write as _, fs, path::Path};

use cartwright_run::rehearse::{Recording, Stubs, play, replay, scene};

use super::{play::Played, *};
use crate::terminal::Terminal;

struct Bench(tempfile::TempDir);

impl Bench {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        Self(folder)
    }

    fn suites(&self) -> Vec<Suite> {
        let (sandbox, plugins) = (crate::assembly::sandbox(), Installed::nothing());
        let sources = Sources { plugins: &plugins, sandbox: Some(&sandbox) };
        let files = find::test_files(&[], self.0.path()).expect("files");
        files.iter().map(|(root, file)| Suite::read(root, file, sources)).collect()
    }

    fn played(&self, jobs: usize) -> (Vec<Suite>, Vec<Played>) {
        let suites = self.suites();
        let plugins = Installed::nothing();
        let means = plugins.means().expect("means");
        let played = play::all(&suites, None, jobs, &means);
        (suites, played)
    }

    /// Every difference as text.
    fn told(&self) -> Vec<String> {
        let (suites, played) = self.played(2);
        for suite in &suites {
            let findings: Vec<_> = suite.findings.iter().flat_map(|one| &one.diagnostics).collect();
            assert!(!suite.is_broken(), "{findings:?}");
        }
        played.iter().flat_map(|one| one.differences.iter().map(ToString::to_string)).collect()
    }

    /// Codes of what is wrong with the files.
    fn codes(&self) -> Vec<&'static str> {
        let suites = self.suites();
        suites.iter().flat_map(|one| &one.findings).flat_map(|one| &one.diagnostics).map(|one| one.code).collect()
    }
}

const WAITS: &str = "on: { event: [a.b] }
grants: { http: [api.example], emit: [done.it] }
steps:
  - { id: rest, sleep: 14d }
  - id: ask
    http: POST https://api.example/${{ event.data.id }}
    body: { n: 1.50 }
    idempotent: true
    retry: { attempts: 4, initial: 10s, factor: 1 }
  - { id: tell, if: steps.ask.output.status == 200, emit: done.it, data: { at: \"${{ run.started }}\" } }
output: steps.ask.output.body
";

fn case(rest: &str) -> String {
    format!("cases:\n  - name: one\n    event: {{ topic: a.b, data: {{ id: 7 }} }}\n{rest}")
}

#[test]
fn two_weeks_and_three_tries_pass_at_once_and_are_seen() {
    let test = case(
        "    stubs:
      - step: ask
        times: 3
        answers: [{ status: 503 }, { error: lost }, { status: 200, body: { ok: true }, delay: 5s }]
    expect:
      ran: [rest, ask, tell]
      steps: { ask: { attempts: 3 } }
      output: { ok: true }
      slept: { min: 336h15s, max: 336h26s }
      emitted: [{ topic: done.it, data: { at: \"2026-01-05T09:00:00.000Z\" } }]
      calls:
        - { http: POST https://api.example/7, body: { n: 1.5 } }
        - { http: POST https://api.example/*, step: ask }
        - { http: https://api.example/7 }
",
    );
    assert_eq!(Bench::new(&[("a.yaml", WAITS), ("a.test.yaml", &test)]).told(), Vec::<String>::new());
}

#[test]
fn everything_that_differs_is_told_at_once() {
    let test = case(
        "    stubs: [{ step: ask, answer: { status: 400, body: no }, times: 2 }]
    expect:
      status: succeeded
      ran: [rest, tell]
      slept: 1d
      calls: [{ http: POST https://api.example/7, body: { n: 2 } }, { http: GET https://other.example/ }]
      emitted: [{ topic: done.it }]
",
    );
    assert_eq!(
        Bench::new(&[("a.yaml", WAITS), ("a.test.yaml", &test)]).told(),
        [
            "status: expected succeeded, got failed at ask: api.example answered 400: no (status)",
            "ran: expected [rest, tell], got [rest, ask]",
            "slept: expected 1d, got 14d",
            "calls: expected [POST https://api.example/7, GET https://other.example/], got [POST https://api.example/7]",
            "calls[0].body.n: expected 2, got 1.50",
            "emitted: expected [done.it], got []",
            "stubs[0].times: expected 2 calls, got 1",
        ]
    );
}

#[test]
fn a_call_that_nobody_knows_of_fails_the_case_and_shows_a_stub() {
    let told = Bench::new(&[("a.yaml", WAITS), ("a.test.yaml", &case("    expect: { status: parked }\n"))]).told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("POST https://api.example/7 was neither stubbed nor expected"), "{told:?}");
    assert!(
        told[0].contains("  - http: POST https://api.example/7\n    answer: { status: 200, body: {} }"),
        "{told:?}"
    );
}

#[test]
fn what_is_not_granted_is_denied_before_a_stub_is_asked() {
    // `check` cannot see where this goes.
    let workflow = WAITS.replace("https://api.example/$", "https://${{ event.data.host }}/$");
    let test = case("    stubs: [{ http: '*' }]\n    expect: { failure: { step: ask, code: denied }, calls: [] }\n");
    let test = test.replace("{ id: 7 }", "{ id: 7, host: other.example }");
    assert_eq!(Bench::new(&[("a.yaml", &workflow), ("a.test.yaml", &test)]).told(), Vec::<String>::new());
}

#[test]
fn bad_files_are_reported_with_their_codes() {
    let codes = |test: &str| Bench::new(&[("a.yaml", WAITS), ("a.test.yaml", test)]).codes();
    let with = |rest: &str| codes(&case(rest));
    assert_eq!(with("    expect: { ran: [rset] }\n"), ["E0901"]);
    assert_eq!(with("    stubs: [{ answer: {} }]\n"), ["E0902"]);
    assert_eq!(with("    stubs: [{ http: FETCH https://x }]\n"), ["E0902"]);
    assert_eq!(with("    expekt: {}\n"), ["E0104"]);
    assert_eq!(with("    expect: { output: { $ani: 1 } }\n"), ["E0908"]);
    assert_eq!(with("    clock: tomorrow\n"), ["E0906"]);
    assert_eq!(with("    http: {}\n"), ["E0909"]);
    assert_eq!(with("    stubs: [{ step: ask, answer: { status: 200, error: lost } }]\n"), ["E0411"]);
    assert_eq!(codes("cases: [{ name: x, http: {} }]\n"), ["E0909"]);
    assert_eq!(codes("cases: [{ name: x, event: { file: ./none.json } }]\n"), ["E0905"]);
    assert_eq!(codes("cases: [{ name: x, event: { file: ../../etc/passwd } }]\n"), ["E0905"]);
    assert_eq!(codes("workflow: b\ncases: []\n"), ["E0904"]);
    assert_eq!(codes(&(case("") + "  - { name: one, event: { topic: a.b } }\n")), ["E0907"]);
    for hostile in
        ["", "cases: 7", "cases: [7]", "- 1", "cases: [{ name: x }]", "cases: [{ name: x, event: 1, expect: [] }]", "{"]
    {
        assert!(!codes(hostile).is_empty(), "{hostile}");
    }
    let unused =
        Bench::new(&[("a.yaml", WAITS), ("a.test.yaml", &case("    stubs: [{ step: ask }, { step: tell }]\n"))]);
    let (mut suites, played) = unused.played(1);
    suite::note_unused(&mut suites, &played, false);
    assert_eq!(suites[0].findings[0].diagnostics[0].code, "E0903");
}

#[test]
fn a_hundred_cases_at_once_come_to_what_they_come_to_alone() {
    let mut test = String::from("stubs: [{ step: ask, answer: { body: { ok: 1 } } }]\ncases:\n");
    for number in 0..100 {
        let wrong = if number % 10 == 0 { 8 } else { 1 };
        writeln!(test, "  - name: case {number}\n    event: {{ topic: a.b, data: {{ id: {number} }} }}\n    expect: {{ output: {{ ok: {wrong} }} }}").expect("text");
    }
    let bench = Bench::new(&[("a.yaml", WAITS), ("a.test.yaml", &test)]);
    let shape = |jobs: usize| -> Vec<_> {
        bench.played(jobs).1.into_iter().map(|one| (one.case, one.differences, one.outcome, one.coverage)).collect()
    };
    let (alone, together) = (shape(1), shape(8));
    assert_eq!(alone, together);
    assert_eq!(alone.iter().filter(|one| !one.1.is_empty()).count(), 10);
}

#[test]
fn snapshots_are_written_compared_and_written_anew() {
    let test = case("    stubs: [{ step: ask }]\n    snapshot: true\n");
    let bench = Bench::new(&[("a.yaml", WAITS), ("a.test.yaml", &test)]);
    let told = |bless: bool| {
        let (suites, mut played) = bench.played(1);
        snapshot::compare(&suites, &mut played, bless).expect("files");
        played.iter().flat_map(|one| one.differences.iter().map(ToString::to_string)).collect::<Vec<_>>()
    };
    assert!(told(false)[0].contains("there is no snapshot"));
    assert!(!bench.0.path().join("a.test.snap.json").exists(), "only --bless writes");
    assert_eq!(told(true), Vec::<String>::new());
    assert_eq!(told(false), Vec::<String>::new());
    fs::write(bench.0.path().join("a.yaml"), WAITS.replace("n: 1.50", "n: 2")).expect("written");
    let changed = told(false);
    assert!(changed.len() == 1 && changed[0].starts_with("snapshot: "), "{changed:?}");
    assert_eq!(told(true), Vec::<String>::new());
    assert_eq!(told(false), Vec::<String>::new());
}

#[test]
fn coverage_tells_what_no_case_took() {
    let test = case("    stubs: [{ step: ask, answer: { status: 404 } }]\n    expect: { status: failed }\n");
    let bench = Bench::new(&[("a.yaml", WAITS), ("a.test.yaml", &test)]);
    let (suites, played) = bench.played(1);
    let report = report::Report::new(&suites, &played, std::time::Duration::ZERO);
    let coverage = &report.coverage[0].coverage;
    assert_eq!((coverage.figures(), coverage.percent()), ((2, 5), 40));
    let missing: Vec<_> = coverage.missing().iter().map(|way| format!("{} {}", way.step, way.what)).collect();
    assert_eq!(missing, ["tell runs"]);
    let filtered = report::Report::new(&suites, &[], std::time::Duration::ZERO);
    assert!(filtered.coverage.is_empty(), "nothing is said of a workflow whose cases were left out");
}

#[test]
fn the_examples_of_the_page_and_of_the_repository_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/testing.md")).expect("the page");
    let blocks = page.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next());
    let named: Vec<(&str, &str)> =
        blocks.filter_map(|text| Some((text.lines().next()?.strip_prefix("# workflows/")?, text))).collect();
    assert_eq!(named.len(), 2);
    assert_eq!(Bench::new(&named).told(), Vec::<String>::new());
    let plugins = Installed::nothing();
    let means = plugins.means().expect("means");
    let sources = Sources { plugins: &plugins, sandbox: Some(&means.sandbox) };
    let files = find::test_files(&[], &root.join("../workflows")).expect("files");
    let suites: Vec<Suite> = files.iter().map(|(root, file)| Suite::read(root, file, sources)).collect();
    let played = play::all(&suites, None, 2, &means);
    let bad: Vec<String> = played.iter().flat_map(|one| one.differences.iter().map(ToString::to_string)).collect();
    assert!(bad.is_empty() && suites.iter().all(|suite| !suite.is_broken()), "{bad:?}");
    assert!(played.len() >= 18);
}

#[test]
fn a_report_fits_a_terminal() {
    let test = case(
        "    stubs: [{ step: ask, answer: { status: 400, body: a rather long text that goes on and on and on until it is too long } }]\n",
    );
    let bench = Bench::new(&[("a.yaml", WAITS), ("a.test.yaml", &test)]);
    let (_, played) = bench.played(1);
    let terminal = Terminal::plain(Some(80));
    let lines: Vec<String> = played[0].differences.iter().flat_map(|one| diff::lines(&one.how, 6, &terminal)).collect();
    assert!(lines.len() > 2 && lines.iter().all(|line| line.chars().count() <= 80), "{lines:?}");
}

#[test]
fn a_recorded_run_is_held_against_a_changed_workflow() {
    let test = case("    stubs: [{ step: ask, answers: [{ status: 503 }, { status: 200, body: { ok: true } }] }]\n");
    let bench = Bench::new(&[("a.yaml", WAITS), ("a.test.yaml", &test)]);
    let suites = bench.suites();
    let (tests, loaded) = (suites[0].tests.as_ref().expect("tests"), suites[0].workflow.clone().expect("a workflow"));
    let plugins = Installed::nothing();
    let means = plugins.means().expect("means");
    let stubs = Stubs::new(&tests.cases[0].ground.stubs, &[], &[]);
    let scene = scene(&tests.cases[0], &tests.ground, &loaded.workflow, vec![loaded.clone()], &|_, _| Vec::new())
        .expect("a scene");
    let mut played = play(scene, &means, stubs).expect("played");
    let run = played.runs.remove(0);
    let recording = Recording {
        row: run.row,
        journal: run.journal,
        event: played.events.remove(0).event,
        workflow: loaded.clone(),
        tags: Vec::new(),
    };
    let with = |from: &str, to: &str| {
        let mut definition = loaded.definition.clone();
        assert!(definition.source.contains(from));
        definition.source = definition.source.replace(from, to);
        let workflow = definition.parse().0.expect("valid");
        let replayed =
            replay(&recording, &cartwright_run::Loaded { definition, workflow }, &Default::default(), &means);
        replayed.expect("it can be replayed").changes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(with("14d", "14d"), Vec::<String>::new());
    assert_eq!(with("14d", "3d"), Vec::<String>::new(), "when is no difference; what is");
    let other = with("n: 1.50", "n: 3");
    assert!(other.contains(&"calls[0].body.n: expected 1.50, got 3".to_owned()), "{other:?}");
    let skipped = with("output.status == 200", "output.status == 201");
    assert!(skipped[0].starts_with("steps: ") && skipped.iter().any(|one| one.starts_with("emitted")), "{skipped:?}");
    let elsewhere = with("https://api.example/$", "https://api.example/v2/$");
    assert!(elsewhere.iter().any(|one| one.starts_with("calls: ")), "{elsewhere:?}");
}

const DECIDES: &str = "on: { event: [a.b] }
grants: { emit: [paid.back] }
steps:
  - { id: decide, approve: \"Refund ${{ event.data.id }}?\", timeout: 3d }
  - { if: steps.decide.output.approved, emit: paid.back, data: { by: \"${{ steps.decide.output.by }}\" } }
output: steps.decide.output.comment
";

#[test]
fn people_answer_in_time_or_not_at_all() {
    let given =
        |given: &str, rest: &str| case(&format!("    then: [{{ after: 3h, approve: {given} }}]\n    expect:\n{rest}"));
    for (test, wrong) in [
        (
            given(
                "{ step: decide, approved: true, by: grace, comment: fine }",
                "      { slept: 3h, output: fine, emitted: [{ topic: paid.back, data: { by: grace } }] }\n",
            ),
            "",
        ),
        (given("{ step: decide, approved: false }", "      { output: null, emitted: [] }\n"), ""),
        (case("    expect: { slept: 3d, output: nobody answered within 3d, emitted: [] }\n"), ""),
        (
            given("{ step: step2, approved: true }", "      { status: waiting }\n"),
            "nobody is asked for approval by the step `step2`",
        ),
    ] {
        let bench = Bench::new(&[("workflows/w.yaml", DECIDES), ("workflows/w.test.yaml", &test)]);
        let told = bench.told().join("\n");
        assert!(told.contains(wrong) && told.is_empty() == wrong.is_empty(), "{test}: {told}");
    }
    for wrong in [
        "{ step: gone, approved: true }",
        "{ step: decide }",
        "{ approved: true }",
        "{ step: decide, approved: yes, x: 1 }",
        "true",
    ] {
        let bench = Bench::new(&[
            ("workflows/w.yaml", DECIDES),
            ("workflows/w.test.yaml", &given(wrong, "      { runs: 1 }\n")),
        ]);
        assert!(!bench.codes().is_empty(), "{wrong}");
    }
}
