//! Calls to 200 look-alike stores through the engine's own client over loopback HTTP. Look-alikes and client are
//! processes of their own (`bench shops`, `bench client`), so that the CPU of each can be told apart.

use std::{
    io::{BufRead, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{flow::amount, process, report::Report};

mod client;
mod shops;

pub(crate) use client::main as client;
pub(crate) use shops::main as shops;

const STORES: usize = 200;
const SECONDS: u64 = 20;
/// What the usual limits give one store.
const USUAL_PER_SECOND: f64 = 5.0;

/// A child process that answers one line of JSON; ended when dropped.
struct Part {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Part {
    fn start(arguments: &[&str]) -> Self {
        let own = std::env::current_exe().expect("a path");
        let mut command = Command::new(own);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, lines }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one measurement of the client gave, and the look-alikes' CPU meanwhile.
struct Measured {
    figures: Value,
    shops_cpu_ms: f64,
}

impl Measured {
    fn of(&self, name: &str) -> f64 {
        self.figures.get(name).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {name} in {}", self.figures))
    }
}

/// Fresh look-alikes and a fresh client. `troubled` of the stores hang, are down or answer 429.
fn measure(plan: &Value, troubled: bool) -> Measured {
    let mut shops = Part::start(&["shops", &STORES.to_string(), if troubled { "troubled" } else { "fine" }]);
    let stores = shops.line();
    let mut client = Part::start(&["client"]);
    let cpu = process::cpu(shops.child.id());
    let mut input = client.child.stdin.take().expect("piped");
    writeln!(input, "{}", json!({ "stores": stores, "plan": plan })).expect("the client reads");
    let figures = client.line();
    let shops_cpu_ms = process::cpu(shops.child.id()).saturating_sub(cpu).as_secs_f64() * 1e3;
    Measured { figures, shops_cpu_ms }
}

/// All of it.
pub(crate) fn calls(report: &mut Report) {
    unthrottled(report);
    usual(report);
    trouble(report);
}

/// As fast as the client goes: three reads of a product, then a product made, in turn over the stores.
fn unthrottled(report: &mut Report) {
    let done = measure(&json!({ "kind": "fast", "requests": amount(40_000) }), false);
    let requests = done.of("answered");
    report.add("200 stores, no limits, 3 GET : 1 POST, 64 at once", requests / done.of("seconds"), "/s", "");
    report.add("the same: client CPU for one request", done.of("cpu_ms") * 1e3 / requests, "us", "");
    report.add("the same: look-alikes' CPU for one request", done.shops_cpu_ms * 1e3 / requests, "us", "");
    report.add("the same: latency p50", done.of("p50_ms"), "ms", "");
    report.add("the same: latency p99", done.of("p99_ms"), "ms", "");
}

/// Every store has more to do than its lane lets through.
fn usual(report: &mut Report) {
    let done = measure(&json!({ "kind": "usual", "seconds": SECONDS }), false);
    // A lane begins with one second's worth at once.
    let allowed = STORES as f64 * USUAL_PER_SECOND * (SECONDS as f64 + 1.0);
    let (before, after) = (done.of("memory_before_mb"), done.of("memory_after_mb"));
    report.add("200 stores at 5/s each, of what the limits allow", 100.0 * done.of("answered") / allowed, "%", "100");
    report.add("the same: client CPU", done.of("cpu_ms") / SECONDS as f64, "ms/s", "");
    report.add("the same: memory before the first call", before, "MB", "");
    report.add("the same: memory for one store", (after - before) * 1024.0 / STORES as f64, "KB", "");
}

/// 197 stores are called four times a second each; with three others in trouble, and without.
fn trouble(report: &mut Report) {
    for troubled in [false, true] {
        let done = measure(&json!({ "kind": "steady", "seconds": SECONDS }), troubled);
        let name = if troubled { "one hangs, one is down, one says 429" } else { "all are fine" };
        report.add(format!("197 stores at 4/s each, {name}: latency p50"), done.of("p50_ms"), "ms", "");
        report.add(format!("197 stores at 4/s each, {name}: latency p99"), done.of("p99_ms"), "ms", "");
        report.add(format!("197 stores at 4/s each, {name}: failed"), done.of("failed"), "", "0");
    }
}
