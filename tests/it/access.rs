//! Tokens and people with the real binary: made on the command line or with the first link, used over HTTP, kept over a
//! restart, and in no file as they are.

use std::fs;

use cartwright_tests::{
    engine::{Engine, text},
    wire::{Request, once},
};
use serde_json::Value;

const FINE: &str = "on: { woo: [order.created] }\nsteps:\n  - { id: a, script: 'event.data.id' }\n";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn get(engine: &Engine, token: &str, target: &str) -> u16 {
    let request = Request::new("GET", target).header("Authorization", &format!("Bearer {token}"));
    once(engine.address(), &request).expect("the engine answers").status
}

/// The link that the newest start printed.
fn link(engine: &Engine) -> Option<String> {
    let log = engine.log();
    let line = log.lines().rev().find(|line| line.contains("/join/"))?;
    Some(line.split("/join/").nth(1)?.trim().to_owned())
}

#[test]
fn a_token_made_on_the_command_line_works_until_it_is_revoked() {
    let mut engine = Engine::new(&[("fine.yaml", FINE)]);
    engine.add_store("shop");
    let made = ["token", "create", "--name", "ci", "--scope", "runs:read,stores:read", "--scope", "events:write"];
    let made = json(&engine.command_ok(&[&made[..], &["--store", "shop", "--expires", "90d", "--json"]].concat()));
    let (id, token) = (made["id"].as_str().expect("an id"), made["token"].as_str().expect("a token").to_owned());
    assert!(token.starts_with("cwt_") && made["stores"][0] == "shop" && made["expires"].is_string(), "{made}");
    engine.start();
    assert_eq!(get(&engine, &token, "/api/v1/runs"), 200);
    assert_eq!(get(&engine, &token, "/api/v1/secrets"), 403);
    assert_eq!(get(&engine, "cwt_x", "/api/v1/runs"), 401);
    let server = format!("http://{}", engine.address());
    let listed = json(&engine.command_ok(&["--server", &server, "--token", &token, "store", "ls", "--json"]));
    assert_eq!(listed[0]["id"], "shop");
    let refused = engine.command(&["--server", &server, "--token", &token, "secret", "ls"]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("secrets:read"), "says what is missing: {}", text(&refused));
    assert_eq!(engine.command(&["--server", &server, "store", "ls"]).status.code(), Some(2), "no token is no use");
    assert_eq!(engine.stop(), Some(0));
    engine.start();
    let tokens = json(&engine.command_ok(&["token", "ls", "--json"]));
    assert!(tokens[0]["requests"].as_u64().is_some_and(|number| number >= 3), "its use is kept: {tokens}");
    assert!(engine.command_ok(&["token", "ls"]).contains("ci"));
    engine.command_ok(&["token", "revoke", id]);
    assert_eq!(get(&engine, &token, "/api/v1/runs"), 401);
    engine.kill();
    engine.start();
    assert_eq!(get(&engine, &token, "/api/v1/runs"), 401, "for good");
    for (arguments, code) in [
        (&["token", "create", "--name", "x", "--scope", "runs:rule"][..], 2),
        (&["token", "create", "--name", "x"], 2),
        (&["token", "create", "--name", "x", "--scope", "runs:read", "--expires", "soon"], 2),
        (&["token", "create", "--name", "x", "--scope", "runs:read", "--rate", "0"], 2),
        (&["token", "revoke", "tok_none"], 1),
    ] {
        let output = engine.command(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn the_first_link_is_printed_until_somebody_joined() {
    let mut engine = Engine::running(&[("fine.yaml", FINE)]);
    let old = link(&engine).expect("a link");
    assert_eq!(engine.stop(), Some(0));
    engine.start();
    let new = link(&engine).expect("a link");
    assert_ne!(old, new, "a fresh one at each start");
    let join = |link: &str| {
        let request = Request::new("POST", &format!("/join/{link}"));
        let request = request.body(b"name=ada&password=correct+horse+battery");
        once(engine.address(), &request).expect("the engine answers")
    };
    assert_eq!(join(&old).status, 404);
    assert_eq!(join(&new).status, 303);
    assert_eq!(join(&new).status, 404);
    let people = engine.get("/api/v1/users");
    assert_eq!(people["items"][0]["name"], "ada");
    let printed = engine.log().len();
    assert_eq!(engine.stop(), Some(0));
    engine.start();
    assert!(!engine.log()[printed..].contains("/join/"), "nobody is invited any more");
    let mut files = vec![engine.data()];
    while let Some(path) = files.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => files.extend(entries.map(|entry| entry.expect("an entry").path())),
            Err(_) => {
                let bytes = fs::read(&path).unwrap_or_default();
                for secret in ["correct horse battery", new.as_str()] {
                    let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                    assert!(!found, "{secret} is in {}", path.display());
                }
            }
        }
    }
}
