//! Storage on one machine: our own log in front, sled behind.
//!
//! A commit is true once its record is in the log and the disk has confirmed it ([`commit`]). What the log holds is
//! also in memory; when that is full it moves to sled ([`checkpoint`]) and the log's segments go. What is set and
//! deleted again between two checkpoints (timers, inbox entries, most changes of status) never reaches sled.
//!
//! One process at a time: `lock` is locked while the storage is open.

pub(crate) mod base;
pub(crate) mod checkpoint;
pub(crate) mod commit;
pub(crate) mod files;
pub(crate) mod keep;
pub(crate) mod open;
pub(crate) mod queue;
pub(crate) mod redo;
pub(crate) mod segment;
#[cfg(test)]
mod tests;

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use async_trait::async_trait;
use parking_lot::Mutex;

use self::{
    checkpoint::{Checkpointer, Handoff, Step},
    commit::Committer,
    files::{Disk, Files},
    keep::Keep,
    queue::Queue,
    redo::LogRedo,
};
use crate::{
    CommitError, Counts, StorageError,
    embedded::{
        Asked, Embedded, Seen, Sink, Told,
        change::{Change, Changes, encode},
        copy::CopySource,
        group::Standing,
        key,
        view::View,
    },
};

/// Storage in a folder of this machine.
pub type SledStorage = Embedded<Log>;

/// How to keep a folder.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes of new data kept in memory before they move to sled; up to three times as much for moments.
    pub memtable_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { memtable_bytes: 8 * 1024 * 1024 }
    }
}

/// What tests replace.
#[derive(Clone)]
pub(crate) struct Hooks {
    pub(crate) files: Arc<dyn Files>,
    /// Asked before each step of a checkpoint; `false`: stop here, as a crash would.
    pub(crate) step: Option<Arc<dyn Fn(Step) -> bool + Send + Sync>>,
}

/// The log with its threads.
pub struct Log {
    view: Arc<View>,
    queue: Arc<Queue>,
    handoff: Arc<Handoff>,
    keep: Arc<Keep>,
    log_folder: PathBuf,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Unlocked when this is dropped, after the threads are gone.
    lock: Mutex<Option<File>>,
}

impl SledStorage {
    /// Opens a folder, creating it if need be. Everything acknowledged is there afterwards; leases of a process that
    /// is gone are free. Blocks while it reads the log (tens of megabytes).
    ///
    /// # Errors
    /// `Unavailable` when another process has it open or the disk refuses, `Corrupt` when what was acknowledged
    /// cannot be read.
    pub fn open(folder: &Path, options: Options) -> Result<Arc<Self>, StorageError> {
        Self::open_with(folder, options, Hooks { files: Arc::new(Disk), step: None })
    }

    pub(crate) fn open_with(folder: &Path, options: Options, hooks: Hooks) -> Result<Arc<Self>, StorageError> {
        std::fs::create_dir_all(folder).map_err(|error| unavailable(folder, "cannot be created", error))?;
        let lock = lock(folder)?;
        let log_folder = folder.join("log");
        let opened = open::open(&folder.join("sled"), &log_folder, &hooks)?;
        let (view, mut writer) = (Arc::new(opened.view), opened.writer);
        let counts = open::counts(&view)?;
        let standing = Standing::new(counts.clone(), next_fence(&view, &mut writer, folder)?);
        let queue = Arc::new(Queue::default());
        *queue.counts.lock() = counts;
        let handoff = Arc::new(Handoff::default());
        let keep = Arc::new(Keep::default());
        keep.advance(writer.place(), 0);
        let committer = Committer {
            queue: Arc::clone(&queue),
            handoff: Arc::clone(&handoff),
            view: Arc::clone(&view),
            standing,
            writer,
            folder: log_folder.clone(),
            hooks: hooks.clone(),
            keep: Arc::clone(&keep),
            memtable_bytes: options.memtable_bytes.max(1),
        };
        let checkpointer = Checkpointer {
            handoff: Arc::clone(&handoff),
            queue: Arc::clone(&queue),
            view: Arc::clone(&view),
            base: opened.base,
            folder: log_folder.clone(),
            hooks,
            keep: Arc::clone(&keep),
        };
        let log =
            Log { view, queue, handoff, keep, log_folder, threads: Mutex::default(), lock: Mutex::new(Some(lock)) };
        log.start("storage-commit", folder, move || committer.run())?;
        log.start("storage-checkpoint", folder, move || checkpointer.run())?;
        Ok(Arc::new(Self::over(log)))
    }
}

