//! `timers`: a million timers far away, kept by runs that sleep in ten branches each. What they cost while nothing is due,
//! and how soon an engine that was killed takes webhooks again with all of them on disk.

use std::time::{Duration, Instant};

use cartwright_tests::{
    engine::{Engine, webhook},
    orders,
    random::Random,
    wire,
};

use crate::{
    flow::{self, amount},
    load::{self, Requests},
    process,
    report::Report,
};

/// Timers of one run.
const BRANCHES: usize = 10;
/// After this long the storage has written what it holds back.
const SETTLED: Duration = Duration::from_secs(45);
/// How long idling is watched.
const WATCHED: Duration = Duration::from_secs(10);

/// Starts runs that sleep for a month, then looks at memory, CPU and a start after kill -9.
pub(crate) fn pending(report: &mut Report) {
    let runs = amount(100_000);
    let branch = |n| format!("      side{n}:\n        - sleep: 30d\n");
    let branches: String = (0..BRANCHES).map(branch).collect();
    let workflow = format!("on: {{ woo: [order.created] }}\nsteps:\n  - parallel:\n{branches}");
    let mut engine = flow::engine(&[("sleep.yaml", &workflow)]);
    let begun = Instant::now();
    let sent = load::send(engine.address(), Requests::orders(1, runs), flow::CONNECTIONS, None);
    assert_eq!(sent.refused, 0, "every webhook is accepted");
    while flow::runs_that(&engine, "waiting") < runs as u64 {
        assert!(begun.elapsed() < Duration::from_secs(900), "{} wait", flow::runs_that(&engine, "waiting"));
        std::thread::sleep(Duration::from_millis(100));
    }
    let timers = runs * BRANCHES;
    report.add(format!("{timers} timers: set"), timers as f64 / begun.elapsed().as_secs_f64(), "/s", "");
    // What the load left to do in the background is no cost of timers.
    std::thread::sleep(SETTLED);
    idle(report, &engine, &format!("{timers} timers pending"));
    engine.kill();
    let begun = Instant::now();
    engine.start();
    let request = webhook("shop-0", "order.updated", &orders::body(1, &mut Random::new(1)));
    let answer = wire::once(engine.address(), &request).expect("an answer");
    assert_eq!(answer.status, 200);
    report.add("the same, killed: start to accepted webhook", begun.elapsed().as_secs_f64() * 1e3, "ms", "< 2000");
    std::thread::sleep(SETTLED);
    idle(report, &engine, "the same, after the start");
}

fn idle(report: &mut Report, engine: &Engine, name: &str) {
    let before = process::cpu(engine.pid());
    std::thread::sleep(WATCHED);
    let used = process::cpu(engine.pid()).saturating_sub(before).as_secs_f64() * 1e3 / WATCHED.as_secs_f64();
    report.add(format!("{name}: CPU while idle"), used, "ms/s", "0");
    report.add(format!("{name}: resident memory"), process::resident_mb(engine.pid()), "MB", "< 150");
}
