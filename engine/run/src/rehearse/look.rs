//! What was played becomes an outcome: without ids, clocks and journals.

use std::time::Duration;

use cartwright_core::{
    Json,
    event::{Match, MatchOutcome, Source},
    id::WorkflowId,
    run::entry::What,
    testing::{Emitted, MadeCall, NOT_HEARD, Outcome, REFUSED, Response, RunOutcome, StepOutcome},
    time::Timestamp,
    workflow::{Respond, TriggerKind, Workflow, triggers::DEFAULT_SYNC_SECONDS},
};

use cartwright_storage::StoredEvent;

use super::play::Played;
use crate::engine::RunDetail;

/// What came of a scene. `calls` are those that its stand-in saw.
pub fn outcome(played: &Played, tested: &Workflow, calls: Vec<MadeCall>) -> Outcome {
    let mine = played.runs.iter().filter(|run| run.row.workflow == tested.id);
    let runs = mine.map(|run| run_outcome(run, response(played, tested, run))).collect();
    let emitted = played.events.iter().filter(|one| matches!(one.event.source, Source::Emit { .. }));
    let emitted = emitted.map(|one| Emitted {
        topic: one.event.topic.clone(),
        data: serde_json::from_str(one.event.data.get()).unwrap_or_default(),
    });
    let mut not_started: Vec<String> = Vec::new();
    for one in played.events.iter().flat_map(|stored| stored.matches.iter().flatten()) {
        not_started.extend(why_not(one, &tested.id));
    }
    let events = became(played, &tested.id);
    let refused = played.brought.iter().find_map(|one| one.as_ref().err()).map(|one| Response::engine(one.status));
    not_started.extend(played.brought.iter().filter_map(|one| Some(one.as_ref().err()?.why.clone())));
    let state = played.state.iter().cloned().collect();
    Outcome { runs, calls, emitted: emitted.collect(), state, events, refused, not_started }
}

/// What became of each event that the case brought.
fn became(played: &Played, tested: &WorkflowId) -> Vec<String> {
    let word = |stored: &StoredEvent| {
        let mine = stored.matches.iter().flatten().find(|one| one.workflow == *tested);
        let value = mine.and_then(|one| serde_json::to_value(&one.outcome).ok());
        value.and_then(|value| Some(value["outcome"].as_str()?.to_owned())).unwrap_or_else(|| NOT_HEARD.to_owned())
    };
    let within = |source: &Source| matches!(source, Source::Emit { .. } | Source::Call { .. });
    let mut events = played.events.iter().filter(|stored| !within(&stored.event.source));
    let brought = played.brought.iter().filter_map(|one| match one {
        Ok(()) => events.next().map(word),
        Err(_) => Some(REFUSED.to_owned()),
    });
    brought.collect()
}

fn why_not(one: &Match, tested: &WorkflowId) -> Option<String> {
    if one.workflow != *tested {
        return None;
    }
    match &one.outcome {
        // A held event has its run, unless the test ends before its gate lets it go.
        MatchOutcome::Started { .. }
        | MatchOutcome::Delayed { .. }
        | MatchOutcome::Merged { .. }
        | MatchOutcome::Collected { .. } => None,
        MatchOutcome::Duplicate { of, .. } => Some(format!("`dedupe`: a duplicate of {of}")),
        MatchOutcome::KeyFailed { gate, error } => Some(format!("`key` of `{gate}`: {error}")),
        MatchOutcome::Dropped { gate, reason } => Some(format!("held by `{gate}`: {}", reason.in_words())),
        MatchOutcome::ConditionFalse { condition } => Some(format!("`{condition}` is false")),
        MatchOutcome::ConditionFailed { condition, error } => Some(format!("`{condition}` failed: {error}")),
        MatchOutcome::LoopCut => Some("too many hops: a loop was cut".into()),
    }
}

/// What whoever started a run hears of it: a caller has so much patience, anybody else all the time there is.
fn response(played: &Played, tested: &Workflow, run: &RunDetail) -> Response {
    let event = played.events.iter().map(|stored| &stored.event).find(|event| event.id == run.row.event);
    let Some((event, Source::Http { path, method, .. })) = event.map(|event| (event, &event.source)) else {
        return Response::of_run(&run.journal, Timestamp::MAX);
    };
    let respond = tested.triggers.iter().find_map(|trigger| match &trigger.kind {
        TriggerKind::Http(http) if http.path == *path && http.method == *method => Some(&http.respond),
        _ => None,
    });
    match respond {
        Some(Respond::Sync { timeout }) => {
            let patience = timeout.unwrap_or(Duration::from_secs(DEFAULT_SYNC_SECONDS));
            Response::of_run(&run.journal, event.time.plus(patience))
        }
        // Who does not wait is told at once that it was accepted.
        Some(Respond::Async) => Response::engine(202),
        None => Response::of_run(&run.journal, Timestamp::MAX),
    }
}

fn run_outcome(run: &RunDetail, response: Response) -> RunOutcome {
    let mut output = Json::Null;
    for entry in &run.journal {
        if let What::RunFinished { output: given, .. } = &entry.what {
            output.clone_from(given);
        }
    }
    let begun = run.journal.first().map_or(run.row.started, |entry| entry.at);
    let ended = run.row.finished.or(run.journal.last().map(|entry| entry.at)).unwrap_or(begun);
    let steps = run.steps.iter().map(|step| StepOutcome {
        path: step.id.to_string(),
        status: step.status.as_str().to_owned(),
        attempts: step.attempts,
        output: step.output.clone(),
        error: step.error.clone(),
    });
    RunOutcome {
        status: run.row.status,
        output,
        failure: run.row.error.clone(),
        response,
        steps: steps.collect(),
        slept_millis: u64::try_from(ended.since(begun).as_millis()).unwrap_or(u64::MAX),
    }
}
