//! How everything durable is named in one ordered key space. `stage` writes these keys, `read`, `query` and `purge`
//! scan them.
//!
//! Keys are one tag byte and fixed-width big-endian fields, so that byte order is the order wanted:
//!
//! | tag | fields | order it gives |
//! |---|---|---|
//! | `RUN` | run | runs by start |
//! | `JOURNAL` | run, chunk | the rest of a long journal |
//! | `EVENT`, `EVENT_REST` | event (, chunk) | events by acceptance |
//! | `INBOX` | shard, event | unmatched events of a shard, oldest first |
//! | `ACTIVE` | shard, run | queued and running runs of a shard, oldest first |
//! | `DEDUPE` | shard, hash | none; looked up by hash |
//! | `TIMER` | shard, due, run, kind, path | timers of a shard, earliest first |
//! | `TIMER_OF` | run, kind, path | a run's timers |
//! | `WAIT` | shard, topic, run, index, path | waits of a shard for a topic |
//! | `MAIL`, `MAIL_SHARD` | (shard,) run, id | a run's, a shard's messages |
//! | `OUTBOX` | shard, event | undelivered events, oldest first |
//! | `RECORD` | table, key | records by key |
//! | `BLOCK` | list, quarter of a second | ids of a list by start; see `list` |
//! | `OPEN` | list, run | runs in a list that they will leave |
//! | `META` | name | counters |
//!
//! Run and event ids are kept as the 16 bytes that their 26 characters write.

use cartwright_core::{
    id::{EventId, RunId},
    run::entry::TimerKind,
    shard::ShardId,
    time::Timestamp,
};

use crate::{MailKey, StorageError, Table, TimerKey, WaitKey};

pub(crate) const META: u8 = 1;
pub(crate) const RUN: u8 = 2;
pub(crate) const JOURNAL: u8 = 3;
pub(crate) const EVENT: u8 = 4;
pub(crate) const EVENT_REST: u8 = 5;
pub(crate) const INBOX: u8 = 6;
pub(crate) const ACTIVE: u8 = 7;
pub(crate) const DEDUPE: u8 = 8;
pub(crate) const TIMER: u8 = 9;
pub(crate) const TIMER_OF: u8 = 10;
pub(crate) const WAIT: u8 = 11;
pub(crate) const MAIL: u8 = 12;
pub(crate) const MAIL_SHARD: u8 = 13;
pub(crate) const OUTBOX: u8 = 14;
pub(crate) const RECORD: u8 = 15;
pub(crate) const BLOCK: u8 = 16;
pub(crate) const OPEN: u8 = 17;

/// A key.
pub(crate) type Key = Vec<u8>;

/// A run's or event's id as 16 bytes.
pub(crate) type Id = [u8; 16];

/// The counters' key.
pub(crate) fn counts() -> Key {
    vec![META, b'c']
}

/// How often the folder was opened: what fences begin with.
pub(crate) fn period() -> Key {
    vec![META, b'p']
}

/// The youngest ids that sled and what is on its way to it may have; see `view`.
pub(crate) fn ceilings() -> Key {
    vec![META, b'x']
}

/// Whose key this is, where keys name a run or an event: its kind and id.
pub(crate) fn owner(key: &[u8]) -> Option<(Owner, &[u8])> {
    let (owner, at) = match *key.first()? {
        RUN | JOURNAL | TIMER_OF => (Owner::Run, 1),
        ACTIVE => (Owner::Run, 3),
        OPEN => (Owner::Run, 9),
        TIMER => (Owner::Run, 11),
        EVENT | EVENT_REST => (Owner::Event, 1),
        INBOX => (Owner::Event, 3),
        _ => return None,
    };
    Some((owner, key.get(at..at + 16)?))
}

/// What a key may belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Run,
    Event,
}

/// The highest version that a deleted record of a table had.
pub(crate) fn floor(table: Table) -> Key {
    vec![META, b'f', table_number(table)]
}

/// Whether a key is one of [`floor`].
pub(crate) fn is_floor(key: &[u8]) -> bool {
    key.starts_with(&[META, b'f'])
}

