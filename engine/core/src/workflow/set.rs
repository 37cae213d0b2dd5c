//! All workflows that are loaded, indexed for what events ask: who listens to this topic and store, who answers at this
//! path, what is due when. Pure data, built anew when files change.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    HttpTrigger, Schedule, StepKind, StoreSelector, Trigger, TriggerKind, Workflow, check::calls::called, codes,
    diagnostic::Diagnostic, node::shorten,
};
use crate::id::{StoreId, WorkflowId};

/// Where a trigger stands: workflow and trigger by position.
type Place = (u32, u32);

/// The loaded workflows.
#[derive(Debug, Default)]
pub struct WorkflowSet {
    /// In order of id.
    workflows: Vec<Arc<Workflow>>,
    woo: TopicIndex,
    event: TopicIndex,
    /// Path, then method.
    routes: BTreeMap<String, BTreeMap<String, Place>>,
    conflicts: Vec<Conflict>,
    /// Whether any trigger has a gate.
    gated: bool,
}

/// Something that two workflows cannot both have. The first by id keeps it.
#[derive(Debug, Clone)]
pub struct Conflict {
    /// Whose file the diagnostic is about.
    pub workflow: WorkflowId,
    /// What is wrong; its span is in that workflow's file.
    pub diagnostic: Diagnostic,
}

/// Listeners by topic. Only looked up by key, never walked over, so the maps' order does not matter.
#[derive(Debug, Default)]
struct TopicIndex {
    exact: HashMap<String, Listeners>,
    /// By the pattern without its `*`: `order.`, and the empty text for `*`.
    prefix: HashMap<String, Listeners>,
}

#[derive(Debug, Default)]
struct Listeners {
    all: Vec<Place>,
    by_store: HashMap<StoreId, Vec<Place>>,
    by_tag: HashMap<String, Vec<Place>>,
}

impl WorkflowSet {
    /// Indexes workflows. Of two with one id the first is kept; disabled ones are found by id but never started.
    pub fn new(mut workflows: Vec<Arc<Workflow>>) -> Self {
        workflows.sort_by(|a, b| a.id.cmp(&b.id));
        let mut set = Self::default();
        for workflow in workflows {
            if set.workflows.last().is_some_and(|last| last.id == workflow.id) {
                let message = format!("two files define the workflow `{}`", workflow.id);
                let diagnostic =
                    Diagnostic::error(codes::DUPLICATE_WORKFLOW, 0..0, message).help("rename one of the files");
                set.conflicts.push(Conflict { workflow: workflow.id.clone(), diagnostic });
                continue;
            }
            set.workflows.push(workflow);
        }
        let workflows = set.workflows.clone();
        set.gated = workflows.iter().any(|workflow| workflow.triggers.iter().any(|trigger| !trigger.gates.is_empty()));
        for (index, workflow) in workflows.iter().enumerate().filter(|(_, workflow)| workflow.enabled) {
            for (number, trigger) in workflow.triggers.iter().enumerate() {
                let place = (position(index), position(number));
                match &trigger.kind {
                    TriggerKind::Woo { topics, stores } => set.woo.add(topics, stores, place),
                    TriggerKind::Event { topics } => set.event.add(topics, &[StoreSelector::All], place),
                    TriggerKind::Http(http) => set.add_route(workflow, trigger, http, place),
                    TriggerKind::Schedule(_) | TriggerKind::Manual => {}
                }
            }
        }
        set
    }

    fn add_route(&mut self, workflow: &Arc<Workflow>, trigger: &Trigger, http: &HttpTrigger, place: Place) {
        let methods = self.routes.entry(http.path.clone()).or_default();
        let Some(holder) = methods.get(&http.method).copied() else {
            methods.insert(http.method.clone(), place);
            return;
        };
        let (other, other_trigger) = self.at(holder);
        let pairs = [(workflow, &other.id, trigger), (&other, &workflow.id, &other_trigger)];
        let found = pairs.map(|(mine, theirs, trigger)| {
            let message = format!(
                "`{} /hooks/{}` is answered by two workflows: `{}` and `{theirs}`",
                http.method, http.path, mine.id
            );
            let diagnostic = Diagnostic::error(codes::ROUTE_CONFLICT, trigger.span.clone(), message)
                .help(format!("give one of them another path or method; `{}` has it for now", other.id));
            Conflict { workflow: mine.id.clone(), diagnostic }
        });
        self.conflicts.extend(found);
    }

    fn at(&self, place: Place) -> (Arc<Workflow>, Trigger) {
        let workflow = &self.workflows[place.0 as usize];
        (workflow.clone(), workflow.triggers[place.1 as usize].clone())
    }

