//! Turns what callers hand in into bytes, on the caller's thread: what is left for the one thread that orders commits
//! is to compare and to copy.

use cartwright_core::{event::Event, id::RunId, run::row::RunStatus, shard::ShardId};
use serde::{Deserialize, Serialize};

use crate::{
    Batch, CommitError, MailBody, NewEvent, RecordWrite, StorageError, Timer, TimerKey, Wait,
    embedded::{
        key::{self, Id, Key},
        list::{self, ListId, RunLists},
        pack,
    },
};

/// The largest batch, in bytes of JSON: one that is larger would hold up everyone else's flush.
pub(crate) const MAX_BATCH_BYTES: usize = 32 * 1024 * 1024;

/// The longest text inside a key (a topic, a record's key, a step's path), in bytes.
pub(crate) const MAX_KEY_TEXT_BYTES: usize = 4096;

/// A [`NewEvent`] in bytes.
pub(crate) struct EventIn {
    pub(crate) id: Id,
    pub(crate) shard: ShardId,
    pub(crate) dedupe: Option<[u8; 32]>,
    pub(crate) lists: Vec<ListId>,
    /// The first record of its stream.
    pub(crate) json: Vec<u8>,
}

/// A [`crate::RunWrite`] in bytes.
pub(crate) struct RunIn {
    pub(crate) id: Id,
    pub(crate) event: Id,
    pub(crate) shard: ShardId,
    pub(crate) status: RunStatus,
    pub(crate) lists: RunLists,
    pub(crate) expected_len: u64,
    pub(crate) appended: u64,
    pub(crate) row_json: Vec<u8>,
    /// Entries, one a line, packed where that is smaller.
    pub(crate) journal: Vec<u8>,
}

/// A [`Batch`] in bytes.
pub(crate) struct BatchIn {
    pub(crate) runs: Vec<RunIn>,
    pub(crate) matched: Vec<(Id, Vec<u8>)>,
    /// By event: what is added to its stream.
    pub(crate) added: Vec<(Id, Vec<u8>)>,
    pub(crate) timers_set: Vec<(Id, Timer)>,
    pub(crate) timers_clear: Vec<(Id, TimerKey)>,
    pub(crate) waits_set: Vec<(Key, Vec<u8>)>,
    pub(crate) waits_clear: Vec<Key>,
    /// By event: outbox key and value.
    pub(crate) outbox: Vec<(Key, Vec<u8>)>,
    pub(crate) outbox_done: Vec<Key>,
    /// By run, by shard, body.
    pub(crate) mail: Vec<(Key, Key, Vec<u8>)>,
    pub(crate) mail_done: Vec<(Key, Key)>,
    pub(crate) records: Vec<RecordWrite>,
}

/// An outbox record as kept.
#[derive(Serialize, Deserialize)]
pub(crate) struct OutboxValue {
    pub(crate) event: Event,
    pub(crate) dedupe: Option<[u8; 32]>,
}

/// A wait as kept; its key holds the rest.
#[derive(Serialize, Deserialize)]
pub(crate) struct WaitValue {
    pub(crate) since: cartwright_core::time::Timestamp,
    pub(crate) condition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<cartwright_core::Json>,
}

/// Tag of the event itself in its stream: length and JSON follow.
pub(crate) const STREAM_EVENT: u8 = b'E';
/// Tag of the event itself, packed (see [`pack`]).
pub(crate) const STREAM_EVENT_PACKED: u8 = b'e';
/// Tag of its matches.
pub(crate) const STREAM_MATCHES: u8 = b'M';
/// Tag of one match that was told anew.
pub(crate) const STREAM_RETOLD: u8 = b'm';
/// Tag of a run that it started or will start: 16 bytes follow.
pub(crate) const STREAM_RUN: u8 = b'R';

/// An event as the first record of its stream, packed where that is smaller.
fn event_stream(event: &Event) -> Result<Vec<u8>, StorageError> {
    let plain = tagged(STREAM_EVENT, event)?;
    Ok(match pack::pack(&plain[5..], pack::EVENTS) {
        Some(packed) => [&[STREAM_EVENT_PACKED][..], &packed].concat(),
        None => plain,
    })
}

