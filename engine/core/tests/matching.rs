//! Which workflows an event reaches, through the public API: files are parsed, put into a set, and asked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{sync::Arc, time::Instant};

use cartwright_core::{
    event::{Event, Source},
    id::{EventId, RunId, StepPath},
    time::Timestamp,
    trigger::{candidates, conditions, listeners},
    workflow::{Workflow, WorkflowSet, codes, parse, render},
};

fn workflow(id: &str, head: &str) -> Arc<Workflow> {
    let source = format!("{head}\nsteps: [{{ stop: done }}]\n");
    let parsed = parse(id.parse().unwrap(), &source, &|_| Err("no files".to_owned()));
    Arc::new(parsed.workflow.unwrap_or_else(|| panic!("{}", render(id, &source, &parsed.diagnostics))))
}

fn set(files: &[(&str, &str)]) -> WorkflowSet {
    WorkflowSet::new(files.iter().map(|(id, head)| workflow(id, head)).collect())
}

fn event(topic: &str, store: Option<&str>, source: Source) -> Event {
    Event {
        id: EventId::derived(Timestamp::from_millis(0), &["event"]),
        topic: topic.to_owned(),
        store: store.map(|store| store.parse().unwrap()),
        time: Timestamp::from_millis(0),
        source,
        hops: 0,
        data: serde_json::value::RawValue::from_string("{}".to_owned()).unwrap().into(),
    }
}

fn woo() -> Source {
    Source::Woo { webhook: "1".to_owned(), delivery: "2".to_owned() }
}

fn emit() -> Source {
    let event = EventId::derived(Timestamp::from_millis(0), &["event"]);
    let run = RunId::derived(Timestamp::from_millis(0), &event, &"a".parse().unwrap());
    Source::Emit { run, step: StepPath::new("tell") }
}

fn ids(set: &WorkflowSet, event: &Event, tags: &[&str]) -> Vec<String> {
    let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    candidates(set, event, &tags).iter().map(|(workflow, _)| workflow.id.as_str().to_owned()).collect()
}

#[test]
fn topics_stores_and_tags_select() {
    let set = set(&[
        ("any", "on: { woo: [order.created] }"),
        ("below", "on: { woo: [order.*] }"),
        ("all", "on: { woo: ['*'] }"),
        ("mine", "on: { woo: { topics: [order.created], stores: [shop-a] } }"),
        ("tagged", "on: { woo: { topics: [order.created], stores: ['tag:eu'] } }"),
        ("other", "on: { woo: [product.created] }"),
        ("emitted", "on: { event: [order.created] }"),
        ("off", "enabled: false\non: { woo: [order.created] }"),
    ]);
    let check = |topic: &str, store: Option<&str>, tags: &[&str], source: Source, expect: &[&str]| {
        assert_eq!(ids(&set, &event(topic, store, source), tags), expect, "{topic} {store:?} {tags:?}");
    };
    check("order.created", Some("shop-b"), &[], woo(), &["all", "any", "below"]);
    check("order.created", Some("shop-a"), &[], woo(), &["all", "any", "below", "mine"]);
    check("order.created", Some("shop-b"), &["us", "eu"], woo(), &["all", "any", "below", "tagged"]);
    check("order.status.changed", Some("shop-b"), &[], woo(), &["all", "below"]);
    check("order", Some("shop-b"), &[], woo(), &["all"]);
    check("order.created", Some("shop-b"), &[], emit(), &["emitted"]);
    check("order.created", Some("shop-b"), &[], Source::Api, &["all", "any", "below", "emitted"]);
    check("order.created", None, &[], Source::Api, &["emitted"]);
    check("ping", Some("shop-b"), &[], Source::Api, &[]);
}

#[test]
fn a_workflow_is_a_candidate_once_with_its_first_fitting_trigger() {
    let set = set(&[(
        "twice",
        "on:\n  - { woo: { topics: [product.created], if: a } }\n  - { woo: { topics: [order.created, order.*, '*'], stores: ['*', shop], if: b } }\nif: c",
    )]);
    let event = event("order.created", Some("shop"), woo());
    let found = candidates(&set, &event, &[]);
    let [(workflow, trigger)] = found[..] else { panic!("{} candidates", found.len()) };
    let texts: Vec<&str> = conditions(workflow, trigger).map(|condition| &*condition.source).collect();
    assert_eq!(texts, ["c", "b"]);
}

