//! What a backup holds: entries of a few kinds, in any number, the first saying what it is and the last that it is all.

use std::io::{Read, Seek, Write};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use cartwright_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{BackupError, Opened};
use crate::master::{self, MasterKey};

/// Of one entry, in bytes.
const MAX_ENTRY_BYTES: u32 = 64 * 1024 * 1024;

/// One thing in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The first: when and by what it was made.
    About {
        /// When.
        created: Timestamp,
        /// Version of cartwright.
        engine: String,
    },
    /// The master keys, the current one first. Not there when people keep them themselves (environment, command).
    MasterKeys(Vec<MasterKey>),
    /// A record of storage as it is there: what is secret in it is sealed under a master key.
    Record {
        /// `stores`, `secrets`
        table: String,
        /// Its key.
        key: String,
        /// Its value.
        value: Vec<u8>,
    },
    /// A part of everything in storage, in storage's own form. Since format 2.
    Part(Vec<u8>),
    /// A version of a plugin, its component: runs may be pinned to it.
    Plugin(Vec<u8>),
    /// The last: how many came before.
    End {
        /// Entries before this one.
        entries: u64,
    },
}

/// An entry on disk.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Written {
    About { created: Timestamp, engine: String },
    MasterKeys { keys: String },
    Record { table: String, key: String, value: String },
    End { entries: u64 },
}

/// The kinds there are, as they are written.
const KINDS: [&str; 4] = ["about", "master_keys", "record", "end"];

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

/// The first byte of a part, and of a plugin; every other entry is JSON and begins with `{`.
const PART: u8 = 1;
const PLUGIN: u8 = 2;

/// Writes one entry.
pub fn write_entry(out: &mut impl Write, entry: &Entry) -> Result<(), BackupError> {
    let written = match entry {
        Entry::Part(bytes) => return write_bytes(out, PART, bytes),
        Entry::Plugin(bytes) => return write_bytes(out, PLUGIN, bytes),
        Entry::About { created, engine } => Written::About { created: *created, engine: engine.clone() },
        Entry::MasterKeys(keys) => {
            let texts: Vec<_> = keys.iter().map(MasterKey::to_text).collect();
            Written::MasterKeys { keys: texts.iter().map(|text| text.as_str()).collect::<Vec<_>>().join(",") }
        }
        Entry::Record { table, key, value } => {
            Written::Record { table: table.clone(), key: key.clone(), value: BASE64.encode(value) }
        }
        Entry::End { entries } => Written::End { entries: *entries },
    };
    let bytes = Zeroizing::new(serde_json::to_vec(&written).expect("texts and numbers always become JSON"));
    if let Written::MasterKeys { keys } = written {
        drop(Zeroizing::new(keys));
    }
    out.write_all(&length(bytes.len())?)?;
    out.write_all(&bytes)?;
    Ok(())
}

fn write_bytes(out: &mut impl Write, first: u8, bytes: &[u8]) -> Result<(), BackupError> {
    out.write_all(&length(bytes.len() + 1)?)?;
    out.write_all(&[first])?;
    out.write_all(bytes)?;
    Ok(())
}

/// An entry's length as it is written.
fn length(bytes: usize) -> Result<[u8; 4], BackupError> {
    let length = u32::try_from(bytes).ok().filter(|length| *length <= MAX_ENTRY_BYTES);
    let length = length.ok_or_else(|| BackupError::Entry { place: 0, reason: "it is too long".into() })?;
    Ok(length.to_be_bytes())
}

/// Reads the entry at `place` (from 1); `None`: there are no more.
pub fn read_entry<R: Read + Seek>(opened: &mut Opened<R>, place: u64) -> Result<Option<Entry>, BackupError> {
    let wrong = |reason: &str| BackupError::Entry { place, reason: reason.to_owned() };
    let mut length = [0; 4];
    match opened.fill(&mut length)? {
        0 => return Ok(None),
        4 => {}
        _ => return Err(wrong("it ends early")),
    }
    let length = u32::from_be_bytes(length);
    if length > MAX_ENTRY_BYTES {
        return Err(wrong("it is too long"));
    }
    let mut bytes = Zeroizing::new(vec![0; length as usize]);
    if opened.fill(&mut bytes)? < bytes.len() {
        return Err(wrong("it ends early"));
    }
    parse(&bytes, place).map(Some)
}

fn parse(bytes: &[u8], place: u64) -> Result<Entry, BackupError> {
    // The parser's own words could quote a key.
    let wrong = |reason: &str| BackupError::Entry { place, reason: reason.to_owned() };
    match bytes.split_first() {
        Some((&PART, part)) => return Ok(Entry::Part(part.to_vec())),
        Some((&PLUGIN, component)) => return Ok(Entry::Plugin(component.to_vec())),
        _ => {}
    }
    let Kind { kind } = serde_json::from_slice(bytes).map_err(|_| wrong("it has no kind"))?;
    if !KINDS.contains(&kind.as_str()) {
        return Err(BackupError::NewerEntry { place, kind: kind.chars().take(40).collect() });
    }
    match serde_json::from_slice(bytes).map_err(|_| wrong("its fields are not as expected"))? {
        Written::About { created, engine } => Ok(Entry::About { created, engine }),
        Written::MasterKeys { keys } => {
            let keys = Zeroizing::new(keys);
            master::parse(keys.as_bytes()).map(Entry::MasterKeys).map_err(|reason| wrong(&reason.to_string()))
        }
        Written::Record { table, key, value } => {
            let value = BASE64.decode(value).map_err(|_| wrong("its value is not base64"))?;
            Ok(Entry::Record { table, key, value })
        }
        Written::End { entries } => Ok(Entry::End { entries }),
    }
}
