//! One value: how it is named in messages, and which texts and numbers are amounts and whole numbers.

use cartwright_core::Json;

/// Of a value quoted in a message, in characters.
const QUOTED_CHARS_MAX: usize = 40;
/// Of an amount given as a number: more of them come from a calculation in binary fractions, not from a price.
const NUMBER_DECIMALS_MAX: usize = 8;

/// How messages name a value: `the text "14,75"`, `the number 0.5`, `null`, `a list`.
pub(super) fn shape(value: &Json) -> String {
    match value {
        Json::Null => "null".into(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => format!("the number {}", shortened(&number.to_string())),
        Json::String(text) if text.is_empty() => "an empty text".into(),
        Json::String(text) => format!("the text \"{}\"", shortened(text)),
        Json::Array(_) => "a list".into(),
        Json::Object(_) => "a map".into(),
    }
}

fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(QUOTED_CHARS_MAX).collect();
    if chars.next().is_some() { format!("{start}…") } else { start }
}

/// What a whole number is, written as a number (`25`, `25.0`) or as text (`"25"`).
pub(super) fn integer(value: &Json) -> Option<i64> {
    let text = match value {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        Some(_) => return None,
        None => &text,
    };
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| whole.parse().ok()).flatten()
}

/// Why something is no amount.
pub(super) enum NoAmount {
    /// A decimal comma, or commas between thousands.
    Comma,
    /// A number that is no price: `1e30`, `0.30000000000000004`.
    Inexact,
    /// Letters, signs, spaces.
    Other,
    /// Neither text nor number.
    Type,
}

/// An amount as WooCommerce wants it: text with a point. Empty text (no price) stays. Numbers become text.
pub(super) fn amount(value: &Json) -> Result<String, NoAmount> {
    match value {
        Json::String(text) => {
            let text = text.trim();
            if text.is_empty() || is_decimal(text) {
                return Ok(text.to_owned());
            }
            Err(if text.contains(',') { NoAmount::Comma } else { NoAmount::Other })
        }
        Json::Number(number) => {
            let text = number.to_string();
            let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            if is_decimal(&text) && decimals <= NUMBER_DECIMALS_MAX { Ok(text) } else { Err(NoAmount::Inexact) }
        }
        _ => Err(NoAmount::Type),
    }
}

/// What was probably meant by a text with commas: `14,75` is 14.75, `1.234,50` and `1,234.50` are 1234.50.
pub(super) fn with_a_point(value: &Json) -> String {
    let text = value.as_str().unwrap_or_default();
    let decimals = text.rfind([',', '.']).map_or(text.len(), |at| at);
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).collect::<String>();
    let (whole, rest) = (digits(&text[..decimals]), digits(&text[decimals..]));
    // Three digits after the only comma may be thousands: better no guess.
    let guess = if rest.is_empty() { whole } else { format!("{whole}.{rest}") };
    if rest_is_clear(&guess) { guess } else { "14.75".into() }
}

fn rest_is_clear(guess: &str) -> bool {
    is_decimal(guess) && guess.split_once('.').is_some_and(|(_, decimals)| decimals.len() <= 2)
}

/// `14`, `14.75`, `-3.5`.
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    match text.split_once('.') {
        Some((whole, decimals)) => digits(whole) && digits(decimals),
        None => digits(text),
    }
}
