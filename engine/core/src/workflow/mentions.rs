//! Which names of its scope a piece of code mentions: what must be kept of a scope so that the code can be evaluated
//! later. On the safe side: what looks like a mention counts as one.

use std::collections::BTreeSet;

use super::{
    Expression,
    rhai::{Token, Tokens},
};

/// The names that an expression mentions.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Mentions {
    /// All words that are no members of something.
    pub names: BTreeSet<String>,
    /// The ids of the steps it mentions one by one.
    pub steps: BTreeSet<String>,
    /// It uses `steps` in another way than by an id, so any may be meant.
    pub all_steps: bool,
}

impl Expression {
    /// What it mentions. Code that does not hold together mentions what stands before the place where it breaks.
    pub fn mentions(&self) -> Mentions {
        let mut mentions = Mentions::default();
        let tokens: Vec<_> = Tokens::new(&self.source, 0).map_while(Result::ok).map(|(_, token)| token).collect();
        for (at, token) in tokens.iter().enumerate() {
            let is_member = at > 0 && matches!(tokens[at - 1], Token::Sign("." | "?." | "::"));
            let (Token::Word(name), false) = (token, is_member) else { continue };
            mentions.names.insert((*name).to_owned());
            if *name == "steps" {
                match (tokens.get(at + 1), tokens.get(at + 2), tokens.get(at + 3)) {
                    (Some(Token::Sign("." | "?.")), Some(Token::Word(id)), _)
                    | (Some(Token::Sign("[" | "?[")), Some(Token::Text(id)), Some(Token::Sign("]"))) => {
                        mentions.steps.insert((*id).to_owned());
                    }
                    _ => mentions.all_steps = true,
                }
            }
        }
        mentions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_steps_are_found_and_members_are_not() {
        let check = |source: &str, names: &[&str], steps: &[&str], all: bool| {
            let mentions = Expression::new(source, 0..source.len()).mentions();
            let seen: Vec<&str> = mentions.names.iter().map(String::as_str).collect();
            assert_eq!(seen, names, "{source}");
            assert_eq!(
                (mentions.steps.iter().map(String::as_str).collect::<Vec<_>>(), mentions.all_steps),
                (steps.to_vec(), all),
                "{source}"
            );
        };
        check("incoming.data.id == event.data.item", &["event", "incoming"], &[], false);
        check("steps.a.output == steps[\"b-c\"]?.output", &["steps"], &["a", "b-c"], false);
        check("keys(steps).len() > index", &["index", "keys", "steps"], &[], true);
        check("steps[vars.which].output", &["steps", "vars"], &[], true);
        check("`${item.sku}` == \"index\"", &["item"], &[], false);
        check("item /* vars */ == \"open", &["item"], &[], false);
    }
}
