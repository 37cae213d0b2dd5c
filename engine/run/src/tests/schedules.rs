//! Schedules: who starts when, and what becomes of times that passed while no engine ran.

use std::time::Duration;

use cartwright_core::run::row::RunStatus;
use cartwright_storage::RunFilter;
use serde_json::{Value as Json, json};
use tokio::time::sleep;

use super::{Bench, workflow};
use crate::Options;

const HOUR: Duration = Duration::from_secs(3600);

fn every_hour(more: &str) -> String {
    format!("on: {{ schedule: {{ cron: \"0 * * * *\"{more} }} }}\nsteps:\n  - script: \"event\"\n")
}

/// The hours that runs were for, in order, with the store where there is one.
async fn times(bench: &Bench) -> Vec<String> {
    let mut all = Vec::new();
    for row in bench.engine.runs(&RunFilter::default(), None, 500).await.expect("listed").items {
        let event = bench.engine.event(&row.event).await.expect("read").expect("there").event;
        let data: Json = serde_json::from_str(event.data.get()).expect("JSON");
        let store = event.store.map(|store| format!(" {store}")).unwrap_or_default();
        all.push(format!("{}{store}", &data["scheduled"].as_str().expect("a time")[..16]));
    }
    all.sort();
    all
}

/// 2026-11-18T11:06:40Z is when the tests' clock begins.
#[tokio::test(start_paused = true)]
async fn what_passed_while_nobody_ran_is_made_up_for_as_the_schedule_says() {
    for (catch_up, expected) in [
        ("none", vec!["12:00", "16:00"]),
        ("one", vec!["12:00", "15:00", "16:00"]),
        ("all", vec!["12:00", "13:00", "14:00", "15:00", "16:00"]),
    ] {
        let bench = Bench::new(&[("hourly", &every_hour(&format!(", catch_up: {catch_up}")))]).await;
        let first = bench.engine.now();
        sleep(HOUR).await;
        let storage = bench.storage.clone();
        let (world, start, workflows) = (bench.world.clone(), bench.start, bench.workflows.clone());
        bench.engine.stop(Duration::ZERO).await.expect("stopped");
        drop(bench);
        sleep(HOUR * 3 + HOUR / 2).await;
        let bench = Bench::over(storage.reopen(), world, start, workflows, Options::default()).await;
        sleep(HOUR).await;
        let day = &first.to_string()[..11];
        let expected: Vec<String> = expected.into_iter().map(|time| format!("{day}{time}")).collect();
        assert_eq!(times(&bench).await, expected, "{catch_up}");
        let bench = bench.crash().await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(times(&bench).await, expected, "{catch_up}: a restart makes nothing twice");
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_makes_up_for_nothing_before_it() {
    let bench = Bench::new(&[("hourly", &every_hour(", catch_up: all"))]).await;
    sleep(HOUR).await;
    let (storage, world, start) = (bench.storage.clone(), bench.world.clone(), bench.start);
    bench.engine.stop(Duration::ZERO).await.expect("stopped");
    drop(bench);
    sleep(HOUR * 3).await;
    let edited = every_hour(", catch_up: all").replace("steps", "name: edited\nsteps");
    let bench =
        Bench::over(storage.reopen(), world, start, vec![workflow("hourly", &edited)], Options::default()).await;
    let before = times(&bench).await.len();
    sleep(HOUR).await;
    assert_eq!((before, times(&bench).await.len()), (1, 2));
    // Removed and brought back, it begins anew as well.
    bench.engine.set_workflows(vec![]).await.expect("set");
    sleep(HOUR * 2).await;
    bench.engine.set_workflows(vec![workflow("hourly", &edited)]).await.expect("set");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(times(&bench).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn each_selected_store_has_its_own_run_at_its_own_moment() {
    let bench = Bench::new(&[("hourly", &every_hour(", stores: [one, two, three], jitter: 30m"))]).await;
    for id in ["one", "two", "three", "four"] {
        bench.connect(id, false).await;
    }
    sleep(HOUR * 2 + HOUR / 2).await;
    let rows = bench.until(&[RunStatus::Succeeded]).await;
    assert_eq!(rows.len(), 6, "{rows:#?}");
    let moments: std::collections::BTreeSet<_> = rows.iter().map(|row| row.started).collect();
    assert!(moments.len() > 4, "spread: {moments:?}");
    let stores: Vec<String> = times(&bench).await.iter().map(|time| time[16..].to_owned()).collect();
    assert_eq!(stores, [" one", " three", " two", " one", " three", " two"]);
    let stored = bench.engine.event(&rows[0].event).await.expect("read").expect("there");
    assert_eq!(serde_json::from_str::<Json>(stored.event.data.get()).expect("JSON")["cron"], json!("0 * * * *"));
}
