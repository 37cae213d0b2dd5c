//! How the command line is used: completions and the manual in the programs that read them, exit codes over what can go
//! wrong, and JSON from every command that prints data.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use cartwright_tests::{
    engine::{Engine, text},
    orders,
    random::Random,
};
use serde_json::Value;

const FINE: &str = "on: { woo: [order.created] }\nsteps:\n  - { id: a, script: 'event.data.id' }\n";

/// Whether a program is at hand.
fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn bash_loads_the_completions_and_completes() {
    let engine = Engine::new(&[]);
    let script = engine.folder().join("cartwright.bash");
    fs::write(&script, engine.command_ok(&["completions", "bash"])).unwrap();
    let asked = r#"set -e; bash -n "$1"; source "$1"; complete -p cartwright
        COMP_WORDS=(cartwright runs ''); COMP_CWORD=2; _cartwright cartwright '' runs; printf '%s\n' "${COMPREPLY[@]}""#;
    let output = Command::new("bash").args(["-c", asked, "bash"]).arg(&script).output().expect("bash starts");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(lines.contains("-F _cartwright"), "{lines}");
    for command in ["ls", "show", "retry", "cancel"] {
        assert!(lines.lines().any(|line| line == command), "`{command}` in {lines}");
    }
}

#[test]
fn other_shells_read_their_completions() {
    let engine = Engine::new(&[]);
    for (shell, check) in [("zsh", &["-n"][..]), ("fish", &["--no-execute"]), ("elvish", &["-compileonly"])] {
        let script = engine.command_ok(&["completions", shell]);
        assert!(script.contains("cartwright"), "{shell}");
        if has(shell) {
            let file = engine.folder().join(shell);
            fs::write(&file, script).unwrap();
            let output = Command::new(shell).args(check).arg(&file).output().expect("the shell starts");
            assert!(output.status.success(), "{shell}: {}", text(&output));
        }
    }
    assert!(engine.command_ok(&["completions", "powershell"]).contains("Register-ArgumentCompleter"));
    assert_eq!(engine.command(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn the_manual_is_written_and_formats_without_complaint() {
    let engine = Engine::new(&[]);
    let folder = engine.folder().join("man");
    engine.command_ok(&["man", "--output", folder.to_str().unwrap()]);
    let mut pages: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    assert!(pages.iter().any(|page| page.ends_with("cartwright-store-add.1")), "{pages:?}");
    assert!(engine.command_ok(&["man"]).contains(".TH"));
    if has("groff") {
        let output =
            Command::new("groff").args(["-Kutf8", "-man", "-Tutf8", "-ww", "-z"]).args(&pages).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output));
    }
    if Command::new("mandoc").arg("-T").arg("lint").arg("/dev/null").output().is_ok() {
        let output = Command::new("mandoc").args(["-T", "lint", "-W", "error"]).args(&pages).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
}

#[test]
fn every_help_fits_a_terminal() {
    let engine = Engine::new(&[]);
    let folder = engine.folder().join("man");
    engine.command_ok(&["man", "--output", folder.to_str().unwrap()]);
    for page in fs::read_dir(&folder).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        // Of the commands, only this one has a hyphen of its own.
        let words =
            name.trim_end_matches(".1").replace("replay-check", "replay_check").replace('-', " ").replace('_', "-");
        let mut words: Vec<&str> = words.split(' ').skip(1).collect();
        words.push("--help");
        let help = engine.command_ok(&words);
        assert!(help.contains("Usage: cartwright"), "{words:?}: {help}");
        // Without a terminal clap takes 100 columns.
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{words:?}: {line}");
        }
    }
}

fn ended(output: &Output, code: i32, about: &str) {
    assert_eq!(output.status.code(), Some(code), "{about}: {}", text(output));
    assert!(code == 0 || !output.stderr.is_empty(), "{about}: says why");
    assert!(!text(output).contains("stack backtrace"), "{about}");
}

