//! The process is killed with -9 and requests with `Idempotency-Key` are sent again: nothing is done twice, what was
//! answered is answered the same, and where nobody can know it is said.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use cartwright_tests::{
    engine::Engine,
    environment,
    random::{Random, fresh_seed},
    wire::{Connection, Request, Response, once},
};
use serde_json::{Value, json};

const BY_HAND: &str = "on: { event: [stock.low] }\nsteps: [{ stop: done }]\n";
/// Clients that send at once.
const CLIENTS: u64 = 6;
const SHORTEST_LIFE: Duration = Duration::from_millis(15);
const LONGEST_LIFE: Duration = Duration::from_millis(150);

fn post(token: &str, key: &str, target: &str, body: &Value) -> Request {
    let request = Request::new("POST", &format!("/api/v1{target}")).header("Authorization", &format!("Bearer {token}"));
    request.header("Idempotency-Key", key).json(body)
}

fn replayed(answer: &Response) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

/// All items of a list.
fn all(engine: &Engine, list: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = engine.get(&format!("/api/v1/{list}?limit=200{cursor}"));
        items.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

#[test]
fn an_answer_that_was_given_is_given_again_after_a_crash() {
    let mut engine = Engine::running(&[("low.yaml", BY_HAND)]);
    let token = engine.token();
    let requests = [
        post(&token, "k-event", "/events", &json!({ "topic": "stock.low", "store": "shop", "data": { "n": 1 } })),
        post(&token, "k-run", "/workflows/low/run", &json!({ "event": { "n": 2 } })),
        post(&token, "k-store", "/stores", &json!({ "id": "second" })),
        post(&token, "k-refused", "/stores", &json!({ "id": "shop" })),
    ];
    for request in &requests {
        let first = once(engine.address(), request).expect("answered");
        engine.kill();
        assert!([201, 202, 409].contains(&first.status) && !replayed(&first), "{}", first.text());
        engine.start();
        let again = once(engine.address(), request).expect("answered");
        assert_eq!((again.status, again.text(), replayed(&again)), (first.status, first.text(), true));
    }
    assert_eq!(all(&engine, "events").len(), 2, "one of each that brings one in");
    engine.wait("a run of each", || (engine.runs("status=succeeded").len() == 2).then_some(()));
    assert_eq!(all(&engine, "stores").len(), 2);
    let other = post(&token, "k-event", "/events", &json!({ "topic": "stock.low", "data": { "n": 9 } }));
    let refused = once(engine.address(), &other).expect("answered");
    assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("idempotency_key_reused")));
}

/// A request, and the answer that arrived before the engine died, if one did.
struct Sent {
    request: Request,
    kind: Kind,
    answer: Option<Response>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Event,
    Run,
    Store,
}

/// Sends changes of all kinds, one after the other, until the engine is gone.
fn send(address: SocketAddr, token: &str, client: &str, stop: &AtomicBool) -> Vec<Sent> {
    let mut sent = Vec::new();
    let Ok(mut connection) = Connection::open(address) else { return sent };
    for number in 0.. {
        let name = format!("{client}-{number}");
        let (kind, target, body) = match number % 3 {
            0 => (Kind::Event, "/events", json!({ "topic": "stock.low", "store": "shop", "data": { "name": name } })),
            1 => (Kind::Run, "/workflows/low/run", json!({ "event": { "name": name } })),
            _ => (Kind::Store, "/stores", json!({ "id": name })),
        };
        let request = post(token, &name, target, &body);
        let answer = connection.send(&request).ok();
        let is_over = answer.is_none() || stop.load(Ordering::Relaxed);
        sent.push(Sent { request, kind, answer });
        if is_over {
            break;
        }
    }
    sent
}

#[test]
fn a_request_that_a_crash_cut_off_is_not_done_twice() {
    let rounds = environment::number("CARTWRIGHT_CRASH_ROUNDS", 50) / 5;
    let seed = environment::number("CARTWRIGHT_SEED", fresh_seed());
    let mut random = Random::new(seed);
    let mut engine = Engine::running(&[("low.yaml", BY_HAND)]);
    let token = engine.token();
    let mut outcomes: BTreeMap<(Kind, &str), usize> = BTreeMap::new();
    let mut events: BTreeSet<String> = BTreeSet::new();
    let mut stores = 1;
    for round in 0..rounds.max(1) {
        let (stop, address, life) =
            (AtomicBool::new(false), engine.address(), random.between(SHORTEST_LIFE, LONGEST_LIFE));
        let sent: Vec<Sent> = thread::scope(|scope| {
            let (stop, token) = (&stop, &token);
            let client = |n: u64| scope.spawn(move || send(address, token, &format!("r{round}-c{n}"), stop));
            let clients: Vec<_> = (0..CLIENTS).map(client).collect();
            thread::sleep(life);
            engine.kill();
            stop.store(true, Ordering::Relaxed);
            clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect()
        });
        engine.start();
        for Sent { request, kind, answer } in sent {
            let again = once(engine.address(), &request).expect("answered");
            let context = format!("seed {seed}, round {round}: {kind:?} {} {}", again.status, again.text());
            let outcome = match (&answer, again.status) {
                (Some(first), _) => {
                    let same = (first.status, first.text(), true);
                    assert_eq!((again.status, again.text(), replayed(&again)), same, "{context}");
                    "answered"
                }
                (None, 202) if kind != Kind::Store && replayed(&again) => "answer lost",
                (None, 202) if kind != Kind::Store => "now",
                (None, 201) if kind == Kind::Store && replayed(&again) => "answer lost",
                (None, 201) if kind == Kind::Store => "now",
                (None, 409) if kind == Kind::Store => {
                    assert_eq!(again.json()["code"], "outcome_unknown", "{context}");
                    "unknown"
                }
                _ => panic!("{context}"),
            };
            *outcomes.entry((kind, outcome)).or_default() += 1;
            match kind {
                Kind::Store => stores += usize::from(outcome != "unknown"),
                _ => {
                    let id = again.json()["id"].as_str().expect("an id").to_owned();
                    assert!(events.insert(id), "one event for each request: {context}");
                }
            }
        }
    }
    let there: BTreeSet<String> =
        all(&engine, "events").iter().map(|event| event["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(there, events, "seed {seed}: {outcomes:?}");
    let unknown = outcomes.get(&(Kind::Store, "unknown")).copied().unwrap_or_default();
    let connected = all(&engine, "stores").len();
    assert!((stores..=stores + unknown).contains(&connected), "seed {seed}: {connected} stores, {outcomes:?}");
    assert!(outcomes.keys().any(|(_, outcome)| *outcome != "answered"), "seed {seed}: cut off: {outcomes:?}");
    eprintln!("{} events, {outcomes:?}", events.len());
}
