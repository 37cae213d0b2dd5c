//! Storage in memory: for dry runs, tests and the simulator. Requests are ordered by a lock and never wait, so a
//! simulation over it is repeatable.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    CommitError, Counts, StorageError,
    embedded::{
        Asked, Embedded, Seen, Sink, Told,
        change::{Change, encode, encode_one},
        copy::{CopySource, Redo},
        group::{Group, Standing},
        key,
        stage::{Answer, Failure, Request, stage},
        view::View,
    },
};

/// Storage in memory. What is committed lives as long as any handle to it.
pub type MemoryStorage = Embedded<Memory>;

/// A handle to data in memory.
pub struct Memory {
    data: Arc<Data>,
    /// Why this handle answers nothing any more.
    dead: AtomicBool,
    faults: Mutex<Option<Faults>>,
}

struct Data {
    view: Arc<View>,
    standing: Mutex<Standing>,
    /// What backups under way still have to read.
    taps: Mutex<Vec<Weak<Tap>>>,
}

/// Groups committed since a backup began, in the log's form.
#[derive(Default)]
struct Tap(Mutex<VecDeque<Vec<u8>>>);

struct Tapped {
    tap: Arc<Tap>,
    data: Arc<Data>,
    /// What was committed before the end and is not read yet.
    left: VecDeque<Vec<u8>>,
}

impl Redo for Tapped {
    fn check(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), StorageError> {
        let standing = self.data.standing.lock(); // no commit is half in it
        self.left = std::mem::take(&mut self.tap.0.lock());
        // In memory the counters are not among the keys.
        let counts = serde_json::to_vec(&standing.counts).map_err(|_| key::damaged("the counters"))?;
        let mut record = Vec::new();
        encode_one(&key::counts(), &Change::Put(counts), &mut record);
        self.left.push_back(record);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.left.pop_front())
    }
}

/// Says what happens to the next write; called once for each, in order.
pub type Faults = Arc<dyn Fn(Write) -> Fault + Send + Sync>;

/// Which method is about to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// [`crate::Storage::accept`]
    Accept,
    /// [`crate::Storage::commit`]
    Commit,
    /// [`crate::Storage::write_records`]
    Records,
    /// [`crate::Storage::acquire`], `renew` or `release`
    Lease,
    /// [`crate::Storage::purge`]
    Purge,
}

/// What happens to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing unusual.
    None,
    /// It does nothing and says so.
    Refuse,
    /// It does nothing, and the handle is dead afterwards: a crash just before.
    Crash,
    /// It is done, but the caller is told that nobody knows, and the handle is dead: a crash just after.
    ApplyThenCrash,
}

impl MemoryStorage {
    /// Empty storage.
    pub fn new() -> Arc<Self> {
        let standing = Mutex::new(Standing::new(Counts::default(), 0));
        let data = Data { view: Arc::new(View::in_memory()), standing, taps: Mutex::default() };
        Self::handle(Arc::new(data))
    }

    fn handle(data: Arc<Data>) -> Arc<Self> {
        Arc::new(Self::over(Memory { data, dead: AtomicBool::new(false), faults: Mutex::new(None) }))
    }

    /// Another handle to the same data, as another node has it.
    pub fn share(&self) -> Arc<Self> {
        Self::handle(Arc::clone(&self.sink.data))
    }

    /// A new handle to the same data; this one answers nothing any more: the process died and started again.
    /// Leases outlive it, as they do in a shared database.
    pub fn reopen(&self) -> Arc<Self> {
        self.sink.dead.store(true, Ordering::SeqCst);
        self.share()
    }

    /// Decides what happens to this handle's writes from now on.
    pub fn set_faults(&self, faults: Option<Faults>) {
        *self.sink.faults.lock() = faults;
    }
}

impl Memory {
    fn die(&self) -> StorageError {
        self.dead.store(true, Ordering::SeqCst);
        dead()
    }
}

fn dead() -> StorageError {
    StorageError::Unavailable { reason: "this storage is closed; open it again".to_owned(), source: None }
}

fn kind(request: &Request) -> Write {
    match request {
        Request::Accept(_) => Write::Accept,
        Request::Restore(_) => Write::Records,
        Request::Commit { .. } => Write::Commit,
        Request::Records(_) => Write::Records,
        Request::Acquire { .. } | Request::Renew { .. } | Request::Release { .. } => Write::Lease,
        Request::PurgeRuns { .. } | Request::PurgeEvents { .. } => Write::Purge,
    }
}

#[async_trait]
impl Sink for Memory {
    fn seen(&self) -> Result<Seen<'_>, StorageError> {
        if self.dead.load(Ordering::SeqCst) { Err(dead()) } else { Ok(Seen(&self.data.view)) }
    }

    async fn submit(&self, Asked(request): Asked) -> Result<Told, CommitError> {
        self.seen()?;
        let faults = self.faults.lock().clone();
        let fault = faults.map_or(Fault::None, |faults| faults(kind(&request)));
        match fault {
            Fault::None | Fault::ApplyThenCrash => {}
            Fault::Refuse => {
                let reason = "the disk is full; free some space".to_owned();
                return Err(StorageError::Unavailable { reason, source: None }.into());
            }
            Fault::Crash => return Err(self.die().into()),
        }
        let answer = self.data.write(&request)?;
        if fault == Fault::ApplyThenCrash {
            return Err(self.die().into());
        }
        Ok(Told(answer))
    }

    fn counts(&self) -> Counts {
        self.data.standing.lock().counts.clone()
    }

    fn copy(&self) -> Result<CopySource, StorageError> {
        self.seen()?;
        let tap = Arc::new(Tap::default());
        let _standing = self.data.standing.lock();
        self.data.taps.lock().push(Arc::downgrade(&tap));
        let redo = Tapped { tap, data: Arc::clone(&self.data), left: VecDeque::new() };
        Ok(CopySource { view: Arc::clone(&self.data.view), redo: Box::new(redo) })
    }

    async fn close(&self) -> Result<(), StorageError> {
        self.dead.store(true, Ordering::SeqCst);
        Ok(())
    }
}

impl Data {
    fn write(&self, request: &Request) -> Result<Answer, CommitError> {
        let mut standing = self.standing.lock();
        let mut group = Group::new(&self.view, &standing);
        let answer = stage(&mut group, request).map_err(|failure| match failure {
            Failure::Refused(error) => error,
            Failure::Broken(error) => error.into(),
        })?;
        let Group { changes, standing: now, .. } = group;
        let mut taps = self.taps.lock();
        taps.retain(|tap| tap.strong_count() > 0);
        if !taps.is_empty() {
            let mut record = Vec::new();
            encode(&changes, &mut record);
            taps.iter().filter_map(Weak::upgrade).for_each(|tap| tap.0.lock().push_back(record.clone()));
        }
        drop(taps);
        self.view.apply(changes)?;
        *standing = now;
        Ok(answer)
    }
}
