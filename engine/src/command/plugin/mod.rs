//! `cartwright plugin`: beginning and building plugins.

mod build;
mod component;
mod new;
mod template;

use super::Context;
use crate::{cli::Plugins, failure::Result};

/// Longer names fit into no table.
const MAX_NAME_CHARS: usize = 64;

pub(super) fn run(command: &Plugins, context: &Context) -> Result<()> {
    match command {
        Plugins::New(new) => new::run(new, &context.terminal),
        Plugins::Build(build) => build::run(build, context),
    }
}

/// Whether a plugin can be called so: lower-case words with dashes between them.
fn is_name(name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit());
    name.len() <= MAX_NAME_CHARS
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_words_with_dashes() {
        for name in ["a", "fraud-score", "b2b-prices", "top-10", "x".repeat(MAX_NAME_CHARS).as_str()] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-", "a-", "-a", "a--b", "Fraud", "a_b", "a b", "2b", "é", "a/b", ".."] {
            assert!(!is_name(name), "{name}");
        }
        assert!(!is_name(&"x".repeat(MAX_NAME_CHARS + 1)));
    }
}
