//! Plaintexts that a plugin was given, found again in what it gives out: in requests they become marks, which the engine
//! opens at sending, everywhere else they are blotted out, also where the plugin wrote them in another way.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use cartwright_core::{Json, secret::SecretMarks};

/// Shorter values are left alone: blotting out every `a` would destroy outputs and hide nothing.
const SECRET_MIN_CHARS: usize = 4;
/// Shorter pieces of base64 are left alone for the same reason.
const BASE64_MIN_CHARS: usize = 8;

/// A secret that the workflow was granted.
#[derive(Clone)]
pub struct PluginSecret {
    /// Its name.
    pub name: String,
    /// Its value; `None` when it was never set.
    pub plaintext: Option<String>,
}

impl std::fmt::Debug for PluginSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginSecret").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What to look for, longest first: a secret may stand inside another one.
#[derive(Default)]
pub(super) struct Plaintexts {
    /// Values with their marks.
    marked: Vec<(String, String)>,
    /// Values, however written, with what is shown instead.
    blotted: Vec<(String, String)>,
}

impl Plaintexts {
    pub(super) fn new(secrets: &[PluginSecret], marks: &SecretMarks) -> Self {
        let mut found = Self::default();
        for PluginSecret { name, plaintext } in secrets {
            let Some(value) = plaintext.as_deref().filter(|value| value.chars().count() >= SECRET_MIN_CHARS) else {
                continue;
            };
            let mark = marks.mark(name);
            let shown = marks.redact(&mark);
            found.marked.push((value.to_owned(), mark));
            found.blotted.extend(forms(value).into_iter().map(|form| (form, shown.clone())));
        }
        for list in [&mut found.marked, &mut found.blotted] {
            list.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        }
        found
    }

    /// A value with marks in place of plaintexts.
    pub(super) fn mark(&self, value: Json) -> Json {
        replaced(value, &self.marked)
    }

    /// A value without plaintexts.
    pub(super) fn blot(&self, value: Json) -> Json {
        replaced(value, &self.blotted)
    }

    /// A text without plaintexts.
    pub(super) fn blot_text(&self, text: String) -> String {
        replaced_text(text, &self.blotted)
    }
}

fn replaced_text(mut text: String, list: &[(String, String)]) -> String {
    for (what, with) in list {
        if text.contains(what.as_str()) {
            text = text.replace(what.as_str(), with);
        }
    }
    text
}

fn replaced(value: Json, list: &[(String, String)]) -> Json {
    if list.is_empty() {
        return value;
    }
    match value {
        Json::String(text) => Json::String(replaced_text(text, list)),
        Json::Array(items) => Json::Array(items.into_iter().map(|item| replaced(item, list)).collect()),
        Json::Object(map) => Json::Object(
            map.into_iter().map(|(key, value)| (replaced_text(key, list), replaced(value, list))).collect(),
        ),
        // A secret of digits may come out as a number.
        Json::Number(number) => {
            let text = number.to_string();
            match list.iter().find(|(what, _)| *what == text) {
                Some((_, with)) => Json::String(with.clone()),
                None => Json::Number(number),
            }
        }
        Json::Null | Json::Bool(_) => value,
    }
}

/// The ways in which a value is often written: as it is, in JSON, in addresses, in hex, and in base64 inside whatever
/// stands around it.
fn forms(value: &str) -> Vec<String> {
    let quoted = Json::String(value.to_owned()).to_string();
    let json = quoted[1..quoted.len() - 1].to_owned();
    let percent = |plain: fn(u8) -> bool| {
        value.bytes().fold(String::new(), |mut text, byte| {
            match plain(byte) {
                true => text.push(char::from(byte)),
                false => text.push_str(&format!("%{byte:02X}")),
            }
            text
        })
    };
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let form = percent(|byte| byte.is_ascii_alphanumeric() || b"*-._ ".contains(&byte)).replace(' ', "+");
    let mut forms =
        vec![value.to_owned(), json, percent(unreserved), form, hex::encode(value), hex::encode_upper(value)];
    // Three places in a group of three bytes; the letters at both ends depend on the neighbours and are left.
    for before in 0..3 {
        let bytes = [&[0; 2][..before], value.as_bytes()].concat();
        let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        if last.saturating_sub(first) >= BASE64_MIN_CHARS {
            let encoded = [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)];
            forms.extend(encoded.map(|text| text[first..last].to_owned()));
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plaintexts_are_found_however_they_are_written() {
        let marks = SecretMarks::new([3; 32]);
        let secret = PluginSecret { name: "key".into(), plaintext: Some("s3cr/et+\"x\"".into()) };
        let short = PluginSecret { name: "pin".into(), plaintext: Some("123".into()) };
        let plain = Plaintexts::new(&[secret, short], &marks);
        for text in [
            "s3cr/et+\"x\"",
            "s3cr/et+\\\"x\\\"",
            "s3cr%2Fet%2B%22x%22",
            "733363722f65742b227822",
            "733363722F65742B227822",
        ] {
            assert_eq!(plain.blot_text(format!("<{text}>")), "<${secret:key}>");
        }
        for before in ["", "u", "us", "user:"] {
            let encoded = STANDARD_NO_PAD.encode(format!("{before}s3cr/et+\"x\""));
            assert!(plain.blot_text(encoded.clone()).contains("${secret:key}"), "{encoded}");
        }
        assert_eq!(plain.blot(json!({"s3cr/et+\"x\"": [1, "123"]})), json!({"${secret:key}": [1, "123"]}));
        assert_eq!(plain.mark(json!("Bearer s3cr/et+\"x\"")), json!(format!("Bearer {}", marks.mark("key"))));
    }

    #[test]
    fn a_secret_of_digits_is_no_number_either() {
        let marks = SecretMarks::new([3; 32]);
        let plain = Plaintexts::new(&[PluginSecret { name: "n".into(), plaintext: Some("424242".into()) }], &marks);
        assert_eq!(plain.blot(json!([424_242, 4_242_420])), json!(["${secret:n}", 4_242_420]));
    }
}
