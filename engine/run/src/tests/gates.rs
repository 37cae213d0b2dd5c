//! Gates of triggers: what is held, dropped and delayed, and that a restart between any two steps changes nothing.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use cartwright_core::{
    Json,
    event::{MatchOutcome, Source},
    id::EventId,
    run::row::{RunRow, RunStatus},
};
use serde_json::{json, value::to_raw_value};

use super::{Bench, workflow};
use crate::Incoming;

const DEDUPE: &str = r#"
on: { event: { topics: [go], if: event.data.n >= 0, dedupe: { key: "${{ event.data.id }}", window: 1h } } }
steps:
  - script: event.data.n
"#;

const DEBOUNCE: &str = r#"
on: { event: { topics: [go], debounce: { key: "${{ event.data.id }}", wait: 10s, max_wait: 25s } } }
steps:
  - script: event.data.n
"#;

const COLLECT: &str = r#"
on: { event: { topics: [go], collect: { key: "${{ event.data.id }}", max_items: 3, max_wait: 1m } } }
steps:
  - script: "events.map(|one| one.data.n)"
"#;

const THROTTLE: &str = r#"
on: { event: { topics: [go], throttle: { limit: 1, per: 1m } } }
steps:
  - script: event.data.n
"#;

const ALL: &str = r#"
on:
  event:
    topics: [go]
    dedupe: { key: "${{ event.data.n }}", window: 1h }
    debounce: { key: "${{ event.data.id }}", wait: 10s }
    collect: { max_items: 2, max_wait: 1m }
    throttle: { limit: 1, per: 1m }
steps:
  - script: "events.map(|one| one.data.n)"
"#;

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

impl Bench {
    async fn go(&self, id: &str, n: u32) -> EventId {
        let event = self.emit("go", json!({"id": id, "n": n})).await;
        // Long enough to be matched.
        tokio::time::sleep(Duration::from_millis(20)).await;
        event
    }

    async fn outcome(&self, event: &EventId) -> MatchOutcome {
        let stored = self.engine.event(event).await.expect("read").expect("there");
        let matches = stored.matches.expect("it is matched");
        assert_eq!(matches.len(), 1, "{matches:?}");
        matches[0].outcome.clone()
    }

    /// What runs gave, in order of their ids, and when each began.
    async fn gave(&self) -> Vec<Json> {
        let mut gave = Vec::new();
        for row in self.rows().await.into_iter().filter(|row| row.status == RunStatus::Succeeded) {
            gave.push(self.detail(&row.id).await.output());
        }
        gave
    }

    /// When runs were over, in seconds since the first event, in order of time.
    async fn finished(&self, since: &RunRow) -> Vec<u64> {
        let rows = self.rows().await;
        let mut at: Vec<_> =
            rows.iter().filter_map(|row| row.finished).map(|at| at.since(since.started).as_secs()).collect();
        at.sort_unstable();
        at
    }

    async fn held(&self) -> usize {
        let held = self.engine.held_groups(None, None, 100).await.expect("listed").items.len();
        assert_eq!(self.engine.held_count(), held as u64);
        held
    }

    /// Nothing is left of gates but what the test says.
    async fn records(&self) -> usize {
        use cartwright_storage::{Storage, Table};
        self.storage.records(Table::Gates, "", None, 100).await.expect("read").len()
    }
}

#[tokio::test(start_paused = true)]
async fn dedupe_lets_one_event_per_key_and_window_through_and_names_it_to_the_others() {
    let bench = Bench::new(&[("w", DEDUPE)]).await;
    // What the condition does not let through opens no window.
    let before = bench.emit("go", json!({"id": "a", "n": -1})).await;
    let first = bench.go("a", 1).await;
    let bench = bench.crash().await;
    let second = bench.go("a", 2).await;
    bench.go("b", 3).await;
    assert!(matches!(bench.outcome(&before).await, MatchOutcome::ConditionFalse { .. }));
    let MatchOutcome::Started { run } = bench.outcome(&first).await else { panic!("it starts") };
    let MatchOutcome::Duplicate { of, run: its, .. } = bench.outcome(&second).await else { panic!("a duplicate") };
    assert_eq!((of, its), (first, Some(run)));
    pass(3_700).await;
    bench.go("a", 4).await;
    bench.until(&[RunStatus::Succeeded]).await;
    assert_eq!(bench.gave().await, [json!(1), json!(3), json!(4)]);
    assert_eq!(bench.engine.metrics().events_deduped.load(Relaxed), 1);
    // What is over is forgotten by its timers.
    pass(3_700).await;
    assert_eq!(bench.records().await, 0);
    assert_eq!(bench.engine.counts().await.expect("counts").timers, 0);
}

