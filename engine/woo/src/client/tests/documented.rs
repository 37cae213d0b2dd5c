//! `engine/docs/stores.md` names every code that a call to a store can end with, and what the engine does about it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use cartwright_core::woo::WooMethod;
use url::Url;

use crate::{
    client::{
        rules::RULES,
        taxonomy::{self, Asked, Verdict},
    },
    transport::{TransportError, TransportFailure},
};

/// Words of the page for what the engine does.
const DEEDS: [&str; 5] = ["waits", "tries again", "parks", "fails", "follows `on_unknown`"];
const FAILURES: [TransportFailure; 8] = [
    TransportFailure::Dns,
    TransportFailure::Denied,
    TransportFailure::Connect,
    TransportFailure::Tls,
    TransportFailure::Timeout,
    TransportFailure::Lost,
    TransportFailure::TooLarge,
    TransportFailure::NotHttp,
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    fs::read_to_string(crates().join("docs/stores.md")).expect("the page")
}

/// Codes of the page's table with what the engine does.
fn documented() -> BTreeMap<String, BTreeSet<&'static str>> {
    let page = page();
    let table = page.split("\n| code |").nth(1).expect("the table").split("\n\n").next().unwrap_or_default();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let code = cells.first()?.trim_start_matches("| ").strip_prefix('`')?.strip_suffix('`')?;
        let deeds = DEEDS.into_iter().filter(|deed| cells.get(2).is_some_and(|cell| cell.contains(deed)));
        Some((code.to_owned(), deeds.collect()))
    };
    table.lines().filter_map(row).collect()
}

fn deed(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Final => "fails",
        Verdict::Park => "parks",
        Verdict::Defer => "waits",
        Verdict::Broke => "tries again",
    }
}

/// What answers and exchanges without one lead to.
fn by_the_client() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut found: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for rule in RULES {
        if let Some(code) = rule.code {
            found.entry(code.to_owned()).or_default().insert(deed(rule.verdict));
        }
    }
    let url = Url::parse("https://shop.example").expect("a URL");
    for failure in FAILURES {
        for (method, may_have_arrived) in
            [(WooMethod::Get, true), (WooMethod::Post, true), (WooMethod::Get, false), (WooMethod::Post, false)]
        {
            let asked = Asked { method, path: "orders", url: &url };
            let error = TransportError { failure, may_have_arrived, message: String::new() };
            let error = taxonomy::unanswered(&asked, &error).error;
            found.entry(error.code).or_default().insert(deed_of(error.class));
        }
    }
    found
}

fn deed_of(class: cartwright_core::call::ErrorClass) -> &'static str {
    use cartwright_core::call::ErrorClass;
    match class {
        ErrorClass::Final => "fails",
        ErrorClass::Park => "parks",
        ErrorClass::Deferred => "waits",
        ErrorClass::Retryable | ErrorClass::Unknown => "tries again",
    }
}

/// Source files of a folder, without tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && !matches!(name, "tests.rs" | "fake.rs") {
            found.push(path);
        }
    }
}

/// Codes that stand in the source where an error is made.
fn in_the_source() -> BTreeSet<String> {
    let mut files = vec![crates().join("run/src/store_call.rs")];
    sources(&crates().join("woo/src"), &mut files);
    let mut found = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).expect("a source file");
        for maker in ["CallError::r#final(", "CallError::retryable(", "CallError::deferred("] {
            let codes =
                text.split(maker).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
            found.extend(codes.map(str::to_owned));
        }
        if text.contains("CallError::r#final(UNDECIDED") {
            found.insert(cartwright_core::call::UNDECIDED.to_owned());
        }
        if text.contains("CallError::denied(") {
            found.insert("denied".to_owned());
        }
    }
    found
}

#[test]
fn every_code_stands_on_the_page_with_what_the_engine_does() {
    let (page, client, source) = (documented(), by_the_client(), in_the_source());
    let known: BTreeSet<&String> = client.keys().chain(&source).collect();
    assert!(source.contains("settling") && source.contains("store_keys"), "the source was read: {source:?}");
    // WooCommerce's own word, which needs one of its own because one of its cases waits.
    assert_eq!(page.keys().collect::<BTreeSet<_>>(), known, "the page's codes, and those there are");
    for (code, deeds) in &page {
        assert!(!deeds.is_empty(), "{code}: the page does not say what the engine does");
        let lacks: Vec<_> = client.get(code).into_iter().flatten().filter(|deed| !deeds.contains(*deed)).collect();
        assert!(lacks.is_empty(), "{code}: the page says {deeds:?} and lacks {lacks:?}");
        if !source.contains(code) && code != "rest_no_route" {
            assert_eq!(client.get(code), Some(deeds), "{code}: the page says more than there is");
        }
    }
}

#[test]
fn every_check_of_an_examination_stands_on_the_page() {
    let page = page();
    let mut files = Vec::new();
    sources(&crates().join("woo/src/examine"), &mut files);
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).expect("a source file");
        for maker in ["report.ok(", "report.warn(", "report.fail(", "report.fail_with("] {
            let named =
                text.split(maker).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
            names.extend(named.map(str::to_owned));
        }
    }
    assert!(names.len() >= 11, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("\n| `{name}` | ")), "`{name}` is not on the page");
    }
}
