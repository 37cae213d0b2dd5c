//! The command line: exit codes, what scripts read (`--json`), with the engine running and without.

use cartwright_tests::{
    engine::{Engine, text},
    orders,
    random::Random,
};
use serde_json::Value;

const FINE: &str = "on: { woo: [order.created] }\nsteps:\n  - { id: a, script: 'event.data.id' }\n";
const FAILS: &str = "on: { woo: [order.created] }\nsteps:\n  - fail: as wanted\n";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn exit_codes_say_what_is_wrong() {
    let engine = Engine::new(&[("fine.yaml", FINE)]);
    let broken = engine.folder().join("broken.yaml");
    std::fs::write(&broken, "on: { woo: [order.created] }\nstps: []\n").unwrap();
    let broken = broken.to_str().unwrap();
    let workflows = engine.workflows();
    let workflows = workflows.to_str().unwrap();
    for (arguments, code) in [
        (&["--version"][..], 0),
        (&["--help"], 0),
        (&["check", workflows], 0),
        (&["check", broken], 1),
        (&["check", "nowhere.yaml"], 3),
        (&["runs", "ls"], 0),
        (&["runs", "show", "run_00000000000000000000000000"], 1),
        (&["runs", "show", "nonsense"], 2),
        (&["runs", "frobnicate"], 2),
        (&["--nonsense"], 2),
        (&[], 2),
        (&["store", "add", "Bad Id", "--url", "https://a.example.com"], 2),
        (&["store", "add", "shop", "--url", "not a url"], 2),
        (&["store", "rm", "nobody"], 1),
        (&["secret", "rm", "nobody"], 1),
    ] {
        let output = engine.command(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output));
        if code != 0 {
            assert!(!output.stderr.is_empty(), "{arguments:?}: says why");
        }
    }
}

