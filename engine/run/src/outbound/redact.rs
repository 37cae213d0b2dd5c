//! Secrets leave nothing behind: every opened value is replaced by `[secret:name]` in what comes back from a call,
//! also where the other side echoes it percent-encoded.

use std::borrow::Cow;

use cartwright_core::Json;

/// Shorter values are left alone: replacing every `a` would make answers useless and hide nothing.
const MIN_SECRET_CHARS: usize = 4;

/// Replaces secrets in text and JSON.
pub(super) struct Redactor {
    /// What to look for, longest first so that a secret inside another one does not break it.
    patterns: Vec<(String, String)>,
}

impl Redactor {
    pub(super) fn new(secrets: &[(String, String)]) -> Self {
        let mut patterns = Vec::new();
        for (name, value) in secrets {
            if value.chars().count() < MIN_SECRET_CHARS {
                continue;
            }
            let mark = format!("[secret:{name}]");
            for form in [value.clone(), form_encoded(value), percent_encoded(value)] {
                if !patterns.iter().any(|(known, _)| *known == form) {
                    patterns.push((form, mark.clone()));
                }
            }
        }
        patterns.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Self { patterns }
    }

    pub(super) fn text(&self, text: String) -> String {
        match self.replaced(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(clean) => clean,
        }
    }

    pub(super) fn json(&self, value: &mut Json) {
        if self.patterns.is_empty() {
            return;
        }
        match value {
            Json::String(text) => *text = self.text(std::mem::take(text)),
            Json::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Json::Object(map) => {
                let dirty = map.keys().any(|key| matches!(self.replaced(key), Cow::Owned(_)));
                if dirty {
                    *map = std::mem::take(map).into_iter().map(|(key, item)| (self.text(key), item)).collect();
                }
                map.values_mut().for_each(|item| self.json(item));
            }
            // A secret of digits may come back as a number.
            Json::Number(number) => {
                let text = number.to_string();
                if let Some((_, mark)) = self.patterns.iter().find(|(pattern, _)| *pattern == text) {
                    *value = Json::String(mark.clone());
                }
            }
            Json::Null | Json::Bool(_) => {}
        }
    }

    fn replaced<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(text);
        for (pattern, mark) in &self.patterns {
            if clean.contains(pattern.as_str()) {
                clean = Cow::Owned(clean.replace(pattern.as_str(), mark));
            }
        }
        clean
    }
}

fn form_encoded(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// As it stands in a URL's path: the form encoding with `%20` for spaces.
fn percent_encoded(value: &str) -> String {
    form_encoded(value).replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_replaced_in_every_form_and_place() {
        let secrets = [
            ("key".to_owned(), "a b/c+d".to_owned()),
            ("pin".to_owned(), "123456".to_owned()),
            ("x".to_owned(), "ab".to_owned()),
        ];
        let mut value = json!({"echo": ["a b/c+d", "q=a+b%2Fc%2Bd", "p=a%20b%2Fc%2Bd"], "a b/c+d": 1, "pin": 123456, "short": "ab"});
        Redactor::new(&secrets).json(&mut value);
        assert_eq!(
            value,
            json!({"echo": ["[secret:key]", "q=[secret:key]", "p=[secret:key]"], "[secret:key]": 1, "pin": "[secret:pin]", "short": "ab"})
        );
    }
}