#[tokio::test(start_paused = true)]
async fn debounce_starts_one_run_with_the_last_event_after_silence_or_the_longest_wait() {
    let mut bench = Bench::new(&[("w", DEBOUNCE)]).await;
    let first = bench.go("a", 1).await;
    for n in 2..4 {
        pass(6).await;
        bench = bench.crash().await;
        bench.go("a", n).await;
    }
    bench.go("b", 50).await;
    assert_eq!(bench.held().await, 2);
    let MatchOutcome::Merged { run: Some(run), .. } = bench.outcome(&first).await else { panic!("it is merged") };
    pass(11).await;
    assert_eq!((bench.gave().await, bench.held().await), (vec![json!(3), json!(50)], 0));
    // The run that was promised, with the event that came last.
    assert_eq!(bench.rows().await[0].id, run);
    // A burst that does not end.
    for n in 10..16 {
        bench.go("a", n).await;
        pass(5).await;
    }
    pass(60).await;
    assert_eq!(bench.gave().await, [json!(3), json!(50), json!(14), json!(15)]);
    assert_eq!((bench.records().await, bench.engine.counts().await.expect("counts").timers), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn collect_gives_every_event_to_one_run_in_order() {
    let mut bench = Bench::new(&[("w", COLLECT)]).await;
    for n in 0..7 {
        bench.go("a", n).await;
        if n % 2 == 0 {
            bench = bench.crash().await;
        }
    }
    let other = bench.go("b", 100).await;
    let MatchOutcome::Collected { run, .. } = bench.outcome(&other).await else { panic!("it is collected") };
    assert_eq!(bench.held().await, 2);
    pass(70).await;
    let gave = bench.gave().await;
    assert_eq!(gave, [json!([0, 1, 2]), json!([3, 4, 5]), json!([6]), json!([100])]);
    assert_eq!(bench.rows().await[3].id, run);
    // Each of its events leads to the run.
    let filter = cartwright_storage::RunFilter { event: Some(other), ..Default::default() };
    assert_eq!(bench.engine.runs(&filter, None, 10).await.expect("listed").items[0].id, run);
    assert_eq!((bench.held().await, bench.records().await), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn events_that_come_in_one_moment_are_collected_in_the_order_of_acceptance() {
    let yaml = COLLECT.replace("max_items: 3", "max_items: 100");
    let bench = Bench::new(&[("w", &yaml)]).await;
    for n in 0..100 {
        bench.emit("go", json!({"id": "a", "n": n})).await;
    }
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!(run.output(), json!((0..100).collect::<Vec<_>>()));
}

#[tokio::test(start_paused = true)]
async fn throttle_delays_runs_that_can_be_seen_and_cancelled_and_drops_none() {
    let bench = Bench::new(&[("w", THROTTLE)]).await;
    let events = [bench.go("a", 0).await, bench.go("a", 1).await, bench.go("a", 2).await, bench.go("a", 3).await];
    let MatchOutcome::Delayed { run, until } = bench.outcome(&events[2]).await else { panic!("it is delayed") };
    let rows = bench.rows().await;
    let row = rows.iter().find(|row| row.id == run).expect("it is there");
    assert_eq!((row.status, row.delayed_until), (RunStatus::Queued, Some(until)));
    bench.engine.cancel(&run, "ada").await.expect("cancelled");
    pass(70).await;
    let bench = bench.crash().await;
    bench.until(&[RunStatus::Succeeded, RunStatus::Cancelled]).await;
    assert_eq!(bench.gave().await, [json!(0), json!(1), json!(3)]);
    assert_eq!(bench.finished(&rows[0]).await, [0, 0, 60, 180]);
    pass(200).await;
    assert_eq!((bench.records().await, bench.engine.counts().await.expect("counts").timers), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_was_away_starts_what_waited_at_the_pace_of_the_throttle() {
    let bench = Bench::new(&[("w", THROTTLE)]).await;
    for n in 0..4 {
        bench.go("a", n).await;
    }
    let first = bench.rows().await[0].clone();
    bench.engine.stop(Duration::ZERO).await.expect("stopped");
    pass(600).await;
    let bench = bench.crash().await;
    bench.until(&[RunStatus::Succeeded]).await;
    assert_eq!(bench.gave().await, [json!(0), json!(1), json!(2), json!(3)]);
    let at = bench.finished(&first).await;
    assert!(at[1] >= 600 && at[2] >= at[1] + 60 && at[3] >= at[2] + 60, "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn all_gates_together_pass_events_on_in_their_order() {
    let mut bench = Bench::new(&[("w", ALL)]).await;
    let mut events = Vec::new();
    // Duplicates of 1 and 2; `a` and `b` are bursts; their last events are collected in pairs.
    for (id, n) in [("a", 1), ("a", 1), ("a", 2), ("b", 3), ("b", 2), ("b", 4)] {
        events.push(bench.go(id, n).await);
        bench = bench.crash().await;
    }
    pass(12).await;
    assert_eq!(bench.gave().await, [json!([2, 4])]);
    let outcomes = [bench.outcome(&events[0]).await, bench.outcome(&events[1]).await, bench.outcome(&events[2]).await];
    let run = bench.rows().await[0].id.clone();
    assert!(matches!(&outcomes[0], MatchOutcome::Merged { run: Some(its), .. } if *its == run), "{outcomes:?}");
    assert!(matches!(outcomes[1], MatchOutcome::Duplicate { .. }), "{outcomes:?}");
    assert!(matches!(&outcomes[2], MatchOutcome::Collected { run: its, .. } if *its == run), "{outcomes:?}");
    // The next pair waits for the throttle.
    bench.go("a", 10).await;
    bench.go("b", 11).await;
    pass(12).await;
    let rows = bench.rows().await;
    assert_eq!((rows.len(), rows[1].status), (2, RunStatus::Queued));
    pass(60).await;
    assert_eq!(bench.gave().await, [json!([2, 4]), json!([10, 11])]);
}

#[tokio::test(start_paused = true)]
async fn a_held_group_starts_the_workflow_as_it_is_then_and_none_that_is_off_or_gone() {
    let changed = DEBOUNCE.replace("event.data.n", "event.data.n * 10");
    let off = format!("enabled: false\n{DEBOUNCE}");
    for (after, gave, dropped) in [
        (vec![workflow("w", &changed)], vec![json!(10)], None),
        (vec![workflow("w", &off)], vec![], Some("disabled")),
        (vec![], vec![], Some("gone")),
    ] {
        let bench = Bench::new(&[("w", DEBOUNCE)]).await;
        let event = bench.go("a", 1).await;
        bench.engine.set_workflows(after).await.expect("set");
        pass(12).await;
        assert_eq!(bench.gave().await, gave);
        let outcome = serde_json::to_value(bench.outcome(&event).await).expect("JSON");
        assert_eq!(outcome["reason"].as_str(), dropped);
        assert_eq!((bench.held().await, bench.records().await), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_no_duplicate_and_does_not_wait_but_keeps_the_limit() {
    let bench = Bench::new(&[("w", ALL)]).await;
    let event = bench.go("a", 1).await;
    for _ in 0..2 {
        let stored = bench.engine.event(&event).await.expect("read").expect("there");
        bench.engine.replay(&stored.event, None).await.expect("accepted");
        pass(1).await;
    }
    pass(1).await;
    let rows = bench.rows().await;
    assert_eq!(rows.iter().map(|row| row.status).collect::<Vec<_>>(), [RunStatus::Succeeded, RunStatus::Queued]);
    assert_eq!((bench.gave().await, bench.held().await), (vec![json!([1])], 1));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_evaluated_starts_nothing_and_says_so() {
    let bench = Bench::new(&[("w", DEDUPE)]).await;
    let missing = bench.emit("go", json!({"n": 1})).await;
    let nothing = bench.emit("go", json!({"n": 1, "id": null})).await;
    pass(1).await;
    for (event, hint) in [(missing, "id"), (nothing, "nothing")] {
        let MatchOutcome::KeyFailed { error, .. } = bench.outcome(&event).await else { panic!("no key") };
        assert!(error.contains(hint), "{error}");
    }
    assert!(bench.rows().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_stores_have_keys_of_their_own() {
    let yaml = DEDUPE.replace("event: { topics: [go]", "woo: { topics: [order.created]");
    let bench = Bench::new(&[("w", &yaml)]).await;
    bench.connect("north", false).await;
    bench.connect("south", false).await;
    for store in ["north", "south", "north"] {
        let incoming = Incoming {
            topic: "order.created".into(),
            store: Some(store.parse().expect("an id")),
            source: Source::Api,
            data: to_raw_value(&json!({"id": 5, "n": 1})).expect("JSON").into(),
            dedupe: None,
        };
        bench.engine.accept(incoming).await.expect("accepted");
        pass(1).await;
    }
    assert_eq!(bench.rows().await.len(), 2);
}
