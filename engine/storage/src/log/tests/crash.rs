//! The log cut and flipped at every byte, and checkpoints interrupted at every step.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    disk::{Faulty, Plan},
    model::{apply, dump, ops, own, states},
};
use crate::{
    Options, SledStorage, Storage, StorageError,
    embedded::view::{Nothing, View},
    log::{Hooks, checkpoint::Step, files::Disk, open::replay, segment},
};

fn hooks() -> Hooks {
    Hooks { files: Arc::new(Faulty::new(Plan::NoSync)), step: None }
}

/// What a log alone says, without sled.
fn replayed(log: &Path) -> Result<View, StorageError> {
    let view = View::over(Box::new(Nothing));
    replay(&view, log, 0, &hooks()).map(|_| view)
}

/// Writes operations to a log; gives its bytes and its length after each operation.
async fn recorded(list: &[super::model::Op]) -> (Vec<u8>, Vec<usize>) {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = SledStorage::open(folder.path(), Options::default()).expect("opens");
    let path = segment::path(&folder.path().join("log"), 1);
    let length = || fs::metadata(&path).expect("there").len() as usize;
    let fence = own(&*storage).await;
    let mut lengths = vec![length()];
    for op in list {
        apply(&*storage, fence, op).await.expect("works");
        lengths.push(length());
    }
    (fs::read(&path).expect("reads"), lengths)
}

#[tokio::test]
async fn a_log_cut_anywhere_gives_what_was_acknowledged() {
    let list = ops(1, 60);
    let states = states(&list).await;
    let (bytes, lengths) = recorded(&list).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = segment::path(folder.path(), 1);
    let last = lengths.len() - 6;
    // Every byte of records up to 800 bytes, and both ends of longer ones.
    let near = |at: &usize| lengths[last..].iter().any(|length| length.abs_diff(*at) <= 400);
    let every_byte = (lengths[last]..=bytes.len()).filter(near);
    let around_records = lengths.iter().flat_map(|&at| [at - 1, at, at + 1]).filter(|&at| at <= bytes.len());
    for cut in (0..lengths[0]).chain(around_records).chain(every_byte) {
        fs::write(&path, &bytes[..cut]).expect("written");
        let view = replayed(folder.path()).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        let acknowledged = lengths.iter().rposition(|&length| length <= cut).unwrap_or(0);
        assert!(dump(&view) == states[acknowledged], "cut at {cut}, {acknowledged} operations acknowledged");
        fs::remove_file(&path).ok(); // an unfinished segment was removed
    }
}

#[tokio::test]
async fn a_flipped_bit_is_noticed_unless_it_is_in_the_last_record() {
    let list = ops(2, 40);
    let states = states(&list).await;
    let (bytes, lengths) = recorded(&list).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = segment::path(folder.path(), 1);
    let last_record =
        lengths[..].iter().rev().find(|&&length| length < bytes.len()).copied().expect("there are records");
    let before_last = states[lengths.iter().position(|&length| length == last_record).expect("found")].clone();
    let mut random = super::model::Random(3);
    let mut places: Vec<usize> = (0..600).map(|_| random.below(bytes.len() as u64) as usize).collect();
    places.extend(lengths.iter().flat_map(|&at| at.saturating_sub(3)..(at + 20).min(bytes.len())));
    for at in places {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << random.below(8);
        fs::write(&path, &damaged).expect("written");
        match replayed(folder.path()) {
            Err(StorageError::Corrupt { reason }) => assert!(reason.contains("backup"), "{reason}"),
            Err(error) => panic!("{at}: {error}"),
            Ok(view) => {
                assert!(at >= last_record, "a flip at {at} of {} went unnoticed", bytes.len());
                // Not told from a record that was never finished: it is cut, with a warning.
                assert!(dump(&view) == before_last, "{at}");
            }
        }
        fs::remove_file(&path).ok();
    }
}

#[tokio::test]
async fn a_missing_segment_is_damage() {
    let list = ops(4, 30);
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..3 {
        let storage = SledStorage::open(folder.path(), Options::default()).expect("opens");
        let fence = own(&*storage).await;
        for op in &list {
            apply(&*storage, fence, op).await.expect("works");
        }
    }
    let log = folder.path().join("log");
    for number in 1..=2 {
        let path = segment::path(&log, number);
        let bytes = fs::read(&path).expect("there");
        fs::remove_file(&path).expect("removed");
        let opened = SledStorage::open(folder.path(), Options::default());
        assert!(matches!(opened, Err(StorageError::Corrupt { .. })), "segment {number}");
        // Cut in the middle: only the last segment may be.
        fs::write(&path, &bytes[..bytes.len() - 1]).expect("written");
        let opened = SledStorage::open(folder.path(), Options::default());
        assert!(matches!(opened, Err(StorageError::Corrupt { .. })), "segment {number}");
        fs::write(&path, bytes).expect("written");
    }
    SledStorage::open(folder.path(), Options::default()).expect("whole again");
}

#[tokio::test]
async fn a_checkpoint_may_stop_anywhere() {
    let list = ops(5, 80);
    let states = states(&list).await;
    let mut stops = 0;
    for stop_at in (0..12).chain([20, 31, 47]) {
        let folder = tempfile::tempdir().expect("a folder");
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let step = move |_: Step| count.fetch_add(1, Ordering::SeqCst) != stop_at;
        let hooks = Hooks { files: Arc::new(Disk), step: Some(Arc::new(step)) };
        let options = Options { memtable_bytes: 4000 };
        let storage = SledStorage::open_with(folder.path(), options, hooks).expect("opens");
        let fence = own(&*storage).await;
        let mut done = 0;
        for op in &list {
            if apply(&*storage, fence, op).await.is_err() {
                break;
            }
            done += 1;
        }
        stops += usize::from(done < list.len());
        drop(storage);
        for reopening in 0..2 {
            let storage = SledStorage::open(folder.path(), options).expect("opens");
            let now = dump(storage.view().expect("alive"));
            let next = states.get(done + 1); // its record may be in the log though nobody was told
            assert!(
                now == states[done] || Some(&now) == next,
                "stopped at {stop_at}, {done} acknowledged, reopening {reopening}"
            );
            storage.close().await.expect("closes");
        }
    }
    assert!(stops >= 8, "the stops must strike: {stops}");
}
