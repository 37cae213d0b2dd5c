//! The document against the table of routes and the page about refusals. Answers are held to it where they are made, in the
//! door's tests.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_route_is_described_and_nothing_else_is() {
    let missing: Vec<String> = ROUTES
        .iter()
        .filter(|route| about(route).is_none())
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert!(missing.is_empty(), "add these to `ABOUT` beside their handlers: {missing:?}");
    let known = |about: &About| ROUTES.iter().any(|route| (route.method, route.path) == (about.method, about.path));
    let stale: Vec<&str> = all().filter(|about| !known(about)).map(|about| about.id).collect();
    assert!(stale.is_empty(), "described, and not in `ROUTES`: {stale:?}");
}

#[test]
fn rows_say_what_readers_need() {
    let mut ids = BTreeSet::new();
    for about in all().chain(outside::ABOUT) {
        assert!(ids.insert(about.id), "`{}` names two operations", about.id);
        assert!(!about.summary.is_empty() && !about.summary.ends_with('.'), "{}: {}", about.id, about.summary);
        assert!(!about.gives.is_empty(), "{} gives nothing", about.id);
        for (status, code) in about.refuses {
            assert!(!codes::says(*status, code).is_empty(), "{}: {status} {code} is not in codes.rs", about.id);
        }
        for takes in about.takes.iter().filter(|takes| !takes.example.is_empty()) {
            serde_json::from_str::<serde_json::Value>(takes.example).expect(about.id);
        }
    }
}

#[test]
fn references_lead_somewhere() {
    let document: serde_json::Value = serde_json::from_str(json()).expect("JSON");
    let names = document["components"]["schemas"].as_object().expect("schemas");
    let text = json();
    for reference in text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(names.contains_key(reference), "{reference}");
    }
    assert_eq!(document["openapi"], "3.1.0");
}

/// The text between the table's lines: `(status, code, what it means)`.
fn rows_of_the_page() -> Vec<(u16, String, String)> {
    let page = include_str!("../../../docs/problems.md");
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let row = |cells: Vec<String>| match &cells[..] {
        [_, status, code, says, ..] => Some((status.parse().ok()?, code.trim_matches('`').to_owned(), says.clone())),
        _ => None,
    };
    page.lines().filter_map(|line| row(cells(line))).collect()
}

#[test]
fn the_page_about_refusals_is_the_table() {
    let rows = rows_of_the_page();
    for (place, (status, code, says)) in codes::CODES.iter().enumerate() {
        let expected = (*status, (*code).to_owned(), (*says).to_owned());
        assert_eq!(
            rows.get(place),
            Some(&expected),
            "engine/docs/problems.md should say: | {status} | `{code}` | {says} |"
        );
    }
    assert_eq!(rows.len(), codes::CODES.len(), "engine/docs/problems.md has more rows than describe/codes.rs");
}

#[test]
fn the_page_shows_every_operation_and_runs_nothing() {
    let page = page::text();
    for about in all().chain(outside::ABOUT) {
        assert!(page.contains(&format!("<h3 id=\"{}\">", about.id)), "{}", about.id);
    }
    for foreign in ["<script", "style=\"", "onclick", "src=\"http", "@import"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}