/// Begins a new period of fences, durably: all leases of earlier processes are void, since only one process can have
/// the folder open.
fn next_fence(view: &View, writer: &mut segment::Writer, folder: &Path) -> Result<u64, StorageError> {
    let period = match view.get(&key::period())? {
        Some(bytes) => {
            bytes.first_chunk().map(|b| u32::from_le_bytes(*b)).ok_or_else(|| key::damaged("the period"))? + 1
        }
        None => 1,
    };
    let changes = Changes::from([(key::period(), Change::Put(period.to_le_bytes().to_vec()))]);
    let mut record = vec![0; segment::RECORD_HEADER_BYTES];
    encode(&changes, &mut record);
    writer.append(&mut record).map_err(|failed| {
        let (segment::Failed::Nothing(error) | segment::Failed::Unknown(error)) = failed;
        unavailable(folder, "cannot be written", error)
    })?;
    view.apply(changes)?;
    Ok(u64::from(period) << 32)
}

fn unavailable(folder: &Path, what: &str, source: std::io::Error) -> StorageError {
    let reason = format!("the data folder {} {what} ({source}); check permissions and disk space", folder.display());
    StorageError::Unavailable { reason, source: Some(Box::new(source)) }
}

fn lock(folder: &Path) -> Result<File, StorageError> {
    let path = folder.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| unavailable(folder, "cannot be locked", error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let reason =
                format!("the data folder {} is open in another process; stop that one first", folder.display());
            Err(StorageError::Unavailable { reason, source: None })
        }
        Err(TryLockError::Error(error)) => Err(unavailable(folder, "cannot be locked", error)),
    }
}

impl Log {
    fn start(&self, name: &str, folder: &Path, run: impl FnOnce() + Send + 'static) -> Result<(), StorageError> {
        let queue = Arc::clone(&self.queue);
        let guarded = move || {
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            if ended.is_err() {
                queue.stop(
                    "storage failed inside; this is a bug in the engine. Restart it: nothing acknowledged is lost",
                );
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(guarded);
        self.threads.lock().push(thread.map_err(|error| unavailable(folder, "cannot be served", error))?);
        Ok(())
    }

    /// Waits for the threads; then everything is let go of.
    fn join(&self) {
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            thread.join().ok(); // a panic was caught and told already
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.queue.stop("storage is closed");
        self.handoff.stop();
        self.join();
    }
}

#[async_trait]
impl Sink for Log {
    fn seen(&self) -> Result<Seen<'_>, StorageError> {
        self.queue.check()?;
        Ok(Seen(&self.view))
    }

    async fn submit(&self, Asked(request): Asked) -> Result<Told, CommitError> {
        let answer = self.queue.push(request)?;
        // A closed channel: the committer stopped with the request in its hands.
        answer.await.unwrap_or_else(|_| Err(self.queue.refusal().into())).map(Told)
    }

    fn counts(&self) -> Counts {
        self.queue.counts.lock().clone()
    }

    fn log_bytes(&self) -> u64 {
        base::folder_bytes(&self.log_folder)
    }

    fn copy(&self) -> Result<CopySource, StorageError> {
        self.queue.check()?;
        let redo = LogRedo::begin(&self.queue, &self.keep, self.log_folder.clone());
        Ok(CopySource { view: Arc::clone(&self.view), redo: Box::new(redo) })
    }

    async fn close(&self) -> Result<(), StorageError> {
        self.queue.begin_close();
        let threads = std::mem::take(&mut *self.threads.lock());
        let ended = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| _ = thread.join())).await;
        let healthy = self.queue.check();
        self.queue.stop("storage is closed");
        *self.lock.lock() = None;
        if ended.is_err() {
            return Err(self.queue.refusal());
        }
        healthy
    }
}
