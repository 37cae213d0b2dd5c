//! Sources: what workflow authors write, read by [`token`], prepared for Rhai by [`rewrite`], with the data they ask
//! for found by [`path`].

mod closure;
pub(crate) mod path;
pub(crate) mod rewrite;
pub(crate) mod token;

use rhai::Position;

/// A source with what is needed to point into it.
#[derive(Debug)]
pub(crate) struct Source {
    /// As written.
    pub(crate) text: String,
    /// As given to Rhai, with the edits that lead back.
    pub(crate) rewritten: rewrite::Rewritten,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let tokens = token::tokens(text);
        Self { text: text.to_owned(), rewritten: rewrite::rewrite(text, &tokens) }
    }

    /// The byte of the written source that a position in the rewritten one comes from.
    pub(crate) fn offset(&self, position: Position) -> Option<usize> {
        let line = position.line()?;
        let text = &self.rewritten.text;
        let start = if line == 1 { 0 } else { text.match_indices('\n').nth(line - 2)?.0 + 1 };
        let column = position.position().unwrap_or(1).max(1) - 1;
        let rest = &text[start..];
        let within = rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at);
        Some(rewrite::original_offset(&self.rewritten.edits, start + within).min(self.text.len()))
    }

    /// Line and column, from 1, of a byte of the written source.
    pub(crate) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        (line, column)
    }

    /// The access chain that ends with the token at `offset`: `order.items[0].nme` for the offset of `nme`.
    pub(crate) fn chain_at(&self, offset: usize) -> Option<String> {
        use token::Kind;
        let tokens = token::tokens(&self.text);
        let last = tokens.iter().position(|t| t.at.contains(&offset))?;
        let mut first = last;
        let mut depth = 0usize;
        for at in (0..=last).rev() {
            match tokens[at].kind {
                Kind::Close => depth += 1,
                Kind::Open | Kind::OptionalOpen if depth > 0 => depth -= 1,
                _ if depth > 0 => {}
                Kind::Open | Kind::OptionalOpen if at < last => break,
                Kind::Other | Kind::Bar => break,
                Kind::Name | Kind::Number | Kind::Text | Kind::PlainText
                    if at < last
                        && !matches!(
                            tokens[at + 1].kind,
                            Kind::Dot | Kind::OptionalDot | Kind::Open | Kind::OptionalOpen
                        ) =>
                {
                    break;
                }
                _ => {}
            }
            if depth == 0 {
                first = at;
            }
        }
        let chain: String = self.text[tokens[first].at.start..tokens[last].at.end].split_whitespace().collect();
        (chain.len() <= 200).then_some(chain)
    }
}
