//! Rhai as a tree, as far as checks need it. What the tree cannot express makes the whole code unreadable, which means
//! only that it is not checked: the evaluator has the real grammar.

use std::ops::Range;

use super::{
    super::rhai::{Token, Tokens},
    tree::{Inner, Kind, Node},
};

/// Deepest nesting.
const MAX_DEPTH: usize = 64;

/// Reads an expression or a script; `None` where it cannot be read.
pub(super) fn parse(source: &str) -> Option<Node<'_>> {
    let tokens = Tokens::new(source, 0).collect::<Result<Vec<_>, _>>().ok()?;
    let mut parser = Parser { source, tokens, at: 0, depth: 0 };
    let (nodes, value) = parser.statements(&[])?;
    (parser.at == parser.tokens.len()).then_some(Node { at: 0..source.len(), kind: Kind::Block { nodes, value } })
}

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<(Range<usize>, Token<'s>)>,
    at: usize,
    depth: usize,
}

/// Binary operators, longer ones first, with how strongly they bind.
const OPERATORS: &[(&str, u8)] = &[
    ("..=", 140),
    ("**", 190),
    ("==", 90),
    ("!=", 90),
    ("<=", 130),
    (">=", 130),
    ("&&", 60),
    ("||", 30),
    ("??", 135),
    ("..", 140),
    ("<<", 210),
    (">>", 210),
    ("+", 150),
    ("-", 150),
    ("*", 180),
    ("/", 180),
    ("%", 180),
    ("<", 130),
    (">", 130),
    ("&", 60),
    ("|", 30),
    ("^", 30),
];
const ASSIGNMENTS: &[&str] = &["**=", "<<=", ">>=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "="];

impl<'s> Parser<'s> {
    fn peek(&self) -> Option<Token<'s>> {
        self.tokens.get(self.at).map(|(_, token)| *token)
    }

    fn start(&self) -> usize {
        self.tokens.get(self.at).map_or(self.source.len(), |(range, _)| range.start)
    }

    fn end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |(range, _)| range.end)
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found) | Token::Word(found)) if found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, sign: &str) -> Option<()> {
        self.take(sign).then_some(())
    }

    fn name(&mut self) -> Option<&'s str> {
        match self.peek()? {
            Token::Word(word) if !word.starts_with(|c: char| c.is_ascii_digit()) => {
                self.at += 1;
                Some(word)
            }
            _ => None,
        }
    }

    /// A sign of several characters, which are tokens of their own.
    fn take_text(&mut self, text: &str) -> bool {
        let start = self.start();
        if !matches!(self.peek(), Some(Token::Sign(_))) || !self.source[start..].starts_with(text) {
            return false;
        }
        while self.tokens.get(self.at).is_some_and(|(range, _)| range.start < start + text.len()) {
            self.at += 1;
        }
        true
    }

    fn node(&self, start: usize, kind: Kind<'s>) -> Node<'s> {
        Node { at: start..self.end(), kind }
    }

    fn statements(&mut self, close: &[&str]) -> Option<(Vec<Node<'s>>, bool)> {
        let mut nodes = Vec::new();
        let mut value = false;
        loop {
            while self.take(";") {
                value = false;
            }
            let ended = self.peek().is_none() || close.iter().any(|sign| self.is(sign)) || self.interpolation_ends();
            if ended {
                return Some((nodes, value));
            }
            let node = self.statement()?;
            let block = matches!(
                node.kind,
                Kind::If { .. } | Kind::For { .. } | Kind::While { .. } | Kind::Try { .. } | Kind::Block { .. }
            );
            nodes.push(node);
            value = true;
            // Two values side by side are no Rhai.
            let parted = self.peek().is_none() || self.is(";") || self.interpolation_ends();
            if !parted && !block && !close.iter().any(|sign| self.is(sign)) {
                return None;
            }
        }
    }

    fn interpolation_ends(&self) -> bool {
        matches!(self.peek(), Some(Token::OtherText)) && self.source[self.start()..].starts_with('}')
    }

    fn block(&mut self) -> Option<Inner<'s>> {
        let start = self.start();
        self.need("{")?;
        let (nodes, value) = self.nested(|parser| parser.statements(&["}"]))?;
        self.need("}")?;
        Some(Box::new(self.node(start, Kind::Block { nodes, value })))
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += 1;
        let found = if self.depth > MAX_DEPTH { None } else { inner(self) };
        self.depth -= 1;
        found
    }

    fn statement(&mut self) -> Option<Node<'s>> {
        let start = self.start();
        match self.peek()? {
            Token::Word("let" | "const") => {
                self.at += 1;
                let name = self.name()?;
                let value = if self.take_text("=") { Some(Box::new(self.expression(0)?)) } else { None };
                return Some(self.node(start, Kind::Let { name, value }));
            }
            Token::Word("return" | "throw" | "break") => {
                self.at += 1;
                let ends = self.peek().is_none() || self.is(";") || self.is("}");
                let value = if ends { None } else { Some(Box::new(self.expression(0)?)) };
                return Some(self.node(start, Kind::Return(value)));
            }
            Token::Word("continue") => {
                self.at += 1;
                return Some(self.node(start, Kind::Return(None)));
            }
            // Functions see no names from outside, modules are not there: rare enough to leave unread.
            Token::Word("fn" | "private" | "import" | "export" | "do" | "switch" | "this" | "global") => return None,
            _ => {}
        }
        let to = self.expression(0)?;
        for sign in ASSIGNMENTS {
            let compares = *sign == "=" && ["==", "=>"].iter().any(|two| self.source[self.start()..].starts_with(two));
            if !compares && self.take_text(sign) {
                let value = Box::new(self.expression(0)?);
                return Some(self.node(start, Kind::Assign { to: Box::new(to), value }));
            }
        }
        Some(to)
    }

    fn operator(&mut self, least: u8) -> Option<(&'static str, u8)> {
        if let Some(Token::Word("in")) = self.peek() {
            return (least < 110).then(|| {
                self.at += 1;
                ("in", 110)
            });
        }
        let rest = &self.source[self.start()..];
        if !matches!(self.peek(), Some(Token::Sign(_))) || rest.starts_with("=>") {
            return None;
        }
        if rest.starts_with("!in") {
            return (least < 110).then(|| {
                self.at += 2;
                ("in", 110)
            });
        }
        let (sign, binds) = OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign))?;
        if ASSIGNMENTS.iter().any(|assign| assign.len() > 1 && rest.starts_with(assign)) && !is_comparison(sign) {
            return None;
        }
        (*binds > least && self.take_text(sign)).then_some((*sign, *binds))
    }

    fn expression(&mut self, least: u8) -> Option<Node<'s>> {
        self.nested(|parser| {
            let start = parser.start();
            let mut left = parser.unary()?;
            while let Some((operator, binds)) = parser.operator(least) {
                let right = Box::new(parser.expression(binds)?);
                left = parser.node(start, Kind::Binary { operator, left: Box::new(left), right });
            }
            Some(left)
        })
    }

    fn unary(&mut self) -> Option<Node<'s>> {
        let start = self.start();
        if self.take("!") {
            let of = Box::new(self.nested(Self::unary)?);
            return Some(self.node(start, Kind::Not(of)));
        }
        if self.take("-") || self.take("+") {
            let of = Box::new(self.nested(Self::unary)?);
            return Some(self.node(start, Kind::Negative(of)));
        }
        let mut node = self.primary()?;
        loop {
            let optional = self.is("?.") || self.is("?[");
            if self.take("[") || self.take("?[") {
                let at = Box::new(self.expression(0)?);
                self.need("]")?;
                node = self.node(start, Kind::Index { of: Box::new(node), at, optional });
                continue;
            }
            let dots = self.is(".") && self.source[self.start()..].starts_with("..");
            if dots || !(self.take(".") || self.take("?.")) {
                return Some(node);
            }
            let name = self.name()?;
            let of = Box::new(node);
            node = if self.take("(") {
                let arguments = self.list(")")?;
                self.node(start, Kind::Method { of, name, arguments })
            } else {
                self.node(start, Kind::Member { of, name, optional })
            };
        }
    }

    fn list(&mut self, close: &str) -> Option<Vec<Node<'s>>> {
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.expression(0)?);
            if !self.take(",") {
                self.need(close)?;
                break;
            }
        }
        Some(items)
    }

    fn primary(&mut self) -> Option<Node<'s>> {
        let start = self.start();
        match self.peek()? {
            Token::Text(_) => {
                self.at += 1;
                Some(self.node(start, Kind::Text))
            }
            Token::OtherText => self.text(start),
            Token::Word(word) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                self.at += 1;
                self.fraction();
                Some(self.node(start, Kind::Number))
            }
            Token::Word(word) => self.word(word, start),
            Token::Sign("(") => {
                self.at += 1;
                if self.take(")") {
                    return Some(self.node(start, Kind::Nothing));
                }
                let inner = self.expression(0)?;
                self.need(")")?;
                Some(Node { at: start..self.end(), kind: inner.kind })
            }
            Token::Sign("[") => {
                self.at += 1;
                let items = self.list("]")?;
                Some(self.node(start, Kind::List(items)))
            }
            Token::Sign("#") => {
                self.at += 1;
                self.need("{")?;
                self.map(start)
            }
            Token::Sign("{") => self.block().map(|block| *block),
            Token::Sign("|") => self.closure(start),
            Token::Sign(_) => None,
        }
    }

    /// The rest of `1.5`, whose point is a token.
    fn fraction(&mut self) {
        let digit = |token: Option<&(Range<usize>, Token<'s>)>| matches!(token, Some((_, Token::Word(word))) if word.starts_with(|c: char| c.is_ascii_digit()));
        if self.is(".") && digit(self.tokens.get(self.at + 1)) {
            self.at += 2;
        }
    }

    /// A text in backticks may hold expressions.
    fn text(&mut self, start: usize) -> Option<Node<'s>> {
        loop {
            let range = self.tokens.get(self.at)?.0.clone();
            let piece = &self.source[range];
            self.at += 1;
            if !piece.ends_with("${") || piece.starts_with('\'') || piece.starts_with('#') {
                return Some(self.node(start, Kind::Text));
            }
            self.nested(|parser| parser.statements(&[]))?;
            if !self.interpolation_ends() {
                return None;
            }
        }
    }

    fn word(&mut self, word: &'s str, start: usize) -> Option<Node<'s>> {
        self.at += 1;
        match word {
            "true" | "false" => return Some(self.node(start, Kind::Bool(word == "true"))),
            "if" => return self.branches(start),
            "while" | "loop" => {
                let condition = if word == "while" { Some(Box::new(self.expression(0)?)) } else { None };
                let body = self.block()?;
                return Some(self.node(start, Kind::While { condition, body }));
            }
            "for" => {
                let bracketed = self.take("(");
                let name = self.name()?;
                if bracketed {
                    return None;
                }
                self.need("in")?;
                let over = Box::new(self.expression(0)?);
                let body = self.block()?;
                return Some(self.node(start, Kind::For { name, over, body }));
            }
            "try" => {
                let body = self.block()?;
                self.need("catch")?;
                let caught = if self.take("(") { Some(self.name()?) } else { None };
                if caught.is_some() {
                    self.need(")")?;
                }
                let handler = self.block()?;
                return Some(self.node(start, Kind::Try { body, caught, handler }));
            }
            "switch" | "fn" | "do" | "this" | "Fn" | "global" | "else" | "in" => return None,
            _ => {}
        }
        if self.take("::") {
            self.name()?;
            let name = &self.source[start..self.end()];
            self.need("(")?;
            let arguments = self.list(")")?;
            return Some(self.node(start, Kind::Call { name, arguments }));
        }
        if self.take("(") {
            let arguments = self.list(")")?;
            return Some(self.node(start, Kind::Call { name: word, arguments }));
        }
        Some(self.node(start, Kind::Name(word)))
    }

    fn branches(&mut self, start: usize) -> Option<Node<'s>> {
        let condition = Box::new(self.expression(0)?);
        let then = self.block()?;
        let otherwise = match self.take("else") {
            false => None,
            true if self.is("if") => {
                let start = self.start();
                self.at += 1;
                Some(Box::new(self.nested(|parser| parser.branches(start))?))
            }
            true => Some(self.block()?),
        };
        Some(self.node(start, Kind::If { condition, then, otherwise }))
    }

    fn map(&mut self, start: usize) -> Option<Node<'s>> {
        let mut entries = Vec::new();
        while !self.take("}") {
            let key = match self.peek()? {
                Token::Text(key) | Token::Word(key) => key,
                _ => return None,
            };
            self.at += 1;
            self.need(":")?;
            entries.push((key, self.expression(0)?));
            if !self.take(",") {
                self.need("}")?;
                break;
            }
        }
        Some(self.node(start, Kind::Map(entries)))
    }

    fn closure(&mut self, start: usize) -> Option<Node<'s>> {
        self.need("|")?;
        let mut names = Vec::new();
        while !self.take("|") {
            names.push(self.name()?);
            self.take(",");
        }
        let body = Box::new(self.expression(0)?);
        Some(self.node(start, Kind::Closure { names, body }))
    }
}

