//! Backups of everything: made while the engine works, restored elsewhere, and both cut off by kill -9.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Child,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use cartwright_tests::{
    engine::{Engine, text},
    orders,
    random::Random,
};
use serde_json::{Value, json};

const QUICK: &str = "on: { woo: [order.created] }\nsteps:\n  - { id: a, script: 'event.data.id' }\n";
const SLOW: &str = "on: { woo: [order.updated] }\nsteps:\n  - { id: nap, sleep: 5s }\n  - { id: a, script: '1' }\n";
const LONG: &str = "on: { woo: [order.deleted] }\nsteps:\n  - { id: nap, sleep: 1h }\n";
const PASSPHRASE: &str = "four words nobody knows";

fn engine() -> Engine {
    let mut engine = Engine::new(&[("quick.yaml", QUICK), ("slow.yaml", SLOW), ("long.yaml", LONG)]);
    engine.variable("CARTWRIGHT_BACKUP_PASSPHRASE", PASSPHRASE);
    engine.add_store("shop");
    engine.start();
    engine
}

fn path(engine: &Engine, name: &str) -> (PathBuf, String) {
    let path = engine.folder().join(name);
    let text = path.to_str().expect("text").to_owned();
    (path, text)
}

fn order(engine: &Engine, number: u64) -> String {
    engine.order("order.created", &orders::body(number, &mut Random::new(number)))
}

/// Puts the data folder aside and a backup in its place.
fn replace_data(engine: &Engine, backup: &str, more: &[&str]) -> String {
    fs::rename(
        engine.data(),
        engine.folder().join(format!("before-{}", fs::read_dir(engine.folder()).map_or(0, Iterator::count))),
    )
    .expect("moved");
    engine.command_ok(&[&["restore", backup][..], more].concat())
}

/// Many at a time share a flush of the disk.
fn orders(engine: &Engine, count: u64) -> BTreeSet<String> {
    const SENDERS: u64 = 8;
    thread::scope(|threads| {
        let send = |sender: u64| move || (sender..count).step_by(SENDERS as usize).map(|n| order(engine, n)).collect();
        let senders: Vec<thread::ScopedJoinHandle<'_, BTreeSet<String>>> =
            (0..SENDERS).map(|sender| threads.spawn(send(sender))).collect();
        senders.into_iter().flat_map(|sender| sender.join().expect("sent")).collect()
    })
}