/// A journal's new lines, packed where that is smaller: no line begins with the tag.
fn journal_piece(lines: Vec<u8>) -> Vec<u8> {
    match pack::pack(&lines, pack::ENTRIES) {
        Some(packed) => [&[JOURNAL_PACKED][..], &packed].concat(),
        None => lines,
    }
}

/// Tag of packed lines in a journal; plain lines begin with `{`.
pub(crate) const JOURNAL_PACKED: u8 = 1;

/// JSON with a tag and its length in front, for an event's stream.
fn tagged<T: Serialize>(tag: u8, what: &T) -> Result<Vec<u8>, StorageError> {
    let mut bytes = vec![tag, 0, 0, 0, 0];
    serde_json::to_writer(&mut bytes, what).map_err(unwritable)?;
    let length = u32::try_from(bytes.len() - 5).map_err(|_| too_large())?;
    bytes[1..5].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

fn json<T: Serialize>(what: &T) -> Result<Vec<u8>, StorageError> {
    serde_json::to_vec(what).map_err(unwritable)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unwritable(error: serde_json::Error) -> StorageError {
    StorageError::Invalid { reason: format!("this cannot be written as JSON: {error}") }
}

fn too_large() -> StorageError {
    StorageError::Invalid {
        reason: format!("a commit holds at most {} MiB; write less at once", MAX_BATCH_BYTES >> 20),
    }
}

fn unknown_id() -> StorageError {
    StorageError::Invalid { reason: "an id in this commit was not made by the engine".to_owned() }
}

fn key_text(text: &str) -> Result<(), StorageError> {
    if text.len() <= MAX_KEY_TEXT_BYTES {
        return Ok(());
    }
    let start: String = text.chars().take(40).collect();
    Err(StorageError::Invalid {
        reason: format!("`{start}…` is longer than {MAX_KEY_TEXT_BYTES} bytes; use a shorter name"),
    })
}

/// Events in bytes.
pub(crate) fn events(events: &[NewEvent]) -> Result<Vec<EventIn>, StorageError> {
    let mut bytes = 0;
    let one = |new: &NewEvent| {
        key_text(&new.event.topic)?;
        let json = event_stream(&new.event)?;
        bytes += json.len();
        if bytes > MAX_BATCH_BYTES {
            return Err(too_large());
        }
        let id = key::event_id(&new.event.id).ok_or_else(unknown_id)?;
        let lists = list::lists_of_event(&new.event).collect();
        Ok(EventIn { id, shard: new.event.shard(), dedupe: new.dedupe, lists, json })
    };
    events.iter().map(one).collect()
}

/// Records, checked.
pub(crate) fn records(records: Vec<RecordWrite>) -> Result<Vec<RecordWrite>, StorageError> {
    let mut bytes = 0;
    let mut seen = std::collections::BTreeSet::new();
    for write in &records {
        key_text(&write.key)?;
        bytes += write.value.as_ref().map_or(0, Vec::len);
        if !seen.insert((write.table, write.key.as_str())) {
            return Err(StorageError::Invalid {
                reason: format!("record `{}` is written twice in one commit", write.key),
            });
        }
    }
    if bytes > MAX_BATCH_BYTES { Err(too_large()) } else { Ok(records) }
}

/// A batch in bytes.
pub(crate) fn batch(shard: ShardId, batch: Batch) -> Result<BatchIn, CommitError> {
    let run_id = |run: &RunId| key::run_id(run).ok_or_else(unknown_id);
    let mut bytes = 0;
    let mut runs: Vec<RunIn> = Vec::with_capacity(batch.runs.len());
    for write in &batch.runs {
        let row = &write.row;
        let mut journal = Vec::with_capacity(256 * write.append.len());
        for entry in &write.append {
            serde_json::to_writer(&mut journal, entry).map_err(unwritable)?;
            journal.push(b'\n');
        }
        bytes += journal.len();
        let id = run_id(&row.id)?;
        if runs.iter().any(|other| other.id == id) {
            return Err(StorageError::Invalid { reason: format!("{} is written twice in one commit", row.id) }.into());
        }
        runs.push(RunIn {
            id,
            event: key::event_id(&row.event).ok_or_else(unknown_id)?,
            shard: row.shard,
            status: row.status,
            lists: RunLists::of(&row.workflow, row.store.as_ref()),
            expected_len: write.expected_len,
            appended: write.append.len() as u64,
            row_json: json(row)?,
            journal: journal_piece(journal),
        });
    }
    let event_key =
        |tag, event| Ok::<_, StorageError>(key::in_shard(tag, shard, &key::event_id(event).ok_or_else(unknown_id)?));
    let mut outbox = Vec::with_capacity(batch.outbox.len());
    for new in &batch.outbox {
        key_text(&new.event.topic)?;
        let value = json(&OutboxValue { event: new.event.clone(), dedupe: new.dedupe })?;
        bytes += value.len();
        outbox.push((event_key(key::OUTBOX, &new.event.id)?, value));
    }
    if bytes > MAX_BATCH_BYTES {
        return Err(too_large().into());
    }
    let mut matched = Vec::with_capacity(batch.matched.len());
    for (event, matches) in &batch.matched {
        matched.push((key::event_id(event).ok_or_else(unknown_id)?, tagged(STREAM_MATCHES, matches)?));
    }
    let mut added = Vec::with_capacity(batch.rematched.len() + batch.needed.len());
    for (event, one) in &batch.rematched {
        added.push((key::event_id(event).ok_or_else(unknown_id)?, tagged(STREAM_RETOLD, one)?));
    }
    for (event, run) in &batch.needed {
        added.push((key::event_id(event).ok_or_else(unknown_id)?, [&[STREAM_RUN][..], &run_id(run)?].concat()));
    }
    let timers_set = batch.timers_set.into_iter().map(|timer| {
        key_text(timer.key.path.as_str())?;
        Ok((run_id(&timer.key.run)?, timer))
    });
    let timers_clear = batch.timers_clear.into_iter().map(|timer| Ok((run_id(&timer.run)?, timer)));
    let waits_set = batch.waits_set.into_iter().map(|Wait { key, since, condition, scope }| {
        key_text(&key.topic)?;
        key_text(key.path.as_str())?;
        Ok((key::wait(shard, &run_id(&key.run)?, &key), json(&WaitValue { since, condition, scope })?))
    });
    let waits_clear = batch.waits_clear.iter().map(|wait| Ok(key::wait(shard, &run_id(&wait.run)?, wait)));
    let mail = batch.mail.iter().map(|mail| {
        key_text(&mail.key.id)?;
        let run = run_id(&mail.key.run)?;
        Ok((key::mail(&run, &mail.key), key::mail_in_shard(shard, &run, &mail.key), json::<MailBody>(&mail.body)?))
    });
    let mail_done = batch.mail_done.iter().map(|mail| {
        let run = run_id(&mail.run)?;
        Ok((key::mail(&run, mail), key::mail_in_shard(shard, &run, mail)))
    });
    Ok(BatchIn {
        runs,
        matched,
        added,
        timers_set: timers_set.collect::<Result<_, StorageError>>()?,
        timers_clear: timers_clear.collect::<Result<_, StorageError>>()?,
        waits_set: waits_set.collect::<Result<_, StorageError>>()?,
        waits_clear: waits_clear.collect::<Result<_, StorageError>>()?,
        outbox,
        outbox_done: batch.outbox_done.iter().map(|event| event_key(key::OUTBOX, event)).collect::<Result<_, _>>()?,
        mail: mail.collect::<Result<_, StorageError>>()?,
        mail_done: mail_done.collect::<Result<_, StorageError>>()?,
        records: records(batch.records)?,
    })
}
