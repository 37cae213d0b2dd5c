//! Which workflows an event may start. Conditions come after this: they need the evaluator.

mod why;

use std::sync::Arc;

pub use why::{WhyNot, why_not};

use crate::{
    event::{Event, Source},
    workflow::{Expression, Trigger, TriggerKind, Workflow, WorkflowSet, inputs::MANUAL_TOPIC, set::Kinds},
};

/// The workflows that listen to an event, each with the first trigger that does, in order of id. See [`listeners`].
pub fn candidates<'a>(
    set: &'a WorkflowSet,
    event: &Event,
    store_tags: &[String],
) -> Vec<(&'a Arc<Workflow>, &'a Trigger)> {
    let mut found = listeners(set, event, store_tags);
    found.dedup_by(|next, first| Arc::ptr_eq(next.0, first.0));
    found
}

/// Every trigger that listens to an event, in order of workflow id and of the file: a workflow with several starts
/// once, when the conditions of any of them hold.
///
/// Sources that are addressed to one workflow give that one. A store's webhook reaches `woo` triggers, an emitted event
/// `event` triggers, and one that the API brings both (`woo` only when it names a store and a topic such as
/// `order.created`). `store_tags` are the tags of the event's store.
pub fn listeners<'a>(
    set: &'a WorkflowSet,
    event: &Event,
    store_tags: &[String],
) -> Vec<(&'a Arc<Workflow>, &'a Trigger)> {
    let only = match &event.source {
        Source::Replay { workflow, .. } => workflow.as_ref(),
        _ => None,
    };
    let mut found = match kinds(event) {
        Some(kinds) => set.listeners(kinds, &event.topic, event.store.as_ref(), store_tags),
        None => addressed(set, event).into_iter().collect(),
    };
    found.retain(|(workflow, _)| only.is_none_or(|only| workflow.id == *only));
    found
}

/// Which triggers an event reaches; `None`: its source is addressed to one workflow.
fn kinds(event: &Event) -> Option<Kinds> {
    match event.source.first() {
        Source::Woo { .. } => Some(Kinds { woo: true, event: false }),
        Source::Emit { .. } => Some(Kinds { woo: false, event: true }),
        Source::Api => Some(Kinds { woo: event.store.is_some() && event.topic.contains('.'), event: true }),
        _ => None,
    }
}

/// The conditions an event must meet: the workflow's, then the trigger's.
pub fn conditions<'a>(workflow: &'a Workflow, trigger: &'a Trigger) -> impl Iterator<Item = &'a Expression> {
    workflow.condition.iter().chain(&trigger.condition)
}

/// The one workflow that a source names, with the trigger it means.
fn addressed<'a>(set: &'a WorkflowSet, event: &Event) -> Option<(&'a Arc<Workflow>, &'a Trigger)> {
    let source = event.source.first();
    let workflow = set.get(source.workflow()?).filter(|workflow| workflow.enabled)?;
    let meant = |trigger: &&Trigger| match (&trigger.kind, source) {
        (TriggerKind::Http(http), Source::Http { path, method, .. }) => http.path == *path && http.method == *method,
        (TriggerKind::Schedule(schedules), Source::Schedule { cron, .. }) => {
            schedules.iter().any(|schedule| schedule.cron.source == *cron)
        }
        (TriggerKind::Manual, Source::Manual { .. }) => event.topic == MANUAL_TOPIC,
        (TriggerKind::Manual, Source::Call { .. }) => true,
        (TriggerKind::Woo { topics, .. } | TriggerKind::Event { topics }, Source::Manual { .. }) => {
            topics.iter().any(|pattern| crate::workflow::topic::matches(pattern, &event.topic))
        }
        _ => false,
    };
    let trigger = workflow.triggers.iter().find(meant);
    // A run by hand or a call starts a workflow whatever it listens to; a path or a time that is gone starts nothing.
    let any =
        matches!(source, Source::Manual { .. } | Source::Call { .. }).then(|| workflow.triggers.first()).flatten();
    trigger.or(any).map(|trigger| (workflow, trigger))
}
