//! `language`: what workflow files cost. `cartwright check` over a folder, an expression, and finding who listens.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use cartwright_core::{
    Json,
    evaluate::{Evaluate, Prepared, Scope},
    event::{Event, Source},
    id::EventId,
    secret::SecretMarks,
    time::Timestamp,
    trigger,
    workflow::{Expression, WorkflowSet},
};
use cartwright_run::Definition;
use cartwright_sandbox::{Limits, Sandbox};
use cartwright_tests::{engine::Engine, orders, random::Random};
use serde_json::{json, value::to_raw_value};

use crate::report::Report;

const FILES: usize = 1_000;
const WORKFLOWS: usize = 10_000;
/// Workflows that share topic and store.
const SHARED: usize = 10;

/// All three.
pub(crate) fn all(report: &mut Report) {
    check(report);
    expressions(report);
    matching(report);
}

/// The repository's own workflows, copied until there are a thousand; each command is a new process.
fn check(report: &mut Report) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows");
    let mut samples: Vec<(String, String)> = fs::read_dir(folder)
        .expect("the repository's workflows")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension().is_some_and(|end| end == "yaml") && !path.to_string_lossy().ends_with(".test.yaml")
        })
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("UTF-8"))
        })
        .filter(|(_, text)| !text.contains(".rhai"))
        .collect();
    samples.sort();
    let engine = Engine::new(&[]);
    for number in 0..FILES {
        let (name, text) = &samples[number % samples.len()];
        // Two files must not share an address.
        let text = text.replace("path: /", &format!("path: /n{number}/"));
        engine.write_workflow(&format!("group{}/{name}-{number}.yaml", number % 20), &text);
    }
    let workflows = engine.workflows();
    let took = median((0..7).map(|_| {
        let begun = Instant::now();
        let output = engine.command(&["check", workflows.to_str().expect("UTF-8")]);
        let took = begun.elapsed();
        assert!(output.status.success(), "{}", cartwright_tests::engine::text(&output));
        took
    }));
    report.add("`cartwright check` of 1,000 files", took.as_secs_f64() * 1e3, "ms", "< 1000");
}

/// Compiled before, as in a run; the median of many.
fn expressions(report: &mut Report) {
    let sandbox = Sandbox::new(Limits::default(), SecretMarks::new([0; 32]));
    let data: Json = serde_json::from_slice(&orders::body(1, &mut Random::new(1))).expect("JSON");
    let event = Prepared::new(json!({ "id": "evt_1", "topic": "order.created", "store": "shop", "data": data }));
    let steps = BTreeMap::from([("get".to_owned(), Arc::new(Prepared::new(json!({ "output": { "n": 5 } }))))]);
    let scope = Scope { event: Some(&event), steps: Some(&steps), ..Scope::default() };
    for source in [
        "event.data.status == \"processing\" && number(event.data.total) > 500",
        "steps.get.output.n > 3",
        "sum(event.data.line_items, |item| number(item.total))",
    ] {
        let expression = Expression::new(source, 0..source.len());
        sandbox.expression(&expression, &scope).expect("it can be evaluated");
        let mut times: Vec<f64> = (0..2_000)
            .map(|_| {
                let begun = Instant::now();
                for _ in 0..16 {
                    std::hint::black_box(sandbox.expression(&expression, &scope)).expect("as before");
                }
                begun.elapsed().as_secs_f64() * 1e6 / 16.0
            })
            .collect();
        times.sort_by(f64::total_cmp);
        report.add(format!("expression: {source}"), times[times.len() / 2], "us", "< 2 (median)");
    }
}

/// Ten of ten thousand listen to the topic at the event's store.
fn matching(report: &mut Report) {
    let workflows = (0..WORKFLOWS).map(|number| {
        let source = format!(
            "on: {{ woo: {{ topics: [order.created], stores: [shop-{}] }} }}\nsteps:\n  - stop: enough\n",
            number / SHARED
        );
        let id = format!("w{number}").parse().expect("an id");
        let definition = Definition { id, source, files: BTreeMap::new() };
        definition.parse().0.expect("it is valid")
    });
    let set = WorkflowSet::new(workflows.collect());
    let events: Vec<Event> = (0..1_000).map(|number| order(&format!("shop-{number}"))).collect();
    let times = (0..50).map(|_| {
        let begun = Instant::now();
        for event in &events {
            assert_eq!(std::hint::black_box(trigger::candidates(&set, event, &[])).len(), SHARED);
        }
        begun.elapsed()
    });
    let took = median(times).as_secs_f64() * 1e6 / events.len() as f64;
    report.add("matching an event, 10,000 workflows, ten listen", took, "us", "< 20");
}

fn order(store: &str) -> Event {
    Event {
        id: EventId::derived(Timestamp::default(), &[store]),
        topic: "order.created".into(),
        store: Some(store.parse().expect("an id")),
        time: Timestamp::default(),
        source: Source::Woo { webhook: "1".into(), delivery: store.into() },
        hops: 0,
        data: Arc::from(to_raw_value(&json!({ "id": 1 })).expect("JSON")),
    }
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times[times.len() / 2]
}
