//! The vault on the command line: rotation under load and kill -9, keys from elsewhere, backup and restore.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use cartwright_tests::{
    engine::{Engine, text},
    orders,
    random::Random,
};
use serde_json::{Value, json};

const WORKFLOW: &str = "on: { woo: [order.created] }\nsteps:\n  - { id: a, script: 'event.data.id' }\n";
const PASSPHRASE: &str = "four words nobody knows";
/// More than a page of a rotation.
const STORES: usize = 150;

fn json_of(engine: &Engine, arguments: &[&str]) -> Value {
    serde_json::from_str(&engine.command_ok(arguments)).expect("JSON")
}

/// An engine that runs, with many stores and a secret.
fn busy() -> Engine {
    let engine = Engine::running(&[("a.yaml", WORKFLOW)]);
    for number in 0..STORES {
        let body = json!({
            "id": format!("s{number:03}"), "url": "https://shop.example.com", "webhook_secrets": ["w"],
            "key": "ck_1", "secret": "cs_1",
        });
        assert_eq!(engine.api("POST", "/api/v1/stores", Some(&body)).status, 201);
    }
    engine.set_secret("api_key", "value");
    engine
}

fn keys(engine: &Engine) -> Vec<Value> {
    engine.get("/api/v1/keys")["keys"].as_array().expect("keys").clone()
}

fn order(engine: &Engine, number: u64) {
    let answer = engine.webhook("order.created", &orders::body(number, &mut Random::new(number))).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn the_key_is_rotated_while_webhooks_come_in() {
    let engine = busy();
    let before = keys(&engine);
    assert_eq!((before.len(), &before[0]["stores"]), (1, &json!(STORES + 1)));
    let rotated = thread::scope(|threads| {
        threads.spawn(|| (1..60).for_each(|number| order(&engine, number)));
        threads.spawn(|| json_of(&engine, &["key", "rotate", "--data-keys", "--json"])).join().expect("rotated")
    });
    assert_eq!((&rotated["stores"], &rotated["secrets"]), (&json!(STORES + 1), &json!(1)));
    assert_eq!(rotated["retired"], json!([before[0]["id"]]));
    let after = keys(&engine);
    assert_eq!((after.len(), &after[0]["id"], &after[0]["state"]), (1, &rotated["key"], &json!("current")));
    assert!(engine.command_ok(&["key", "ls"]).contains(rotated["key"].as_str().expect("an id")));
    order(&engine, 100);
}

#[test]
fn a_rotation_that_is_killed_is_finished_by_the_next() {
    let mut engine = busy();
    let mut unfinished = 0;
    for delay in [0, 5, 10, 15, 20, 25, 30, 40] {
        thread::scope(|threads| {
            let request = threads.spawn(|| {
                let body = json!({});
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    engine.api("POST", "/api/v1/keys/rotate", Some(&body)).status
                }))
            });
            thread::sleep(Duration::from_millis(delay));
            assert!(fs::exists(format!("/proc/{}", engine.pid())).unwrap_or(true));
            let killed = std::process::Command::new("kill").args(["-KILL", &engine.pid().to_string()]).status();
            assert!(killed.is_ok_and(|status| status.success()));
            request.join().expect("joined").ok();
        });
        engine.kill();
        // It starts: every store's secrets are opened by that.
        engine.start();
        let keys = keys(&engine);
        assert!(keys.iter().all(|key| key["state"] != "missing"), "{keys:?}");
        unfinished += usize::from(keys.len() > 1);
        order(&engine, 1000 + delay);
    }
    let rotated = json_of(&engine, &["key", "rotate", "--json"]);
    let keys = keys(&engine);
    assert_eq!((keys.len(), &keys[0]["id"]), (1, &rotated["key"]), "{unfinished} were cut off in the middle");
    assert_eq!((&keys[0]["stores"], &keys[0]["secrets"]), (&json!(STORES + 1), &json!(1)));
    let lines = fs::read_to_string(engine.data().join("master.key")).expect("a key file");
    assert_eq!(lines.lines().count(), 1);
}

