//! Amounts as they come in JSON: texts as WooCommerce writes them, or numbers as people write them in YAML. Both become
//! exact decimals; money is never counted in binary fractions.

use std::borrow::Cow;

use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// Largest amount. With the next limit a product of an amount, a rate and a scale has at most 27 digits; a decimal has 28.
const MAX: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);
/// Most decimals.
const MAX_SCALE: u32 = 6;

/// An amount or a rate, not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount(pub Decimal);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A number's own text is its shortest one, so what people wrote with up to 15 digits is what is read here.
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            other => return Err(D::Error::custom(format_args!("an amount is a text such as \"12.50\", not {other}"))),
        };
        parse(&text).map(Self).map_err(D::Error::custom)
    }
}

/// Reads `12.50`.
fn parse(text: &str) -> Result<Decimal, String> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && text.bytes().any(|b| b.is_ascii_digit());
    let shown = || text.chars().take(40).collect::<String>();
    let amount = plain.then(|| Decimal::from_str_exact(text).ok()).flatten();
    match amount {
        None => Err(format!("`{}` is no amount such as 12.50", shown())),
        Some(amount) if amount > MAX || amount.normalize().scale() > MAX_SCALE => {
            Err(format!("`{}` is too large or has more than {MAX_SCALE} decimals", shown()))
        }
        Some(amount) => Ok(amount.normalize()),
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"], "pattern": "^([0-9]+\\.?[0-9]*|\\.[0-9]+)$", "minimum": 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_however_they_are_written() {
        for (text, expected) in
            [("\"12.50\"", "12.5"), ("12.50", "12.5"), ("0.1", "0.1"), ("7", "7"), ("\".99\"", "0.99")]
        {
            let amount: Amount = serde_json::from_str(text).expect(text);
            assert_eq!(amount.0.to_string(), expected);
        }
        assert_eq!(MAX.to_string(), "1000000000");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "\"\"",
            "\".\"",
            "\"1,50\"",
            "\"-1\"",
            "-1",
            "\"1e3\"",
            "1e300",
            "\"1.2.3\"",
            "null",
            "[]",
            "\"0.1234567\"",
            "1000000001",
        ] {
            assert!(serde_json::from_str::<Amount>(text).is_err(), "{text} was taken");
        }
    }
}