#[test]
fn exit_codes_tell_usage_from_surroundings() {
    let mut engine = Engine::new(&[("fine.yaml", FINE)]);
    engine.variable("CARTWRIGHT_BACKUP_PASSPHRASE", "made-up passphrase of a test");
    engine.start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let server = format!("http://{}", engine.address());
    let other = engine.folder().join("other");
    let other = other.to_str().unwrap();
    let wrong = ["--server", &server, "--token", "cwt_wrong"];
    for (arguments, code) in [
        (&["serve", "--nonsense"][..], 2),
        (&["runs", "ls", "--limit", "many"], 2),
        (&["runs", "retry"], 2),
        (&["runs", "show", "run_x"], 2),
        (&["events", "show", "nonsense"], 2),
        (&["store", "test"], 2),
        (&["store", "test", "shop", "--all"], 2),
        (&["user", "invite"], 2),
        (&["user", "invite", "--role", "king"], 2),
        (&["user", "role", "nobody", "--role", "viewer"], 1),
        (&["user", "rm", "nobody"], 1),
        (&["audit", "ls", "--since", "yesterday"], 2),
        (&["store", "test", "nobody"], 1),
        (&["--server", "nonsense", "runs", "ls"], 2),
        (&["--config", "nowhere.toml", "runs", "ls"], 2),
        (&[&wrong[..], &["runs", "ls"]].concat(), 3),
        (&["--server", "http://127.0.0.1:1", "--token", "cwt_x", "runs", "ls"], 3),
        (&["--data", other, "serve", "--listen", &taken.to_string()], 3),
        (&["--data", other, "serve", "--storage", "mysql://x"], 2),
        (&["--data", "/dev/null/data", "store", "add", "shop"], 3),
        (&["backup", "/dev/null/file"], 3),
        (&["man", "--output", "/dev/null/man"], 3),
    ] {
        ended(&engine.command(arguments), code, &arguments.join(" "));
    }
}

#[test]
fn damaged_storage_is_said_and_is_no_bug() {
    let mut engine = Engine::new(&[("fine.yaml", FINE)]);
    engine.add_store("shop");
    let storage = engine.data().join("storage");
    let damage = |path: &Path| fs::write(path, b"not what was written here").unwrap();
    let mut open = vec![storage];
    while let Some(path) = open.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => open.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) => damage(&path),
        }
    }
    ended(&engine.command(&["runs", "ls"]), 3, "runs ls");
    ended(&engine.command(&["serve", "--listen", "127.0.0.1:0"]), 3, "serve");
    engine.kill();
}

/// Data of a command as JSON, and nothing else beside it.
fn data(engine: &Engine, arguments: &[&str]) -> Value {
    let output = engine.command(&[arguments, &["--json"]].concat());
    let printed = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", text(&output)))
}

#[test]
fn every_command_that_prints_data_prints_json_where_asked() {
    let mut engine = Engine::new(&[("fine.yaml", FINE)]);
    engine.variable("CARTWRIGHT_BACKUP_PASSPHRASE", "made-up passphrase of a test");
    engine.variable("CARTWRIGHT_STORE_WEBHOOK_SECRET", cartwright_tests::engine::WEBHOOK_SECRET);
    let event = engine.folder().join("event.json");
    fs::write(&event, orders::body(7, &mut Random::new(7))).unwrap();
    let event = event.to_str().unwrap().to_owned();
    assert_eq!(data(&engine, &["store", "add", "shop", "--url", "https://shop.example.com"])["webhook_secrets"], 1);
    engine.start();
    let accepted = engine.order("order.created", &orders::body(7, &mut Random::new(7)));
    let run = engine.run_of(&accepted, "succeeded");
    let run = run["id"].as_str().unwrap();
    let secret = engine.command_with_input(&["secret", "set", "api_key", "--json"], "value");
    serde_json::from_slice::<Value>(&secret.stdout).expect("JSON");
    let token = data(&engine, &["token", "create", "--name", "ci", "--scope", "runs:read"]);
    let token = token["id"].as_str().unwrap();
    let invited = data(&engine, &["user", "invite", "--role", "owner", "--store", "tag:eu"]);
    assert!(invited["url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")), "{invited}");
    for arguments in [
        &["check"][..],
        &["run", "fine", "--event", &event],
        &["runs", "ls"],
        &["runs", "show", run],
        &["replay", run],
        &["events", "ls"],
        &["events", "show", &accepted],
        &["store", "ls"],
        &["store", "test", "shop"],
        &["store", "test", "--all"],
        &["secret", "ls"],
        &["secret", "rm", "api_key"],
        &["key", "ls"],
        &["key", "rotate"],
        &["token", "ls"],
        &["token", "revoke", token],
        &["user", "ls"],
        &["audit", "ls"],
        &["backup", "all.backup"],
        &["doctor"],
        &["store", "rm", "shop"],
    ] {
        data(&engine, arguments);
    }
}