#[test]
fn the_key_comes_from_the_environment_or_a_command_and_never_from_two_places() {
    let mut engine = Engine::new(&[]);
    engine.add_store("shop");
    let old = fs::read_to_string(engine.data().join("master.key")).expect("a key file").trim().to_owned();
    let new = "5e".repeat(32);

    // From the file to the environment: both keys until the rotation is done, then the file can go.
    engine.variable("CARTWRIGHT_MASTER_KEY", &format!("{new},{old}"));
    let rotated = json_of(&engine, &["key", "rotate", "--json"]);
    assert_eq!((&rotated["made"], &rotated["stores"]), (&json!(false), &json!(1)));
    fs::remove_file(engine.data().join("master.key")).expect("removed");
    engine.variable("CARTWRIGHT_MASTER_KEY", &new);
    assert_eq!(json_of(&engine, &["key", "ls", "--json"])["source"], "environment");
    assert_eq!(json_of(&engine, &["store", "ls", "--json"])[0]["webhook_secrets"], 1);

    // The key is forgotten: said so, and none is made in its place.
    engine.variable("CARTWRIGHT_MASTER_KEY", "");
    let refused = engine.command(&["store", "ls"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused).contains("there is no master key"), "{}", text(&refused));
    assert!(!engine.data().join("master.key").exists());

    // From a command.
    let keys = engine.folder().join("keys");
    fs::write(&keys, &new).expect("written");
    let command = format!("[vault]\nmaster_key_command = [\"cat\", {:?}]\n", keys.display().to_string());
    fs::write(engine.folder().join("cartwright.toml"), &command).expect("written");
    assert_eq!(json_of(&engine, &["key", "ls", "--json"])["source"], "command");
    fs::write(&keys, "hunter2").expect("written");
    let refused = text(&engine.command(&["store", "ls"]));
    assert!(refused.contains("64 hex digits") && !refused.contains("hunter2"), "{refused}");
    engine.variable("CARTWRIGHT_MASTER_KEY", &new);
    let refused = engine.command(&["store", "ls"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    fs::write(engine.folder().join("cartwright.toml"), "[vault]\nsorce = \"file\"\n").expect("written");
    let refused = engine.command(&["store", "ls"]);
    assert!(refused.status.code() == Some(2) && text(&refused).contains("sorce"), "{}", text(&refused));
}

struct Saved {
    engine: Engine,
    file: PathBuf,
    passphrase: PathBuf,
}

fn saved() -> Saved {
    let engine = busy();
    let (file, passphrase) = (engine.folder().join("vault.backup"), engine.folder().join("passphrase"));
    fs::write(&passphrase, format!("{PASSPHRASE}\n")).expect("written");
    engine.command_ok(&[
        "backup",
        file.to_str().expect("text"),
        "--passphrase-file",
        passphrase.to_str().expect("text"),
    ]);
    Saved { engine, file, passphrase }
}

impl Saved {
    fn restore(&self, file: &Path, data: &str) -> (Option<i32>, String) {
        let data = self.engine.folder().join(data);
        let arguments = ["restore", "--passphrase-file"].map(Path::new);
        let arguments = [arguments[0], file, arguments[1], &self.passphrase, Path::new("--data"), &data];
        let output = self.engine.command(&arguments.map(|argument| argument.to_str().expect("text")));
        (output.status.code(), text(&output))
    }
}

#[test]
fn a_backup_of_a_running_engine_is_restored_elsewhere() {
    use std::os::unix::fs::PermissionsExt as _;

    let mut saved = saved();
    assert_eq!(fs::metadata(&saved.file).expect("there").permissions().mode() & 0o777, 0o600);
    let again = saved.engine.command(&["backup", saved.file.to_str().expect("text")]);
    assert_eq!(again.status.code(), Some(2), "nothing is overwritten: {}", text(&again));
    let (code, said) = saved.restore(&saved.file, "other");
    assert_eq!(code, Some(0), "{said}");
    let other = saved.engine.folder().join("other");
    for (file, mode) in [("master.key", 0o600), ("storage", 0o700)] {
        let found = fs::metadata(other.join(file)).expect("there").permissions().mode() & 0o777;
        assert!(found & !mode == 0 || file == "storage", "{file}: {found:o}");
    }
    let other = other.to_str().expect("text").to_owned();
    let keys = json_of(&saved.engine, &["key", "ls", "--json", "--data", &other]);
    assert_eq!((&keys["keys"][0]["stores"], &keys["keys"][0]["secrets"]), (&json!(STORES + 1), &json!(1)));
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1));
    let secrets = json_of(&saved.engine, &["secret", "ls", "--json", "--data", &other]);
    assert_eq!((&secrets[0]["name"], &secrets[0]["version"]), (&json!("api_key"), &json!(1)));

    // Also where no engine runs, and after a rotation the older backup still opens: it has its own key.
    saved.engine.stop();
    saved.engine.command_ok(&["key", "rotate"]);
    let passphrase = saved.passphrase.to_str().expect("text");
    let second = saved.engine.folder().join("second.backup");
    saved.engine.command_ok(&["backup", second.to_str().expect("text"), "--passphrase-file", passphrase]);
    for (file, data) in [(&saved.file, "third"), (&second, "fourth")] {
        assert_eq!(saved.restore(file, data).0, Some(0));
    }
}