#[test]
fn check_points_at_the_line_and_says_what_was_meant() {
    let engine = Engine::new(&[("bad.yaml", "on: { woo: [order.created] }\nsteps:\n  - id: a\n    scrpt: '1'\n")]);
    let output = engine.command(&["check"]);
    let text = text(&output);
    for part in ["bad.yaml:4:", "scrpt", "script", "^"] {
        assert!(text.contains(part), "`{part}` in:\n{text}");
    }
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn stores_and_secrets_are_kept_with_and_without_an_engine() {
    for running in [false, true] {
        let mut engine = Engine::new(&[]);
        if running {
            engine.start();
        }
        engine.command_ok(&[
            "store",
            "add",
            "shop",
            "--url",
            "https://shop.example.com",
            "--webhook-secret",
            "s",
            "--tag",
            "eu",
        ]);
        engine.set_secret("api_key", "value");
        let stores = json(&engine.command_ok(&["store", "ls", "--json"]));
        assert_eq!(stores[0]["id"], "shop", "{stores}");
        assert_eq!(stores[0]["tags"][0], "eu", "{stores}");
        let secrets = json(&engine.command_ok(&["secret", "ls", "--json"]));
        assert_eq!(secrets[0]["name"], "api_key", "{secrets}");
        engine.command_ok(&["store", "rm", "shop"]);
        engine.command_ok(&["secret", "rm", "api_key"]);
        assert_eq!(json(&engine.command_ok(&["store", "ls", "--json"])), serde_json::json!([]));
        assert_eq!(json(&engine.command_ok(&["secret", "ls", "--json"])), serde_json::json!([]));
    }
}

#[test]
fn runs_and_events_are_shown_with_and_without_an_engine() {
    let mut engine = Engine::running(&[("fine.yaml", FINE), ("fails.yaml", FAILS)]);
    let event = engine.order("order.created", &orders::body(7, &mut Random::new(7)));
    engine.wait("both ended", || {
        (engine.runs("status=succeeded").len() + engine.runs("status=failed").len() == 2).then_some(())
    });
    let look = |engine: &Engine| {
        let runs = json(&engine.command_ok(&["runs", "ls", "--event", &event, "--json"]));
        assert_eq!(runs.as_array().map(Vec::len), Some(2), "{runs}");
        let failed = json(&engine.command_ok(&[
            "runs",
            "ls",
            "--status",
            "failed",
            "--workflow",
            "fails",
            "--store",
            "shop",
            "--json",
        ]));
        for key in ["id", "workflow", "version", "status", "store", "event", "retries", "started", "finished", "error"]
        {
            assert!(failed[0].get(key).is_some(), "`{key}` in {failed}");
        }
        let id = failed[0]["id"].as_str().unwrap();
        let shown = json(&engine.command_ok(&["runs", "show", id, "--json"]));
        for key in ["id", "kind", "status", "attempts", "output", "error"] {
            assert!(shown["steps"][0].get(key).is_some(), "`{key}` in {shown}");
        }
        assert_eq!(shown["journal"][0]["type"], "run_started");
        assert_eq!(shown["output"], Value::Null, "it failed");
        let fine = json(&engine.command_ok(&["runs", "ls", "--workflow", "fine", "--json"]));
        let fine = fine[0]["id"].as_str().unwrap();
        assert_eq!(json(&engine.command_ok(&["runs", "show", fine, "--json"]))["output"], 7);
        assert!(
            engine.command_ok(&["runs", "show", fine]).lines().any(|line| line.split_whitespace().eq(["output", "7"]))
        );
        assert!(engine.command_ok(&["runs", "show", id]).contains("as wanted"));
        assert!(engine.command_ok(&["replay", id]).contains("failed"));
        let events = json(&engine.command_ok(&["events", "ls", "--json"]));
        assert_eq!(events[0]["id"], event.as_str(), "{events}");
        let shown = json(&engine.command_ok(&["events", "show", &event, "--json"]));
        assert_eq!(shown["matches"].as_array().map(Vec::len), Some(2), "{shown}");
        (runs, events)
    };
    let with = look(&engine);
    engine.stop();
    let without = look(&engine);
    assert_eq!(with, without, "the same with and without a running engine");
}

#[test]
fn run_runs_here_and_now_and_a_dry_run_only_plans() {
    let writes = "on: { woo: [order.created] }\ngrants: { http: [hooks.example.com] }\nsteps:\n  - id: a\n    http: POST https://hooks.example.com/x\n    body: { id: \"${{ event.data.id }}\" }\n";
    let engine = Engine::new(&[("fine.yaml", FINE), ("writes.yaml", writes)]);
    engine.add_store("shop");
    let file = engine.folder().join("event.json");
    let event =
        serde_json::json!({ "topic": "order.created", "store": "shop", "data": orders::order(9, &mut Random::new(9)) });
    std::fs::write(&file, event.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let shown = engine.command_ok(&["run", "fine", "--event", file, "--store", "shop"]);
    assert!(shown.contains("succeeded"), "{shown}");
    let planned = engine.command_ok(&["run", "writes", "--event", file, "--store", "shop", "--dry-run"]);
    assert!(planned.contains("POST https://hooks.example.com/x"), "{planned}");
    let output = engine.command(&["run", "nothing", "--event", file]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
}

#[test]
fn a_second_engine_on_the_same_folder_or_port_is_refused() {
    let engine = Engine::running(&[]);
    let data = engine.data();
    let output = engine.command(&["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let other = Engine::new(&[]);
    let output = other.command(&["serve", "--listen", &engine.address().to_string()]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
}

#[test]
fn doctor_finds_nothing_wrong_with_a_healthy_engine() {
    let engine = Engine::running(&[("fine.yaml", FINE)]);
    let output = engine.command(&["doctor"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn a_store_that_cannot_be_reached_is_tested_with_and_without_an_engine() {
    for running in [false, true] {
        let mut engine = Engine::new(&[]);
        if running {
            engine.start();
        }
        // Loopback is closed unless it is opened, so nothing is called.
        let url = ["--url", "http://169.254.169.254", "--key", "ck_1", "--secret", "cs_hidden"];
        let added = engine.command_ok(&[&["store", "add", "shop"], &url[..]].concat());
        assert!(added.contains("store shop is connected") && added.contains("✗ address"), "{added}");
        assert_eq!(json(&engine.command_ok(&["store", "ls", "--json"]))[0]["rest_keys"], true, "it is kept");
        for arguments in [&["store", "test", "shop"][..], &["store", "test", "shop", "--json"]] {
            let output = engine.command(arguments);
            assert_eq!(output.status.code(), Some(1), "{}", text(&output));
            assert!(text(&output).contains("metadata") && !text(&output).contains("cs_hidden"), "{}", text(&output));
        }
        assert_eq!(engine.command(&["store", "test", "nobody"]).status.code(), Some(1));
        let quiet = ["store", "add", "other", "--no-test"];
        let added = engine.command_ok(&[&quiet[..], &url[..]].concat());
        assert!(!added.contains("address"), "{added}");
    }
}

#[test]
fn check_reports_for_machines_and_can_deny_warnings() {
    let warned = "on: { woo: [order.created] }\nsteps:\n  - stop: done\n  - stop: never\n";
    let engine = Engine::new(&[("warned.yaml", warned)]);
    for (arguments, code, part) in [
        (&["check"][..], 0, "warning[E0412]"),
        (&["check", "--deny", "warnings"], 1, "warning[E0412]"),
        (&["check", "--format", "github"], 0, "::warning file="),
        (&["check", "--format", "sarif"], 0, "\"version\": \"2.1.0\""),
        (&["check", "--format", "json"], 0, "\"page\": \"engine/docs/errors/E0412.md\""),
        (&["check", "--format", "xml"], 2, "sarif"),
        (&["explain", "e0412"], 0, "E0412: "),
        (&["explain"], 0, "E0104  unknown key"),
        (&["explain", "E9999"], 2, "there is no code"),
    ] {
        let output = engine.command(arguments);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(part), "{arguments:?}: `{part}` in {text}");
        assert!(!text.contains('\x1b'), "no colours where no terminal is");
    }
}

#[test]
fn check_tells_what_an_engine_lacks_only_when_it_is_named() {
    let sends = "on: { woo: [order.created] }\ngrants: { http: [\"POST hooks.slack.com\"], secrets: [slack_path, old] }\nsteps:\n  - http: POST https://hooks.slack.com/${{ secrets.slack_path }}/${{ secrets.old }}\n";
    let engine = Engine::new(&[("sends.yaml", sends)]);
    engine.set_secret("slack_path", "x");
    let data = engine.data();
    let data = data.to_str().unwrap();
    let said = text(&engine.command(&["check"]));
    assert!(said.contains("0 warnings"), "{said}");
    let said = text(&engine.command(&["check", "--data", data]));
    assert!(said.contains("the secret `old` is not set") && said.contains("cartwright secret set old"), "{said}");
    assert!(said.contains("1 warning") && !said.contains("`slack_path` is not"), "{said}");
    assert_eq!(engine.command(&["check", "--data", "nowhere"]).status.code(), Some(3));
}