/// Waits until a command did what is looked for, or ended without.
fn reaches(command: &mut Child, there: impl Fn() -> bool) {
    while !there() && command.try_wait().expect("asked").is_none() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// The file that a backup is written to before it gets its name, once its passphrase was worked on and bytes are in it.
fn unfinished(folder: &Path) -> bool {
    let begun = |entry: fs::DirEntry| {
        let is_one = entry.file_name().to_string_lossy().starts_with(".cartwright-backup-");
        is_one && entry.metadata().is_ok_and(|data| data.len() > 0)
    };
    fs::read_dir(folder).expect("read").flatten().any(begun)
}

fn events(engine: &Engine) -> BTreeSet<String> {
    let listed = engine.command_ok(&["events", "ls", "--limit", "10000", "--json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).expect("JSON");
    listed.iter().map(|event| event["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn a_backup_under_load_has_what_was_accepted_before_it_and_a_restored_engine_waits_for_a_word() {
    let mut engine = engine();
    engine.set_secret("api_key", "value");
    let before = orders(&engine, 300);
    let nap = engine.order("order.deleted", &orders::body(900_000, &mut Random::new(900_000)));
    let slow = engine.order("order.updated", &orders::body(900_001, &mut Random::new(900_001)));
    engine.run_of(&nap, "waiting");
    let (_, file) = path(&engine, "all.backup");
    let done = AtomicBool::new(false);
    let made = thread::scope(|threads| {
        for worker in 1..4 {
            let (engine, done) = (&engine, &done);
            threads.spawn(move || {
                (0..)
                    .take_while(|_| !done.load(Ordering::SeqCst))
                    .for_each(|n| _ = order(engine, worker * 100_000 + n));
            });
        }
        let made = engine.command(&["backup", &file, "--json"]);
        done.store(true, Ordering::SeqCst);
        made
    });
    assert!(made.status.success(), "{}", text(&made));
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    assert_eq!((&made["stores"], &made["secrets"], &made["master_key"]), (&json!(1), &json!(1), &json!(true)));
    assert!(made["events"].as_u64() >= Some(302), "{made}");
    engine.stop();

    let said = replace_data(&engine, &file, &[]);
    assert!(said.contains("are restored in"), "{said}");
    assert!(before.is_subset(&events(&engine)), "accepted before the backup began");
    engine.start();
    assert!(engine.log().contains("cartwright resume"), "{}", engine.log());
    let hold = engine.get("/api/v1/backup/hold");
    assert!(hold["hold"]["backup"].is_string(), "{hold}");
    // It takes events in, and begins nothing.
    let held = order(&engine, 777_777);
    let open = engine.runs(&format!("event={nap}"));
    assert_eq!(open[0]["status"], "waiting");
    assert_eq!(engine.get(&format!("/api/v1/events/{held}"))["matches"], Value::Null);
    // A restart changes nothing about it.
    engine.kill();
    engine.start();
    assert!(engine.get("/api/v1/backup/hold")["hold"].is_object());
    assert_eq!(engine.get(&format!("/api/v1/events/{held}"))["matches"], Value::Null);
    let said = engine.command_ok(&["resume"]);
    assert!(said.contains("goes on"), "{said}");
    engine.run_of(&held, "succeeded");
    engine.run_of(&slow, "succeeded");
    engine.run_of(&nap, "waiting");
    for event in &before {
        engine.run_of(event, "succeeded");
    }
    assert_eq!(engine.get("/api/v1/backup/hold")["hold"], Value::Null);
    assert!(text(&engine.command(&["resume"])).contains("nothing was held"));
}

#[test]
fn a_restore_that_says_so_goes_on_at_once() {
    let mut engine = engine();
    let nap = engine.order("order.updated", &orders::body(1, &mut Random::new(1)));
    engine.run_of(&nap, "waiting");
    let (_, file) = path(&engine, "all.backup");
    engine.command_ok(&["backup", &file]);
    engine.stop();
    let said: Value = serde_json::from_str(&replace_data(&engine, &file, &["--resume", "--json"])).expect("JSON");
    assert_eq!((&said["held"], &said["runs"]), (&json!(false), &json!(1)));
    engine.start();
    engine.run_of(&nap, "succeeded");
}

#[test]
fn runs_are_cancelled_while_a_restored_engine_is_held() {
    let mut engine = engine();
    let nap = engine.order("order.deleted", &orders::body(1, &mut Random::new(1)));
    let run = engine.run_of(&nap, "waiting")["id"].as_str().expect("an id").to_owned();
    let (_, file) = path(&engine, "all.backup");
    engine.command_ok(&["backup", &file]);
    engine.stop();
    replace_data(&engine, &file, &[]);
    engine.start();
    engine.command_ok(&["runs", "cancel", &run]);
    engine.command_ok(&["resume"]);
    engine.run_of(&nap, "cancelled");
}

#[test]
fn a_stopped_engines_folder_is_looked_at_without_moving_anything() {
    let mut engine = engine();
    engine.stop();
    // A restored, held engine has an event in its inbox that no command may match to nothing.
    let (_, file) = path(&engine, "all.backup");
    engine.start();
    let nap = engine.order("order.deleted", &orders::body(1, &mut Random::new(1)));
    engine.run_of(&nap, "waiting");
    engine.command_ok(&["backup", &file]);
    engine.stop();
    replace_data(&engine, &file, &[]);
    engine.start();
    let held = order(&engine, 5);
    engine.stop();
    for _ in 0..3 {
        engine.command_ok(&["runs", "ls"]);
        engine.command_ok(&["resume"]);
    }
    let shown: Value = serde_json::from_str(&engine.command_ok(&["events", "show", &held, "--json"])).expect("JSON");
    assert_eq!(shown["matches"], Value::Null, "a command that only looks begins nothing");
    engine.start();
    engine.run_of(&held, "succeeded");
}

#[test]
fn an_engine_killed_while_it_is_saved_leaves_no_half_file_and_loses_nothing() {
    let mut engine = engine();
    let mut accepted = orders(&engine, 200);
    // At once, and so many milliseconds after the first byte was written: while parts are read, or a little later.
    for (round, delay) in [None, Some(0), Some(4), Some(15), Some(60)].into_iter().enumerate() {
        let (file, name) = path(&engine, &format!("{round}.backup"));
        let mut backup = engine.begin_command(&["backup", &name]);
        if let Some(delay) = delay {
            reaches(&mut backup, || unfinished(engine.folder()));
            thread::sleep(Duration::from_millis(delay)); // where the kill falls does not decide the outcome
        }
        engine.kill();
        let output = backup.wait_with_output().expect("it ends");
        assert_eq!(output.status.success(), file.exists(), "{}", text(&output));
        engine.start();
        accepted.insert(order(&engine, 1000 + round as u64));
        if file.exists() {
            engine.command_ok(&["restore", &name, "--data", &path(&engine, &format!("data-{round}")).1]);
        }
    }
    let left = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("read").file_name().to_string_lossy().starts_with(".cartwright-backup-")
    };
    assert!(!fs::read_dir(engine.folder()).expect("read").any(left), "no half file stays");
    let (_, name) = path(&engine, "last.backup");
    engine.command_ok(&["backup", &name]);
    engine.stop();
    replace_data(&engine, &name, &["--resume"]);
    assert!(accepted.is_subset(&events(&engine)));
}

#[test]
fn a_restore_that_is_killed_never_looks_whole() {
    let mut engine = engine();
    orders(&engine, 400);
    let (_, name) = path(&engine, "all.backup");
    engine.command_ok(&["backup", &name]);
    let whole = events(&engine);
    engine.stop();
    let (mut cut, mut done) = (0, 0);
    // While the file is read and checked, and so many milliseconds after the folder got its mark.
    let delays = [None, Some(0), Some(10), Some(40), Some(120), Some(250)];
    for (round, delay) in delays.into_iter().enumerate() {
        let (folder, data) = path(&engine, &format!("data-{round}"));
        let mut restore = engine.begin_command(&["restore", &name, "--data", &data]);
        if let Some(delay) = delay {
            reaches(&mut restore, || folder.join("restore.unfinished").exists());
            thread::sleep(Duration::from_millis(delay)); // every outcome is looked at
        }
        restore.kill().expect("killed");
        restore.wait().expect("it ended");
        if !Path::new(&folder).exists() || fs::read_dir(&folder).expect("read").next().is_none() {
            continue;
        }
        let looked = engine.command(&["events", "ls", "--limit", "10000", "--json", "--data", &data]);
        if looked.status.success() {
            let listed: Vec<Value> = serde_json::from_slice(&looked.stdout).expect("JSON");
            assert_eq!(listed.len(), whole.len(), "whole or refused, after {delay:?} ms");
            done += 1;
        } else {
            assert!(text(&looked).contains("was cut off"), "{}", text(&looked));
            let again = engine.command(&["restore", &name, "--data", &data]);
            assert!(text(&again).contains("not empty"), "{}", text(&again));
            cut += 1;
        }
    }
    println!("cut off: {cut}, done: {done}");
    assert!(cut > 0, "some were cut off while they wrote");
    engine.command_ok(&["restore", &name, "--data", &path(&engine, "last").1]);
}

#[test]
fn damage_anywhere_is_noticed_before_anything_is_written() {
    let engine = engine();
    orders(&engine, 60);
    let (_, name) = path(&engine, "all.backup");
    engine.command_ok(&["backup", &name]);
    let bytes = fs::read(&name).expect("read");
    let (bad, bad_name) = path(&engine, "bad.backup");
    let places = [4, 9, 30, 60, 100, 121, bytes.len() / 3, bytes.len() / 2, bytes.len() - 20, bytes.len() - 3];
    for place in places {
        let mut content = bytes.clone();
        content[place] ^= 0x10;
        fs::write(&bad, content).expect("written");
        let data = path(&engine, "other").1;
        let refused = engine.command(&["restore", &bad_name, "--data", &data]);
        assert_eq!(refused.status.code(), Some(1), "byte {place}: {}", text(&refused));
        assert!(!Path::new(&data).exists(), "byte {place}");
    }
}
