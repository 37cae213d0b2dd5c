//! What a subscriber wants: the query and `Last-Event-ID` come in, checked, and say of each item whether it fits.

use std::str::FromStr;

use axum::http::HeaderMap;
use cartwright_core::{
    access::{Area, Right},
    id::{RunId, StoreId, WorkflowId},
};
use cartwright_run::live::{LastId, LiveItem, LiveKind, STATUSES};

use crate::{
    api::{
        events,
        query::{self, invalid},
    },
    caller::{Caller, Need},
    hook,
    problem::Problem,
};

/// Values of one filter.
const VALUES_MAX: usize = 100;
/// What may be asked.
const NAMES: [&str; 7] = ["kind", "store", "workflow", "status", "run", "topic", "last_id"];

/// A checked query. An empty list lets everything through; what lacks the field that a list is about does not fit.
#[derive(Debug, Default)]
pub(super) struct Filter {
    kinds: Vec<LiveKind>,
    stores: Vec<StoreId>,
    workflows: Vec<WorkflowId>,
    statuses: Vec<&'static str>,
    runs: Vec<RunId>,
    topics: Vec<String>,
    /// Where to go on.
    pub(super) last: Option<LastId>,
}

/// The area of the API that a kind of items belongs to.
pub(super) fn area(kind: LiveKind) -> Area {
    match kind {
        LiveKind::Event => Area::Events,
        LiveKind::Store => Area::Stores,
        LiveKind::Workflow => Area::Workflows,
        _ => Area::Runs,
    }
}

impl Filter {
    /// Reads what somebody asks for. Kinds that they name and may not read are refused.
    pub(super) fn read(query: Option<&str>, headers: &HeaderMap, caller: &Caller) -> Result<Self, Problem> {
        let mut filter = Self::default();
        for (name, text) in hook::query(query) {
            if name == "last_id" {
                if !text.is_empty() && filter.last.replace(last_id(&text)?).is_some() {
                    return Err(invalid("`last_id` is given twice"));
                }
                continue;
            }
            for value in text.split(',').filter(|value| !value.is_empty()) {
                filter.add(&name, value)?;
            }
            if !NAMES.contains(&name.as_str()) {
                return Err(query::unknown(&name, &NAMES));
            }
        }
        // A browser that comes back by itself repeats the address and says in the header where it was.
        if let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) {
            filter.last = Some(last_id(value.to_str().unwrap_or_default())?);
        }
        for kind in &filter.kinds {
            caller.meets(Need::Area(area(*kind), Right::Read))?;
        }
        Ok(filter)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        match name {
            "kind" => push(&mut self.kinds, name, word(name, value, LiveKind::ALL, LiveKind::as_str)?),
            "store" => push(&mut self.stores, name, parsed(name, value)?),
            "workflow" => push(&mut self.workflows, name, parsed(name, value)?),
            "status" => push(&mut self.statuses, name, word(name, value, STATUSES, |status| status)?),
            "run" => push(&mut self.runs, name, parsed(name, value)?),
            "topic" => push(&mut self.topics, name, events::topic(value.to_owned())?),
            _ => Err(query::unknown(name, &NAMES)),
        }
    }

    /// Whether an item is wanted.
    pub(super) fn fits(&self, item: &LiveItem) -> bool {
        fn one<T: PartialEq<U>, U>(wanted: &[T], value: Option<&U>) -> bool {
            wanted.is_empty() || value.is_some_and(|value| wanted.iter().any(|one| one == value))
        }
        one(&self.kinds, Some(&item.kind))
            && one(&self.statuses, Some(&item.status))
            && one(&self.stores, item.store.as_ref())
            && one(&self.workflows, item.workflow.as_ref())
            && one(&self.runs, item.run.as_ref())
            && one(&self.topics, item.topic.as_ref())
    }
}

fn push<T>(list: &mut Vec<T>, name: &str, value: T) -> Result<(), Problem> {
    if list.len() >= VALUES_MAX {
        return Err(invalid(format!("`{name}` has more than {VALUES_MAX} values")));
    }
    list.push(value);
    Ok(())
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(name: &str, value: &str) -> Result<T, Problem> {
    value.parse().map_err(|error: T::Err| invalid(format!("{name}: {error}")))
}

fn word<T: Copy, const N: usize>(
    name: &str,
    value: &str,
    all: [T; N],
    text: fn(T) -> &'static str,
) -> Result<T, Problem> {
    all.into_iter().find(|one| text(*one) == value).ok_or_else(|| {
        let known = all.map(text).join(", ");
        invalid(format!("{name} is one of {known}"))
    })
}

fn last_id(text: &str) -> Result<LastId, Problem> {
    text.parse().map_err(|error| invalid(format!("last_id: {error}")))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use cartwright_core::access::{Assignment, Principal};

    use super::*;

    fn read(query: &str, scopes: &[&str]) -> Result<Filter, Problem> {
        let scopes = scopes.iter().map(|scope| scope.parse().expect("a scope")).collect();
        let assignments = vec![Assignment { scopes, stores: None }];
        let caller = Caller::new(Principal { name: "token:t".into(), assignments }, IpAddr::V4(Ipv4Addr::LOCALHOST));
        Filter::read(Some(query), &HeaderMap::new(), &caller)
    }

    #[test]
    fn lists_may_be_repeated_or_written_with_commas() {
        let filter = read("kind=run,step&store=a&store=b&status=parked&topic=order.created,&run=", &["admin"]);
        let filter = filter.expect("valid");
        assert_eq!(filter.kinds, [LiveKind::Run, LiveKind::Step]);
        assert_eq!((filter.stores.len(), filter.runs.len()), (2, 0));
        assert_eq!((&filter.statuses[..], &filter.topics[..]), (&["parked"][..], &["order.created".to_owned()][..]));
        assert_eq!(read("last_id=s-7", &["admin"]).expect("valid").last.expect("given").to_string(), "s-7");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let many = format!("store={}", vec!["a"; VALUES_MAX + 1].join(","));
        for query in [
            "kinds=run",
            "=x",
            "kind=runs",
            "kind=gap",
            "status=done",
            "store=A%20B",
            "run=%00",
            "workflow=..%2Fx",
            "last_id=7",
            "last_id=s-7&last_id=s-8",
            "limit=5",
            &many,
        ] {
            assert_eq!(read(query, &["admin"]).expect_err(query).code, "filter_invalid", "{query}");
        }
        assert_eq!(read("topic=a..b", &["admin"]).expect_err("a topic").code, "topic_invalid");
    }

    #[test]
    fn kinds_asked_for_by_name_take_their_scope() {
        for (kind, scope) in
            [("event", "events:read"), ("run", "runs:read"), ("step", "runs:read"), ("store", "stores:read")]
        {
            let query = format!("kind={kind}");
            assert!(read(&query, &[scope]).is_ok(), "{kind}");
            let refused = read(&query, &["mirror:read"]).expect_err(kind);
            assert_eq!((refused.status.as_u16(), refused.code), (403, "scope_missing"));
            assert!(refused.help.expect("help").contains(scope), "{kind}");
        }
    }
}
