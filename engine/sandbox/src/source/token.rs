//! Just enough of Rhai's lexical grammar to know names, brackets, texts and comments apart. It feeds
//! [`super::rewrite`]; whatever it cannot make sense of is left to Rhai's own parser, which reports it.

use std::ops::Range;

/// A token with the bytes it covers. Code inside `${ }` of a back-quoted text appears in line with the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) at: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Name,
    Number,
    /// A text without escapes or interpolation: its content is what stands between the quotes.
    PlainText,
    /// Any other text, or a piece of one.
    Text,
    /// `.`
    Dot,
    /// `?.`
    OptionalDot,
    /// `?[`
    OptionalOpen,
    /// `(`, `[`, `{`, `#{`, `${`
    Open,
    /// `)`, `]`, `}`
    Close,
    /// `|`
    Bar,
    Other,
}

/// Splits `source` into tokens; spaces and comments are left out. Linear, and total: any text gives tokens.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { source, bytes: source.as_bytes(), at: 0, tokens: Vec::new(), braces: Vec::new() };
    lexer.run();
    lexer.tokens
}

struct Lexer<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    tokens: Vec<Token>,
    /// For each open `{`: whether closing it goes on with a back-quoted text.
    braces: Vec<bool>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'/' if self.next_is("//") => self.skip_line(),
                b'/' if self.next_is("/*") => self.skip_comment(),
                b'"' => self.quoted(b'"'),
                b'\'' => self.quoted(b'\''),
                b'`' => {
                    self.at += 1;
                    self.back_quoted(self.at - 1);
                }
                b'#' if self.raw_text() => {}
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.take_while(Kind::Name, word),
                b'0'..=b'9' => self.number(),
                b'}' if self.braces.pop() == Some(true) => {
                    self.push(Kind::Close, 1);
                    self.back_quoted(self.at);
                }
                _ => self.symbol(byte),
            }
        }
    }

    fn next_is(&self, text: &str) -> bool {
        self.bytes[self.at..].starts_with(text.as_bytes())
    }

    fn push(&mut self, kind: Kind, length: usize) {
        self.tokens.push(Token { kind, at: self.at..self.at + length });
        self.at += length;
    }

    fn take_while(&mut self, kind: Kind, more: fn(u8) -> bool) {
        let length = self.bytes[self.at..].iter().take_while(|b| more(**b)).count();
        self.push(kind, length.max(1));
    }

    fn number(&mut self) {
        let start = self.at;
        let digits = |from: usize| self.bytes[from..].iter().take_while(|b| word(**b)).count();
        let mut end = start + digits(start);
        if self.bytes.get(end) == Some(&b'.') && self.bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
            end += 1;
            end += digits(end);
        }
        self.push(Kind::Number, end - start);
    }

    fn symbol(&mut self, byte: u8) {
        for (text, kind) in [
            ("..=", Kind::Other),
            ("...", Kind::Other),
            ("..", Kind::Other),
            ("?.", Kind::OptionalDot),
            ("?[", Kind::OptionalOpen),
            ("??", Kind::Other),
            ("||", Kind::Other),
            ("::", Kind::Other),
            ("==", Kind::Other),
            ("=>", Kind::Other),
            ("!=", Kind::Other),
            ("#{", Kind::Open),
        ] {
            if self.next_is(text) {
                if text == "#{" {
                    self.braces.push(false);
                }
                return self.push(kind, text.len());
            }
        }
        match byte {
            b'{' => {
                self.braces.push(false);
                self.push(Kind::Open, 1);
            }
            b'(' | b'[' => self.push(Kind::Open, 1),
            b')' | b']' | b'}' => self.push(Kind::Close, 1),
            b'.' => self.push(Kind::Dot, 1),
            b'|' => self.push(Kind::Bar, 1),
            _ => {
                let length = self.source[self.at..].chars().next().map_or(1, char::len_utf8);
                self.push(Kind::Other, length);
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    }

    /// Block comments nest.
    fn skip_comment(&mut self) {
        let mut depth = 0usize;
        while self.at < self.bytes.len() {
            if self.next_is("/*") {
                depth += 1;
                self.at += 2;
            } else if self.next_is("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += 1;
            }
        }
    }

    fn quoted(&mut self, quote: u8) {
        let mut kind = if quote == b'"' { Kind::PlainText } else { Kind::Text };
        let mut end = self.at + 1;
        while let Some(&byte) = self.bytes.get(end) {
            end += 1;
            match byte {
                b'\\' => {
                    kind = Kind::Text;
                    end += 1;
                }
                b'\n' => kind = Kind::Text,
                // A doubled quote stands for one.
                _ if byte == quote && self.bytes.get(end) == Some(&quote) => {
                    kind = Kind::Text;
                    end += 1;
                }
                _ if byte == quote => return self.push(kind, end - self.at),
                _ => {}
            }
        }
        self.push(Kind::Text, self.bytes.len() - self.at);
    }

    /// From inside a back-quoted text up to its end or to the `${` that interrupts it.
    fn back_quoted(&mut self, start: usize) {
        let mut end = self.at;
        while let Some(&byte) = self.bytes.get(end) {
            if byte == b'$' && self.bytes.get(end + 1) == Some(&b'{') {
                self.at = start;
                self.push(Kind::Text, end - start);
                self.braces.push(true);
                return self.push(Kind::Open, 2);
            }
            end += 1;
            if byte == b'`' {
                if self.bytes.get(end) != Some(&b'`') {
                    break;
                }
                end += 1;
            }
        }
        self.at = start;
        self.push(Kind::Text, end - start);
    }

    /// `#"…"#` with any number of `#`.
    fn raw_text(&mut self) -> bool {
        let hashes = self.bytes[self.at..].iter().take_while(|b| **b == b'#').count();
        if self.bytes.get(self.at + hashes) != Some(&b'"') {
            return false;
        }
        let close = format!("\"{}", "#".repeat(hashes));
        let from = self.at + hashes + 1;
        let end = self.source[from..].find(&close).map_or(self.bytes.len(), |at| from + at + close.len());
        self.push(Kind::Text, end - self.at);
        true
    }
}

/// Whether Rhai 1.27 keeps this word for itself, so that it cannot be written as a field's name.
pub(crate) fn reserved(name: &str) -> bool {
    matches!(
        name,
        "Fn" | "as"
            | "async"
            | "await"
            | "break"
            | "call"
            | "case"
            | "catch"
            | "const"
            | "continue"
            | "curry"
            | "debug"
            | "default"
            | "do"
            | "else"
            | "eval"
            | "exit"
            | "export"
            | "false"
            | "fn"
            | "for"
            | "go"
            | "goto"
            | "if"
            | "import"
            | "in"
            | "is"
            | "is_def_fn"
            | "is_def_var"
            | "is_shared"
            | "let"
            | "loop"
            | "match"
            | "module"
            | "new"
            | "nil"
            | "null"
            | "package"
            | "print"
            | "private"
            | "protected"
            | "public"
            | "return"
            | "shared"
            | "spawn"
            | "static"
            | "super"
            | "switch"
            | "sync"
            | "this"
            | "thread"
            | "throw"
            | "true"
            | "try"
            | "type_of"
            | "unless"
            | "until"
            | "use"
            | "var"
            | "void"
            | "while"
            | "with"
            | "yield"
    )
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expect: &[&str]) {
        let found: Vec<_> = tokens(source).into_iter().map(|t| source[t.at].to_owned()).collect();
        assert_eq!(found, expect, "{source}");
    }

    #[test]
    fn names_texts_and_comments_are_told_apart() {
        check("a.b?.c?[1]", &["a", ".", "b", "?.", "c", "?[", "1", "]"]);
        check("1..event.x", &["1", "..", "event", ".", "x"]);
        check("1.5 + a", &["1.5", "+", "a"]);
        check("a /* b /* c */ d */ e // f\n g", &["a", "e", "g"]);
        check(r#""a\"b" c "d""e" f"#, &[r#""a\"b""#, "c", r#""d""e""#, "f"]);
        check("`a ${b + `c ${d}`} e` f", &["`a ", "${", "b", "+", "`c ", "${", "d", "}", "`", "}", " e`", "f"]);
        check("#{ a: #\"x\"y\"# }", &["#{", "a", ":", "#\"x\"y\"#", "}"]);
        check("'x' '\\'' y", &["'x'", "'\\''", "y"]);
        check("|a, b| a || b", &["|", "a", ",", "b", "|", "a", "||", "b"]);
    }

    #[test]
    fn unfinished_texts_reach_the_end() {
        for source in ["\"abc", "`a ${ b", "`a", "'", "/* x", "#\"x", "\"\\", "é`ü${ö", "?", "#", "}"] {
            let all = tokens(source);
            assert!(all.iter().all(|t| source.get(t.at.clone()).is_some()), "{source}");
        }
    }
}
