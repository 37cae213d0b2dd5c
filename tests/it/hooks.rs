//! `POST /hooks/{path}`: HTTP triggers with bearer tokens and signatures.

use cartwright_tests::{
    engine::Engine,
    sign,
    wire::{Request, Response, once},
};
use serde_json::json;

const TOKEN: &str = "hook-token-for-the-test-77";
const SECRET: &str = "hmac-secret-for-the-test-88";

const BEARER: &str =
    "on: { http: { path: /intake, auth: bearer } }\nsteps:\n  - id: see\n    script: event.data.name\n";
const SIGNED: &str = r#"
on:
  http:
    path: /github/push
    auth: { hmac: { secret: signing, header: X-Hub-Signature-256, encoding: hex, prefix: "sha256=" } }
steps:
  - id: see
    script: event.data.ref
"#;
const OPEN: &str = "on: { http: { path: /open, auth: none } }\nsteps:\n  - id: see\n    script: event.data\n";

fn engine() -> Engine {
    let mut engine = Engine::new(&[("bearer.yaml", BEARER), ("signed.yaml", SIGNED), ("open.yaml", OPEN)]);
    engine.set_secret("hook_token", TOKEN);
    engine.set_secret("signing", SECRET);
    engine.start();
    engine
}

fn post(engine: &Engine, path: &str, header: Option<(&str, &str)>, body: &str) -> Response {
    let mut request = Request::new("POST", path).header("Content-Type", "application/json");
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    once(engine.address(), &request.body(body)).expect("an answer")
}

fn output_of(engine: &Engine, response: &Response) -> serde_json::Value {
    assert_eq!(response.status, 202, "{}", response.text());
    let event = response.json()["event"].as_str().expect("an event").to_owned();
    engine.run_of(&event, "succeeded")["steps"][0]["output"].clone()
}

#[test]
fn callers_who_may_start_runs() {
    let engine = engine();
    let bearer = format!("Bearer {TOKEN}");
    let answer = post(&engine, "/hooks/intake", Some(("Authorization", &bearer)), r#"{"name":"Ada"}"#);
    assert_eq!(output_of(&engine, &answer), "Ada");

    let body = r#"{"ref":"refs/heads/main"}"#;
    let signature = format!("sha256={}", sign::hex(body.as_bytes(), SECRET));
    let answer = post(&engine, "/hooks/github/push", Some(("X-Hub-Signature-256", &signature)), body);
    assert_eq!(output_of(&engine, &answer), "refs/heads/main");

    let answer = post(&engine, "/hooks/open", None, r#"[1, 2.50, "drei"]"#);
    assert_eq!(output_of(&engine, &answer).to_string(), r#"[1,2.50,"drei"]"#);
}

#[test]
fn callers_who_may_not_are_refused_and_start_nothing() {
    let engine = engine();
    let body = r#"{"ref":"x","name":"x"}"#;
    let signature = |secret: &str| format!("sha256={}", sign::hex(body.as_bytes(), secret));
    let (wrong, right) = (signature("other"), signature(SECRET));
    let bare = right.trim_start_matches("sha256=").to_owned();
    let cases: &[(&str, Option<(&str, &str)>)] = &[
        ("/hooks/intake", None),
        ("/hooks/intake", Some(("Authorization", "Bearer "))),
        ("/hooks/intake", Some(("Authorization", "Bearer wrong"))),
        ("/hooks/intake", Some(("Authorization", "Basic aG9vay10b2tlbg=="))),
        ("/hooks/github/push", None),
        ("/hooks/github/push", Some(("X-Hub-Signature-256", &wrong))),
        ("/hooks/github/push", Some(("X-Hub-Signature-256", &bare))),
        ("/hooks/github/push", Some(("X-Hub-Signature-256", "sha256=zz"))),
        ("/hooks/github/push", Some(("X-Hub-Signature-256", ""))),
    ];
    for (path, header) in cases {
        let answer = post(&engine, path, *header, body);
        assert_eq!(answer.status, 401, "{path} {header:?}: {}", answer.text());
    }
    assert_eq!(post(&engine, "/hooks/nowhere", None, body).status, 404);
    let wrong_method = once(engine.address(), &Request::new("PUT", "/hooks/open").json(&json!({}))).unwrap();
    assert!(matches!(wrong_method.status, 404 | 405), "{}", wrong_method.status);
    assert!(engine.runs("").is_empty());
    assert_eq!(engine.get("/api/v1/events")["items"], json!([]));
}
