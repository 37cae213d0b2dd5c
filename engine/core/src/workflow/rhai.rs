//! Just enough of Rhai's grammar to walk over it: words, strings, comments and braces. Finds the `}}` that closes an
//! expression, and the names an expression mentions. The evaluator has the real grammar; this never says yes or no.

use std::ops::Range;

/// Deepest nesting of `${…}` inside backtick strings.
const MAX_INTERPOLATIONS: usize = 32;

/// A piece of Rhai.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'s> {
    /// An identifier, a keyword or a number.
    Word(&'s str),
    /// The inside of a `"…"` string, escapes as written.
    Text(&'s str),
    /// Any other string; its inside may follow as tokens where it interpolates.
    OtherText,
    /// An operator or bracket: `::`, `?.` and `?[` whole, others one character.
    Sign(&'s str),
}

/// Something that was opened and never closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unclosed {
    /// Where it was opened.
    pub(crate) at: usize,
    /// What: `a string`, `a comment`, `{`.
    pub(crate) what: &'static str,
}

/// Walks over the tokens from a place in a text.
pub(crate) struct Tokens<'s> {
    source: &'s str,
    at: usize,
    /// For each `${…}` of a backtick string being walked: where the string began, and how many braces are open in it.
    interpolations: Vec<(usize, u32)>,
    failed: bool,
}

impl<'s> Tokens<'s> {
    pub(crate) fn new(source: &'s str, from: usize) -> Self {
        Self { source, at: from, interpolations: Vec::new(), failed: false }
    }

    /// Whether the walk stands outside of every string, interpolations included.
    fn at_top(&self) -> bool {
        self.interpolations.is_empty()
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    /// Steps over white space and comments.
    fn skip_blank(&mut self) -> Result<(), Unclosed> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                self.at = block_comment_end(self.source, self.at)?;
            } else {
                return Ok(());
            }
        }
    }

    /// The text of a backtick string up to its end or its next `${`.
    fn backtick(&mut self, opened: usize) -> Result<Token<'s>, Unclosed> {
        let bytes = self.source.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match (byte, bytes.get(self.at + 1)) {
                (b'`', Some(b'`')) => self.at += 2,
                (b'`', _) => {
                    self.at += 1;
                    return Ok(Token::OtherText);
                }
                (b'\\', Some(b'$')) => self.at += 2,
                (b'$', Some(b'{')) => {
                    if self.interpolations.len() >= MAX_INTERPOLATIONS {
                        break;
                    }
                    self.at += 2;
                    self.interpolations.push((opened, 0));
                    return Ok(Token::OtherText);
                }
                _ => self.at += 1,
            }
        }
        Err(Unclosed { at: opened, what: "a string" })
    }

    /// A string in `quote`s, its opening one already passed.
    fn quoted(&mut self, quote: u8) -> Result<Range<usize>, Unclosed> {
        let bytes = self.source.as_bytes();
        let start = self.at;
        while let Some(byte) = bytes.get(self.at) {
            // An escape, or a quote doubled.
            if *byte == b'\\' || (*byte == quote && bytes.get(self.at + 1) == Some(&quote)) {
                self.at += 2;
            } else if *byte == quote {
                self.at += 1;
                return Ok(start..self.at - 1);
            } else {
                self.at += 1;
            }
        }
        Err(Unclosed { at: start - 1, what: "a string" })
    }

    /// `#"…"#`, with any number of `#`.
    fn raw(&mut self) -> Option<Result<(), Unclosed>> {
        let rest = self.rest();
        let hashes = rest.bytes().take_while(|b| *b == b'#').count();
        if !rest[hashes..].starts_with('"') {
            return None;
        }
        let close = format!("\"{}", "#".repeat(hashes));
        let inside = hashes + 1;
        Some(match rest[inside..].find(&close) {
            Some(length) => {
                self.at += inside + length + close.len();
                Ok(())
            }
            None => Err(Unclosed { at: self.at, what: "a string" }),
        })
    }

    fn step(&mut self) -> Result<Option<(Range<usize>, Token<'s>)>, Unclosed> {
        self.skip_blank()?;
        let start = self.at;
        let Some(first) = self.rest().chars().next() else {
            return match self.interpolations.last() {
                Some((opened, _)) => Err(Unclosed { at: *opened, what: "a string" }),
                None => Ok(None),
            };
        };
        let token = match first {
            '"' => {
                self.at += 1;
                let inside = self.quoted(b'"')?;
                Token::Text(&self.source[inside])
            }
            '\'' => {
                self.at += 1;
                self.quoted(b'\'')?;
                Token::OtherText
            }
            '`' => {
                self.at += 1;
                self.backtick(start)?
            }
            '#' if let Some(raw) = self.raw() => {
                raw?;
                Token::OtherText
            }
            '}' if self.interpolations.last().is_some_and(|(_, open)| *open == 0) => {
                self.at += 1;
                let opened = self.interpolations.pop().map_or(start, |(opened, _)| opened);
                self.backtick(opened)?
            }
            c if c.is_alphanumeric() || c == '_' => {
                let rest = self.rest();
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                self.at += end;
                Token::Word(&rest[..end])
            }
            c => {
                let rest = self.rest();
                let length =
                    if ["::", "?.", "?["].iter().any(|sign| rest.starts_with(sign)) { 2 } else { c.len_utf8() };
                self.at += length;
                if let Some((_, open)) = self.interpolations.last_mut() {
                    match c {
                        '{' => *open += 1,
                        '}' => *open -= 1,
                        _ => {}
                    }
                }
                Token::Sign(&rest[..length])
            }
        };
        // An escape at the very end steps past it.
        self.at = super::diagnostic::floor(self.source, self.at);
        Ok(Some((start..self.at, token)))
    }
}

