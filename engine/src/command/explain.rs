//! `cartwright explain E0104`: the page about a code of `check`, from the binary itself.

use cartwright_core::workflow::{codes, render::COLUMNS};
use serde_json::json;

use crate::{
    failure::{Result, usage},
    terminal::{Terminal, Tone},
};

/// Prose is easier to read when its lines are no longer.
const MAX_COLUMNS: usize = 100;

pub(super) fn run(code: Option<&str>, terminal: &Terminal) -> Result<()> {
    let Some(code) = code else { return list(terminal) };
    let code = normal(code);
    let Some(page) = codes::page(&code) else {
        return Err(usage(format!("there is no code {code}")).help("`cartwright explain` lists all codes."));
    };
    if terminal.json {
        return terminal.data(&json!({ "code": code, "title": codes::title(&code), "page": page }));
    }
    for line in flowed(page, terminal.width().unwrap_or(COLUMNS).min(MAX_COLUMNS)) {
        let tone = if line.starts_with("# ") { Tone::Strong } else { Tone::Plain };
        terminal.line(terminal.paint(tone, line.trim_start_matches("# ")));
    }
    Ok(())
}

fn list(terminal: &Terminal) -> Result<()> {
    if terminal.json {
        let all: Vec<_> = codes::ALL.iter().map(|code| json!({ "code": code, "title": codes::title(code) })).collect();
        return terminal.data(&all);
    }
    for code in codes::ALL {
        terminal.line(format_args!("{}  {}", terminal.paint(Tone::Strong, code), codes::title(code)));
    }
    Ok(())
}

/// `e104`, `104` and `E0104` are one code.
fn normal(code: &str) -> String {
    let digits = code.trim_start_matches(['e', 'E']);
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return code.to_owned();
    }
    format!("E{digits:0>4}")
}

/// A page's paragraphs broken anew for the width of a terminal; code stands indented, as it is.
fn flowed(page: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut paragraph = String::new();
    let mut in_code = false;
    let end = |paragraph: &mut String, lines: &mut Vec<String>| {
        if !paragraph.is_empty() {
            lines.extend(cartwright_core::workflow::render::wrap(&std::mem::take(paragraph), columns));
        }
    };
    for line in page.lines() {
        if line.starts_with("```") {
            end(&mut paragraph, &mut lines);
            in_code = !in_code;
        } else if in_code {
            lines.push(format!("    {line}").trim_end().to_owned());
        } else if line.is_empty() || line.starts_with("- ") || line.starts_with('|') {
            end(&mut paragraph, &mut lines);
            if line.is_empty() {
                lines.push(String::new());
            } else {
                paragraph.push_str(line);
            }
        } else {
            paragraph.push_str(if paragraph.is_empty() { "" } else { " " });
            paragraph.push_str(line.trim());
        }
    }
    end(&mut paragraph, &mut lines);
    lines.dedup_by(|a, b| a.is_empty() && b.is_empty());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_as_people_type_them() {
        for typed in ["E0104", "e0104", "E104", "104"] {
            assert_eq!(normal(typed), "E0104");
        }
        assert_eq!(normal("banana"), "banana");
        assert_eq!(normal("E99999"), "E99999");
    }

    #[test]
    fn every_page_fits_a_terminal() {
        for code in codes::ALL {
            for line in flowed(codes::page(code).unwrap_or_default(), COLUMNS) {
                assert!(line.chars().count() <= COLUMNS + 20, "{code}: {line}");
            }
        }
    }

    #[test]
    fn prose_flows_and_code_stays() {
        let page =
            "# E1: title\n\nSome words\nthat flow.\n\n```yaml\non: 1\n\nsteps: []\n```\n\n- one\n  more\n- two\n";
        let expect = [
            "# E1: title",
            "",
            "Some words that flow.",
            "",
            "    on: 1",
            "",
            "    steps: []",
            "",
            "- one more",
            "- two",
        ];
        assert_eq!(flowed(page, 80), expect);
    }
}