/// The 16 bytes of an id's 26 characters; `None` when they write more than 128 bits (no id that we made does).
fn id_bytes(text: &str) -> Option<Id> {
    let mut number: u128 = 0;
    for &b in text.as_bytes().get(4..)? {
        let digit = match b {
            b'0'..=b'9' => b - b'0',
            b'A'..=b'H' => b - b'A' + 10,
            b'J' | b'K' => b - b'J' + 18,
            b'M' | b'N' => b - b'M' + 20,
            b'P'..=b'T' => b - b'P' + 22,
            b'V'..=b'Z' => b - b'V' + 27,
            _ => return None,
        };
        if number >> 123 != 0 {
            return None;
        }
        number = number << 5 | u128::from(digit);
    }
    Some(number.to_be_bytes())
}

fn id_text(prefix: &str, id: Id) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let number = u128::from_be_bytes(id);
    let digits = (0..26).rev().map(|place| char::from(ALPHABET[(number >> (5 * place) & 31) as usize]));
    prefix.chars().chain(digits).collect()
}

/// A run's id as bytes; `None`: no such run can exist.
pub(crate) fn run_id(run: &RunId) -> Option<Id> {
    id_bytes(run.as_str())
}

/// An event's id as bytes; `None`: no such event can exist.
pub(crate) fn event_id(event: &EventId) -> Option<Id> {
    id_bytes(event.as_str())
}

/// A run's id from bytes.
pub(crate) fn run_of(id: Id) -> Result<RunId, StorageError> {
    id_text("run_", id).parse().map_err(|_| damaged("a run's id"))
}

/// An event's id from bytes.
pub(crate) fn event_of(id: Id) -> Result<EventId, StorageError> {
    id_text("evt_", id).parse().map_err(|_| damaged("an event's id"))
}

/// The milliseconds in an id.
pub(crate) fn millis(id: &Id) -> u64 {
    u128::from_be_bytes(*id).checked_shr(80).map_or(0, |m| m as u64)
}

/// The lowest id of this time, in milliseconds; `None`: every id is below it.
pub(crate) fn first_id(time: Timestamp) -> Option<Id> {
    let millis = u64::try_from(time.as_millis()).unwrap_or(0);
    (millis < 1 << 48).then(|| (u128::from(millis) << 80).to_be_bytes())
}

/// What to say when something stored cannot be read.
pub(crate) fn damaged(what: &str) -> StorageError {
    StorageError::Corrupt {
        reason: format!(
            "{what} cannot be read; stop the engine, check the disk, and restore the data folder from a backup"
        ),
    }
}

/// `tag` and 16 bytes.
pub(crate) fn with_id(tag: u8, id: &Id) -> Key {
    [&[tag][..], id].concat()
}

/// A further chunk of a long value.
pub(crate) fn chunk(tag: u8, id: &Id, number: u32) -> Key {
    [&[tag][..], id, &number.to_be_bytes()].concat()
}

/// `tag`, shard and 16 bytes.
pub(crate) fn in_shard(tag: u8, shard: ShardId, id: &Id) -> Key {
    [&[tag][..], &shard.number().to_be_bytes(), id].concat()
}

/// `tag` and shard: what all keys of a shard under a tag start with.
pub(crate) fn shard_prefix(tag: u8, shard: ShardId) -> Key {
    [&[tag][..], &shard.number().to_be_bytes()].concat()
}

/// The last 16 bytes of a key that ends in an id.
pub(crate) fn trailing_id(key: &[u8]) -> Result<Id, StorageError> {
    key.last_chunk::<16>().copied().ok_or_else(|| damaged("a key"))
}

/// A dedupe key.
pub(crate) fn dedupe(shard: ShardId, hash: &[u8; 32]) -> Key {
    [&[DEDUPE][..], &shard.number().to_be_bytes(), hash].concat()
}

