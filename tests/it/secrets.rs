//! Secrets go where they are meant to go and appear nowhere else: not in the data folder, logs, API answers or output.

use std::{fs, path::Path};

use cartwright_tests::{
    engine::{Engine, WEBHOOK_SECRET, text},
    orders,
    random::Random,
    sink::{Keys, Sink},
};
use serde_json::json;

use crate::straight_path::with_sink;

const SECRET: &str = "sk-made-up-9f3b7c51d2";

const WORKFLOW: &str = r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1"], secrets: [api_key] }
steps:
  - id: step
    http: POST http://SINK/step/${{ secrets.api_key }}
    headers: { Authorization: "Bearer ${{ secrets.api_key }}" }
    body: { key: "${{ secrets.api_key }}" }
  - id: script
    script: |
      let key = secrets::get("api_key");
      log::info("about to call");
      let answer = http::post("http://SINK/script", #{ key: key }, #{ headers: #{ "X-Key": key } });
      answer.status
  - id: refused
    http: POST http://SINK/refused/${{ secrets.api_key }}
    on_error: continue
  - id: unreachable
    http: POST http://127.0.0.1:9/${{ secrets.api_key }}
    on_error: continue
    retry: { attempts: 1 }
"#;

fn search(folder: &Path, needle: &[u8], found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            search(&entry, needle, found);
        } else if fs::read(&entry).is_ok_and(|bytes| bytes.windows(needle.len()).any(|window| window == needle)) {
            found.push(entry.display().to_string());
        }
    }
}

#[test]
fn secrets_arrive_where_they_are_sent_and_appear_nowhere_else() {
    let sink = Sink::start(Keys::Ignored);
    sink.answer_always(
        &format!("/refused/{SECRET}"),
        cartwright_tests::sink::Answer::Json(400, json!({ "error": "no" })),
    );
    let mut engine = Engine::new(&[("secret.yaml", &with_sink(WORKFLOW, &sink))]);
    engine.variable("CARTWRIGHT_LOG", "trace");
    engine.add_store("shop");
    engine.set_secret("api_key", SECRET);
    engine.start();
    let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    let run = engine.run_of(&event, "succeeded");
    let id = run["id"].as_str().unwrap().to_owned();

    let received = sink.received();
    assert_eq!(received[0].path, format!("/step/{SECRET}"));
    assert_eq!(received[0].header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
    assert_eq!(received[0].json()["key"], SECRET);
    assert_eq!(received[1].header("x-key"), Some(SECRET));
    assert_eq!(received[1].json()["key"], SECRET);

    let mut shown =
        vec![run.to_string(), engine.get("/api/v1/runs").to_string(), engine.get("/api/v1/events").to_string()];
    for path in ["/metrics", "/", "/api/v1/secrets", "/api/v1/stores", "/api/v1/workflows"] {
        shown.push(engine.api("GET", path, None).text());
    }
    for command in [
        &["runs", "show", &id][..],
        &["runs", "ls"],
        &["secret", "ls"],
        &["store", "ls", "--json"],
        &["replay", &id],
        &["doctor"],
    ] {
        shown.push(text(&engine.command(command)));
    }
    engine.stop();
    shown.push(engine.log());
    let encoded = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(SECRET)
    };
    for secret in [SECRET, WEBHOOK_SECRET, encoded.as_str(), &hex::encode(SECRET)] {
        for text in &shown {
            assert!(!text.contains(secret), "{secret} in: {text}");
        }
        let mut found = Vec::new();
        search(&engine.data(), secret.as_bytes(), &mut found);
        assert!(found.is_empty(), "{secret} in {found:?}");
    }
}

#[test]
fn keys_and_tokens_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let engine = Engine::running(&[]);
    let mut checked = 0;
    for entry in fs::read_dir(engine.data()).expect("a data folder").map(|entry| entry.expect("an entry")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.contains("key") || name.contains("token") {
            let mode = entry.metadata().expect("metadata").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
            checked += 1;
        }
    }
    assert!(checked >= 2, "a master key and a token lie in the data folder");
}

#[test]
fn a_missing_secret_parks_the_run_and_setting_it_mends_it() {
    let sink = Sink::start(Keys::Ignored);
    let engine = Engine::running(&[("secret.yaml", &with_sink(WORKFLOW, &sink))]);
    let event = engine.order("order.created", &orders::body(1, &mut Random::new(1)));
    let parked = engine.run_of(&event, "parked");
    assert!(parked["error"]["message"].as_str().is_some_and(|message| message.contains("api_key")), "{parked:#}");
    assert_eq!(sink.count(), 0);
    engine.set_secret("api_key", SECRET);
    engine.command_ok(&["runs", "retry", parked["id"].as_str().unwrap()]);
    engine.run_of(&event, "succeeded");
}
