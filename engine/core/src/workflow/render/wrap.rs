//! Text broken into lines of a width, where its words end. Code in backticks stays whole, so that it can be copied.

use unicode_width::UnicodeWidthStr as _;

/// The lines; one empty line for an empty text. Only a single word or piece of code can be wider than `columns`, and
/// is then cut into pieces that are not.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(20);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words(text).into_iter().flat_map(|word| pieces(word, columns)) {
        if !line.is_empty() && line.width() + 1 + word.width() > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// What stands between blanks, blanks inside backticks aside.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut in_code = false;
    for (at, c) in text.char_indices() {
        if c == '`' && (in_code || text[at + 1..].contains('`')) {
            in_code = !in_code;
        } else if c.is_whitespace() && !in_code {
            words.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    words.push(&text[start..]);
    words.retain(|word| !word.is_empty());
    words
}

/// A word that is too wide as lines of its own: broken at its blanks where it has them, anywhere otherwise.
fn pieces(word: &str, columns: usize) -> Vec<&str> {
    let mut rest = word;
    let mut pieces = Vec::new();
    while rest.width() > columns {
        let mut width = 0;
        let fits = |c: char| {
            width += unicode_width::UnicodeWidthChar::width(c).unwrap_or(1);
            width > columns
        };
        let end = rest.find(fits).unwrap_or(rest.len());
        let blank = rest[..end].rfind(' ').filter(|at| *at > 0);
        let (piece, after) = rest.split_at(blank.unwrap_or(end));
        pieces.push(piece);
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_code_stays_together() {
        for (text, expect) in [
            ("", &[""][..]),
            ("one two", &["one two"]),
            ("one two three four five six", &["one two three four", "five six"]),
            ("write `number(a.b) > 5` here", &["write", "`number(a.b) > 5`", "here"]),
            ("an odd ` sign stands alone here", &["an odd ` sign stands", "alone here"]),
            ("aaaaaaaaaaaaaaaaaaaaaaaaa b", &["aaaaaaaaaaaaaaaaaaaa", "aaaaa b"]),
            ("`a bbbbbbbbbbbbbbbbbb ccccccccc`", &["`a", "bbbbbbbbbbbbbbbbbb", "ccccccccc`"]),
            ("日本日本日本日本日本日本", &["日本日本日本日本日本", "日本"]),
        ] {
            assert_eq!(wrap(text, 20), expect, "{text}");
        }
    }
}
