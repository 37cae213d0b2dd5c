//! Findings as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format), which code hosts and editors read.
//!
//! Each code is a rule whose `help` is its whole page. The format wants `helpUri` to be absolute, and the pages have no
//! address of their own, so a rule names its page by the path in the repository, in `properties.page`.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::json;

use super::{Report, portable, whole};
use crate::{
    Json,
    workflow::{Diagnostic, codes, diagnostic::position},
};

/// One SARIF log with one run; `version` is the engine's.
pub fn sarif(reports: &[Report<'_>], version: &str) -> Json {
    let found = || reports.iter().flat_map(|report| report.diagnostics.iter().map(move |one| (report, one)));
    let codes: Vec<&str> = found().map(|(_, one)| one.code).collect::<BTreeSet<_>>().into_iter().collect();
    let results: Vec<Json> = found()
        .map(|(report, one)| {
            json!({
                "ruleId": one.code,
                "ruleIndex": codes.binary_search(&one.code).unwrap_or_default(),
                "level": one.severity.as_str(),
                "message": { "text": whole(one) },
                "locations": [{ "physicalLocation": location(report, one) }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "cartwright",
                "semanticVersion": version,
                "rules": codes.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: &str) -> Json {
    let page = codes::page(code).unwrap_or_default();
    let text = page.split_once('\n').map_or(page, |(_, text)| text).trim();
    let first = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    json!({
        "id": code,
        "shortDescription": { "text": codes::title(code) },
        "fullDescription": { "text": first },
        "help": { "text": text, "markdown": text },
        "properties": { "page": codes::page_path(code) },
    })
}

fn location(report: &Report<'_>, found: &Diagnostic) -> Json {
    let start = position(report.source, found.span.start);
    let end = position(report.source, found.span.end.max(found.span.start));
    let mut region = json!({ "startLine": start.line, "startColumn": start.column });
    if end != start {
        region["endLine"] = json!(end.line);
        region["endColumn"] = json!(end.column);
    }
    json!({ "artifactLocation": artifact(report.file), "region": region })
}

/// A relative path is relative to the root of the checkout.
fn artifact(file: &str) -> Json {
    let file = portable(file);
    match file.starts_with('/') {
        true => json!({ "uri": format!("file://{}", encoded(&file)) }),
        false => json!({ "uri": encoded(&file), "uriBaseId": "%SRCROOT%" }),
    }
}

/// A path as a part of a URI.
fn encoded(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_point_at_rules_and_places() {
        let source = "on: 1\nüstpes: []\n";
        let found = [
            Diagnostic::warning(codes::NO_EFFECT, 0..0, "nothing"),
            Diagnostic::error(codes::UNKNOWN_KEY, 6..13, "no key").suggest("stpes", ["steps"]).help("mend it"),
        ];
        let report = Report { file: "./my workflows/ä.yaml", source, diagnostics: &found };
        let outside = Report { file: "/tmp/a.yaml", source, diagnostics: &found[1..] };
        let log = sarif(&[report, outside], "1.2.3");
        let run = &log["runs"][0];
        let rules: Vec<_> = run["tool"]["driver"]["rules"].as_array().into_iter().flatten().collect();
        assert_eq!(rules.iter().map(|rule| rule["id"].as_str()).collect::<Vec<_>>(), [Some("E0104"), Some("E0411")]);
        assert_eq!(rules[0]["shortDescription"]["text"], "unknown key");
        assert!(rules[0]["help"]["markdown"].as_str().is_some_and(|text| text.contains("```yaml")));
        assert_eq!(rules[0]["properties"]["page"], "engine/docs/errors/E0104.md");
        let results = run["results"].as_array().expect("a list");
        assert_eq!(results.len(), 3);
        assert_eq!((&results[0]["ruleIndex"], &results[0]["level"]), (&json!(1), &json!("warning")));
        assert_eq!(
            results[1],
            json!({
                "ruleId": "E0104", "ruleIndex": 0, "level": "error",
                "message": { "text": "no key\ndid you mean `steps`?\nhelp: mend it" },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": "my%20workflows/%C3%A4.yaml", "uriBaseId": "%SRCROOT%" },
                    "region": { "startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 7 },
                }}],
            })
        );
        assert_eq!(
            results[0]["locations"][0]["physicalLocation"]["region"],
            json!({ "startLine": 1, "startColumn": 1 })
        );
        let uri = &results[2]["locations"][0]["physicalLocation"]["artifactLocation"];
        assert_eq!(uri, &json!({ "uri": "file:///tmp/a.yaml" }));
    }
}
