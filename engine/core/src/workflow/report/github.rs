//! Findings as workflow commands of GitHub Actions, which show them beside the changed lines.
//!
//! Format: `::error file=…,line=…,endLine=…,col=…,endColumn=…,title=…::message`. In the message `%`, CR and LF are
//! percent-encoded, in properties `:` and `,` as well.

use super::{Report, portable, whole};
use crate::workflow::{Severity, codes, diagnostic::position};

/// One line for each finding.
pub fn github(reports: &[Report<'_>]) -> String {
    let mut out = String::new();
    for report in reports {
        for found in report.diagnostics {
            let start = position(report.source, found.span.start);
            let end = position(report.source, found.span.end.max(found.span.start));
            let command = match found.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let file = property(&portable(report.file));
            let title = property(&format!("{}: {}", found.code, codes::title(found.code)));
            // Columns make sense to it only within one line.
            let columns = match end.line == start.line {
                true => format!("col={},endColumn={},", start.column, end.column),
                false => String::new(),
            };
            let (line, last) = (start.line, end.line);
            let message = data(&whole(found));
            out += &format!("::{command} file={file},line={line},endLine={last},{columns}title={title}::{message}\n");
        }
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::Diagnostic;

    #[test]
    fn messages_cannot_leave_their_line_or_their_property() {
        let source = "a: 1\nstpes: 100%\n";
        let found = [
            Diagnostic::error(codes::UNKNOWN_KEY, 5..10, "no key `stpes`: 100%\r\n::error::x")
                .suggest("stpes", ["steps"]),
            Diagnostic::warning(codes::NO_EFFECT, 0..10, "over lines").help("mend it"),
        ];
        let text = github(&[Report { file: "./a,b:c.yaml", source, diagnostics: &found }]);
        assert_eq!(
            text,
            "::error file=a%2Cb%3Ac.yaml,line=2,endLine=2,col=1,endColumn=6,title=E0104%3A unknown key::no key `stpes`: \
             100%25%0D%0A::error::x%0Adid you mean `steps`?\n\
             ::warning file=a%2Cb%3Ac.yaml,line=1,endLine=2,title=E0411%3A a key without effect::over lines%0Ahelp: \
             mend it\n"
        );
    }
}
