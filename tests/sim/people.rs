//! People who look after runs that stopped: they look at the receiver and say what an unknown call did, give a run up,
//! or let it go on. Crashes come before, during and after their words; what they said outlives the engine, as they do.

use std::{collections::BTreeSet, sync::Arc};

use cartwright_core::{
    id::{RunId, StepPath},
    run::{
        apply::fold,
        decide::{Said, Which},
        entry::{Entry, What},
        row::{RunRow, RunStatus},
        state::RunState,
    },
};
use cartwright_run::Engine;
use cartwright_storage::{MemoryStorage, RunFilter, Storage};
use cartwright_tests::random::Random;
use parking_lot::Mutex;
use serde_json::json;

use crate::{life::History, network::Network};

/// Runs of one status that a person looks through.
const LOOKED_THROUGH: usize = 100;

/// Something that was said about a run.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    run: RunId,
    what: Spoken,
    /// The engine answered: it is a promise.
    is_answered: bool,
}

#[derive(Debug, Clone)]
enum Spoken {
    Done {
        /// The call's idempotency key.
        key: String,
        /// How often the receiver was asked under it when this was said.
        asked: usize,
    },
    NotDone,
    GiveUp,
    GoOn,
}

/// All that was said, in order: the name under which word 3 was said is `person 3`.
pub(crate) type Words = Vec<Word>;

/// What a person works with.
pub(crate) struct Desk<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) disk: &'a MemoryStorage,
    pub(crate) network: &'a Network,
    pub(crate) words: &'a Arc<Mutex<Words>>,
}

/// Takes up one run that stopped, if there is one; whether something was said.
pub(crate) async fn look_after(desk: &Desk<'_>, random: &mut Random) -> bool {
    let status = match random.below(100) {
        0..75 => RunStatus::Parked,
        75..95 => RunStatus::Failed,
        _ => RunStatus::Waiting,
    };
    let filter = RunFilter { status: Some(status), ..RunFilter::default() };
    let rows = desk.disk.query_runs(&filter, None, LOOKED_THROUGH).await.expect("runs").items;
    if rows.is_empty() {
        return false;
    }
    let row = &rows[usize::try_from(random.below(rows.len() as u64)).unwrap_or(0)];
    let journal = desk.disk.journal(&row.id).await.expect("a journal");
    let state = fold(&journal).ok().flatten().expect("a run");
    let unknown = state.unknown_calls();
    let luck = random.below(100);
    match (status, unknown.is_empty(), luck) {
        (RunStatus::Parked, false, 0..70) | (RunStatus::Failed, false, 0..60) => {
            let (path, index) = &unknown[usize::try_from(random.below(unknown.len() as u64)).unwrap_or(0)];
            say_what_happened(desk, &state, path, *index).await;
        }
        (RunStatus::Parked, _, 0..95) => {
            let number = begin(desk, &row.id, Spoken::GiveUp);
            let said = desk.engine.fail(&row.id, &name(number), Some("as simulated".into())).await;
            end(desk, number, said.is_ok());
        }
        // Also where it is refused: something is unknown, or nothing was put off.
        _ => {
            let number = begin(desk, &row.id, Spoken::GoOn);
            let said = desk.engine.retry(&row.id, &name(number), false).await;
            end(desk, number, said.is_ok());
        }
    }
    true
}

/// The receiver is looked at; its requests have ended with the engine that made them, so what is seen stays true.
async fn say_what_happened(desk: &Desk<'_>, state: &RunState, path: &StepPath, index: u32) {
    let key = state.call_key(path, index);
    let which = Which { step: Some(path.clone()), call: Some(index) };
    let (what, said) = match desk.network.has_seen(&key) {
        true => {
            let asked = desk.network.asked(&key);
            let gave = json!({ "status": 200, "headers": {}, "body": { "ok": true } });
            (Spoken::Done { key, asked }, Said::Done(gave))
        }
        false => (Spoken::NotDone, Said::NotDone),
    };
    let number = begin(desk, &state.run, what);
    let said = desk.engine.resolve(&state.run, &name(number), which, said).await;
    end(desk, number, said.is_ok());
}

