//! A disk that fails when told to.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::model::{apply, dump, ops, own, states};
use crate::{
    Options, SledStorage, Storage, StorageError,
    log::{
        Hooks,
        files::{Disk, Files, Growing},
    },
};

/// What fails; numbers count calls from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing; syncs are skipped, for tests that open very often.
    NoSync,
    /// This append writes some bytes and then finds the disk full.
    Full(usize, usize),
    /// As `Full`, and what was written cannot be cut off.
    FullAndStuck(usize),
    /// This sync fails.
    Sync(usize),
    /// No file can be created after this many.
    Create(usize),
}

pub(super) struct Faulty {
    plan: Plan,
    calls: Arc<Calls>,
}

#[derive(Default)]
struct Calls {
    appends: AtomicUsize,
    syncs: AtomicUsize,
    creates: AtomicUsize,
}

impl Faulty {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, calls: Arc::default() }
    }
}

fn full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

impl Files for Faulty {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Growing>> {
        let count = self.calls.creates.fetch_add(1, Ordering::SeqCst);
        if matches!(self.plan, Plan::Create(from) if count >= from) {
            return Err(full());
        }
        let file = Disk.create(path)?;
        Ok(Box::new(FaultyFile { file, plan: self.plan, calls: Arc::clone(&self.calls) }))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if self.plan == Plan::NoSync { Ok(()) } else { Disk.sync_dir(path) }
    }
}

struct FaultyFile {
    file: Box<dyn Growing>,
    plan: Plan,
    calls: Arc<Calls>,
}

impl Growing for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let count = self.calls.appends.fetch_add(1, Ordering::SeqCst);
        match self.plan {
            Plan::Full(at, part) if at == count => {
                self.file.append(&bytes[..part.min(bytes.len())])?;
                Err(full())
            }
            Plan::FullAndStuck(at) if at == count => {
                self.file.append(&bytes[..bytes.len() / 2])?;
                Err(full())
            }
            _ => self.file.append(bytes),
        }
    }
    fn cut(&mut self, length: u64) -> io::Result<()> {
        if matches!(self.plan, Plan::FullAndStuck(_)) { Err(io::Error::other("stuck")) } else { self.file.cut(length) }
    }
    fn sync(&mut self) -> io::Result<()> {
        let count = self.calls.syncs.fetch_add(1, Ordering::SeqCst);
        match self.plan {
            Plan::NoSync => Ok(()),
            Plan::Sync(at) if at == count => Err(io::Error::other("the disk did not answer")),
            _ => self.file.sync(),
        }
    }
}

/// Does operations on a disk with this plan; says how many were acknowledged before, and which failed.
async fn strike(
    plan: Plan,
    memtable_bytes: usize,
) -> (tempfile::TempDir, Arc<SledStorage>, Vec<Result<(), StorageError>>) {
    let folder = tempfile::tempdir().expect("a folder");
    let hooks = Hooks { files: Arc::new(Faulty::new(plan)), step: None };
    let storage = SledStorage::open_with(folder.path(), Options { memtable_bytes }, hooks).expect("opens");
    let fence = own(&*storage).await;
    let mut results = Vec::new();
    for op in ops(9, 30) {
        results.push(apply(&*storage, fence, &op).await);
    }
    (folder, storage, results)
}

#[tokio::test]
async fn a_full_disk_refuses_one_write_and_loses_nothing() {
    // The first two appends are the segment's header and the period of fences.
    for at in [2, 3, 9] {
        for part in [0, 1, 15, 16, 17, usize::MAX] {
            let (folder, storage, results) = strike(Plan::Full(at, part), 1 << 20).await;
            let failed: Vec<usize> = (0..results.len()).filter(|&n| results[n].is_err()).collect();
            assert_eq!(failed.len(), 1, "{at} {part}: only the write that found it full is refused");
            assert!(matches!(results[failed[0]], Err(StorageError::Unavailable { .. })));
            let mut list = ops(9, 30);
            list.remove(failed[0]);
            let expect = states(&list).await.pop().expect("states");
            assert!(dump(storage.view().expect("alive")) == expect, "{at} {part}: while running");
            drop(storage);
            let storage = SledStorage::open(folder.path(), Options::default()).expect("opens");
            assert!(dump(storage.view().expect("alive")) == expect, "{at} {part}: opened again");
        }
    }
}

#[tokio::test]
async fn a_sync_that_fails_stops_everything_until_opened_again() {
    let states = states(&ops(9, 30)).await;
    for plan in [Plan::Sync(2), Plan::Sync(7), Plan::FullAndStuck(5)] {
        let (folder, storage, results) = strike(plan, 1 << 20).await;
        let done = results.iter().position(Result::is_err).expect("it strikes");
        assert!(
            results[done..].iter().all(|result| matches!(result, Err(StorageError::Unavailable { .. }))),
            "{plan:?}"
        );
        assert!(storage.counts().await.is_err(), "{plan:?}: nothing is read either, since nobody knows what is true");
        assert!(storage.close().await.is_err(), "{plan:?}");
        drop(storage);
        let storage = SledStorage::open(folder.path(), Options::default()).expect("opens");
        let now = dump(storage.view().expect("alive"));
        assert!(now == states[done] || now == states[done + 1], "{plan:?}: all acknowledged, perhaps the one in doubt");
    }
}

#[tokio::test]
async fn no_room_for_a_new_segment_goes_on_in_the_old_one() {
    let (folder, storage, results) = strike(Plan::Create(1), 2000).await;
    assert!(results.iter().all(Result::is_ok));
    drop(storage);
    let storage = SledStorage::open(folder.path(), Options::default()).expect("opens");
    assert!(Some(&dump(storage.view().expect("alive"))) == states(&ops(9, 30)).await.last());
}