#[test]
fn people_are_invited_and_given_roles_and_passwords() {
    let engine = Engine::running(&[("fine.yaml", FINE)]);
    let link = engine.command_ok(&["user", "invite", "--role", "owner"]);
    let link = link.trim().strip_prefix(&format!("http://{}", engine.address())).expect("a whole link").to_owned();
    let join = |link: &str, body: &str| {
        let request = cartwright_tests::wire::Request::new("POST", link).body(body.as_bytes());
        cartwright_tests::wire::once(engine.address(), &request).expect("the engine answers").status
    };
    assert_eq!(join(&link, "name=ada&password=correct+horse+battery"), 303);
    let link = data(&engine, &["user", "invite", "--role", "operator", "--store", "tag:eu", "--store", "shop"]);
    assert_eq!(join(link["path"].as_str().unwrap(), "name=bob+b&password=correct+horse+battery"), 303);
    let people = data(&engine, &["user", "ls"]);
    assert_eq!(people[1]["roles"][0]["stores"], serde_json::json!(["tag:eu", "shop"]), "{people}");
    assert!(engine.command_ok(&["user", "ls"]).contains("operator at tag:eu, shop"));
    assert!(engine.command_ok(&["user", "role", "bob b", "--role", "viewer"]).contains("bob b is viewer now"));
    let set = engine.command_with_input(&["user", "password", "bob b"], "another long password\n");
    assert!(set.status.success() && !text(&set).contains("another long"), "{}", text(&set));
    assert_eq!(engine.command_with_input(&["user", "password", "bob b"], "short\n").status.code(), Some(2));
    assert_eq!(engine.command_with_input(&["user", "password", "bob b"], "").status.code(), Some(2));
    ended(&engine.command(&["user", "rm", "ada"]), 2, "the only owner stays");
    engine.command_ok(&["user", "rm", "bob b"]);
    let log = data(&engine, &["audit", "ls"]);
    let told: Vec<&str> = log.as_array().unwrap().iter().filter_map(|entry| entry["what"].as_str()).collect();
    assert_eq!(&told[..3], ["user.remove", "user.password", "user.roles"]);
    assert!(engine.command_ok(&["audit", "ls", "--limit", "3"]).contains("\"role\":\"viewer\""), "says what changed");
}

#[test]
fn keys_of_a_store_need_not_be_arguments() {
    let mut engine = Engine::new(&[]);
    let store = ["store", "add", "shop", "--url", "http://169.254.169.254", "--no-test", "--json"];
    let piped = [&store[..], &["--key", "ck_1", "--secret", "-", "--webhook-secret", "-"]].concat();
    let added = engine.command_with_input(&piped, "cs_1\nof-the-webhooks\n");
    let added: Value = serde_json::from_slice(&added.stdout).unwrap_or_else(|_| panic!("{}", text(&added)));
    assert!(added["rest_keys"] == true && added["webhook_secrets"] == 1, "{added}");
    ended(&engine.command_with_input(&piped, "cs_1\n"), 2, "one is missing");
    engine.variable("CARTWRIGHT_STORE_KEY", "ck_2");
    engine.variable("CARTWRIGHT_STORE_SECRET", "cs_2");
    engine.command_ok(&["store", "rm", "shop"]);
    assert_eq!(data(&engine, &store[..6])["rest_keys"], true);
}
