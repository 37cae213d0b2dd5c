//! Webhooks in, runs out: acceptance against the bare handler, completed runs a second, CPU for one run and one step.

use std::time::{Duration, Instant};

use cartwright_tests::{
    engine::Engine,
    environment,
    sink::{Keys, Sink},
};

use crate::{
    bare::Bare,
    load::{self, Requests},
    process,
    report::Report,
};

pub(crate) const CONNECTIONS: usize = 64;
const ROUNDS: usize = 3;

pub(crate) fn amount(default: u64) -> usize {
    usize::try_from(environment::number("CARTWRIGHT_BENCH_REQUESTS", default)).unwrap_or(usize::MAX)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

pub(crate) fn engine(workflows: &[(&str, &str)]) -> Engine {
    let mut engine = Engine::new(workflows);
    for store in load::stores() {
        engine.add_store(&store);
    }
    engine.start();
    engine
}

/// Bare handler and engine in turn, so that a noisy moment hits both; the median counts.
pub(crate) fn acceptance(report: &mut Report) {
    let count = amount(40_000);
    let bare = Bare::start();
    // One workflow listens to something else: matching is part of what is measured, running is not.
    let engine = engine(&[("other.yaml", "on: { woo: [customer.deleted] }\nsteps:\n  - stop: never\n")]);
    let (mut bare_rates, mut rates) = (Vec::new(), Vec::new());
    let mut first = 1;
    let mut next = || {
        first += count as u64;
        Requests::orders(first, count)
    };
    let cpu = process::cpu(engine.pid());
    for _ in 0..ROUNDS {
        bare_rates.push(load::send(bare.address, next(), CONNECTIONS, None).rate());
        let sent = load::send(engine.address(), next(), CONNECTIONS, None);
        assert_eq!(sent.refused, 0, "every webhook is accepted");
        rates.push(sent.rate());
    }
    let cpu = process::cpu(engine.pid()).saturating_sub(cpu).as_secs_f64() * 1e6 / (count * ROUNDS) as f64;
    let (bare_rate, rate) = (median(bare_rates), median(rates));
    report.add("bare handler, HMAC verified, 4 KB, 64 connections", bare_rate, "/s", "");
    report.add("webhook accepted and durable, same load", rate, "/s", "");
    report.add("accepted / bare", 100.0 * rate / bare_rate, "%", ">= 50");
    report.add("engine CPU for one accepted webhook", cpu, "us", "");
    let half = load::send(engine.address(), next(), CONNECTIONS, Some(rate / 2.0));
    report.add("latency at half load, p50", half.quantile(0.5).as_secs_f64() * 1e3, "ms", "");
    report.add("latency at half load, p99", half.quantile(0.99).as_secs_f64() * 1e3, "ms", "< 10");
}

/// What completed, how fast, and what it cost.
struct Completed {
    rate: f64,
    cpu_ms: f64,
    memory_mb: f64,
}

/// Posts `count` orders and waits until every run has made its calls and ended.
fn complete(workflow: &str, calls: u64, count: usize) -> Completed {
    let sink = Sink::start(Keys::Uncounted);
    let engine = engine(&[("bench.yaml", &workflow.replace("SINK", &sink.address().to_string()))]);
    let requests = Requests::orders(1, count);
    let cpu = process::cpu(engine.pid());
    let begun = Instant::now();
    let sent = load::send(engine.address(), requests, CONNECTIONS, None);
    assert_eq!(sent.refused, 0, "every webhook is accepted");
    while sink.count() < calls * count as u64 || runs_that(&engine, "succeeded") < count as u64 {
        assert!(
            begun.elapsed() < Duration::from_secs(600),
            "runs do not end: {} succeeded",
            runs_that(&engine, "succeeded")
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let cpu = process::cpu(engine.pid()).saturating_sub(cpu).as_secs_f64();
    assert_eq!(sink.count(), calls * count as u64, "each call is made once");
    Completed {
        rate: count as f64 / elapsed,
        cpu_ms: cpu * 1e3 / count as f64,
        memory_mb: process::resident_mb(engine.pid()),
    }
}

/// How many runs have this status, from the counters that every commit keeps.
pub(crate) fn runs_that(engine: &Engine, status: &str) -> u64 {
    let metrics = cartwright_tests::wire::once(
        engine.address(),
        &cartwright_tests::wire::Request::new("GET", "/metrics")
            .header("Authorization", &format!("Bearer {}", engine.token())),
    );
    let text = metrics.map(|response| response.text()).unwrap_or_default();
    let line =
        text.lines().find(|line| line.starts_with("cartwright_runs{") && line.contains(&format!("\"{status}\"")));
    line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default() as u64
}

const SHORT: &str = r#"
on:
  woo:
    topics: [order.created]
    if: event.data.status == "processing" && number(event.data.total) > 0
grants: { http: ["POST 127.0.0.1"] }
steps:
  - id: score
    script: |
      let items = event.data.line_items;
      #{ level: if items.len() > 4 { "gold" } else { "silver" } }
  - id: tell
    http: POST http://SINK/notify
    body: { order: "${{ event.data.id }}", level: "${{ steps.score.output.level }}" }
"#;

/// webhook → condition → script → HTTP call.
pub(crate) fn short_run(report: &mut Report) {
    let done = complete(SHORT, 1, amount(30_000));
    report.add("webhook, condition, script, one call: completed", done.rate, "runs/s", ">= 3000");
    report.add("the same: engine CPU for one run", done.cpu_ms, "ms", "<= 0.25");
    report.add("the same: resident memory at the end", done.memory_mb, "MB", "");
}

fn steps(count: usize) -> String {
    let script = |n| format!("  - id: s{n}\n    script: \"event.data.line_items.len() + {n}\"\n");
    (0..count).map(script).collect()
}

/// Ten script steps with a call in the middle and one at the end.
pub(crate) fn ten_steps(report: &mut Report) {
    let call = |name| format!("  - id: {name}\n    http: POST http://SINK/{name}\n    body: {{ a: 1 }}\n");
    let head = "on: { woo: [order.created] }\ngrants: { http: [\"127.0.0.1\"] }\nsteps:\n";
    let tail: String =
        (5..10).map(|n| format!("  - id: s{n}\n    script: \"steps.s{}.output + 1\"\n", n - 1)).collect();
    let workflow = format!("{head}{}{}{tail}{}", steps(5), call("middle"), call("last"));
    let done = complete(&workflow, 2, amount(15_000));
    report.add("ten script steps and two calls: completed", done.rate, "runs/s", ">= 1000");
    report.add("the same: engine CPU for one run", done.cpu_ms, "ms", "");
}

/// CPU of a run with 21 script steps less that of one with a single step, over 20.
pub(crate) fn step_overhead(report: &mut Report) {
    let cost = |count: usize| {
        let workflow = format!("on: {{ woo: [order.created] }}\nsteps:\n{}", steps(count));
        complete(&workflow, 0, amount(15_000)).cpu_ms
    };
    let (one, many) = (cost(1), cost(21));
    report.add("engine CPU for one script step", (many - one) / 20.0 * 1e3, "us", "< 50");
}
