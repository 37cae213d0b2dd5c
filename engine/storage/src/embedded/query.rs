//! Lists for people: newest first, narrowed by a filter, in pages that stay put while new things arrive.
//!
//! A cursor is the id of the last item of the page before; ids sort by time, so what is new never shifts a page.

use cartwright_core::{
    id::{EventId, RunId},
    run::row::{RunRow, RunStatus},
};

use crate::{
    EventFilter, Page, RunFilter, StorageError, StoredEvent,
    embedded::{
        change::parts,
        head::RunHead,
        key::{self, Id, Key},
        list::{self, ListId},
        read,
        view::{Range, View},
    },
};

/// Items on one page at most.
pub(crate) const MAX_PAGE_ITEMS: usize = 1000;

/// Rows that one page looks at; a page that finds little for a rare combination ends early and says where to go on.
const MAX_LOOKS: usize = 10_000;

fn bad_cursor() -> StorageError {
    StorageError::Invalid { reason: "this cursor is not valid; start again without one".to_owned() }
}

/// One page of runs.
pub(crate) fn runs(
    view: &View,
    filter: &RunFilter,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page<RunRow>, StorageError> {
    let cursor = cursor.map(|text| {
        let id: RunId = text.parse().map_err(|_| bad_cursor())?;
        key::run_id(&id).ok_or_else(bad_cursor)
    });
    let from = From::of(view, filter)?;
    let text = |id| key::run_of(id).map(|id| id.to_string());
    page(view, &from, cursor.transpose()?, limit, text, |id, _| {
        let row = view.with(&key::with_id(key::RUN, id), |value| match value {
            Some(value) => wanted(parts(value)?.0, filter),
            None => Ok(None),
        })??;
        Ok(row)
    })
}

/// The row in a run's head, if the filter wants it.
fn wanted(head: &[u8], filter: &RunFilter) -> Result<Option<RunRow>, StorageError> {
    let (known, _) = RunHead::read(head)?;
    if filter.status.is_some_and(|status| status != known.status) {
        return Ok(None); // cheaper than reading the row
    }
    let row = RunHead::row(head)?;
    let fits = filter.workflow.as_ref().is_none_or(|workflow| *workflow == row.workflow)
        && filter.store.as_ref().is_none_or(|store| Some(store) == row.store.as_ref())
        && filter.event.as_ref().is_none_or(|event| *event == row.event);
    Ok(fits.then_some(row))
}

/// One page of events.
pub(crate) fn events(
    view: &View,
    filter: &EventFilter,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page<StoredEvent>, StorageError> {
    let cursor = cursor.map(|text| {
        let id: EventId = text.parse().map_err(|_| bad_cursor())?;
        key::event_id(&id).ok_or_else(bad_cursor)
    });
    let from = match list::of_events(filter.store.as_ref(), filter.topic.as_deref()) {
        Some(list) => From::Blocks(list),
        None => From::All(key::EVENT),
    };
    let text = |id| key::event_of(id).map(|id| id.to_string());
    page(view, &from, cursor.transpose()?, limit, text, |id, value| {
        let event = match value {
            Some(value) => read::event_value(view, id, value)?,
            None => read::event(view, id)?,
        };
        let Some(event) = event.map(|parts| parts.stored) else { return Ok(None) };
        let fits = filter.store.as_ref().is_none_or(|store| Some(store) == event.event.store.as_ref())
            && filter.topic.as_ref().is_none_or(|topic| *topic == event.event.topic);
        Ok(fits.then_some(event))
    })
}

/// An id in a list, with its value where that was at hand.
type Listed = (Id, Option<Vec<u8>>);

/// Where a page's ids come from.
enum From {
    /// The things themselves.
    All(u8),
    /// A list kept in blocks.
    Blocks(ListId),
    /// A list with a key for each.
    Open(ListId),
    /// These.
    Ids(Vec<Id>),
}

impl From {
    /// The shortest list that holds everything the filter wants.
    fn of(view: &View, filter: &RunFilter) -> Result<Self, StorageError> {
        if let Some(event) = &filter.event {
            let Some(id) = key::event_id(event) else { return Ok(Self::Ids(Vec::new())) };
            let mut ids = read::event(view, &id)?.map_or_else(Vec::new, |event| event.runs);
            for (key, _) in view.scan(Range::prefix(&list::event_prefix(&id)), true, MAX_LOOKS)? {
                ids.push(key::trailing_id(&key)?);
            }
            ids.sort_unstable();
            ids.dedup();
            return Ok(Self::Ids(ids));
        }
        let workflow = filter.workflow.as_ref().map(list::by_workflow);
        let store = filter.store.as_ref().map(list::by_store);
        let status = filter.status.map(list::by_status);
        // Most runs succeed: with all three given, another status is the rare thing, and its lists are short.
        let rare = filter.status.is_some_and(|status| status != RunStatus::Succeeded);
        let with_status =
            |list| if filter.status.is_some_and(|s| !s.is_ended()) { Self::Open(list) } else { Self::Blocks(list) };
        Ok(match (workflow, store, status) {
            (None, None, None) => Self::All(key::RUN),
            (Some(list), None, None) | (None, Some(list), None) => Self::Blocks(list),
            (None, None, Some(status)) => with_status(status),
            (Some(workflow), Some(_), Some(status)) if rare => with_status(list::pair(workflow, status)),
            (Some(workflow), Some(store), _) => Self::Blocks(list::pair(workflow, store)),
            (Some(one), None, Some(status)) | (None, Some(one), Some(status)) => with_status(list::pair(one, status)),
        })
    }

    /// About `limit` ids below `cursor`, newest first, and whether there may be more; with values where at hand.
    fn next(&self, view: &View, cursor: Option<&Id>, limit: usize) -> Result<(Vec<Listed>, bool), StorageError> {
        let below = |prefix: &[u8], key: fn(&[u8], &Id) -> Key| {
            let range = Range::prefix(prefix);
            cursor.map_or_else(|| range.clone(), |id| range.clone().before(key(prefix, id)))
        };
        let concat = |prefix: &[u8], id: &Id| [prefix, id].concat();
        match self {
            Self::All(tag) => {
                let items = view.scan(below(&[*tag], concat), true, limit)?;
                let more = items.len() == limit;
                let ids = items.into_iter().map(|(key, value)| Ok((key::trailing_id(&key)?, Some(value))));
                Ok((ids.collect::<Result<_, StorageError>>()?, more))
            }
            Self::Open(list) => {
                let items = view.scan(below(&list::open_prefix(*list), concat), true, limit)?;
                let more = items.len() == limit;
                let ids = items.into_iter().map(|(key, _)| Ok((key::trailing_id(&key)?, None)));
                Ok((ids.collect::<Result<_, StorageError>>()?, more))
            }
            Self::Blocks(list) => {
                // The cursor's own block may hold more below it.
                let range = Range::prefix(&list::block_prefix(*list));
                let range = match cursor {
                    Some(id) => range.through(list::block_at(*list, list::block_number(id))),
                    None => range,
                };
                let blocks = view.scan(range, true, limit + 1)?;
                let more = blocks.len() == limit + 1;
                let mut ids: Vec<Id> = Vec::new();
                for (_, value) in blocks {
                    let begin = ids.len();
                    ids.extend(list::ids(parts(&value)?.1).filter(|id| cursor.is_none_or(|cursor| id < cursor)));
                    ids[begin..].sort_unstable_by(|a, b| b.cmp(a));
                    if ids.len() >= limit {
                        return Ok((ids.into_iter().map(|id| (id, None)).collect(), true));
                    }
                }
                Ok((ids.into_iter().map(|id| (id, None)).collect(), more))
            }
            Self::Ids(ids) => {
                let ids = ids.iter().rev().filter(|id| cursor.is_none_or(|cursor| *id < cursor));
                Ok((ids.map(|id| (*id, None)).collect(), false))
            }
        }
    }
}

fn page<T>(
    view: &View,
    from: &From,
    mut cursor: Option<Id>,
    limit: usize,
    text: impl Fn(Id) -> Result<String, StorageError>,
    get: impl Fn(&Id, Option<&[u8]>) -> Result<Option<T>, StorageError>,
) -> Result<Page<T>, StorageError> {
    let limit = limit.clamp(1, MAX_PAGE_ITEMS);
    let mut items = Vec::new();
    let mut looks = 0;
    loop {
        let (ids, more) = from.next(view, cursor.as_ref(), limit + 1)?;
        let exhausted = !more || ids.is_empty();
        for (id, value) in ids {
            if items.len() == limit || looks == MAX_LOOKS {
                return Ok(Page { items, next: cursor.map(text).transpose()? });
            }
            looks += 1;
            cursor = Some(id);
            items.extend(get(&id, value.as_deref())?);
        }
        if exhausted {
            return Ok(Page { items, next: None });
        }
    }
}
