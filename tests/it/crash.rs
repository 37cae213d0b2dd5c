//! The process is killed with -9 at random points under load, again and again. Afterwards every accepted event has its
//! runs, every run has ended or is parked, and every effect outside happened exactly once or is shown as `unknown`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use cartwright_tests::{
    engine::{Engine, webhook},
    environment, orders,
    random::{Random, fresh_seed},
    sink::{Answer, Keys, Received, Sink},
    wire::Connection,
};
use parking_lot::Mutex;
use serde_json::Value;

use crate::straight_path::with_sink;

/// Calls before and after a script that calls, sleeps and counts: crashes hit every kind of commit.
const WORKFLOW: &str = r#"
on: { woo: { topics: [order.created], if: number(event.data.total) > 0 } }
grants: { http: ["127.0.0.1"] }
retry: { attempts: 6, initial: 20ms, factor: 1, max: 40ms }
steps:
  - id: first
    http: POST http://SINK/first
    body: { effect: "first-${{ event.data.id }}" }
    IDEMPOTENT
  - id: script
    script: |
      let n = state::increment("orders", 1);
      let answer = http::post("http://SINK/script", #{ effect: `script-${event.data.id}` }OPTIONS);
      clock::sleep("15ms");
      n
  - id: nap
    sleep: 10ms
  - id: each
    for_each: "[1, 2]"
    steps:
      - id: one
        http: POST http://SINK/each
        body: { effect: "each${{ item }}-${{ event.data.id }}" }
        IDEMPOTENT
"#;
const EFFECTS: [&str; 4] = ["first", "script", "each1", "each2"];

/// Orders on their way at any time.
const SENDERS: u64 = 4;
const SHORTEST_LIFE: Duration = Duration::from_millis(60);
const LONGEST_LIFE: Duration = Duration::from_millis(420);
/// How long the last start may take to bring everything to its end.
const SETTLE: Duration = Duration::from_secs(60);

struct World {
    sink: Sink,
    engine: Engine,
    /// Accepted: the event's id by order number.
    accepted: BTreeMap<u64, String>,
}

/// Posts orders until told to stop; what was answered 200 is accepted and must never be lost. An order without an
/// answer is posted again, as an impatient sender does, and counts as accepted when it finally is.
fn send(
    address: std::net::SocketAddr,
    sender: u64,
    next: &Mutex<u64>,
    stop: &AtomicBool,
    accepted: &Mutex<BTreeMap<u64, String>>,
) {
    let mut pending: Option<u64> = None;
    let mut connection: Option<Connection> = None;
    while !stop.load(Ordering::Relaxed) {
        let number = pending.unwrap_or_else(|| {
            let mut next = next.lock();
            *next += 1;
            *next * SENDERS + sender
        });
        pending = Some(number);
        let request = webhook("shop", "order.created", &orders::body(number, &mut Random::new(number)));
        let open = connection.take().map_or_else(|| Connection::open(address), Ok);
        let answered = open.and_then(|mut open| open.send(&request).map(|answer| (open, answer)));
        let Ok((open, answer)) = answered else {
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        connection = Some(open);
        if answer.status == 200 {
            let event = answer.json()["event"].as_str().expect("an event id").to_owned();
            accepted.lock().insert(number, event);
            pending = None;
            // A shop's pace, not a flood: the point is to be killed in the middle of work, not to build a backlog.
            thread::sleep(Duration::from_millis(4));
        }
    }
}

/// Kills and restarts the engine `rounds` times under load, then lets everything settle.
fn crash(keys: Keys, seed: u64, rounds: u64) -> World {
    let idempotent = keys == Keys::Honoured;
    let workflow = WORKFLOW
        .replace("IDEMPOTENT", if idempotent { "idempotent: true" } else { "name: once" })
        .replace("OPTIONS", if idempotent { ", #{ idempotent: true }" } else { "" });
    let sink = Sink::start(keys);
    // Slow answers widen the window between intent and result.
    for path in ["/first", "/script"] {
        let late = Answer::Late(Duration::from_millis(3), Box::new(Answer::Json(200, serde_json::json!({}))));
        sink.answer_always(path, late);
    }
    let mut engine = Engine::running(&[("crash.yaml", &with_sink(&workflow, &sink))]);
    let mut random = Random::new(seed);
    let (next, accepted) = (Mutex::new(0), Mutex::new(BTreeMap::new()));
    for _ in 0..rounds {
        let stop = AtomicBool::new(false);
        let address = engine.address();
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (next, accepted, stop) = (&next, &accepted, &stop);
                scope.spawn(move || send(address, sender, next, stop, accepted));
            }
            thread::sleep(random.between(SHORTEST_LIFE, LONGEST_LIFE));
            engine.kill();
            stop.store(true, Ordering::Relaxed);
        });
        engine.start();
    }
    World { sink, engine, accepted: accepted.into_inner() }
}

