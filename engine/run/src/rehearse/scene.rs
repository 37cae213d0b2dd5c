//! A test case becomes a scene: workflows, stores, secrets, and what happens when.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cartwright_core::{
    Json,
    event::{Event, Source},
    id::{StepPath, StoreId, WorkflowId},
    testing::{DEFAULT_CLOCK, DEFAULT_STORE, EventStart, Ground, Happening, HttpStart, ScheduleStart, TestCase},
    time::Timestamp,
    workflow::{BodySchema, Schedule, TriggerKind, Workflow, inputs, topic},
};
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

use super::play::BY;
use crate::definition::Loaded;

/// What is played.
#[derive(Debug)]
pub struct Scene {
    /// When it begins.
    pub begins: Timestamp,
    /// The tested workflow and those it calls.
    pub workflows: Vec<Loaded>,
    /// The tested one.
    pub tested: WorkflowId,
    /// Connected stores with their tags.
    pub stores: Vec<(StoreId, Vec<String>)>,
    /// Secrets that are set.
    pub secrets: Vec<(String, String)>,
    /// What the tested workflow remembers.
    pub state: Vec<(String, Json)>,
    /// What happens, each since the beginning, in order.
    pub happens: Vec<(Duration, Happens)>,
    /// Events that come to the engine by what happens, in order; `Err`: what is refused before it becomes one.
    pub brings: Vec<Result<(), Refused>>,
}

/// What the engine does not take, with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// In words for people.
    pub why: String,
}

/// Says what is wrong with a body by the schema that its endpoint asks for.
pub type BodyCheck<'a> = &'a dyn Fn(&BodySchema, &Json) -> Vec<String>;

/// Something that happens in a scene.
#[derive(Debug)]
pub enum Happens {
    /// An event is accepted.
    Event {
        /// Its topic.
        topic: String,
        /// Its store.
        store: Option<StoreId>,
        /// Where it comes from.
        source: Source,
        /// Its data.
        data: Arc<RawValue>,
    },
    /// A recorded event is accepted, as itself.
    Recorded(Box<Event>),
    /// Every open run is cancelled.
    Cancel,
    /// Every parked or failed run is retried.
    Retry,
    /// A person retries these failed iterations of the runs that have them.
    RetryIterations(Vec<StepPath>),
    /// A person answers every open question of a step.
    Approve {
        /// Its id or path.
        step: String,
        /// What they say.
        approved: bool,
        /// Who.
        by: String,
        /// In their words.
        comment: Option<String>,
        /// That nobody is asked then is an error.
        must: bool,
    },
}

/// Why a case makes no scene.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// No such endpoint.
    #[error("the workflow has no endpoint {0}")]
    NoEndpoint(String),
    /// No such schedule.
    #[error("the workflow has no schedule{0}")]
    NoSchedule(String),
    /// It is never due.
    #[error("the schedule `{0}` is never due after {1}")]
    NeverDue(String, Timestamp),
}

/// What a case plays. `workflows` must hold the tested one; `ground` is the file's.
pub fn scene(
    case: &TestCase,
    ground: &Ground,
    tested: &Arc<Workflow>,
    workflows: Vec<Loaded>,
    body_check: BodyCheck<'_>,
) -> Result<Scene, SceneError> {
    let mut begins = case.ground.clock.or(ground.clock).unwrap_or(DEFAULT_CLOCK);
    if let Happening::Schedule(start) = &case.start {
        begins = due(tested, start, begins)?.1;
    }
    let mut stores: BTreeMap<StoreId, Vec<String>> = ground.stores.clone();
    stores.extend(case.ground.stores.clone());
    let (mut happens, mut brings) = (Vec::new(), Vec::new());
    let later = case.then.iter().map(|later| (later.after, &later.what));
    for (after, what) in std::iter::once((Duration::ZERO, &case.start)).chain(later) {
        match happening(what, tested, begins.plus(after), body_check)? {
            Ok(what) => {
                brings.extend(matches!(what, Happens::Event { .. }).then_some(Ok(())));
                happens.push((after, what));
            }
            Err(refused) => brings.push(Err(refused)),
        }
    }
    for (_, what) in &happens {
        if let Happens::Event { store: Some(store), .. } = what {
            stores.entry(store.clone()).or_default();
        }
    }
    let mut secrets: BTreeMap<String, Option<String>> = BTreeMap::new();
    for workflow in &workflows {
        let names = workflow.workflow.grants.secrets.iter().map(String::as_str);
        let names = names.chain(workflow.workflow.trigger_secrets());
        secrets.extend(names.map(|name| (name.to_owned(), Some(format!("test-{name}")))));
    }
    secrets.extend(ground.secrets.clone());
    secrets.extend(case.ground.secrets.clone());
    Ok(Scene {
        begins,
        workflows,
        tested: tested.id.clone(),
        stores: stores.into_iter().collect(),
        secrets: secrets.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        state: case.state.clone().into_iter().collect(),
        happens,
        brings,
    })
}

