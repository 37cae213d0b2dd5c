//! The live stream with the real binary: server-sent events and WebSockets, over kills and stops, and `runs watch`.

use std::thread;

use cartwright_tests::{
    engine::{Engine, text},
    live::{Over, Socket, Sse},
    wire::{Request, once},
};
use serde_json::{Value, json};

const SHORT: &str = "on: { woo: [order.created] }\nsteps:\n  - { id: a, script: 'event.data.id' }\n  - { id: b, if: 'false', stop: never }\n";
const LONG: &str = "on: { event: { topics: [long.one] } }\nsteps:\n  - { id: nap, sleep: 2d }\n";

fn emit(engine: &Engine, topic: &str, store: &str) -> String {
    let answer = engine.api("POST", "/api/v1/events", Some(&json!({ "topic": topic, "store": store })));
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

fn brief(item: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let step = word(&item["data"]["step"]);
    format!("{} {step}{}{}", word(&item["kind"]), if step.is_empty() { "" } else { " " }, word(&item["status"]))
}

#[test]
fn both_ways_tell_an_event_its_run_and_its_steps_in_order() {
    let engine = Engine::running(&[("short.yaml", SHORT)]);
    let authorization = format!("Bearer {}", engine.token());
    let mut sse = Sse::open(engine.address(), &engine.token(), "").expect("open");
    let mut socket = Socket::open(engine.address(), &[("Authorization", &authorization)], "").expect("open");
    let event = engine.order("order.created", br#"{"id":7,"billing":{"email":"ada@example.test"}}"#);
    let run = engine.run_of(&event, "succeeded");
    let told: Vec<Value> = (0..6).map(|_| sse.item().expect("an item")).collect();
    let expect =
        ["event accepted", "run running", "step a running", "step a succeeded", "step b skipped", "run succeeded"];
    assert_eq!(told.iter().map(brief).collect::<Vec<_>>(), expect);
    assert!(told.iter().all(|item| item["event"] == json!(event) && item["store"] == "shop"), "{told:#?}");
    assert!(told[1..].iter().all(|item| item["run"] == run["id"]), "{told:#?}");
    assert!(!json!(told).to_string().contains("example.test"), "what events carry is not told");
    let over: Vec<Value> = (0..6).map(|_| socket.item().expect("an item")).collect();
    assert_eq!(over, told, "the same items with the same ids");
}

#[test]
fn after_a_kill_there_is_one_gap_and_then_what_is_new() {
    let mut engine = Engine::running(&[("short.yaml", SHORT)]);
    let mut sse = Sse::open(engine.address(), &engine.token(), "?kind=event").expect("open");
    emit(&engine, "a.one", "shop");
    sse.item().expect("an item");
    let last = sse.last_id.clone();
    engine.kill();
    assert_eq!(sse.item(), Err(Over::Ended));
    engine.start();
    let mut back = Sse::open(engine.address(), &engine.token(), &format!("?kind=event&last_id={last}")).expect("open");
    let id = emit(&engine, "a.two", "shop");
    let gap = back.item().expect("a gap");
    assert_eq!((gap["kind"].as_str(), &gap["data"]["from"]), (Some("gap"), &json!(last)));
    assert_eq!(back.item().expect("the new one")["event"], json!(id));
}

#[test]
fn a_token_for_one_store_hears_of_no_other() {
    let mut engine = Engine::new(&[("short.yaml", SHORT), ("long.yaml", LONG)]);
    engine.add_store("shop");
    engine.add_store("other");
    engine.start();
    let made = ["token", "create", "--name", "one", "--scope", "events:read,runs:read", "--store", "other", "--json"];
    let made: Value = serde_json::from_str(&engine.command_ok(&made)).expect("JSON");
    let (id, token) = (made["id"].as_str().expect("an id"), made["token"].as_str().expect("a token"));
    let mut sse = Sse::open(engine.address(), token, "").expect("open");
    let bearer = format!("Bearer {token}");
    let mut socket = Socket::open(engine.address(), &[("Authorization", &bearer)], "").expect("open");
    let hidden = engine.order("order.created", br#"{"id":7}"#);
    engine.run_of(&hidden, "succeeded");
    let seen = emit(&engine, "long.one", "other");
    engine.run_of(&seen, "waiting");
    for _ in 0..3 {
        assert_eq!(sse.item().expect("an item")["event"], json!(seen));
        assert_eq!(socket.item().expect("an item")["event"], json!(seen));
    }
    assert_eq!(Sse::open(engine.address(), token, "?kind=store").err(), Some(Over::Status(403)));
    engine.command_ok(&["token", "revoke", id]);
    while sse.item().is_ok() {}
    let over = loop {
        if let Err(over) = socket.item() {
            break over;
        }
    };
    assert_eq!(over, Over::Closed(4401));
    assert_eq!(Sse::open(engine.address(), token, "").err(), Some(Over::Status(401)));
}

#[test]
fn streams_are_counted_checked_and_end_with_the_engine() {
    let mut engine = Engine::running(&[("short.yaml", SHORT)]);
    let (address, token) = (engine.address(), engine.token());
    for query in ["?kind=runs", "?what=x", "?last_id=x", "?status=done"] {
        assert_eq!(Sse::open(address, &token, query).err(), Some(Over::Status(400)), "{query}");
    }
    let bearer = format!("Bearer {token}");
    let mut streams: Vec<Sse> = (0..63).map(|_| Sse::open(address, &token, "").expect("room")).collect();
    let mut socket = Socket::open(address, &[("Authorization", &bearer)], "").expect("room");
    assert_eq!(Sse::open(address, &token, "").err(), Some(Over::Status(429)));
    assert_eq!(Socket::open(address, &[("Authorization", &bearer)], "").err(), Some(Over::Status(429)));
    assert_eq!(engine.stop(), Some(0), "streams keep no engine from stopping");
    assert_eq!(socket.item(), Err(Over::Closed(1001)));
    assert_eq!(streams.remove(0).item(), Err(Over::Ended));
}

#[test]
fn a_page_of_somebody_else_cannot_listen_with_a_persons_cookie() {
    let engine = Engine::running(&[]);
    let log = engine.log();
    let link = log.split("/join/").nth(1).and_then(|rest| rest.lines().next()).expect("a link").trim();
    let join = Request::new("POST", &format!("/join/{link}")).body(b"name=ada&password=correct+horse+battery");
    let joined = once(engine.address(), &join).expect("an answer");
    let cookie = joined.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
    let with = |origin: &str| Socket::open(engine.address(), &[("Cookie", &cookie), ("Origin", origin)], "").err();
    assert_eq!(with("https://evil.example"), Some(Over::Status(403)));
    assert_eq!(with("http://localhost"), None, "our own page");
    assert_eq!(Socket::open(engine.address(), &[], "").err(), Some(Over::Status(401)));
}

#[test]
fn watching_a_run_ends_with_it() {
    let mut engine = Engine::new(&[("short.yaml", SHORT), ("long.yaml", LONG)]);
    engine.add_store("shop");
    let nobody = engine.command(&["runs", "watch"]);
    assert_eq!(nobody.status.code(), Some(3), "{}", text(&nobody));
    assert!(text(&nobody).contains("cartwright serve"), "says what to do: {}", text(&nobody));
    engine.start();
    let event = engine.order("order.created", br#"{"id":7}"#);
    let run = engine.run_of(&event, "succeeded")["id"].as_str().expect("an id").to_owned();
    assert!(engine.command_ok(&["runs", "watch", &run]).contains("succeeded"), "it had ended already");
    let waiting = emit(&engine, "long.one", "shop");
    let run = engine.run_of(&waiting, "waiting")["id"].as_str().expect("an id").to_owned();
    let watched = thread::scope(|scope| {
        let watching = scope.spawn(|| engine.command(&["runs", "watch", &run]));
        engine.command_ok(&["runs", "cancel", &run]);
        watching.join().expect("no panic")
    });
    assert_eq!(watched.status.code(), Some(1), "{}", text(&watched));
    assert!(text(&watched).contains("cancelled"), "{}", text(&watched));
    let unknown = engine.command(&["runs", "watch", "run_00000000000000000000000000"]);
    assert!(matches!(unknown.status.code(), Some(1 | 2)), "{}", text(&unknown));
}
