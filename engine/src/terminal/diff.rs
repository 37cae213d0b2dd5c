//! What differs between two texts, as `diff -u` shows it.

use similar::{ChangeTag, TextDiff};

use super::{Terminal, Tone};

/// Unchanged lines around a change.
const CONTEXT_LINES: usize = 3;

/// The lines of a unified diff, painted; none where the texts are equal.
pub(crate) fn unified(before: (&str, &str), after: (&str, &str), terminal: &Terminal) -> Vec<String> {
    let diff = TextDiff::from_lines(before.1, after.1);
    let mut lines = Vec::new();
    for hunk in diff.unified_diff().context_radius(CONTEXT_LINES).iter_hunks() {
        if lines.is_empty() {
            lines.push(terminal.paint(Tone::Strong, format_args!("--- {}", before.0)));
            lines.push(terminal.paint(Tone::Strong, format_args!("+++ {}", after.0)));
        }
        lines.push(terminal.paint(Tone::Move, hunk.header()));
        for change in hunk.iter_changes() {
            let (sign, tone) = match change.tag() {
                ChangeTag::Equal => (' ', Tone::Plain),
                ChangeTag::Delete => ('-', Tone::Bad),
                ChangeTag::Insert => ('+', Tone::Good),
            };
            let text = change.value().trim_end_matches(['\n', '\r']);
            lines.push(terminal.paint(tone, format_args!("{sign}{text}")));
            if change.missing_newline() {
                lines.push("\\ No newline at end of file".to_owned());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_changed_lines_with_their_surroundings() {
        let before: String = (1..=9).map(|line| format!("line {line}\n")).collect();
        let after = before.replace("line 5", "LINE 5") + "no break";
        let lines = unified(("a", &before), ("b", &after), &Terminal::plain(None));
        assert_eq!(lines[..3], ["--- a", "+++ b", "@@ -2,8 +2,9 @@"]);
        assert!(lines.contains(&"-line 5".to_owned()) && lines.contains(&"+LINE 5".to_owned()), "{lines:?}");
        assert_eq!(lines[lines.len() - 2..], ["+no break", "\\ No newline at end of file"]);
        assert!(unified(("a", &before), ("b", &before), &Terminal::plain(None)).is_empty());
    }
}
