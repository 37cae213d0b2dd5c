//! Amounts as WooCommerce keeps and prints them: exact decimals, half away from zero, printed with a fixed number of
//! places (`dp`). Amounts come from request bodies and product prices; they go into answers as strings.

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Number, Value};

/// Places of the shop's currency.
pub const PRICE_PLACES: u32 = 2;

/// Places WooCommerce keeps while it computes (`WC_ROUNDING_PRECISION`).
pub const INNER_PLACES: u32 = 6;

/// Rounded half away from zero, as PHP's `round()`.
pub fn round(amount: Decimal, places: u32) -> Decimal {
    amount.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
}

/// As an answer holds it: `round("1.5", 2)` is `"1.50"`.
pub fn print(amount: Decimal, places: u32) -> String {
    let mut rounded = round(amount, places);
    rounded.rescale(places);
    if rounded.is_zero() {
        rounded.set_sign_positive(true);
    }
    rounded.to_string()
}

/// What `wc_format_decimal` makes of a text or number: everything but digits, sign and point falls out, so `"14,75"`
/// becomes 1475. `None` when nothing is left.
pub fn read(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => return number.to_string().parse().ok(),
        _ => return None,
    };
    let kept: String = text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '-' | '.')).collect();
    kept.parse().ok()
}

/// A number in an answer: `10` for 10.00, `11.25` for 11.250.
pub fn number(amount: Decimal) -> Value {
    let text = amount.normalize().to_string();
    text.parse::<Number>().map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn dec(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    #[test]
    fn halves_go_away_from_zero_and_places_are_filled() {
        assert_eq!(print(dec("2.345"), 2), "2.35");
        assert_eq!(print(dec("-2.345"), 2), "-2.35");
        assert_eq!(print(dec("7"), 4), "7.0000");
        assert_eq!(print(dec("-0.001"), 2), "0.00");
    }

    #[test]
    fn a_comma_falls_out_of_an_amount_instead_of_being_a_point() {
        assert_eq!(read(&json!("3,20")), Some(dec("320")));
        assert_eq!(read(&json!("eleven")), None);
        assert_eq!(read(&json!(4.5)), Some(dec("4.5")));
        assert_eq!(read(&json!(null)), None);
    }

    #[test]
    fn numbers_lose_their_empty_places() {
        assert_eq!(number(dec("30.00")).to_string(), "30");
        assert_eq!(number(dec("9.950")).to_string(), "9.95");
        assert_eq!(number(dec("100")).to_string(), "100");
    }
}
