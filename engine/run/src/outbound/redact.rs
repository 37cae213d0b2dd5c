//! Secrets leave nothing behind: every opened value is replaced by `[secret:name]` in what comes back from a call, also
//! where the other side wrote it in another way, and where an excerpt was cut in its middle.

use std::borrow::Cow;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use cartwright_core::Json;

/// Shorter values are left alone: replacing every `a` would make answers useless and hide nothing.
const MIN_SECRET_CHARS: usize = 4;
/// Shorter pieces of base64 are left alone for the same reason.
const MIN_BASE64_CHARS: usize = 8;
/// What excerpts end with.
const CUT: char = '…';

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
            for form in forms(value) {
                if !form.is_empty() && !patterns.iter().any(|(known, _)| *known == form) {
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

    /// An error's text, which may be an excerpt: a secret may begin where it was cut.
    pub(super) fn excerpt(&self, text: String) -> String {
        let mut text = self.text(text);
        let Some(kept) = text.strip_suffix(CUT) else { return text };
        let begun = |pattern: &str| {
            let ends = pattern.char_indices().map(|(at, _)| at).skip(MIN_SECRET_CHARS);
            ends.filter(|end| kept.ends_with(&pattern[..*end])).last()
        };
        let found = self.patterns.iter().filter_map(|(pattern, mark)| Some((begun(pattern)?, mark)));
        if let Some((length, mark)) = found.max_by_key(|(length, _)| *length) {
            text.truncate(kept.len() - length);
            text.push_str(mark);
            text.push(CUT);
        }
        text
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

/// The ways in which others write a value: in addresses, JSON (PHP escapes more of it), HTML, on one line, in hex, and
/// in base64 inside whatever stands around it.
fn forms(value: &str) -> Vec<String> {
    let quoted = Json::String(value.to_owned()).to_string();
    let json = quoted[1..quoted.len() - 1].to_owned();
    let slashed = json.replace('/', "\\/");
    let ascii = slashed.chars().map(|c| if c.is_ascii() { c.to_string() } else { utf16_escapes(c) }).collect();
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let apostrophes = html.replace('\'', "&#039;");
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    let (lower, upper) = (hex::encode(value), hex::encode_upper(value));
    let mut forms = vec![value.to_owned(), form_encoded(value), percent_encoded(value), json, slashed, ascii];
    forms.extend([html, apostrophes, line, lower, upper]);
    // Three places in a group of three bytes; the letters at both ends depend on the neighbours and are left.
    for before in 0..3 {
        let bytes = [&[0; 2][..before], value.as_bytes()].concat();
        let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        if last.saturating_sub(first) >= MIN_BASE64_CHARS {
            forms.extend(
                [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)].map(|text| text[first..last].into()),
            );
        }
    }
    forms
}

fn utf16_escapes(letter: char) -> String {
    letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
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
    fn what_others_write_in_another_way_is_replaced_as_well() {
        let value = "pa/ss\"wört' & <more>\n  x";
        let redactor = Redactor::new(&[("key".to_owned(), value.to_owned())]);
        let php = r#"pa\/ss\"w\u00f6rt' & <more>\n  x"#;
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("user:{value}"));
        for text in [
            json!({ "a": value }).to_string(),
            format!(r#"{{"a":"{php}"}}"#),
            "<b>pa/ss&quot;wört&#039; &amp; &lt;more&gt;\n  x</b>".to_owned(),
            "on one line pa/ss\"wört' & <more> x".to_owned(),
            format!("hex {} and {}", hex::encode(value), hex::encode_upper(value)),
        ] {
            let clean = redactor.text(text.clone());
            assert!(
                clean.contains("[secret:key]") && !clean.contains("ss") && !clean.contains("7061"),
                "{text}: {clean}"
            );
        }
        let clean = redactor.text(format!("Basic {basic}"));
        assert!(clean.contains("[secret:key]") && clean.len() < "Basic [secret:key]".len() + 12, "{clean}");
    }

    #[test]
    fn a_secret_that_an_excerpt_cuts_is_replaced() {
        let redactor = Redactor::new(&[("key".to_owned(), "made-up-secret".to_owned())]);
        for (text, expect) in [
            ("bad key made-up-sec…", "bad key [secret:key]…"),
            ("bad key made…", "bad key [secret:key]…"),
            ("bad key mad…", "bad key mad…"),
            ("bad key made-up-sec", "bad key made-up-sec"),
            ("made-up-secret and more…", "[secret:key] and more…"),
        ] {
            assert_eq!(redactor.excerpt(text.to_owned()), expect);
        }
    }

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
