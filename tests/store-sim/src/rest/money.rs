//! Prices as WooCommerce stores them: text, cleaned without a word.

use rust_decimal::Decimal;
use serde_json::Value;

/// `wc_format_decimal`: keeps digits, minus signs and the last point; so `14,75` becomes `1475` and `abc` nothing.
pub fn cleaned(value: &Value) -> String {
    let text = super::params::php_text(value);
    let kept: Vec<char> = text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | '-')).collect();
    let last_point = kept.iter().rposition(|c| *c == '.').filter(|at| at + 1 < kept.len());
    let stays = |(at, c): (usize, &char)| (*c != '.' || Some(at) == last_point).then_some(*c);
    kept.iter().enumerate().filter_map(stays).collect()
}

/// A price to compute with; nothing where there is none.
pub fn parsed(text: &str) -> Option<Decimal> {
    text.parse().ok()
}

/// A currency's symbol as HTML; its letters where nobody wrote one down.
pub fn entity(currency: &str) -> &str {
    match currency {
        "EUR" => "&euro;",
        "USD" => "&#36;",
        "GBP" => "&pound;",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prices_are_damaged_as_in_the_original() {
        let check = |value: Value, expect: &str| assert_eq!(cleaned(&value), expect, "{value}");
        check(json!("14.75"), "14.75");
        check(json!("14,75"), "1475");
        check(json!("abc"), "");
        check(json!("1.234.5"), "1234.5");
        check(json!("14."), "14");
        check(json!(12.5), "12.5");
        check(json!("\u{20ac} 3"), "3");
        check(Value::Null, "");
    }
}