fn begin(desk: &Desk<'_>, run: &RunId, what: Spoken) -> usize {
    let mut words = desk.words.lock();
    words.push(Word { run: run.clone(), what, is_answered: false });
    words.len() - 1
}

fn end(desk: &Desk<'_>, number: usize, is_answered: bool) {
    desk.words.lock()[number].is_answered = is_answered;
}

fn name(number: usize) -> String {
    format!("person {number}")
}

/// What is wrong with how the engine took what people said.
pub(crate) fn check(history: &History) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, word) in history.words.iter().enumerate() {
        let Some((_, journal)) = history.runs.iter().find(|(row, _)| row.id == word.run) else {
            wrong.push(format!("{} is gone", word.run));
            continue;
        };
        let is_written = journal.iter().any(|entry| said_by(entry) == Some(name(number).as_str()));
        if word.is_answered && !is_written {
            wrong.push(format!("{}: word {number} was answered and is not in the journal: {:?}", word.run, word.what));
        }
        if let (Spoken::Done { key, asked }, true) = (&word.what, is_written) {
            let now = history.asked.get(key).copied().unwrap_or_default();
            if now != *asked {
                wrong.push(format!(
                    "{}: a call that was said to have happened was made again, {asked} → {now}",
                    word.run
                ));
            }
        }
    }
    wrong.extend(history.runs.iter().filter_map(|(row, journal)| given_up_stays_so(row, journal)));
    wrong
}

/// How many words of each kind were written down: done, not done, given up, gone on.
pub(crate) fn counted(history: &History) -> [u64; 4] {
    let written: BTreeSet<&str> = history.runs.iter().flat_map(|(_, journal)| journal).filter_map(said_by).collect();
    let mut count = [0; 4];
    for (number, word) in history.words.iter().enumerate() {
        if written.contains(name(number).as_str()) {
            let kind = match word.what {
                Spoken::Done { .. } => 0,
                Spoken::NotDone => 1,
                Spoken::GiveUp => 2,
                Spoken::GoOn => 3,
            };
            count[kind] += 1;
        }
    }
    count
}

fn said_by(entry: &Entry) -> Option<&str> {
    match &entry.what {
        What::OutcomeGiven { by, .. } | What::FailRequested { by, .. } | What::RunRetried { by, .. } => Some(by),
        _ => None,
    }
}

/// From a person's giving up to a retry after the end, no main step begins and the run does not succeed.
fn given_up_stays_so(row: &RunRow, journal: &[Entry]) -> Option<String> {
    let (mut given_up, mut ended) = (false, false);
    for entry in journal {
        match &entry.what {
            What::FailRequested { .. } => given_up = true,
            What::RunFinished { .. } => ended = true,
            What::RunRetried { .. } if ended => (given_up, ended) = (false, false),
            What::StepStarted { path, .. } if given_up && is_main(path) => {
                return Some(format!("{}: `{path}` begins although the run was given up", row.id));
            }
            _ => {}
        }
    }
    // In doubt about its `on_failure`, it is parked again.
    let cancelled = row.status == RunStatus::Cancelled
        && journal.iter().any(|entry| matches!(entry.what, What::CancelRequested { .. }));
    let is_fine = !given_up || cancelled || matches!(row.status, RunStatus::Failed | RunStatus::Parked);
    (!is_fine).then(|| format!("{} was given up and is {:?}", row.id, row.status))
}

/// A step of the run's main part: whatever handles its end stands below a name of its own.
fn is_main(path: &StepPath) -> bool {
    !["on_failure/", "on_cancel/", "undo/"].iter().any(|part| path.as_str().starts_with(part))
}