#[test]
fn every_fitting_trigger_is_listed_once_and_in_order() {
    let set = set(&[
        (
            "b",
            "on:\n  - { woo: { topics: [order.created], if: paid } }\n  - { woo: { topics: ['order.*', '*'], if: large } }",
        ),
        ("a", "on: { woo: [order.created], event: [order.created] }"),
    ]);
    let event = event("order.created", Some("shop"), Source::Api);
    let found = listeners(&set, &event, &[]);
    let texts: Vec<(&str, Option<&str>)> = found
        .iter()
        .map(|(workflow, trigger)| {
            (workflow.id.as_str(), trigger.condition.as_ref().map(|condition| &*condition.source))
        })
        .collect();
    assert_eq!(texts, [("a", None), ("a", None), ("b", Some("paid")), ("b", Some("large"))]);
    assert_eq!(ids(&set, &event, &[]), ["a", "b"]);
}

#[test]
fn sources_addressed_to_one_workflow_reach_only_that_one() {
    let set = set(&[
        (
            "a",
            "on:\n  - { woo: [order.created] }\n  - { http: { path: /in, auth: none } }\n  - schedule: ['0 7 * * *', '0 8 * * *']",
        ),
        ("b", "on: { woo: [order.created] }"),
        ("off", "enabled: false\non: { woo: [order.created] }"),
    ]);
    let a: cartwright_core::id::WorkflowId = "a".parse().unwrap();
    let http = |path: &str, method: &str| Source::Http {
        workflow: a.clone(),
        path: path.to_owned(),
        method: method.to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
    };
    let schedule =
        |cron: &str| Source::Schedule { workflow: a.clone(), cron: cron.to_owned(), due: Timestamp::from_millis(0) };
    let manual = |id: &str| Source::Manual { workflow: id.parse().unwrap() };
    for (source, expect) in [
        (http("in", "POST"), vec!["a"]),
        (http("in", "GET"), vec![]),
        (http("gone", "POST"), vec![]),
        (schedule("0 8 * * *"), vec!["a"]),
        (schedule("0 9 * * *"), vec![]),
        (manual("b"), vec!["b"]),
        (manual("off"), vec![]),
        (manual("missing"), vec![]),
    ] {
        let event = event("order.created", None, source);
        assert_eq!(ids(&set, &event, &[]), expect, "{:?}", event.source);
    }
}

#[test]
fn routes_and_their_conflicts() {
    let set = set(&[
        ("b", "on: { http: { path: /in, auth: none } }"),
        ("a", "on: { http: { path: in, auth: none } }"),
        ("c", "on: { http: { path: /in, method: PUT, auth: bearer } }"),
        ("off", "enabled: false\non: { http: { path: /off, auth: none } }"),
    ]);
    assert_eq!(set.route("POST", "in").map(|(workflow, _)| workflow.id.as_str()), Some("a"));
    assert_eq!(set.route("PUT", "in").map(|(workflow, _)| workflow.id.as_str()), Some("c"));
    assert_eq!(set.methods("in").collect::<Vec<_>>(), ["POST", "PUT"]);
    assert!(set.route("POST", "off").is_none() && set.route("GET", "in").is_none());
    let conflicts: Vec<_> =
        set.conflicts().iter().map(|conflict| (conflict.workflow.as_str(), conflict.diagnostic.code)).collect();
    assert_eq!(conflicts, [("b", codes::ROUTE_CONFLICT), ("a", codes::ROUTE_CONFLICT)]);
    assert!(
        set.conflicts()
            .iter()
            .all(|conflict| conflict.diagnostic.message.contains("`a`") && conflict.diagnostic.message.contains("`b`"))
    );
}

#[test]
fn two_files_with_one_id_are_reported_and_schedules_listed() {
    let set = set(&[("a", "on: { schedule: ['0 7 * * *', '0 8 * * *'] }"), ("a", "on: { woo: [order.created] }")]);
    assert_eq!(set.len(), 1);
    assert_eq!(set.conflicts()[0].diagnostic.code, codes::DUPLICATE_WORKFLOW);
    assert_eq!(
        set.schedules().map(|(_, _, schedule)| schedule.cron.source.as_str()).collect::<Vec<_>>(),
        ["0 7 * * *", "0 8 * * *"]
    );
}

/// 10,000 workflows on one topic, ten of them for the event's store. Prints the time; the count is what is asserted.
#[test]
fn matching_looks_only_at_what_can_match() {
    let files: Vec<Arc<Workflow>> = (0..10_000)
        .map(|number| {
            let head = format!("on: {{ woo: {{ topics: [order.created], stores: [shop-{}] }} }}", number / 10);
            workflow(&format!("w{number}"), &head)
        })
        .collect();
    let set = WorkflowSet::new(files);
    let event = event("order.created", Some("shop-7"), woo());
    assert_eq!(candidates(&set, &event, &[]).len(), 10);
    let start = Instant::now();
    const ROUNDS: u32 = 10_000;
    for _ in 0..ROUNDS {
        std::hint::black_box(candidates(&set, &event, &[]));
    }
    println!("matching: {:?} per event", start.elapsed() / ROUNDS);
}
