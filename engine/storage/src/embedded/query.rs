//! Lists for people: newest first, narrowed by a filter, in pages that stay put while new things arrive.
//!
//! A cursor is the id of the last item of the page before; ids sort by time, so what is new never shifts a page, and a
//! span of time is a span of ids: a list is read between two bounds and nowhere else.

use cartwright_core::{
    id::{EventId, RunId},
    run::row::{RunRow, RunStatus},
    time::Timestamp,
};

use crate::{
    EventFilter, Page, RunFilter, StorageError, StoredEvent,
    embedded::{
        change::parts,
        head::RunHead,
        key::{self, Id},
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
    let Some(span) = Span::of(filter.since, filter.until, cursor.transpose()?) else { return Ok(Page::EMPTY) };
    let from = From::of(view, filter)?;
    let text = |id| key::run_of(id).map(|id| id.to_string());
    page(view, &from, span, limit, text, |id, _| {
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
        && filter.store.as_ref().is_none_or(|store| Some(store) == row.store.as_ref());
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
    let Some(span) = Span::of(filter.since, filter.until, cursor.transpose()?) else { return Ok(Page::EMPTY) };
    let from = match list::of_events(filter.store.as_ref(), filter.topic.as_deref()) {
        Some(list) => From::Blocks(list),
        None => From::All(key::EVENT),
    };
    let text = |id| key::event_of(id).map(|id| id.to_string());
    page(view, &from, span, limit, text, |id, value| {
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

/// Which ids of a list are wanted.
#[derive(Clone, Copy)]
struct Span {
    /// This one and younger.
    since: Id,
    /// Older than this one: the cursor, or where the time ends.
    below: Option<Id>,
}

impl Span {
    /// `None`: no id is wanted.
    fn of(since: Option<Timestamp>, until: Option<Timestamp>, cursor: Option<Id>) -> Option<Self> {
        let since = since.map_or(Some(Id::default()), key::first_id)?;
        let until = until.and_then(key::first_id);
        let below = until.into_iter().chain(cursor).min();
        below.is_none_or(|below| since < below).then_some(Self { since, below })
    }

    fn has(&self, id: &Id) -> bool {
        *id >= self.since && self.below.is_none_or(|below| *id < below)
    }

    /// The keys of these ids behind a prefix.
    fn range(&self, prefix: &[u8]) -> Range {
        let range = Range::prefix(prefix).at_least([prefix, &self.since].concat());
        match self.below {
            Some(below) => range.before([prefix, &below].concat()),
            None => range,
        }
    }

    /// The blocks of a list that may hold these ids; the first and the last may hold others, too.
    fn blocks(&self, list: ListId) -> Range {
        let at = |id| list::block_at(list, list::block_number(id));
        let range = Range::prefix(&list::block_prefix(list)).at_least(at(&self.since));
        match &self.below {
            Some(below) => range.through(at(below)),
            None => range,
        }
    }
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

    /// About `limit` of a span's ids, newest first, and whether there may be more; with values where at hand.
    fn next(&self, view: &View, span: &Span, limit: usize) -> Result<(Vec<Listed>, bool), StorageError> {
        match self {
            Self::All(tag) => {
                let items = view.scan(span.range(&[*tag]), true, limit)?;
                let more = items.len() == limit;
                let ids = items.into_iter().map(|(key, value)| Ok((key::trailing_id(&key)?, Some(value))));
                Ok((ids.collect::<Result<_, StorageError>>()?, more))
            }
            Self::Open(list) => {
                let items = view.scan(span.range(&list::open_prefix(*list)), true, limit)?;
                let more = items.len() == limit;
                let ids = items.into_iter().map(|(key, _)| Ok((key::trailing_id(&key)?, None)));
                Ok((ids.collect::<Result<_, StorageError>>()?, more))
            }
            Self::Blocks(list) => {
                let blocks = view.scan(span.blocks(*list), true, limit + 1)?;
                let more = blocks.len() == limit + 1;
                let mut ids: Vec<Id> = Vec::new();
                for (_, value) in blocks {
                    let begin = ids.len();
                    ids.extend(list::ids(parts(&value)?.1).filter(|id| span.has(id)));
                    ids[begin..].sort_unstable_by(|a, b| b.cmp(a));
                    if ids.len() >= limit {
                        return Ok((ids.into_iter().map(|id| (id, None)).collect(), true));
                    }
                }
                Ok((ids.into_iter().map(|id| (id, None)).collect(), more))
            }
            Self::Ids(ids) => Ok((ids.iter().rev().filter(|id| span.has(id)).map(|id| (*id, None)).collect(), false)),
        }
    }
}

fn page<T>(
    view: &View,
    from: &From,
    mut span: Span,
    limit: usize,
    text: impl Fn(Id) -> Result<String, StorageError>,
    get: impl Fn(&Id, Option<&[u8]>) -> Result<Option<T>, StorageError>,
) -> Result<Page<T>, StorageError> {
    let limit = limit.clamp(1, MAX_PAGE_ITEMS);
    let mut items = Vec::new();
    let mut looks = 0;
    loop {
        let (ids, more) = from.next(view, &span, limit + 1)?;
        let exhausted = !more || ids.is_empty();
        for (id, value) in ids {
            if items.len() == limit || looks == MAX_LOOKS {
                return Ok(Page { items, next: span.below.map(text).transpose()? });
            }
            looks += 1;
            span.below = Some(id);
            items.extend(get(&id, value.as_deref())?);
        }
        if exhausted {
            return Ok(Page { items, next: None });
        }
    }
}