fn is_comparison(sign: &str) -> bool {
    matches!(sign, "==" | "!=" | "<=" | ">=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_can_be_read() {
        for source in [
            "event.data.status == \"processing\" && number(event.data.total) > 500",
            "if a { \"x\" } else if b { 2.5 } else { () }",
            "let x = 1; x += 2; for i in list { if i.a?.b ?? 0 > 3 { x = i[\"k\"]; } } x",
            "try { http::get(`https://a/${x + `${y}`}/z`) } catch (e) { throw e.code }",
            "#{ a: [1, 2,], \"b c\": -x, if: !done }",
            "items.filter(|i| i.total > 1).map(|i| #{ id: i.id })",
            "a in b && c !in d",
            "1..5",
            "x?[\"a\"]?.b",
            "-1.5 * (2 + 3) / 4",
            "while true { break; }",
            "'a'",
            "a\n",
            "",
        ] {
            assert!(parse(source).is_some(), "{source}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        for source in ["fn f() { 1 }", "switch x { 1 => 2 }", "x ? y : z"] {
            assert!(parse(source).is_none(), "{source}");
        }
        for source in ["a b", "a +", "f(", "let = 1"] {
            assert!(parse(source).is_none(), "{source}");
        }
        assert!(parse(&"(".repeat(10_000)).is_none());
        assert!(parse(&"-".repeat(10_000)).is_none());
    }
}
