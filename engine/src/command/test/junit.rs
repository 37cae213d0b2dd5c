//! JUnit XML, as CI servers read it.

use std::{fmt::Write as _, time::Duration};

use super::{play::Played, suite::Suite};

/// One suite of a JUnit document.
pub(crate) struct JunitSuite {
    pub(crate) name: String,
    pub(crate) cases: Vec<JunitCase>,
}

/// One case.
pub(crate) struct JunitCase {
    pub(crate) class: String,
    pub(crate) name: String,
    pub(crate) took: Duration,
    /// Why it failed.
    pub(crate) failure: Option<String>,
    /// Why it could not be tried.
    pub(crate) error: Option<String>,
}

pub(super) fn document(suites: &[Suite], played: &[Played], took: Duration) -> String {
    let mut all = Vec::new();
    for (number, suite) in suites.iter().enumerate() {
        let class = suite.workflow.as_ref().map_or_else(|| suite.file.clone(), |loaded| loaded.workflow.id.to_string());
        let mut cases: Vec<JunitCase> = Vec::new();
        for one in played.iter().filter(|one| one.suite == number) {
            let Some(case) = suite.tests.as_ref().map(|tests| &tests.cases[one.case]) else { continue };
            let told: Vec<String> = one
                .differences
                .iter()
                .map(|difference| format!("{}:{}: {difference}", suite.file, suite.line(difference.span.start)))
                .collect();
            cases.push(JunitCase {
                class: class.clone(),
                name: case.name.value.clone(),
                took: one.took,
                failure: (!told.is_empty()).then(|| told.join("\n")),
                error: None,
            });
        }
        if suite.is_broken() {
            let findings = suite.findings.iter();
            let error: String = findings
                .map(|one| cartwright_core::workflow::render(&one.file, &one.source, &one.diagnostics))
                .collect();
            let name = "the file can be read".to_owned();
            cases.push(JunitCase { class, name, took: Duration::ZERO, failure: None, error: Some(error) });
        }
        all.push(JunitSuite { name: suite.file.clone(), cases });
    }
    write("cartwright test", &all, took)
}

/// The document.
pub(crate) fn write(name: &str, suites: &[JunitSuite], took: Duration) -> String {
    let total = |which: fn(&JunitCase) -> bool| suites.iter().map(|suite| count(suite, which)).sum::<usize>();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let tests = suites.iter().map(|suite| suite.cases.len()).sum::<usize>();
    let (failures, errors) = (total(|case| case.failure.is_some()), total(|case| case.error.is_some()));
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    push(&mut out, format_args!("<testsuites name=\"{}\" {counts} time=\"{}\">\n", escape(name), seconds(took)));
    for suite in suites {
        let (failures, errors) =
            (count(suite, |case| case.failure.is_some()), count(suite, |case| case.error.is_some()));
        let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"", suite.cases.len());
        let took: Duration = suite.cases.iter().map(|case| case.took).sum();
        let line = format_args!("  <testsuite name=\"{}\" {counts} time=\"{}\">\n", escape(&suite.name), seconds(took))
            .to_string();
        out.push_str(&line);
        suite.cases.iter().for_each(|case| write_case(case, &mut out));
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn write_case(case: &JunitCase, out: &mut String) {
    let (class, name, time) = (escape(&case.class), escape(&case.name), seconds(case.took));
    push(out, format_args!("    <testcase classname=\"{class}\" name=\"{name}\" time=\"{time}\""));
    if case.failure.is_none() && case.error.is_none() {
        out.push_str("/>\n");
        return;
    }
    out.push_str(">\n");
    for (tag, text) in [("failure", &case.failure), ("error", &case.error)] {
        if let Some(text) = text {
            let first = text.lines().next().unwrap_or_default();
            push(out, format_args!("      <{tag} message=\"{}\">{}</{tag}>\n", escape(first), escape(text)));
        }
    }
    out.push_str("    </testcase>\n");
}

fn count(suite: &JunitSuite, which: impl Fn(&JunitCase) -> bool) -> usize {
    suite.cases.iter().filter(|case| which(case)).count()
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes all text");
}

fn seconds(took: Duration) -> String {
    format!("{:.3}", took.as_secs_f64())
}

/// Text as XML 1.0 can hold it: what it cannot is shown as `\u{…}`.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' | '\r' => out.push(' '),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_reads_what_was_written() {
        let hostile = "a <b> & \"c\" ]]> ü \u{0}\u{1b}[31m\u{ffff}\nsecond line";
        let case = |failure: Option<&str>, error: Option<&str>| JunitCase {
            class: "stock/sync".into(),
            name: hostile.into(),
            took: Duration::from_millis(1_234),
            failure: failure.map(str::to_owned),
            error: error.map(str::to_owned),
        };
        let cases = vec![case(None, None), case(Some(hostile), None), case(None, Some("broken"))];
        let text = write(
            "x",
            &[JunitSuite { name: hostile.into(), cases }, JunitSuite { name: "y".into(), cases: vec![] }],
            Duration::ZERO,
        );
        let document = roxmltree::Document::parse(&text).expect("it is XML");
        let root = document.root_element();
        assert_eq!(root.attribute("tests"), Some("3"));
        assert_eq!((root.attribute("failures"), root.attribute("errors")), (Some("1"), Some("1")));
        let cases: Vec<_> = document.descendants().filter(|node| node.has_tag_name("testcase")).collect();
        assert_eq!(cases.len(), 3);
        assert_eq!(cases[0].attribute("time"), Some("1.234"));
        let failure = cases[1].children().find(|node| node.has_tag_name("failure")).expect("a failure");
        let told = failure.text().expect("text");
        assert!(told.contains("a <b> & \"c\" ]]> ü \\u{0}\\u{1b}[31m") && told.ends_with("\nsecond line"), "{told}");
        assert!(failure.attribute("message").is_some_and(|message| message.starts_with("a <b>")));
    }
}
