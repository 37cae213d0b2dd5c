//! An acknowledgement survives a power cut: shown on the system calls behind it. `strace` follows a child (this test
//! binary, told to write) that marks each acknowledgement with a write to standard output; between the write of a
//! record and the mark there must be an `fdatasync` of that log segment, and no segment may go before sled's data file
//! was synced. Without `strace` (Debian: `apt install strace`) the test says so and shows nothing.
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "only a part of the suite is needed here")]
mod contract;

use std::{collections::BTreeMap, process::Command};

use cartwright_core::run::row::RunStatus;
use cartwright_storage::{Options, SledStorage, Storage};
use contract::make::*;

const FOLDER: &str = "CARTWRIGHT_TEST_TRACE_FOLDER";
const WRITES: i64 = 40;

#[expect(clippy::disallowed_methods, reason = "how the parent tells the child what to do")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Not a test by itself: what the child does.
#[tokio::test]
async fn child_writes_and_marks() {
    let Some(folder) = told(FOLDER) else { return };
    // Tables so small that several checkpoints happen.
    let storage = SledStorage::open(folder.as_ref(), Options { memtable_bytes: 20_000 }).expect("opens");
    let fence = own(&*storage, shard()).await;
    for n in 0..WRITES {
        run(&*storage, fence, &event(n), "w", RunStatus::Succeeded).await;
        println!("ACKNOWLEDGED {n}");
    }
    storage.close().await.expect("closed");
}

/// What is known about a file while the trace is read.
#[derive(Default, Clone)]
struct File {
    path: String,
    /// Written to since the last sync.
    dirty: bool,
}

#[test]
fn nothing_is_acknowledged_before_the_disk_confirmed_it() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("SKIPPED: strace is not installed (Debian: apt install strace), so nothing was shown");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let trace = folder.path().join("trace");
    let calls = "trace=openat,close,write,pwrite64,fdatasync,fsync,sync_file_range,unlink,unlinkat,rename";
    let status = Command::new("strace")
        .args(["-f", "-qq", "-s", "32", "-e", calls, "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().expect("known"))
        .args(["--exact", "child_writes_and_marks", "--nocapture", "--test-threads=1"])
        .env(FOLDER, &data)
        .output()
        .expect("strace runs");
    if !trace.exists() || std::fs::metadata(&trace).is_ok_and(|data| data.len() == 0) {
        println!("SKIPPED: strace may not trace here: {}", String::from_utf8_lossy(&status.stderr));
        return;
    }
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let trace = std::fs::read_to_string(&trace).expect("text");
    let (acknowledged, removed, syncs) = check(&trace);
    assert_eq!(acknowledged, WRITES, "every acknowledgement was looked at");
    assert!(removed >= 2, "segments went: {removed}");
    println!(
        "{acknowledged} acknowledgements of 2 commits each, {syncs} syncs of log segments, {removed} segments removed, none too early"
    );
}

/// Reads the trace in order: an interrupted call counts from the line where it ended, except that a write makes its
/// file dirty from the line where it began.
fn check(trace: &str) -> (i64, usize, usize) {
    let mut files: BTreeMap<u32, File> = BTreeMap::new();
    let mut unfinished: BTreeMap<String, String> = BTreeMap::new();
    let (mut acknowledged, mut removed, mut syncs) = (0, 0, 0);
    // Since this sync of sled's data file, nothing else may have been written to it when a segment goes.
    let mut sled_written_since_sync = true;
    for line in trace.lines() {
        let Some((thread, call)) = line.trim_start().split_once(' ') else { continue };
        let call = call.trim_start();
        let call = if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
            if begun.starts_with("write(") || begun.starts_with("pwrite64(") {
                mark_dirty(&mut files, begun, &mut sled_written_since_sync);
            }
            unfinished.insert(thread.to_owned(), begun.to_owned());
            continue;
        } else if let Some(rest) = call.strip_prefix("<... ") {
            let Some((_, end)) = rest.split_once("resumed>") else { continue };
            format!("{}{end}", unfinished.remove(thread).unwrap_or_default())
        } else {
            call.to_owned()
        };
        let result = call.rsplit_once(" = ").map_or("", |(_, result)| result.trim());
        let first = descriptor(&call);
        match call.split_once('(').map_or("", |(name, _)| name) {
            "openat" => {
                if let (Ok(number), Some(path)) = (result.split(' ').next().unwrap_or("").parse(), quoted(&call)) {
                    files.insert(number, File { path, dirty: false });
                }
            }
            "close" => _ = first.and_then(|number| files.remove(&number)),
            "write" | "pwrite64" => {
                if call.contains("ACKNOWLEDGED") {
                    acknowledged += 1;
                    let dirty: Vec<_> =
                        files.values().filter(|file| file.path.ends_with(".log") && file.dirty).collect();
                    assert!(dirty.is_empty(), "acknowledged before {} was synced:\n{line}", dirty[0].path);
                    assert!(syncs >= 2 * acknowledged as usize, "two commits, two syncs");
                }
                mark_dirty(&mut files, &call, &mut sled_written_since_sync);
            }
            "fdatasync" | "fsync" if result == "0" => {
                let Some(file) = first.and_then(|number| files.get_mut(&number)) else { continue };
                file.dirty = false;
                syncs += usize::from(file.path.ends_with(".log"));
                if file.path.ends_with("sled/db") {
                    sled_written_since_sync = false;
                }
            }
            "unlink" | "unlinkat" if result == "0" && quoted(&call).is_some_and(|path| path.ends_with(".log")) => {
                removed += 1;
                assert!(!sled_written_since_sync, "a segment went before sled's data file was synced:\n{line}");
            }
            _ => {}
        }
    }
    (acknowledged, removed, syncs)
}

fn descriptor(call: &str) -> Option<u32> {
    call.split_once('(')?.1.split([',', ')']).next()?.trim().parse().ok()
}

fn quoted(call: &str) -> Option<String> {
    call.split('"').nth(1).map(str::to_owned)
}

fn mark_dirty(files: &mut BTreeMap<u32, File>, call: &str, sled_written: &mut bool) {
    let Some(file) = descriptor(call).and_then(|number| files.get_mut(&number)) else { return };
    file.dirty = true;
    *sled_written |= file.path.ends_with("sled/db");
}

#[test]
fn the_check_notices_what_it_is_for() {
    let good = "1 openat(AT_FDCWD, \"d/log/1.log\", O_WRONLY) = 5\n1 write(5, \"x\", 1) = 1\n1 fdatasync(5) = 0\n1 write(5, \"x\", 1) = 1\n\
                1 fdatasync(5 <unfinished ...>\n2 openat(AT_FDCWD, \"d/sled/db\", O_RDWR) = 6\n1 <... fdatasync resumed>) = 0\n\
                2 write(1, \"ACKNOWLEDGED 0\", 14) = 14\n2 pwrite64(6, \"x\", 1, 0) = 1\n2 fdatasync(6) = 0\n2 unlink(\"d/log/1.log\") = 0\n";
    assert_eq!(check(good), (1, 1, 2));
    for (from, to) in [
        ("fdatasync(5) = 0", "getpid() = 0"),
        ("resumed>) = 0", "resumed>) = -1 EIO"),
        ("fdatasync(6) = 0", "sync_file_range(6) = 0"),
    ] {
        let bad = good.replace(from, to);
        assert!(std::panic::catch_unwind(|| check(&bad)).is_err(), "{from} → {to}");
    }
}
