//! What a test run came to, as one JSON document.

use cartwright_core::{
    Json,
    testing::{Difference, How},
};
use serde_json::json;

use super::{report::Report, suite::Suite};

pub(super) fn document(report: &Report<'_>, coverage: bool) -> Json {
    let cases: Vec<Json> = report
        .played
        .iter()
        .filter_map(|one| {
            let suite = &report.suites[one.suite];
            let case = &suite.tests.as_ref()?.cases[one.case];
            Some(json!({
                "file": suite.file,
                "line": suite.line(case.name.span.start),
                "name": case.name.value,
                "status": if one.is_fine() { "passed" } else { "failed" },
                "milliseconds": one.took.as_millis() as u64,
                "differences": one.differences.iter().map(|one| difference(suite, one)).collect::<Vec<_>>(),
            }))
        })
        .collect();
    let findings = report.suites.iter().flat_map(|suite| &suite.findings);
    let diagnostics: Vec<Json> =
        findings.flat_map(|one| one.diagnostics.iter().map(|found| found.to_json(&one.file, &one.source))).collect();
    let mut document = json!({
        "passed": report.passed(),
        "failed": report.failed(),
        "files_with_errors": report.broken(),
        "milliseconds": report.took.as_millis() as u64,
        "cases": cases,
        "diagnostics": diagnostics,
    });
    if coverage {
        let all = report.coverage.iter().map(|one| {
            let (taken, all) = one.coverage.figures();
            let missing = one.coverage.missing().into_iter().map(|way| json!({ "step": way.step, "what": way.what }));
            json!({
                "workflow": one.workflow,
                "percent": one.coverage.percent(),
                "taken": taken,
                "all": all,
                "missing": missing.collect::<Vec<_>>(),
            })
        });
        document["coverage"] = all.collect();
    }
    document
}

fn difference(suite: &Suite, one: &Difference) -> Json {
    let mut shown = json!({ "at": one.at, "line": suite.line(one.span.start) });
    match &one.how {
        How::Said(said) => shown["said"] = json!(said),
        How::Value { expected, actual } => {
            shown["expected"] = json!(expected);
            shown["actual"] = json!(actual);
        }
        How::Lines { expected, actual } => {
            shown["expected"] = json!(expected);
            shown["actual"] = json!(actual);
        }
    }
    shown
}
