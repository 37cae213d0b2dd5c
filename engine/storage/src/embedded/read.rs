//! Turns stored bytes back into runs, journals and events.

use std::borrow::Cow;

use cartwright_core::{
    event::{Event, Match},
    run::{entry::Entry, row::RunRow},
};

use crate::{
    StorageError, StoredEvent,
    embedded::{
        change::parts,
        group::{EVENT, RUN, Stream},
        head::{EventHead, RunHead},
        key::{self, Id, damaged},
        pack,
        prepare::{JOURNAL_PACKED, STREAM_EVENT, STREAM_EVENT_PACKED, STREAM_MATCHES, STREAM_RETOLD, STREAM_RUN},
        view::View,
    },
};

/// How often a reader starts again when a stream grows while it is read in pieces.
const MAX_REREADS: usize = 8;

/// The bytes of a stream of this length.
pub(crate) fn stream(
    form: &Stream,
    id: &Id,
    length: u64,
    get: impl Fn(&[u8]) -> Result<Option<Vec<u8>>, StorageError>,
) -> Result<Vec<u8>, StorageError> {
    let missing = || damaged("a part of a run or an event");
    let first = get(&key::with_id(form.tag, id))?.ok_or_else(missing)?;
    let mut bytes = parts(&first)?.1.to_vec();
    for number in 0..form.chunks(length) {
        let chunk = get(&key::chunk(form.rest, id, number))?.ok_or_else(missing)?;
        bytes.extend_from_slice(parts(&chunk)?.1);
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if bytes.len() < length {
        return Err(missing());
    }
    bytes.truncate(length); // it may have grown since its length was read
    Ok(bytes)
}

/// A run's row.
pub(crate) fn row(view: &View, id: &Id) -> Result<Option<RunRow>, StorageError> {
    view.with(&key::with_id(key::RUN, id), |value| value.map(|value| RunHead::row(parts(value)?.0)).transpose())?
}

/// A run's journal.
pub(crate) fn journal(view: &View, id: &Id) -> Result<Vec<Entry>, StorageError> {
    for attempt in 0.. {
        let Some(value) = view.get(&key::with_id(key::RUN, id))? else { return Ok(Vec::new()) };
        let (head, first) = parts(&value)?;
        let (head, _) = RunHead::read(head)?;
        let read = if RUN.chunks(head.bytes) == 0 {
            Ok(first.to_vec())
        } else {
            stream(&RUN, id, head.bytes, |key| view.get(key))
        };
        let bytes = match read {
            Ok(bytes) => bytes,
            // It may have been removed between two pieces.
            Err(_) if attempt < MAX_REREADS => continue,
            Err(error) => return Err(error),
        };
        let entries = entries(&bytes)?;
        if entries.len() as u64 != head.entries {
            return Err(damaged("a run's journal"));
        }
        return Ok(entries);
    }
    Ok(Vec::new())
}

/// The entries in a journal's pieces, each plain lines or packed ones.
fn entries(mut bytes: &[u8]) -> Result<Vec<Entry>, StorageError> {
    let mut entries = Vec::new();
    while let Some((&tag, rest)) = bytes.split_first() {
        if tag == JOURNAL_PACKED {
            let (lines, rest) = pack::unpack(rest, pack::ENTRIES)?;
            for line in lines.split_inclusive(|&b| b == b'\n') {
                entries.push(entry(line)?);
            }
            bytes = rest;
        } else {
            let end = bytes.iter().position(|&b| b == b'\n').map_or(bytes.len(), |at| at + 1);
            entries.push(entry(&bytes[..end])?);
            bytes = &bytes[end..];
        }
    }
    Ok(entries)
}

fn entry(line: &[u8]) -> Result<Entry, StorageError> {
    serde_json::from_slice(line).map_err(|_| damaged("a run's journal"))
}

/// An event with its matches and the runs it started.
pub(crate) struct EventParts {
    pub(crate) stored: StoredEvent,
    pub(crate) runs: Vec<Id>,
}

/// An event.
pub(crate) fn event(view: &View, id: &Id) -> Result<Option<EventParts>, StorageError> {
    match view.get(&key::with_id(key::EVENT, id))? {
        Some(value) => event_value(view, id, &value),
        None => Ok(None),
    }
}

/// An event from the value under its key.
pub(crate) fn event_value(view: &View, id: &Id, value: &[u8]) -> Result<Option<EventParts>, StorageError> {
    let (head, first) = parts(value)?;
    let head = EventHead::read(head)?;
    let bytes = if EVENT.chunks(head.bytes) == 0 {
        first.to_vec()
    } else {
        match stream(&EVENT, id, head.bytes, |key| view.get(key)) {
            Ok(bytes) => bytes,
            Err(_) if view.get(&key::with_id(key::EVENT, id))?.is_none() => return Ok(None),
            Err(error) => return Err(error),
        }
    };
    event_parts(&bytes, head.matched).map(Some)
}

fn event_parts(mut bytes: &[u8], matched: bool) -> Result<EventParts, StorageError> {
    let mut event: Option<Event> = None;
    let mut matches: Vec<Match> = Vec::new();
    let mut runs = Vec::new();
    while let Some((record, rest)) = next(bytes)? {
        match record {
            Record::Event(json) => event = Some(serde_json::from_slice(&json).map_err(|_| damaged("an event"))?),
            Record::Matches(json) => {
                matches = serde_json::from_slice(json).map_err(|_| damaged("an event's matches"))?;
            }
            Record::Retold(json) => {
                let one: Match = serde_json::from_slice(json).map_err(|_| damaged("an event's matches"))?;
                match matches.iter_mut().find(|before| before.workflow == one.workflow) {
                    Some(before) => *before = one,
                    None => matches.push(one),
                }
            }
            Record::Run(id) => runs.push(id),
        }
        bytes = rest;
    }
    let event = event.ok_or_else(|| damaged("an event"))?;
    Ok(EventParts { stored: StoredEvent { event, matches: matched.then_some(matches) }, runs })
}

/// The event and the runs in an event's stream.
pub(crate) fn event_runs(bytes: &[u8]) -> Result<(Event, Vec<Id>), StorageError> {
    let parts = event_parts(bytes, true)?;
    Ok((parts.stored.event, parts.runs))
}

enum Record<'a> {
    Event(Cow<'a, [u8]>),
    Matches(&'a [u8]),
    Retold(&'a [u8]),
    Run(Id),
}

/// The next record of an event's stream.
fn next(bytes: &[u8]) -> Result<Option<(Record<'_>, &[u8])>, StorageError> {
    let Some((&tag, rest)) = bytes.split_first() else { return Ok(None) };
    if tag == STREAM_EVENT_PACKED {
        let (json, rest) = pack::unpack(rest, pack::EVENTS)?;
        return Ok(Some((Record::Event(json.into()), rest)));
    }
    let read = || match tag {
        STREAM_RUN => rest.split_first_chunk().map(|(id, rest)| (Record::Run(*id), rest)),
        STREAM_EVENT | STREAM_MATCHES | STREAM_RETOLD => {
            let (length, rest) = rest.split_first_chunk()?;
            let (json, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            let record = match tag {
                STREAM_EVENT => Record::Event(json.into()),
                STREAM_MATCHES => Record::Matches(json),
                _ => Record::Retold(json),
            };
            Some((record, rest))
        }
        _ => None,
    };
    read().map(Some).ok_or_else(|| damaged("an event"))
}