impl<'s> Iterator for Tokens<'s> {
    type Item = Result<(Range<usize>, Token<'s>), Unclosed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}

/// Comments nest in Rhai.
fn block_comment_end(source: &str, start: usize) -> Result<usize, Unclosed> {
    let mut depth = 0u32;
    let mut at = start;
    let bytes = source.as_bytes();
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Ok(at);
                }
            }
            _ => at += 1,
        }
    }
    Err(Unclosed { at: start, what: "a comment" })
}

/// Where the `}}` stands that closes an expression beginning at `from`. `Err` names what is open at the text's end.
pub(crate) fn find_close(source: &str, from: usize) -> Result<usize, Unclosed> {
    let mut open = 0u32;
    let mut tokens = Tokens::new(source, from);
    loop {
        // A comment that never ends may have swallowed the `}}`.
        let top = tokens.at_top();
        match tokens.next() {
            None => return Err(Unclosed { at: from, what: "`${{`" }),
            Some(Err(unclosed)) => return Err(unclosed),
            Some(Ok((range, token))) if top && tokens.at_top() => match token {
                Token::Sign("{") => open += 1,
                Token::Sign("}") if open > 0 => open -= 1,
                Token::Sign("}") if source[range.end..].starts_with('}') => return Ok(range.start),
                _ => {}
            },
            Some(Ok(_)) => {}
        }
    }
}

/// What keeps a whole text from being one balanced expression, if anything: brackets or strings left open.
pub(crate) fn unbalanced(source: &str) -> Option<Unclosed> {
    let mut open: Vec<(usize, &'static str)> = Vec::new();
    for token in Tokens::new(source, 0) {
        match token {
            Err(unclosed) => return Some(unclosed),
            Ok((range, Token::Sign(sign))) => match sign {
                "{" => open.push((range.start, "`{`")),
                "(" => open.push((range.start, "`(`")),
                "[" | "?[" => open.push((range.start, "`[`")),
                "}" | ")" | "]" => {
                    open.pop();
                }
                _ => {}
            },
            Ok(_) => {}
        }
    }
    open.pop().map(|(at, what)| Unclosed { at, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `^` marks the expected place of the closing braces.
    fn closes(marked: &str) {
        let at = marked.find('^').unwrap();
        let source = marked.replacen('^', "", 1);
        assert_eq!(find_close(&source, 0), Ok(at), "{source}");
    }

    #[test]
    fn finds_the_closing_braces() {
        closes(" a.b ^}}");
        closes("^}}");
        closes(" #{ a: #{ b: 1 }} ^}} rest }}");
        closes(" #{a: 1}^}}");
        closes(r#" "}}" ^}}"#);
        closes(r#" "\"}}" ^}}"#);
        closes(r#" "a""}}" ^}}"#);
        closes(" '}' ^}}");
        closes(" `}} ${ x + `}}` } }}` ^}}");
        closes(" `${ #{a: 1}.a }}}` ^}}");
        closes(" `\\${ }}` ^}}");
        closes(" /* }} /* }} */ }} */ 1 ^}}");
        closes(" a // }}\n ^}}");
        closes(r##" #"}} " }}"# ^}}"##);
        closes(" if a { 1 } else { 2 } ^}}");
        closes(" a } ^}}");
        closes(" ä + \"ö}}\" ^}}");
    }

    #[test]
    fn says_what_is_open() {
        for (source, at, what) in [
            ("a", 0, "`${{`"),
            ("a }", 0, "`${{`"),
            ("#{ a: 1 }", 0, "`${{`"),
            (r#"a + "b }}"#, 4, "a string"),
            ("a /* }}", 2, "a comment"),
            ("`a ${ b }}", 0, "a string"),
            ("a // }}", 0, "`${{`"),
            (r#"""#, 0, "a string"),
            (r#""\"#, 0, "a string"),
        ] {
            assert_eq!(find_close(source, 0), Err(Unclosed { at, what }), "{source}");
        }
        assert!(find_close(&"`${".repeat(100_000), 0).is_err());
    }

    #[test]
    fn balance() {
        assert_eq!(unbalanced("f(a[1], #{b: 2})"), None);
        assert_eq!(unbalanced("f(a").map(|open| open.what), Some("`(`"));
        assert_eq!(unbalanced("a[\"x").map(|open| open.what), Some("a string"));
    }
}
