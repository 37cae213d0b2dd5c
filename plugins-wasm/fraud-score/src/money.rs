//! Amounts as the store's API writes them, compared exactly: text in, whole millionths inside.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

/// Decimals that are kept; the store's API gives at most six.
const SCALE: usize = 6;
/// Most digits before the point: enough for any order, far from any overflow.
const MOST_DIGITS: usize = 15;

/// An amount of money, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Amount(i128);

impl Amount {
    /// Reads `12.50`; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (sign, plain) = text.strip_prefix('-').map_or((1, text), |plain| (-1, plain));
        let (whole, part) = plain.split_once('.').unwrap_or((plain, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || whole.len() > MOST_DIGITS || part.len() > SCALE {
            return None;
        }
        let millionths: i128 = format!("{whole}{part:0<SCALE$}").parse().ok()?;
        Some(Self(sign * millionths))
    }

    /// More than nothing.
    pub(crate) fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether it is at least this many times the other.
    pub(crate) fn at_least(self, times: u32, other: Self) -> bool {
        self.0 >= other.0 * i128::from(times)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            D::Error::custom(format_args!("`{shown}` is no amount such as 12.50"))
        })
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
        json_schema!({ "type": "string", "pattern": "^-?[0-9]{1,15}(\\.[0-9]{1,6})?$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_compared_exactly() {
        let amount = |text| Amount::parse(text).expect(text);
        assert!(amount("0.3").at_least(3, amount("0.1")));
        assert!(!amount("0.299999").at_least(3, amount("0.1")));
        assert!(
            amount("-5").at_least(1, amount("-5.00"))
                && !amount("-5").is_positive()
                && amount("0.000001").is_positive()
        );
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "1.", ".5", "1,5", "+1", "1e3", "--1", "1234567890123456", "0.1234567", "12 "] {
            assert_eq!(Amount::parse(text), None, "{text} was taken");
        }
    }
}
