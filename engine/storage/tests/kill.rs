//! kill -9 under load: a child process (this test binary, told to write) acknowledges on its standard output, is killed
//! without warning, and everything it acknowledged must be there, round after round in one folder.
#![cfg(unix)]

#[expect(dead_code, reason = "only a part of the suite is needed here")]
mod contract;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use cartwright_core::{id::EventId, run::row::RunStatus};
use cartwright_storage::{Batch, Options, RunWrite, SledStorage, Storage};
use contract::make::*;

const FOLDER: &str = "CARTWRIGHT_TEST_KILL_FOLDER";
const ROUND: &str = "CARTWRIGHT_TEST_KILL_ROUND";
const MEMTABLE_BYTES: usize = 64 * 1024;
const WRITERS: i64 = 8;

#[expect(clippy::disallowed_methods, reason = "how the parent tells the child what to do")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Not a test by itself: what the child does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_writes_until_it_is_killed() {
    let (Some(folder), Some(round)) = (told(FOLDER), told(ROUND)) else { return };
    let round: i64 = round.parse().expect("a number");
    let storage = SledStorage::open(folder.as_ref(), Options { memtable_bytes: MEMTABLE_BYTES }).expect("opens");
    let fence = own(&*storage, shard()).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let storage = storage.clone();
        writers.spawn(async move {
            for n in 0..100_000 {
                let event = event((round * 100_000 + n) * WRITERS + writer);
                let mut row = run(&*storage, fence, &event, "w", RunStatus::Running).await;
                println!("ack 1 {}", event.id);
                row.status = RunStatus::Succeeded;
                row.finished = Some(event.time);
                let write = RunWrite { row, expected_len: 1, append: vec![entry(1), entry(2)] };
                storage
                    .commit(shard(), fence, Batch { runs: vec![write], ..Batch::default() })
                    .await
                    .expect("committed");
                println!("ack 3 {}", event.id);
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged: Vec<(usize, EventId)> = Vec::new();
    for (round, lines) in [3usize, 50, 400, 1000, 77].into_iter().enumerate() {
        let mut child = Command::new(std::env::current_exe().expect("known"))
            .args(["--exact", "child_writes_until_it_is_killed", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut seen = 0;
        for line in output.lines() {
            let line = line.expect("text");
            // The harness may have begun a line of its own before the first one.
            let Some((_, ack)) = line.split_once("ack ") else { continue };
            let Some((entries, id)) = ack.split_once(' ') else { continue };
            if let Ok(id) = id.parse() {
                acknowledged.push((entries.parse().expect("a number"), id));
                seen += 1;
            }
            if seen == lines {
                child.kill().expect("killed"); // SIGKILL; what is in the pipe already is still read
            }
        }
        assert!(seen >= lines, "round {round}: the child wrote {seen} lines");
        child.wait().expect("gone");
        let storage = SledStorage::open(folder.path(), Options { memtable_bytes: MEMTABLE_BYTES }).expect("opens");
        for (entries, id) in &acknowledged {
            let kept = storage.event(id).await.expect("works").unwrap_or_else(|| panic!("round {round}: {id} is lost"));
            let matches = kept.matches.expect("matched");
            let cartwright_core::event::MatchOutcome::Started { run } = &matches[0].outcome else {
                panic!("{matches:?}")
            };
            assert!(storage.journal(run).await.expect("works").len() >= *entries, "round {round}: {run} lost entries");
        }
        let counts = storage.counts().await.expect("works");
        let runs: u64 = counts.runs.iter().sum();
        assert!(runs <= counts.events && counts.events >= acknowledged.len() as u64 / 2);
    }
}
