//! `concurrency` on the real driver: random histories with crashes at random commits, and another node that changes
//! the same groups in between. After every step the records of slots say what the journals say.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use cartwright_core::{run::entry::What, slots::Group};
use cartwright_storage::{
    Expect, RecordWrite, Table,
    memory::{Fault, Write},
};

use super::*;
use crate::{check_slots, slots};

const LIMIT: u32 = 2;

fn limited(settings: &str) -> String {
    format!(
        r#"
on: {{ event: [go] }}
concurrency: {{ key: "${{{{ event.data.key }}}}", {settings} }}
grants: {{ http: ["sink.example"], emit: [go] }}
retry: {{ attempts: 2, initial: 30s }}
steps:
  - id: kind
    choose:
      - if: event.data.kind == 1
        steps: [{{ id: rest, sleep: 5m }}]
      - if: event.data.kind == 2
        steps:
          - id: each
            for_each: "[1, 2, 3]"
            parallel: 2
            steps:
              - {{ id: pause, sleep: 1m }}
              - {{ id: call, http: PUT https://sink.example/each }}
      - if: event.data.kind == 3
        steps: [{{ id: wait, script: "events::wait_for(#{{ event: \"wake\", timeout: \"10m\" }})" }}]
      - if: event.data.kind == 4
        steps: [{{ id: bad, fail: on purpose }}]
  - id: tell
    http: PUT https://sink.example/tell
on_failure:
  - {{ id: sorry, http: PUT https://sink.example/sorry }}
"#
    )
}

/// A sequence of numbers that looks random (splitmix64).
struct Luck(u64);

impl Luck {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// What must hold at every moment.
async fn all_is_well(bench: &Bench, limit: u32) {
    let wrong = check_slots(bench.storage.as_ref()).await.expect("checked");
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (_, head) in slots::groups(bench.storage.as_ref(), None, None, 1_000).await.expect("listed") {
        assert!(head.held <= limit, "{} holds {}", head.group, head.held);
    }
}

async fn idle(bench: &Bench) -> bool {
    bench.storage.records(Table::Slots, "", None, 1).await.expect("listed").is_empty()
}

/// The process dies at the commit after so many others, before or after it is made.
fn die_after(bench: &Bench, commits: usize, fault: Fault) {
    let left = AtomicUsize::new(commits);
    let decide = move |write| match write {
        Write::Commit if left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err() => fault,
        _ => Fault::None,
    };
    bench.storage.set_faults(Some(Arc::new(decide)));
}

/// A crash that also ends what the dead process would go on trying.
async fn dies(bench: Bench) -> Bench {
    let dead = Arc::clone(&bench.engine.inner);
    let bench = bench.crash().await;
    dead.stopping.send_replace(true);
    bench
}

async fn anything(bench: Bench, luck: &mut Luck) -> Bench {
    match luck.below(12) {
        0..5 => {
            let data = json!({ "key": luck.below(2), "kind": luck.below(6) });
            let _ = bench.try_emit("go", data).await;
        }
        5 => {
            let _ = bench.try_emit("wake", json!({})).await;
        }
        6 => {
            let url = "https://sink.example/tell";
            bench.world.answer(url, [unavailable(), unavailable(), Answer::Hang]);
        }
        7 => {
            let fault = if luck.below(2) == 0 { Fault::Crash } else { Fault::ApplyThenCrash };
            die_after(&bench, usize::try_from(luck.below(6)).expect("small"), fault);
            tokio::time::sleep(Duration::from_secs(luck.below(400))).await;
            return dies(bench).await;
        }
        8..10 => {
            let rows = bench.rows().await;
            if !rows.is_empty() {
                let row = &rows[usize::try_from(luck.below(rows.len() as u64)).expect("small")];
                let _ = match luck.below(4) {
                    0 => bench.engine.cancel(&row.id, "ann").await,
                    1 => bench.engine.fail(&row.id, "ann", None).await,
                    _ => bench.engine.retry(&row.id, "ann", true).await,
                };
            }
        }
        _ => tokio::time::sleep(Duration::from_secs(luck.below(300))).await,
    }
    bench
}

/// Nothing goes wrong any more: whatever is parked is retried, until everything ended.
async fn to_the_end(bench: &Bench, seed: u64) {
    for _ in 0..400 {
        let rows = bench.rows().await;
        if rows.iter().all(|row| row.status.is_ended()) {
            return;
        }
        for row in rows.iter().filter(|row| row.status == RunStatus::Parked) {
            let _ = bench.engine.retry(&row.id, "ann", true).await;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    panic!("seed {seed}: runs that never end: {:#?}", bench.rows().await);
}

async fn histories(settings: &str, limit: u32, seeds: std::ops::Range<u64>) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    for seed in seeds {
        let mut luck = Luck(seed);
        let mut bench = Bench::new(&[("limited", &limited(settings))]).await;
        for _ in 0..60 {
            bench = anything(bench, &mut luck).await;
            all_is_well(&bench, limit).await;
        }
        bench = dies(bench).await;
        bench.world.answer("https://sink.example/tell", []);
        to_the_end(&bench, seed).await;
        all_is_well(&bench, limit).await;
        assert!(idle(&bench).await, "seed {seed}: a slot leaked");
        assert_eq!(bench.engine.metrics().slots.now(), (0, 0), "seed {seed}");
        bench.engine.inner.stopping.send_replace(true);
        for row in bench.rows().await {
            *ends.entry(row.error.map_or_else(|| "fine".into(), |error| error.code)).or_default() += 1;
        }
    }
    ends
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_slots_are_neither_leaked_nor_given_twice() {
    let ends = histories(&format!("limit: {LIMIT}"), LIMIT, 0..6).await;
    assert!(ends["fine"] > 40 && ends.contains_key("cancelled") && ends.contains_key("failed"), "{ends:?}");
    let ends = histories("hold_while_waiting: false, queue_max: 2", 1, 20..26).await;
    assert!(ends["fine"] > 15 && ends["queue_full"] > 0, "{ends:?}");
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_runs_that_are_too_many_are_turned_away_or_replaced() {
    for (settings, code) in
        [("on_limit: skip", "skipped"), ("on_limit: fail", "concurrency"), ("on_limit: replace", "replaced")]
    {
        let ends = histories(settings, 1, 40..43).await;
        assert!(ends["fine"] > 5 && ends[code] > 0, "{settings}: {ends:?}");
    }
}

fn sleeps(settings: &str) -> String {
    format!("on: {{ event: [go] }}\nconcurrency: {{ {settings} }}\nsteps: [{{ sleep: 1m }}]\n")
}

/// Which runs got a slot, in the order of their first steps.
async fn order(bench: &Bench) -> Vec<RunId> {
    let mut taken = Vec::new();
    for row in bench.rows().await {
        let journal = bench.detail(&row.id).await.journal;
        let at = journal.iter().find(|entry| matches!(entry.what, What::SlotTaken {})).map(|entry| entry.at);
        taken.extend(at.map(|at| (at, row.id)));
    }
    taken.sort();
    taken.into_iter().map(|(_, run)| run).collect()
}

#[tokio::test(start_paused = true)]
async fn runs_of_a_group_go_one_after_another_in_the_order_of_their_events() {
    let bench = Bench::new(&[("one", &sleeps("limit: 1"))]).await;
    for _ in 0..8 {
        bench.emit("go", json!({})).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    let rows = bench.rows().await;
    let status: Vec<RunStatus> = rows.iter().map(|row| row.status).collect();
    assert_eq!((status[0], &status[1..]), (RunStatus::Waiting, &[RunStatus::Queued; 7][..]));
    let slot = bench.detail(&rows[3].id).await.slot.expect("it waits for one");
    assert_eq!((slot.ahead, &slot.holders[0].run), (Some(2), &rows[0].id));
    let group = bench.engine.slots(None, None, 10).await.expect("listed").items.remove(0);
    assert_eq!((group.held, group.waiting, &group.next[0]), (1, 7, &rows[1].id));
    assert_eq!(bench.engine.metrics().slots.now(), (1, 7));
    let bench = bench.crash().await;
    assert_eq!(bench.engine.metrics().slots.now(), (1, 7), "counted at the start");
    bench.engine.cancel(&rows[1].id, "ann").await.expect("cancelled in the queue");
    bench.until(&[RunStatus::Succeeded, RunStatus::Cancelled]).await;
    let expected: Vec<RunId> = rows.iter().filter(|row| row.id != rows[1].id).map(|row| row.id.clone()).collect();
    assert_eq!(order(&bench).await, expected);
    assert!(idle(&bench).await);
}

#[tokio::test(start_paused = true)]
async fn the_latest_run_replaces_those_before_it_even_across_a_crash() {
    let bench = Bench::new(&[("last", &sleeps("on_limit: replace"))]).await;
    for _ in 0..5 {
        bench.emit("go", json!({})).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let rows = bench.until(&[RunStatus::Waiting, RunStatus::Cancelled]).await;
    assert_eq!(rows.iter().filter(|row| row.status == RunStatus::Waiting).count(), 1);
    assert_eq!(rows[4].status, RunStatus::Waiting);
    let error = rows[0].error.clone().expect("why");
    assert_eq!((error.code.as_str(), error.message.contains(rows[1].id.as_str())), ("replaced", true));
    // The next one dies right after it got into the queue.
    die_after(&bench, 1, Fault::Crash);
    let _ = bench.try_emit("go", json!({})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let bench = bench.crash().await;
    let rows = bench.until(&[RunStatus::Succeeded, RunStatus::Cancelled]).await;
    assert_eq!(rows[4].error.as_ref().map(|error| error.code.as_str()), Some("replaced"));
    assert_eq!(rows[5].status, RunStatus::Succeeded);
}

/// Another node that takes and gives back slots of the same group, by the same rules.
async fn other_node(storage: Arc<MemoryStorage>, group: Group, stop: Arc<AtomicUsize>) -> usize {
    let mut changes = 0;
    let key = format!("g/{}\0{}", group.workflow, group.digest());
    while stop.load(Relaxed) == 0 {
        if let Some(record) = storage.record(Table::Slots, &key).await.expect("read") {
            let value = Some(record.value);
            let expect = Expect::Version(record.version);
            let write = RecordWrite { table: Table::Slots, key: key.clone(), expect, value };
            changes += usize::from(storage.write_records(vec![write]).await.is_ok());
        }
        tokio::task::yield_now().await;
    }
    changes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_conflict_over_a_group_loses_no_outcome_of_a_call() {
    let text = r#"
on: { event: [go] }
concurrency: { limit: 2 }
grants: { http: ["sink.example"] }
steps: [{ id: tell, http: POST https://sink.example/tell }]
"#;
    let bench = Bench::new(&[("raced", text)]).await;
    let group = Group { workflow: "raced".parse().expect("an id"), store: None, key: String::new() };
    let stop = Arc::new(AtomicUsize::new(0));
    let other = tokio::spawn(other_node(bench.storage.share(), group, Arc::clone(&stop)));
    for _ in 0..60 {
        bench.emit("go", json!({})).await;
    }
    while bench.rows().await.iter().filter(|row| row.status.is_ended()).count() < 60 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.store(1, Relaxed);
    assert!(other.await.expect("it ran") > 0);
    assert!(bench.engine.metrics().commit_conflicts.load(Relaxed) > 0, "there was no race");
    // A call that may not be repeated: one whose outcome was lost would have parked its run.
    assert!(bench.rows().await.iter().all(|row| row.status == RunStatus::Succeeded));
    assert_eq!(bench.world.asked().len(), 60);
    assert!(idle(&bench).await);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_would_wait_for_itself_fails_and_says_how_to_mend_it() {
    let text = |settings: &str| {
        format!(
            "on: {{ event: [go] }}\nconcurrency: {{ {settings} }}\nsteps:\n  - {{ id: inner, if: \"event.topic == \\\"go\\\"\", call: again }}\n"
        )
    };
    let middle = "on: { manual: true }\nsteps: [{ call: outer }]\n";
    let run = |settings: &'static str| async move {
        let outer = text(settings);
        let bench = Bench::new(&[("outer", &outer), ("again", middle)]).await;
        bench.emit("go", json!({})).await;
        let rows = bench.until(&[RunStatus::Succeeded, RunStatus::Failed]).await;
        all_is_well(&bench, 2).await;
        assert!(idle(&bench).await);
        rows.into_iter().map(|row| row.error.map(|error| error.message).unwrap_or_default()).collect::<Vec<_>>()
    };
    let stuck = run("limit: 1").await;
    assert!(stuck.iter().any(|why| why.contains("waits for this run and holds a slot")), "{stuck:#?}");
    for fine in ["limit: 2", "hold_while_waiting: false"] {
        assert_eq!(run(fine).await, ["", "", ""], "{fine}");
    }
}
