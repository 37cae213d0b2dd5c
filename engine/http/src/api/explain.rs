//! Why workflows were not considered for an event. What was considered is recorded with the event; this is told from the
//! workflows as they are now, and says so.

use std::collections::BTreeMap;

use cartwright_core::{
    access::{Area, Right},
    id::WorkflowId,
    trigger::{WhyNot, why_not},
    workflow::WorkflowSet,
};
use cartwright_run::storage::StoredEvent;
use serde::Serialize;
use utoipa::ToSchema;

use super::workflows::sees;
use crate::{caller::Caller, door::Door};

/// Workflows that one answer explains; the rest is counted, and `?workflow=` explains any of them.
const ITEMS_MAX: usize = 100;

/// Why others were not considered, as of now.
#[derive(Serialize, ToSchema)]
#[schema(as = NotMatched)]
pub(super) struct Now<'a> {
    /// What this is and is not.
    note: &'static str,
    /// How many workflows for which reason.
    reasons: BTreeMap<&'static str, usize>,
    /// Those that came closest first.
    items: Vec<Item<'a>>,
    /// There are more than are listed.
    more: bool,
}

/// One workflow, or one file that does not load.
#[derive(Serialize, ToSchema)]
#[schema(as = WhyNot)]
struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<&'a WorkflowId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    reason: &'static str,
    message: &'static str,
}

/// Explains all workflows that the caller sees and that are not recorded with the event, or the `only` one.
pub(super) fn now<'a>(
    door: &Door,
    caller: &Caller,
    set: &'a WorkflowSet,
    stored: &StoredEvent,
    only: Option<&str>,
) -> Now<'a> {
    let tags = stored.event.store.as_ref().and_then(|id| door.engine.stores().get(id));
    let tags = tags.map(|open| open.tags.clone()).unwrap_or_default();
    let is_recorded = |id: &WorkflowId| stored.matches.iter().flatten().any(|one| one.workflow == *id);
    let is_meant = |id: &str| only.is_none_or(|only| only == id);
    let others = set.iter().filter(|one| is_meant(one.id.as_str()) && !is_recorded(&one.id));
    let seen = others.filter(|one| sees(door, caller, Area::Workflows, one));
    let mut all: Vec<(WhyNot, &WorkflowId)> = seen.map(|one| (why_not(one, &stored.event, &tags), &one.id)).collect();
    all.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let mut reasons = BTreeMap::new();
    for (why, _) in &all {
        *reasons.entry(why.as_str()).or_insert(0) += 1;
    }
    let item = |(why, id): &(WhyNot, &'a WorkflowId)| Item {
        workflow: Some(*id),
        file: None,
        reason: why.as_str(),
        message: why.in_words(),
    };
    let mut items: Vec<Item<'a>> = all.iter().take(ITEMS_MAX).map(item).collect();
    let broken = broken_files(door, caller, only);
    if !broken.is_empty() {
        reasons.insert("broken_file", broken.len());
    }
    let more = all.len() + broken.len() > ITEMS_MAX;
    items.extend(broken);
    items.truncate(ITEMS_MAX);
    let note = "as the workflows are now; `matches` is what was recorded when the event was matched";
    Now { note, reasons, items, more }
}

/// Files that do not load could hold a workflow that would have listened.
fn broken_files<'a>(door: &Door, caller: &Caller, only: Option<&str>) -> Vec<Item<'a>> {
    if caller.everywhere(Area::Workflows, Right::Read).is_err() {
        return Vec::new();
    }
    let findings = door.config.findings.all();
    let stem = |file: &str| file.rsplit_once('.').map_or_else(|| file.to_owned(), |(stem, _)| stem.to_owned());
    let meant = findings.iter().filter(|one| one.is_broken());
    let meant = meant.filter(|one| only.is_none_or(|only| stem(&one.file).ends_with(only)));
    let item = |file: &str| Item {
        workflow: None,
        file: Some(file.to_owned()),
        reason: "broken_file",
        message: "does not load as it stands; `cartwright check` says why",
    };
    meant.map(|one| item(&one.file)).collect()
}