#[test]
fn what_is_not_whole_or_not_ours_is_refused_and_nothing_is_written() {
    let saved = saved();
    let bytes = fs::read(&saved.file).expect("read");
    let bad = saved.engine.folder().join("bad.backup");
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    for (content, words) in [
        (flipped, "damaged between byte"),
        (bytes[..bytes.len() - 200].to_vec(), "cut off"),
        (bytes[..60].to_vec(), "cut off"),
        (b"PK\x03\x04 something else".to_vec(), "not a backup made by cartwright"),
        (Vec::new(), "not a backup made by cartwright"),
    ] {
        fs::write(&bad, content).expect("written");
        let (code, said) = saved.restore(&bad, "other");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(words) && said.contains("Nothing was written"), "{words} in {said}");
        assert!(!saved.engine.folder().join("other").exists(), "{words}");
    }
    fs::write(&saved.passphrase, "five words nobody knows").expect("written");
    let (code, said) = saved.restore(&saved.file, "other");
    assert!(code == Some(1) && said.contains("passphrase is not the one"), "{said}");
    fs::write(&saved.passphrase, PASSPHRASE).expect("written");
    let (code, said) = saved.restore(&saved.file, "data");
    assert!(code == Some(1) && said.contains("not empty"), "{said}");
    let (code, _) = saved.restore(&saved.engine.folder().join("nowhere"), "other");
    assert_eq!(code, Some(3));
    order(&saved.engine, 7);
}

#[test]
fn a_backup_without_the_key_says_so_and_needs_it_to_be_restored() {
    let mut engine = Engine::new(&[]);
    engine.variable("CARTWRIGHT_MASTER_KEY", &"5e".repeat(32));
    engine.variable("CARTWRIGHT_BACKUP_PASSPHRASE", PASSPHRASE);
    engine.add_store("shop");
    let file = engine.folder().join("vault.backup").to_str().expect("text").to_owned();
    assert_eq!(json_of(&engine, &["backup", &file, "--json"])["master_key"], false);
    let other = engine.folder().join("other").to_str().expect("text").to_owned();
    for (key, code, words) in [
        ("", Some(1), "holds no master key"),
        (&"6f".repeat(32), Some(1), "sealed under master key"),
        (&"5e".repeat(32), Some(0), "restored"),
    ] {
        engine.variable("CARTWRIGHT_MASTER_KEY", key);
        let output = engine.command(&["restore", &file, "--data", &other]);
        assert_eq!(output.status.code(), code, "{}", text(&output));
        assert!(text(&output).contains(words), "{}", text(&output));
    }
    assert!(!Path::new(&other).join("master.key").exists());
}
