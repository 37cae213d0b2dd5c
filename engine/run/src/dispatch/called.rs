//! Events that are calls of workflows: who called, and what the caller is told where nothing starts.

use cartwright_core::{
    call::{CallError, CallOutcome},
    event::{Event, Match, MatchOutcome, Source},
    id::RunId,
    run::child::Parent,
};
use cartwright_storage::{Mail, MailBody, MailKey};

use crate::{inner::Inner, rehearse::Child};

/// What becomes of a called workflow where somebody answers in the world's place, and for it; `None`: it runs.
pub(super) async fn stood_in(inner: &Inner, event: &Event) -> Option<Option<CallOutcome>> {
    let stand_in = inner.options.stand_in.as_ref()?;
    let Source::Call { .. } = &event.source else { return None };
    match stand_in.0.child(event).await {
        Child::Runs => None,
        Child::Ended(outcome) => Some(Some(outcome)),
        Child::Silent => Some(None),
    }
}

/// Who called a run that this event starts; a replay has no caller.
pub(super) fn parent_of(event: &Event) -> Option<Parent> {
    match &event.source {
        Source::Call { run, step, awaited, chain, .. } => {
            Some(Parent { run: run.clone(), step: step.clone(), awaited: *awaited, chain: chain.clone() })
        }
        _ => None,
    }
}

/// A call that starts nothing (its workflow went away in the meantime) would be waited for in vain: the caller is told.
pub(super) fn not_started(event: &Event, matches: &[Match]) -> Option<Mail> {
    let workflow = event.source.workflow()?;
    if matches.iter().any(|one| matches!(one.outcome, MatchOutcome::Started { .. })) {
        return None;
    }
    let message = format!("`{workflow}` was not started: it went away or was disabled in the meantime");
    told_to_caller(event, CallOutcome::Err(CallError::r#final("call_failed", message)))
}

/// What came of a call, as mail to the run that waits for it.
pub(super) fn told_to_caller(event: &Event, outcome: CallOutcome) -> Option<Mail> {
    let Source::Call { run, step, workflow, awaited: true, .. } = &event.source else { return None };
    let child = RunId::derived(event.time, &event.id, workflow);
    let key = MailKey { run: run.clone(), id: format!("child:{child}") };
    Some(Mail { key, body: MailBody::Child { path: step.clone(), child, outcome } })
}
