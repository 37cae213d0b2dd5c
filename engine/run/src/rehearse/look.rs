//! What was played becomes an outcome: without ids, clocks and journals.

use cartwright_core::{
    Json,
    event::{Match, MatchOutcome, Source},
    id::WorkflowId,
    run::entry::What,
    testing::{Emitted, MadeCall, Outcome, RunOutcome, StepOutcome},
};

use super::play::Played;
use crate::engine::RunDetail;

/// What came of a scene. `calls` are those that its stand-in saw.
pub fn outcome(played: &Played, tested: &WorkflowId, calls: Vec<MadeCall>) -> Outcome {
    let runs = played.runs.iter().filter(|run| run.row.workflow == *tested).map(run_outcome).collect();
    let emitted = played.events.iter().filter(|one| matches!(one.event.source, Source::Emit { .. }));
    let emitted = emitted.map(|one| Emitted {
        topic: one.event.topic.clone(),
        data: serde_json::from_str(one.event.data.get()).unwrap_or_default(),
    });
    let mut not_started: Vec<String> = Vec::new();
    for one in played.events.iter().flat_map(|stored| stored.matches.iter().flatten()) {
        not_started.extend(why_not(one, tested));
    }
    Outcome { runs, calls, emitted: emitted.collect(), state: played.state.iter().cloned().collect(), not_started }
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

fn run_outcome(run: &RunDetail) -> RunOutcome {
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
        steps: steps.collect(),
        slept_millis: u64::try_from(ended.since(begun).as_millis()).unwrap_or(u64::MAX),
    }
}
