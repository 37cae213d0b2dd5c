//! Why a workflow does not listen to an event: what is not recorded with the event, told from the workflow as it is now.

use super::kinds;
use crate::{
    event::Event,
    workflow::{StoreSelector, Trigger, TriggerKind, Workflow, topic::matches},
};

/// Why a workflow was not considered for an event, as far as the workflow as it is now tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyNot {
    /// It is switched off.
    Disabled,
    /// The event is for one other workflow.
    AddressedElsewhere,
    /// Its triggers are of other kinds: paths, schedules, webhooks where the event was emitted, and the other way round.
    OtherKind,
    /// It listens to other topics.
    OtherTopic,
    /// It listens to the topic, of other stores.
    OtherStore,
    /// It listens now; when the event was matched it was not there, or not as it is now.
    ListensNow,
}

impl WhyNot {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Disabled,
        Self::AddressedElsewhere,
        Self::OtherKind,
        Self::OtherTopic,
        Self::OtherStore,
        Self::ListensNow,
    ];

    /// The word that programs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::AddressedElsewhere => "addressed_elsewhere",
            Self::OtherKind => "other_kind",
            Self::OtherTopic => "other_topic",
            Self::OtherStore => "other_store",
            Self::ListensNow => "listens_now",
        }
    }

    /// In words for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Disabled => "is disabled (`enabled: false`)",
            Self::AddressedElsewhere => "the event is for one other workflow only",
            Self::OtherKind => "has no trigger for events of this kind",
            Self::OtherTopic => "does not listen to this topic",
            Self::OtherStore => "listens to this topic, of other stores",
            Self::ListensNow => "listens now; it did not when the event was matched",
        }
    }
}

/// Why a workflow that was not considered for this event was not. `store_tags` are those of the event's store.
pub fn why_not(workflow: &Workflow, event: &Event, store_tags: &[String]) -> WhyNot {
    if !workflow.enabled {
        return WhyNot::Disabled;
    }
    if event.source.workflow().is_some_and(|only| *only != workflow.id) {
        return WhyNot::AddressedElsewhere;
    }
    let Some(kinds) = kinds(event) else { return WhyNot::ListensNow };
    let closeness = |trigger: &Trigger| match &trigger.kind {
        TriggerKind::Woo { topics, stores } if kinds.woo => heard(topics, event, fits(stores, event, store_tags)),
        TriggerKind::Event { topics } if kinds.event => heard(topics, event, true),
        _ => WhyNot::OtherKind,
    };
    workflow.triggers.iter().map(closeness).max().unwrap_or(WhyNot::OtherKind)
}

fn heard(topics: &[String], event: &Event, store_fits: bool) -> WhyNot {
    match (topics.iter().any(|pattern| matches(pattern, &event.topic)), store_fits) {
        (false, _) => WhyNot::OtherTopic,
        (true, false) => WhyNot::OtherStore,
        (true, true) => WhyNot::ListensNow,
    }
}

fn fits(stores: &[StoreSelector], event: &Event, tags: &[String]) -> bool {
    stores.iter().any(|selector| match selector {
        StoreSelector::All => true,
        StoreSelector::Store(id) => event.store.as_ref() == Some(id),
        StoreSelector::Tag(tag) => tags.contains(tag),
    })
}