/// The inner `Err`: the engine refuses it.
fn happening(
    what: &Happening,
    tested: &Workflow,
    now: Timestamp,
    body_check: BodyCheck<'_>,
) -> Result<Result<Happens, Refused>, SceneError> {
    Ok(Ok(match what {
        Happening::Event(start) => event(start, tested),
        Happening::Http(start) => return http(start, tested, body_check),
        Happening::Schedule(start) => {
            let (schedule, at) = due(tested, start, now)?;
            let cron = schedule.cron.source.clone();
            let data = json!({ "scheduled": at, "cron": cron, "timezone": schedule.timezone.name() });
            let source = Source::Schedule { workflow: tested.id.clone(), cron, due: at };
            Happens::Event { topic: "schedule".into(), store: start.store.clone(), source, data: raw(&data) }
        }
        Happening::Manual { inputs: given, store } => {
            let source = Source::Manual { workflow: tested.id.clone() };
            let data = match tested.inputs.as_deref().map(|spec| inputs::read(spec, given)) {
                None => raw(given),
                Some(Ok(typed)) => raw(&typed),
                Some(Err(problems)) => {
                    return Ok(Err(Refused { status: 422, why: inputs::in_one_line(&problems) }));
                }
            };
            Happens::Event { topic: inputs::MANUAL_TOPIC.into(), store: store.clone(), source, data }
        }
        Happening::Cancel => Happens::Cancel,
        Happening::Retry => Happens::Retry,
        Happening::Approve(given) => Happens::Approve {
            step: given.step.value.clone(),
            approved: given.approved,
            by: given.by.clone().unwrap_or_else(|| BY.to_owned()),
            comment: given.comment.clone(),
            must: true,
        },
    }))
}

fn event(start: &EventStart, tested: &Workflow) -> Happens {
    let listens = |trigger: &cartwright_core::workflow::Trigger| {
        matches!(&trigger.kind, TriggerKind::Woo { topics, .. }
            if topics.iter().any(|pattern| topic::matches(pattern, &start.topic)))
    };
    let is_store = tested.triggers.iter().any(listens);
    let store = start.store.clone().or_else(|| {
        let usual = || DEFAULT_STORE.parse().expect("the usual store's id is valid");
        is_store.then(usual)
    });
    // A recorded event that was addressed to a workflow is addressed to the tested one.
    let id = tested.id.clone();
    let source = match start.source.as_ref().map(Source::first) {
        Some(Source::Http { path, method, query, headers, .. }) => Source::Http {
            workflow: id,
            path: path.clone(),
            method: method.clone(),
            query: query.clone(),
            headers: headers.clone(),
        },
        Some(Source::Schedule { cron, due, .. }) => Source::Schedule { workflow: id, cron: cron.clone(), due: *due },
        Some(Source::Manual { .. }) => Source::Manual { workflow: id },
        Some(known) => known.clone(),
        None if is_store => Source::Woo { webhook: "1".into(), delivery: "test".into() },
        None => Source::Api,
    };
    Happens::Event { topic: start.topic.clone(), store, source, data: raw(&start.data) }
}

fn http(
    start: &HttpStart,
    tested: &Workflow,
    body_check: BodyCheck<'_>,
) -> Result<Result<Happens, Refused>, SceneError> {
    let fits = |trigger: &cartwright_core::workflow::HttpTrigger| {
        start.path.as_ref().is_none_or(|path| trigger.path == *path)
            && start.method.as_ref().is_none_or(|method| trigger.method == *method)
    };
    let found = tested.triggers.iter().find_map(|trigger| match &trigger.kind {
        TriggerKind::Http(http) if fits(http) => Some(http),
        _ => None,
    });
    let Some(found) = found else {
        let method = start.method.as_deref().unwrap_or("POST");
        return Err(SceneError::NoEndpoint(format!("{method} /hooks/{}", start.path.as_deref().unwrap_or_default())));
    };
    let faults = found.schema.as_ref().map(|schema| body_check(schema, &start.body)).unwrap_or_default();
    if !faults.is_empty() {
        let why = format!("the body does not fit what the workflow asks for: {}", faults.join("; "));
        return Ok(Err(Refused { status: 422, why }));
    }
    let source = Source::Http {
        workflow: tested.id.clone(),
        path: found.path.clone(),
        method: found.method.clone(),
        query: start.query.clone(),
        headers: start.headers.clone(),
    };
    Ok(Ok(Happens::Event { topic: "http".into(), store: None, source, data: raw(&start.body) }))
}

/// The schedule that is meant, and when it is due.
fn due<'w>(
    tested: &'w Workflow,
    start: &ScheduleStart,
    now: Timestamp,
) -> Result<(&'w Schedule, Timestamp), SceneError> {
    let schedules = tested.triggers.iter().flat_map(|trigger| match &trigger.kind {
        TriggerKind::Schedule(schedules) => schedules.as_slice(),
        _ => &[],
    });
    let mut meant = schedules.filter(|one| start.cron.as_ref().is_none_or(|cron| one.cron.source == *cron));
    let Some(schedule) = meant.next() else {
        return Err(SceneError::NoSchedule(start.cron.as_ref().map(|cron| format!(" `{cron}`")).unwrap_or_default()));
    };
    let next = || schedule.cron.next_after(now, schedule.timezone);
    let at = start.at.or_else(next).ok_or_else(|| SceneError::NeverDue(schedule.cron.source.clone(), now))?;
    Ok((schedule, at))
}

fn raw(value: &Json) -> Arc<RawValue> {
    to_raw_value(value).expect("a JSON value always becomes JSON text").into()
}
