//! People who answer questions, two of them at once, and who cancel runs.

use std::sync::Arc;

use cartwright_core::{
    id::{RunId, StepPath},
    run::{entry::What, row::RunStatus},
};
use cartwright_run::Engine;
use cartwright_storage::{MemoryStorage, RunFilter, Storage};
use cartwright_tests::random::Random;
use parking_lot::Mutex;

use super::{Seen, effect, number_of, runs_of};
use crate::life::History;

/// A question beside a wait, and an effect that says how it was answered.
pub(super) const TEXTS: &[(&str, &str)] = &[(
    "asks",
    r#"
on: { event: [ask.go] }
grants: { http: ["sink.example.com"] }
retry: { attempts: 40, initial: 100ms, factor: 2, max: 5s }
steps:
  - id: both
    parallel:
      left:
        - { id: ask, approve: "May ${{ event.data.n }}?", timeout: 30m }
      right:
        - { id: came, wait_for: { event: ask.news, if: incoming.data.n == event.data.n, timeout: 20s, lookback: 10s } }
  - http: POST http://sink.example.com/
    body: { effect: '${{ if steps.ask.output.approved { "yes" } else { "no" } }}-${{ event.data.n }}' }
    IDEMPOTENT
on_cancel:
  - http: POST http://sink.example.com/
    body: { effect: "askcancel-${{ event.data.n }}" }
    IDEMPOTENT
"#,
)];

const CAN_BE_CANCELLED: [&str; 4] = ["slots", "caller", "part", "asks"];

/// An answer that the engine took.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    run: RunId,
    /// Read where it is shown.
    _step: StepPath,
    approved: bool,
}

/// One of them does something, if there is anything to do.
pub(crate) async fn take_part(engine: &Engine, disk: &MemoryStorage, seen: &Arc<Mutex<Seen>>, random: &mut Random) {
    if random.percent(60) {
        answer(engine, seen, random).await;
    } else {
        cancel(engine, disk, random).await;
    }
}

async fn answer(engine: &Engine, seen: &Arc<Mutex<Seen>>, random: &mut Random) {
    let open = engine.approvals(None, 100).await.expect("questions").items;
    if open.is_empty() {
        return;
    }
    let one = &open[random.below(open.len() as u64) as usize];
    let (first, second) = (random.percent(50), random.percent(50));
    let say = |approved: bool, by: &'static str| async move {
        let said = engine.answer(&one.run, one.step.clone(), approved, by, None).await;
        if said.is_ok() {
            seen.lock().said.push(Said { run: one.run.clone(), _step: one.step.clone(), approved });
        }
    };
    tokio::join!(say(first, "ann"), say(second, "bob"));
}

async fn cancel(engine: &Engine, disk: &MemoryStorage, random: &mut Random) {
    let workflow = CAN_BE_CANCELLED[random.below(CAN_BE_CANCELLED.len() as u64) as usize];
    let status = [RunStatus::Queued, RunStatus::Waiting, RunStatus::Parked][random.below(3) as usize];
    let workflow = Some(workflow.parse().expect("an id"));
    let filter = RunFilter { workflow, status: Some(status), ..RunFilter::default() };
    let rows = disk.query_runs(&filter, None, 10).await.expect("runs").items;
    if let Some(row) = rows.first() {
        // It may have ended meanwhile.
        let _ = engine.cancel(&row.id, "ann").await;
    }
}

pub(super) fn check(history: &History) -> Vec<String> {
    let mut wrong = Vec::new();
    for (row, journal) in runs_of(history, "asks") {
        let given: Vec<bool> = journal
            .iter()
            .filter_map(|entry| match &entry.what {
                What::ApprovalGiven { approved, .. } => Some(*approved),
                _ => None,
            })
            .collect();
        if given.len() > 1 {
            wrong.push(format!("{} was answered {} times", row.id, given.len()));
        }
        for said in history.parts.said.iter().filter(|said| said.run == row.id) {
            if given.first() != Some(&said.approved) {
                wrong.push(format!("{said:?} was taken, the journal has {given:?}"));
            }
        }
        let Some(number) = number_of(history, row) else { continue };
        let [yes, no, cancelled] = ["yes", "no", "askcancel"].map(|name| effect(history, &format!("{name}-{number}")));
        if [yes, no, cancelled].iter().any(|(times, keys)| *times > 1 || *keys > 1) {
            wrong.push(format!("{}: its effects happened more than once: {yes:?} {no:?} {cancelled:?}", row.id));
        }
        let expected = if given == [true] { (1, 0) } else { (0, 1) };
        if row.status == RunStatus::Succeeded && (yes.0, no.0) != expected {
            wrong.push(format!("{}: answered {given:?}, and did {yes:?} {no:?}", row.id));
        }
    }
    wrong
}