    /// All workflows in order of id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Workflow>> {
        self.workflows.iter()
    }

    /// Whether any trigger has a gate: false spares the question for each event.
    pub fn has_gates(&self) -> bool {
        self.gated
    }

    /// How many workflows there are.
    pub fn len(&self) -> usize {
        self.workflows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.workflows.is_empty()
    }

    /// The workflow with this id.
    pub fn get(&self, id: &WorkflowId) -> Option<&Arc<Workflow>> {
        let index = self.workflows.binary_search_by(|workflow| workflow.id.cmp(id)).ok()?;
        self.workflows.get(index)
    }

    /// Calls of workflows that are not in this set, with the workflow that is missing.
    pub fn unknown_calls(&self) -> Vec<(String, Conflict)> {
        let mut found = Vec::new();
        for workflow in &self.workflows {
            workflow.visit_steps(&mut |step| {
                let StepKind::Call(call) = &step.kind else { return };
                let Some(id) = called(call).filter(|id| id.parse().is_ok_and(|id| self.get(&id).is_none())) else {
                    return;
                };
                let message = format!("there is no workflow `{}`", shorten(id));
                let diagnostic = Diagnostic::error(codes::UNKNOWN_WORKFLOW, step.span.clone(), message)
                    .suggest(id, self.workflows.iter().map(|workflow| workflow.id.as_str()));
                found.push((id.to_owned(), Conflict { workflow: workflow.id.clone(), diagnostic }));
            });
        }
        found
    }

    /// What is probably a mistake among workflows that can stand side by side: warnings.
    pub fn warnings(&self) -> Vec<Conflict> {
        super::between::check(self)
    }

    /// What keeps workflows from standing side by side.
    pub fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    /// The workflow that answers at `/hooks/{path}` for a method, and its trigger.
    pub fn route(&self, method: &str, path: &str) -> Option<(&Arc<Workflow>, &HttpTrigger)> {
        let (workflow, trigger) = *self.routes.get(path)?.get(method)?;
        let workflow = self.workflows.get(workflow as usize)?;
        match &workflow.triggers.get(trigger as usize)?.kind {
            TriggerKind::Http(http) => Some((workflow, http)),
            _ => None,
        }
    }

    /// The methods that are answered at `/hooks/{path}`, in alphabetical order: for `405` and its `Allow`.
    pub fn methods(&self, path: &str) -> impl Iterator<Item = &str> {
        self.routes.get(path).into_iter().flat_map(|methods| methods.keys().map(String::as_str))
    }

    /// Every schedule of an enabled workflow, with its trigger.
    pub fn schedules(&self) -> impl Iterator<Item = (&Arc<Workflow>, &Trigger, &Schedule)> {
        self.workflows.iter().filter(|workflow| workflow.enabled).flat_map(|workflow| {
            workflow.triggers.iter().flat_map(move |trigger| {
                let schedules: &[Schedule] = match &trigger.kind {
                    TriggerKind::Schedule(schedules) => schedules,
                    _ => &[],
                };
                schedules.iter().map(move |schedule| (workflow, trigger, schedule))
            })
        })
    }

    /// Triggers `woo` (if asked for) and `event` (if asked for) that fit, each once, in order of workflow and of file.
    pub(crate) fn listeners(
        &self,
        kinds: Kinds,
        topic: &str,
        store: Option<&StoreId>,
        tags: &[String],
    ) -> Vec<(&Arc<Workflow>, &Trigger)> {
        let mut places = Vec::new();
        if kinds.woo {
            self.woo.find(topic, store, tags, &mut places);
        }
        if kinds.event {
            self.event.find(topic, store, tags, &mut places);
        }
        places.sort_unstable();
        places.dedup();
        let resolve = |(workflow, trigger): Place| {
            let workflow = self.workflows.get(workflow as usize)?;
            Some((workflow, workflow.triggers.get(trigger as usize)?))
        };
        places.into_iter().filter_map(resolve).collect()
    }
}

/// Which triggers a source reaches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kinds {
    pub(crate) woo: bool,
    pub(crate) event: bool,
}

impl TopicIndex {
    fn add(&mut self, topics: &[String], stores: &[StoreSelector], place: Place) {
        for topic in topics {
            let listeners = match topic.strip_suffix('*') {
                Some(prefix) => self.prefix.entry(prefix.to_owned()).or_default(),
                None => self.exact.entry(topic.clone()).or_default(),
            };
            for store in stores {
                match store {
                    StoreSelector::All => listeners.all.push(place),
                    StoreSelector::Store(id) => listeners.by_store.entry(id.clone()).or_default().push(place),
                    StoreSelector::Tag(tag) => listeners.by_tag.entry(tag.clone()).or_default().push(place),
                }
            }
        }
    }

    fn find(&self, topic: &str, store: Option<&StoreId>, tags: &[String], places: &mut Vec<Place>) {
        let mut take = |listeners: Option<&Listeners>| {
            let Some(listeners) = listeners else { return };
            places.extend(&listeners.all);
            places.extend(store.and_then(|store| listeners.by_store.get(store)).into_iter().flatten());
            places.extend(tags.iter().filter_map(|tag| listeners.by_tag.get(tag)).flatten());
        };
        take(self.exact.get(topic));
        if self.prefix.is_empty() {
            return;
        }
        take(self.prefix.get(""));
        // `a.b.c` is covered by `a.*` and `a.b.*`.
        for (dot, _) in topic.match_indices('.').take(super::topic::MAX_TOPIC_BYTES) {
            take(self.prefix.get(&topic[..=dot]));
        }
    }
}

/// Positions fit: files are counted in thousands.
fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