fn settled(world: &World) -> BTreeMap<String, Value> {
    let begun = Instant::now();
    loop {
        let runs = world.engine.runs("");
        let open: Vec<&Value> = runs
            .iter()
            .filter(|run| {
                !["succeeded", "failed", "cancelled", "parked"].contains(&run["status"].as_str().unwrap_or_default())
            })
            .collect();
        let with_runs: BTreeSet<&str> = runs.iter().filter_map(|run| run["event"].as_str()).collect();
        let missing = world.accepted.values().filter(|event| !with_runs.contains(event.as_str())).count();
        if open.is_empty() && missing == 0 {
            return runs.into_iter().map(|run| (run["event"].as_str().unwrap_or_default().to_owned(), run)).collect();
        }
        assert!(
            begun.elapsed() < SETTLE,
            "{missing} accepted events have no run, {} runs do not end; the first: {:#}\n{}",
            open.len(),
            open.first().map_or(Value::Null, |run| world.engine.run(run["id"].as_str().unwrap_or_default())),
            world.engine.log().lines().rev().take(40).collect::<Vec<_>>().join("\n"),
        );
        thread::sleep(Duration::from_millis(50));
    }
}

fn effect(received: &Received) -> String {
    received.json()["effect"].as_str().unwrap_or_default().to_owned()
}

#[expect(clippy::print_stderr, reason = "the seed must be seen where the test fails")]
fn rounds_and_seed() -> (u64, u64) {
    let rounds = environment::number("CARTWRIGHT_CRASH_ROUNDS", 50) / 2;
    let seed = environment::number("CARTWRIGHT_SEED", fresh_seed());
    eprintln!("{rounds} kills, CARTWRIGHT_SEED={seed}");
    (rounds.max(1), seed)
}

#[test]
fn with_a_receiver_that_honours_keys_every_effect_happens_exactly_once() {
    let (rounds, seed) = rounds_and_seed();
    let world = crash(Keys::Honoured, seed, rounds);
    let runs = settled(&world);
    assert!(world.accepted.len() as u64 > rounds, "the engine was under load: {} events", world.accepted.len());
    let effects = world.sink.effects(effect);
    for (number, event) in &world.accepted {
        let run = &runs[event];
        assert_eq!(
            run["status"],
            "succeeded",
            "seed {seed}: {:#}",
            world.engine.run(run["id"].as_str().unwrap_or_default())
        );
        for name in EFFECTS {
            assert_eq!(
                effects.get(&format!("{name}-{number}")),
                Some(&1),
                "seed {seed}: {name} of order {number}: {run}"
            );
        }
    }
    assert!(effects.values().all(|count| *count == 1), "seed {seed}: no effect twice, of unacknowledged events either");
    eprintln!("{} events accepted, {} effects, {} requests", world.accepted.len(), effects.len(), world.sink.count());
}

#[test]
fn with_a_receiver_that_ignores_keys_no_effect_happens_twice_and_doubt_is_shown() {
    let (rounds, seed) = rounds_and_seed();
    let world = crash(Keys::Ignored, seed, rounds);
    let runs = settled(&world);
    let effects = world.sink.effects(effect);
    for (name, count) in &effects {
        assert_eq!(*count, 1, "seed {seed}: {name} happened {count} times");
    }
    let mut unknown = 0;
    for (number, event) in &world.accepted {
        let run = world.engine.run(runs[event]["id"].as_str().unwrap_or_default());
        if run["status"] == "succeeded" {
            for name in EFFECTS {
                assert_eq!(effects.get(&format!("{name}-{number}")), Some(&1), "seed {seed}: {name} of order {number}");
            }
            continue;
        }
        assert_eq!(run["status"], "parked", "seed {seed}: {run:#}");
        let steps = run["steps"].as_array().cloned().unwrap_or_default();
        assert!(steps.iter().any(|step| step["status"] == "unknown"), "seed {seed}: parked without doubt: {run:#}");
        unknown += 1;
    }
    eprintln!("{} events accepted, {unknown} runs in doubt, {} effects", world.accepted.len(), effects.len());
}
