//! Opening the data folder: sled, then the segments that sled does not have yet, replayed in order.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    StorageError,
    embedded::{change::decode, key, view::View},
    log::{Hooks, base::SledBase, segment, segment::Writer},
};

/// What opening found.
pub(crate) struct Opened {
    pub(crate) view: View,
    pub(crate) base: SledBase,
    pub(crate) writer: Writer,
}

fn unavailable(what: &str, path: &Path, source: std::io::Error) -> StorageError {
    let reason = format!("cannot {what} {} ({source}); check permissions and disk space", path.display());
    StorageError::Unavailable { reason, source: Some(Box::new(source)) }
}

/// Opens sled and replays the log.
pub(crate) fn open(sled: &Path, log: &Path, hooks: &Hooks) -> Result<Opened, StorageError> {
    for folder in [sled, log] {
        fs::create_dir_all(folder).map_err(|error| unavailable("create", folder, error))?;
    }
    let base = SledBase::open(sled)?;
    let applied = base.applied()?;
    if applied.is_none() {
        base.set_applied(0)?;
        base.make_durable()?;
        if let Some(parent) = sled.parent() {
            hooks.files.sync_dir(parent).map_err(|error| unavailable("write", parent, error))?;
        }
    }
    let view = View::over(Box::new(base.clone()));
    let (number, sequence) = replay(&view, log, applied.unwrap_or(0), hooks)?;
    view.settle()?;
    let writer = Writer::create(&*hooks.files, log, number + 1, sequence)
        .map_err(|error| unavailable("write in", log, error))?;
    Ok(Opened { view, base, writer })
}

/// Applies the segments after `applied` to a view; gives the last segment's number and the next record's sequence.
pub(crate) fn replay(view: &View, log: &Path, applied: u64, hooks: &Hooks) -> Result<(u64, u64), StorageError> {
    let segments = segments(log, applied, hooks)?;
    let mut sequence = None;
    let mut number = applied;
    let last = segments.keys().next_back().copied();
    for (&found, path) in &segments {
        number += 1;
        if found != number {
            return Err(missing(number));
        }
        let bytes = fs::read(path).map_err(|error| unavailable("read", path, error))?;
        let is_last = Some(found) == last;
        let Some(read) = segment::read(&bytes, found, sequence, is_last)? else {
            hooks.files.remove(path).map_err(|error| unavailable("remove", path, error))?;
            number -= 1;
            break;
        };
        for record in &read.records {
            let changes = decode(record).ok_or_else(|| segment::damaged(found, read.good))?;
            view.apply(changes.into_iter().collect())?;
        }
        sequence = Some(read.next_sequence);
        if is_last {
            keep_readable_part(path, &bytes, read.good, log, hooks)?;
        }
    }
    // sled says that segments were applied, and at least the one after them existed from before they went.
    if segments.is_empty() && applied > 0 {
        return Err(missing(applied + 1));
    }
    Ok((number, sequence.unwrap_or(1)))
}

fn missing(number: u64) -> StorageError {
    StorageError::Corrupt {
        reason: format!("log segment {number:012}.log is missing; restore the data folder from a backup"),
    }
}

/// The segments that sled does not have, by number. Those it has are removed: a crash came before that.
fn segments(log: &Path, applied: u64, hooks: &Hooks) -> Result<BTreeMap<u64, PathBuf>, StorageError> {
    let mut segments = BTreeMap::new();
    let files = fs::read_dir(log).map_err(|error| unavailable("read", log, error))?;
    for file in files {
        let path = file.map_err(|error| unavailable("read", log, error))?.path();
        match segment::number(&path) {
            Some(number) if number > applied => _ = segments.insert(number, path),
            Some(_) => hooks.files.remove(&path).map_err(|error| unavailable("remove", &path, error))?,
            None if path.extension().is_some_and(|extension| extension == "tmp") => {
                hooks.files.remove(&path).map_err(|error| unavailable("remove", &path, error))?;
            }
            None => {}
        }
    }
    Ok(segments)
}

/// Writes the last segment again without what was torn. A copy rather than a cut, because what was read may be in the
/// system's memory only: a write whose sync failed stays readable, and no later sync of that file would write it.
fn keep_readable_part(path: &Path, bytes: &[u8], good: usize, log: &Path, hooks: &Hooks) -> Result<(), StorageError> {
    if good < bytes.len() {
        tracing::warn!(segment = %path.display(), bytes = bytes.len() - good, "cut an unfinished record that was never acknowledged");
    }
    let copy = path.with_extension("tmp");
    let write = || {
        let mut file = hooks.files.create(&copy)?;
        file.append(&bytes[..good])?;
        file.sync()?;
        hooks.files.rename(&copy, path)?;
        hooks.files.sync_dir(log)
    };
    write().map_err(|error| unavailable("write", &copy, error))
}

/// What the counters' key holds.
pub(crate) fn counts(view: &View) -> Result<crate::Counts, StorageError> {
    match view.get(&key::counts())? {
        Some(value) => serde_json::from_slice(&value).map_err(|_| key::damaged("the counters")),
        None => Ok(crate::Counts::default()),
    }
}
