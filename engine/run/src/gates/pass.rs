//! An event goes through the gates of the triggers that took it, in the commit that takes it out of the inbox.

use std::sync::Arc;

use cartwright_core::{
    event::{Event, Match, MatchOutcome},
    gate::{Arrival, GateKind, GateState, Passed, is_duplicate},
    id::RunId,
};
use cartwright_storage::{Batch, CommitError, RunWrite, StorageError};

use super::{
    GateError, Gated, Turn,
    plan::{After, Plan, Side, onward},
};
use crate::{commit::commit_until_done, inner::Inner, live::Gated as Told};

/// How often a plan is made anew because somebody else moved a gate: turns make that rare.
pub(super) const TRIES: usize = 100;

/// What came of an event at its gates.
pub(crate) enum Through {
    /// It is matched.
    Done,
    /// It was matched before.
    Before,
}

/// Takes an event through its gates. `matches` and `runs` are what other workflows made of it; all of it is one commit.
pub(crate) async fn through(
    inner: &Arc<Inner>,
    event: &Event,
    matches: &[Match],
    runs: &[RunWrite],
    gated: &[Gated],
    workflows: Option<Turn>,
) -> Result<Through, GateError> {
    let mut turn = in_line(inner, event, gated, workflows).await;
    turn.comes().await;
    for _ in 0..TRIES {
        let (batch, after) = plan(inner, event, matches, runs, gated).await?;
        match commit_until_done(inner, event.shard(), batch).await {
            Ok(()) => {
                after.act(inner);
                return Ok(Through::Done);
            }
            Err(CommitError::Conflict { what }) => {
                let stored = inner.storage.event(&event.id).await?;
                if stored.is_none_or(|stored| stored.matches.is_some()) {
                    return Ok(Through::Before);
                }
                tracing::debug!(event = %event.id, what, "a gate moved; considering the event again");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(GateError::Restless)
}

/// Lines up at the gates once those that came before have: so events of a workflow stay in order.
async fn in_line(inner: &Inner, event: &Event, gated: &[Gated], workflows: Option<Turn>) -> Turn {
    let mut workflows = workflows;
    if let Some(turn) = &mut workflows {
        turn.comes().await;
    }
    let names = gated.iter().flat_map(|one| {
        let gates = &one.gates;
        let side = Side { workflow: &one.workflow, trigger: &one.trigger, gates, store: event.store.as_ref() };
        one.keys.iter().map(move |(kind, key)| side.gate(*kind, key.clone()).record()).collect::<Vec<_>>()
    });
    inner.gates.turns.take(names.collect())
}

async fn plan(
    inner: &Inner,
    event: &Event,
    matches: &[Match],
    runs: &[RunWrite],
    gated: &[Gated],
) -> Result<(Batch, After), StorageError> {
    let mut plan = Plan::new(inner, event.shard());
    let mut all = matches.to_vec();
    for gated in gated {
        let outcome = pass(&mut plan, event, gated).await?;
        let one = Match { workflow: gated.workflow.id.clone(), outcome };
        plan.after.told.push(Told { event: event.id.clone(), store: event.store.clone(), one: one.clone() });
        all.push(one);
    }
    all.sort_by(|a, b| a.workflow.cmp(&b.workflow));
    let (mut batch, after) = plan.finish(event.store.as_ref());
    batch.matched.push((event.id.clone(), all));
    batch.runs.extend(runs.iter().cloned());
    Ok((batch, after))
}

async fn pass(plan: &mut Plan<'_>, event: &Event, gated: &Gated) -> Result<MatchOutcome, StorageError> {
    let Gated { workflow, trigger, gates, keys } = gated;
    let side = Side { workflow, trigger, gates, store: event.store.as_ref() };
    let run = RunId::derived(event.time, &event.id, &workflow.id);
    let dedupe = gates.dedupe.as_ref().zip(keys.get(&GateKind::Dedupe));
    let dedupe = dedupe.map(|(policy, key)| (policy.window, side.gate(GateKind::Dedupe, key.clone())));
    if let Some((window, id)) = &dedupe {
        let record = plan.desk.look(&id.record()).await?;
        if let Some(GateState::Passed(passed)) = record.map(|record| record.state)
            && is_duplicate(Some(&passed), *window, event.time)
        {
            let until = passed.until(*window);
            return Ok(MatchOutcome::Duplicate { of: passed.event, run: passed.run, until });
        }
    }
    let arrival = Arrival {
        event: event.id.clone(),
        at: event.time,
        bytes: event.data.get().len() as u64,
        run: run.clone(),
        shard: event.shard(),
        hops: event.hops,
        onward: onward(keys),
    };
    let outcome = match keys.get(&GateKind::Debounce) {
        Some(key) => plan.debounce(&side, key.clone(), arrival).await?,
        None => plan.collect(&side, arrival).await?,
    };
    if matches!(outcome, MatchOutcome::Started { .. }) {
        plan.after.begun.push(run.clone());
    }
    if let Some((window, id)) = dedupe {
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let passed = Passed { event: event.id.clone(), run: outcome.run().cloned(), at: event.time, window_ms };
        let until = passed.until(window);
        plan.desk.put(&id, run, GateState::Passed(passed), until);
    }
    Ok(outcome)
}
