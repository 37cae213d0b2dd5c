//! One line of a file as a terminal can show it, with carets under a part of it.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::super::diagnostic::{floor, line_end, line_start};

/// A tab is shown as this many spaces.
const TAB: &str = "    ";
/// Most columns that are shown before the span of a line that is cut.
const MAX_BEFORE: usize = 24;

/// A line and the one below it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) line: String,
    pub(super) underline: String,
}

/// What takes columns together: a character with the marks that are put on it.
struct Cell {
    text: String,
    width: usize,
    /// The first byte in the source.
    at: usize,
}

/// The line of `start` in at most `columns`, and carets under the part of `start..end` that lies on it. What is cut is
/// marked with `…`; the beginning of the span is always there.
pub(super) fn excerpt(source: &str, start: usize, end: usize, columns: usize) -> Excerpt {
    let columns = columns.max(10);
    let (from, to) = (line_start(source, start), line_end(source, start));
    let end = floor(source, end.clamp(start, to.max(start)));
    let end = start + source[start..end].trim_end().len();
    // Blanks at a line's end are shown by nothing, unless the span stands behind them.
    let visible = from + source[from..to.max(start)].trim_end().len();
    let cells = cells(source, from, visible.max(start));
    let before: usize = cells.iter().filter(|cell| cell.at < start).map(|cell| cell.width).sum();
    let marked: usize = cells.iter().filter(|cell| (start..end).contains(&cell.at)).map(|cell| cell.width).sum();
    let total: usize = cells.iter().map(|cell| cell.width).sum();

    let first =
        if before.max(total.min(before + marked)) < columns { 0 } else { before - before.min(room(columns, marked)) };
    let mut line = String::new();
    let mut underline = String::new();
    let mut column = 0;
    let mut used = 0;
    if first > 0 {
        line.push('…');
        underline.push(' ');
        used = 1;
    }
    for cell in &cells {
        let shown = column >= first;
        column += cell.width;
        if !shown {
            continue;
        }
        let last = column >= total;
        if used + cell.width + usize::from(!last) > columns {
            line.push('…');
            break;
        }
        used += cell.width;
        line.push_str(&cell.text);
        let mark = if (start..end).contains(&cell.at) { '^' } else { ' ' };
        underline.extend(std::iter::repeat_n(mark, cell.width));
    }
    let mut underline = underline.trim_end().to_owned();
    if !underline.ends_with('^') {
        underline = " ".repeat(before - before.min(first) + usize::from(first > 0)) + "^";
    }
    Excerpt { line: line.trim_end().to_owned(), underline }
}

/// How many columns before the span stay when a line is cut.
fn room(columns: usize, marked: usize) -> usize {
    columns.saturating_sub(marked + 2).min(MAX_BEFORE).max(columns / 8)
}

fn cells(source: &str, from: usize, to: usize) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut joined = false;
    for (offset, c) in source[from..to.max(from)].char_indices() {
        let joins = joined || c == '\u{200d}' || modifies(c) || (c.width() == Some(0) && !hides(c));
        joined = c == '\u{200d}';
        if c == '\u{feff}' {
            continue;
        }
        let text = shown(c);
        match cells.last_mut().filter(|cell| joins && cell.text != TAB) {
            Some(cell) => {
                cell.text.push_str(&text);
                cell.width = cell.text.width();
            }
            None => cells.push(Cell { width: text.width(), text, at: from + offset }),
        }
    }
    cells
}

/// Skin tones and the sign that makes an emoji of the character before it.
fn modifies(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}' | '\u{fe0e}' | '\u{fe0f}')
}

/// Characters that change the order in which others are shown: what is checked must be what is seen.
fn hides(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

/// A character as a terminal can show it: control characters (terminal escapes) never pass.
fn shown(c: char) -> String {
    match c {
        '\t' => TAB.to_owned(),
        c if c.is_control() || hides(c) || matches!(c, '\u{2028}' | '\u{2029}') => "\u{fffd}".to_owned(),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `<` and `>` mark the span in `marked`.
    fn check(marked: &str, columns: usize, line: &str, underline: &str) {
        let start = marked.find('<').expect("a start");
        let end = marked.find('>').expect("an end") - 1;
        let source = marked.replacen('<', "", 1).replacen('>', "", 1);
        let expect = Excerpt { line: line.to_owned(), underline: underline.to_owned() };
        assert_eq!(excerpt(&source, start, end, columns), expect, "{marked:?}");
    }

    #[test]
    fn carets_stand_below_what_they_mean() {
        check("a\nb: <cde>\nf", 40, "b: cde", "   ^^^");
        check("a: <b>\r\nc", 40, "a: b", "   ^");
        check("a: <b\r\nc>", 40, "a: b", "   ^");
        check("\u{feff}<on>: 1", 40, "on: 1", "^^");
        check("a:\t<b>\tc", 40, "a:    b    c", "      ^");
        check("日本: <語> x", 40, "日本: 語 x", "      ^^");
        check("e\u{301}te\u{301}: <e\u{301}te\u{301}>", 40, "e\u{301}te\u{301}: e\u{301}te\u{301}", "     ^^^");
        check("👨\u{200d}👩\u{200d}👧 <x>", 40, "👨\u{200d}👩\u{200d}👧 x", "   ^");
        check("👍🏽 <👍🏽>", 40, "👍🏽 👍🏽", "   ^^");
        check("a: <>", 40, "a:", "   ^");
        check("a<>", 40, "a", " ^");
    }

    #[test]
    fn what_could_deceive_is_shown_as_a_box() {
        check("a \u{1b}[31m<b>", 40, "a \u{fffd}[31mb", "       ^");
        check("a \u{202e}<b>", 40, "a \u{fffd}b", "   ^");
        check("a \u{2066}\u{200f}<b>", 40, "a \u{fffd}\u{fffd}b", "    ^");
    }

    #[test]
    fn long_lines_are_cut_around_the_span() {
        check(
            &format!("{}<x>{}", "a".repeat(50), "b".repeat(50)),
            20,
            "…aaaaaaaaaaaaaaaaax…",
            &format!("{}^", " ".repeat(18)),
        );
        check(&format!("<{}>", "a".repeat(50)), 20, &format!("{}…", "a".repeat(19)), &"^".repeat(19));
        check(
            &format!("{}<x>", "日".repeat(50)),
            20,
            &format!("…{}x", "日".repeat(8)),
            &format!("{}^", " ".repeat(17)),
        );
        check("12345678901234567890<>", 20, "…345678901234567890", "                   ^");
    }
}
