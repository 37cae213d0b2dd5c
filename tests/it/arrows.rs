//! The arrows between our crates, read from `cargo metadata`: `engine/ARCHITECTURE.md` draws them, this test holds them.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// Who may see whom. Every workspace member stands here.
const ARROWS: &[(&str, &[&str])] = &[
    ("cartwright-core", &[]),
    ("cartwright-storage", &["core"]),
    ("cartwright-sandbox", &["core"]),
    ("cartwright-woo", &["core"]),
    ("cartwright-run", &["core", "storage", "sandbox", "woo"]),
    ("cartwright-http", &["core", "run"]),
    ("cartwright", &["core", "storage", "sandbox", "woo", "run", "http", "store-sim"]),
    ("cartwright-store-sim", &[]),
    // Copied into the projects of plugin authors, so it sees nothing of ours.
    ("cartwright-plugin", &[]),
    ("demand-forecast", &["plugin"]),
    ("fraud-score", &["plugin"]),
    ("price-rounding", &["plugin"]),
    ("cartwright-tests", &["core", "storage", "sandbox", "woo", "run", "http", "store-sim"]),
];

/// Crates that bring a clock, randomness, an executor or the network: the core is pure and has none of them.
const NOT_IN_CORE: &[&str] = &["tokio", "reqwest", "axum", "getrandom", "rand", "sled", "futures-util", "tracing"];

pub(crate) fn metadata(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1"])
        .args(args)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

/// Our crates with the names they depend on, build and dev dependencies included.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let all = metadata(&["--no-deps"]);
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let packages = all["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            (name(package), dependencies.iter().map(name).collect())
        })
        .collect()
}

#[test]
fn crates_see_only_what_the_architecture_allows() {
    let found = dependencies();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let members: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(members, known, "a new crate needs its arrows here and in engine/ARCHITECTURE.md");
    for (name, allowed) in ARROWS {
        for dependency in found[*name].iter().filter(|name| name.starts_with("cartwright")) {
            let short = dependency.trim_start_matches("cartwright-");
            assert!(allowed.contains(&short), "{name} must not see {dependency}");
        }
    }
}

#[test]
fn the_core_is_pure() {
    let found = dependencies();
    for name in NOT_IN_CORE {
        assert!(!found["cartwright-core"].contains(*name), "cartwright-core must not depend on {name}");
    }
}