fn kind_bytes(kind: TimerKind) -> [u8; 5] {
    let (tag, index) = match kind {
        TimerKind::Sleep => (0, 0),
        TimerKind::Call(index) => (1, index),
        TimerKind::Wait(index) => (2, index),
        TimerKind::Retry => (3, 0),
        TimerKind::StepTimeout => (4, 0),
        TimerKind::RunTimeout => (5, 0),
        TimerKind::ParkExpiry => (6, 0),
        TimerKind::Gate => (7, 0),
        TimerKind::Start => (8, 0),
    };
    let mut bytes = [tag, 0, 0, 0, 0];
    bytes[1..].copy_from_slice(&u32::to_be_bytes(index));
    bytes
}

fn kind_of(bytes: [u8; 5]) -> Option<TimerKind> {
    let [tag, index @ ..] = bytes;
    let index = u32::from_be_bytes(index);
    Some(match tag {
        0 => TimerKind::Sleep,
        1 => TimerKind::Call(index),
        2 => TimerKind::Wait(index),
        3 => TimerKind::Retry,
        4 => TimerKind::StepTimeout,
        5 => TimerKind::RunTimeout,
        6 => TimerKind::ParkExpiry,
        7 => TimerKind::Gate,
        8 => TimerKind::Start,
        _ => return None,
    })
}

/// A time as 8 bytes that sort like it.
pub(crate) fn time_bytes(time: Timestamp) -> [u8; 8] {
    (time.as_millis() as u64 ^ 1 << 63).to_be_bytes()
}

/// The time that 8 bytes write.
pub(crate) fn time_of(bytes: [u8; 8]) -> Timestamp {
    Timestamp::from_millis((u64::from_be_bytes(bytes) ^ 1 << 63) as i64)
}

/// A timer in time order.
pub(crate) fn timer(shard: ShardId, due: Timestamp, run: &Id, key: &TimerKey) -> Key {
    let path = key.path.as_str().as_bytes();
    [&[TIMER][..], &shard.number().to_be_bytes(), &time_bytes(due), run, &kind_bytes(key.kind), path].concat()
}

/// When the timer under a `TIMER` key is due.
pub(crate) fn timer_due(key: &[u8]) -> Option<Timestamp> {
    Some(time_of(*key.get(3..)?.first_chunk()?))
}

/// The timer under a `TIMER` key.
pub(crate) fn timer_of_key(key: &[u8]) -> Option<crate::Timer> {
    let due = timer_due(key)?;
    let (run, rest) = key.get(11..)?.split_first_chunk::<16>()?;
    let (kind, path) = rest.split_first_chunk::<5>()?;
    let path = cartwright_core::id::StepPath::new(std::str::from_utf8(path).ok()?);
    Some(crate::Timer { key: TimerKey { run: run_of(*run).ok()?, path, kind: kind_of(*kind)? }, due })
}

/// Where a timer's time is found.
pub(crate) fn timer_by_run(run: &Id, key: &TimerKey) -> Key {
    [&[TIMER_OF][..], run, &kind_bytes(key.kind), key.path.as_str().as_bytes()].concat()
}

/// What all waits of a shard for a topic start with.
pub(crate) fn wait_prefix(shard: ShardId, topic: &str) -> Key {
    let length = u32::try_from(topic.len()).unwrap_or(u32::MAX);
    [&[WAIT][..], &shard.number().to_be_bytes(), &length.to_be_bytes(), topic.as_bytes()].concat()
}

/// A wait.
pub(crate) fn wait(shard: ShardId, run: &Id, key: &WaitKey) -> Key {
    let mut bytes = wait_prefix(shard, &key.topic);
    bytes.extend_from_slice(run);
    bytes.extend_from_slice(&key.index.to_be_bytes());
    bytes.extend_from_slice(key.path.as_str().as_bytes());
    bytes
}

/// The part of a `WAIT` key after its prefix.
pub(crate) fn wait_of_key(rest: &[u8], topic: &str) -> Option<WaitKey> {
    let (run, rest) = rest.split_first_chunk::<16>()?;
    let (index, path) = rest.split_first_chunk::<4>()?;
    let path = cartwright_core::id::StepPath::new(std::str::from_utf8(path).ok()?);
    Some(WaitKey { topic: topic.to_owned(), run: run_of(*run).ok()?, path, index: u32::from_be_bytes(*index) })
}

