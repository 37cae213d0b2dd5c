//! Licences and origins of everything we are built from, held against `deny.toml` without any tool but cargo.
//! `cargo deny` knows more (advisories); where it is installed `tests/run` calls it too.

use std::{collections::BTreeSet, fs, process::Command};

use crate::arrows::metadata;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The quoted texts of `allow = [ … ]` under `[licenses]`.
fn allowed() -> BTreeSet<String> {
    let deny = fs::read_to_string(format!("{ROOT}/deny.toml")).expect("deny.toml");
    let list = deny.split("[licenses]").nth(1).expect("[licenses]");
    let list = list.split("allow = [").nth(1).and_then(|rest| rest.split(']').next()).expect("allow");
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether an SPDX expression can be satisfied. `AND` binds stronger than `OR`; parentheses stand only around an `OR`
/// inside an `AND` in what crates write, which the first split handles.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.trim();
    if let Some((left, right)) = split_outside(expression, " AND ") {
        return satisfied(left, allowed) && satisfied(right, allowed);
    }
    let expression = expression.trim_start_matches('(').trim_end_matches(')');
    expression.replace('/', " OR ").split(" OR ").any(|one| allowed.contains(one.trim()))
}

fn split_outside<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && text[at..].starts_with(word) => return Some((&text[..at], &text[at + word.len()..])),
            _ => {}
        }
    }
    None
}

#[test]
fn licences_are_those_that_deny_toml_allows() {
    let version = Command::new("rustc").arg("-vV").output().expect("rustc starts");
    let version = String::from_utf8(version.stdout).expect("text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("host");
    let all = metadata(&["--offline", "--filter-platform", host]);
    let allowed = allowed();
    assert!(allowed.contains("MIT"), "deny.toml was understood");
    for package in all["packages"].as_array().expect("packages") {
        let (name, licence) = (&package["name"], package["license"].as_str().unwrap_or_default());
        let exception = name == "smartstring" && licence == "MPL-2.0+";
        assert!(
            exception || satisfied(licence, &allowed),
            "{name} is under `{licence}`, which deny.toml does not allow"
        );
        let source = package["source"].as_str().unwrap_or("ours");
        assert!(source == "ours" || source.starts_with("registry+"), "{name} comes from {source}");
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned()].into();
    for (expression, expect) in [
        ("MIT", true),
        ("MIT OR GPL-3.0", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0", false),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("(GPL-3.0 OR MPL-2.0) AND ISC", false),
        ("", false),
    ] {
        assert_eq!(satisfied(expression, &allowed), expect, "{expression}");
    }
}
