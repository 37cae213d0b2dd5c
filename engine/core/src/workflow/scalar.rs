//! What a plain word means: YAML 1.2's core schema, nothing of 1.1. `yes` and `no` are text, `1_000` is text, numbers
//! keep every digit.

use serde_json::Number;

use super::node::{Scalar, Style};
use crate::Json;

/// Longest number, in characters.
const MAX_NUMBER_BYTES: usize = 100;

impl Scalar {
    /// Whether it is nothing: an empty plain value, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// `true` or `false`, where it is one.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.text.as_str() {
            _ if self.style != Style::Plain => None,
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// A number, where it is one, with all its digits.
    pub(crate) fn number(&self) -> Option<Number> {
        if self.style != Style::Plain || self.text.len() > MAX_NUMBER_BYTES {
            return None;
        }
        json_number(&self.text)?.parse().ok()
    }

    /// Its value where any value can stand. `Err` for what JSON cannot express.
    pub(crate) fn json(&self) -> Result<Json, String> {
        if self.is_null() {
            return Ok(Json::Null);
        }
        if let Some(boolean) = self.boolean() {
            return Ok(Json::Bool(boolean));
        }
        if let Some(number) = self.number() {
            return Ok(Json::Number(number));
        }
        let infinite = self.text.trim_start_matches(['+', '-']).to_ascii_lowercase();
        if self.style == Style::Plain && (infinite == ".inf" || infinite == ".nan") {
            return Err(format!("`{}` is not a number that can be sent as JSON; quote it if text is meant", self.text));
        }
        Ok(Json::String(self.text.clone()))
    }
}

/// Whether a plain word is text, and nothing else.
pub(crate) fn reads_as_text(scalar: &Scalar) -> bool {
    matches!(scalar.json(), Ok(Json::String(_)))
}

/// The core schema's numbers as JSON writes them.
fn json_number(text: &str) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(octal) = text.strip_prefix("0o") {
        return octal
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| u128::from_str_radix(octal, 8).ok())
            .flatten()
            .map(|n| n.to_string());
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return hex
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| u128::from_str_radix(hex, 16).ok())
            .flatten()
            .map(|n| n.to_string());
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let whole_fine = digits(whole) || (whole.is_empty() && fraction.is_some_and(digits));
    let fraction_fine = fraction.is_none_or(|fraction| fraction.is_empty() || digits(fraction));
    let exponent_fine = exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    if !whole_fine || !fraction_fine || !exponent_fine {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let fraction =
        fraction.filter(|fraction| !fraction.is_empty()).map(|fraction| format!(".{fraction}")).unwrap_or_default();
    let exponent = exponent.map(|exponent| format!("e{exponent}")).unwrap_or_default();
    Some(format!("{sign}{whole}{fraction}{exponent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_follow_the_core_schema() {
        for (text, json) in [
            ("", "null"),
            ("~", "null"),
            ("null", "null"),
            ("true", "true"),
            ("False", "false"),
            ("yes", "\"yes\""),
            ("no", "\"no\""),
            ("on", "\"on\""),
            ("1_000", "\"1_000\""),
            ("1:30", "\"1:30\""),
            ("12", "12"),
            ("-12", "-12"),
            ("+12", "12"),
            ("0123", "123"),
            ("0o17", "15"),
            ("0x1F", "31"),
            ("0x+1", "\"0x+1\""),
            ("19.90", "19.90"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1e3"),
            ("-1.5E-3", "-1.5e-3"),
            ("1e", "\"1e\""),
            (".", "\".\""),
            ("-", "\"-\""),
            ("1.2.3", "\"1.2.3\""),
            ("123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
            ("2026-11-21", "\"2026-11-21\""),
        ] {
            let scalar = Scalar { text: text.to_owned(), style: Style::Plain };
            // `1e3` may come back as `1e+3`: the same number.
            assert_eq!(scalar.json().unwrap().to_string().replace("e+", "e"), json, "{text}");
        }
    }

    #[test]
    fn quotes_make_text_and_infinity_is_refused() {
        let quoted = Scalar { text: "12".to_owned(), style: Style::Quoted };
        assert_eq!(quoted.json(), Ok(Json::String("12".to_owned())));
        assert!(Scalar { text: ".inf".to_owned(), style: Style::Plain }.json().is_err());
        assert!(Scalar { text: "-.INF".to_owned(), style: Style::Plain }.json().is_err());
    }
}