/// A message, by run.
pub(crate) fn mail(run: &Id, key: &MailKey) -> Key {
    [&[MAIL][..], run, key.id.as_bytes()].concat()
}

/// A message, by shard.
pub(crate) fn mail_in_shard(shard: ShardId, run: &Id, key: &MailKey) -> Key {
    [&[MAIL_SHARD][..], &shard.number().to_be_bytes(), run, key.id.as_bytes()].concat()
}

/// The run and id of a key that ends in both.
pub(crate) fn mail_of_key(rest: &[u8]) -> Option<MailKey> {
    let (run, id) = rest.split_first_chunk::<16>()?;
    Some(MailKey { run: run_of(*run).ok()?, id: String::from_utf8(id.to_vec()).ok()? })
}

fn table_number(table: Table) -> u8 {
    match table {
        Table::State => 0,
        Table::Stores => 1,
        Table::Secrets => 2,
        Table::Definitions => 3,
        Table::Meta => 4,
        Table::Access => 5,
        Table::Audit => 6,
        Table::Answers => 7,
        Table::Gates => 8,
        Table::Approvals => 10,
        Table::Slots => 9,
    }
}

/// A record, or what records with this prefix start with.
pub(crate) fn record(table: Table, key: &str) -> Key {
    [&[RECORD, table_number(table)][..], key.as_bytes()].concat()
}

/// The table and key of a record's key; `None`: it is another key.
pub(crate) fn record_of_key(key: &[u8]) -> Option<(Table, String)> {
    let [RECORD, number, name @ ..] = key else { return None };
    let table = Table::ALL.into_iter().find(|table| table_number(*table) == *number)?;
    Some((table, String::from_utf8(name.to_vec()).ok()?))
}

/// The first key after all keys with this prefix; `None`: there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Key> {
    let end = prefix.iter().rposition(|&b| b != 0xff)?;
    let mut next = prefix[..=end].to_vec();
    next[end] += 1;
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cartwright_core::id::StepPath;

    #[test]
    fn ids_survive_and_keep_their_order() {
        for (millis, low) in [(0, 0), (1, 255), (1_795_000_000_000, 7), ((1 << 48) - 1, 255)] {
            let id = EventId::new(Timestamp::from_millis(millis), [low; 10]);
            let bytes = event_id(&id).expect("we made it");
            assert_eq!(event_of(bytes).expect("same"), id);
            assert_eq!(super::millis(&bytes), millis as u64);
        }
        let bound = |millis| first_id(Timestamp::from_millis(millis));
        assert_eq!((bound(-5), bound(1 << 48)), (bound(0), None));
        assert!(bound(7).is_some_and(|id| super::millis(&id) == 7 && id[6..] == [0; 10]));
        let hostile: EventId = "evt_ZZZZZZZZZZZZZZZZZZZZZZZZZZ".parse().expect("valid text");
        assert_eq!(event_id(&hostile), None);
    }

    #[test]
    fn timers_sort_by_time_even_before_1970_and_parse_back() {
        let run = RunId::derived(
            Timestamp::from_millis(5),
            &EventId::new(Timestamp::default(), [0; 10]),
            &"w".parse().expect("id"),
        );
        let id = run_id(&run).expect("ours");
        let shard = ShardId::of("x");
        let key = TimerKey { run, path: StepPath::new("a[3]/ü"), kind: TimerKind::Wait(300) };
        let keys = [i64::MIN, -1, 0, 1, 1_795_000_000_000].map(|t| timer(shard, Timestamp::from_millis(t), &id, &key));
        assert!(keys.is_sorted());
        assert_eq!(timer_of_key(&keys[1]), Some(crate::Timer { key, due: Timestamp::from_millis(-1) }));
        assert_eq!(timer_of_key(&keys[1][..20]), None);
    }

    #[test]
    fn prefix_ends() {
        assert_eq!(after_prefix(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after_prefix(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(after_prefix(&[255]), None);
    }
}
