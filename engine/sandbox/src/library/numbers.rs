//! Numbers: reading them from text, rounding, money.

use rhai::{Dynamic, Engine, ImmutableString};
use rust_decimal::{Decimal, RoundingStrategy};

use super::operators::decimal;
use crate::{
    error::{Failure, fail},
    value::{exact_decimal, kind_of, shown},
};

/// Most digits after the point that can be asked for.
const MAX_DIGITS: i64 = 28;

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("number", |value: Dynamic| number(&value).map_err(fail))
        .register_fn("number", |value: Dynamic, default: Dynamic| Ok::<_, Failure>(number(&value).unwrap_or(default)))
        .register_fn("money", |value: Dynamic| money(&value, 2))
        .register_fn("money", |value: Dynamic, digits: i64| money(&value, digits))
        .register_fn("round", |value: Decimal| rounded(value, 0))
        .register_fn("round", |value: Decimal, digits: i64| rounded(value, digits))
        .register_fn("round", |value: i64| value)
        .register_fn("round", |value: i64, _: i64| value)
        .register_fn("floor", |value: i64| value)
        .register_fn("ceiling", |value: i64| value)
        .register_fn("int", |value: Dynamic| whole(&value))
        .register_fn("to_int", |value: Dynamic| whole(&value));
}

/// A number from a number or a text. Whole texts give whole numbers, all others exact decimals.
pub(super) fn number(value: &Dynamic) -> Result<Dynamic, String> {
    if value.is_int() || value.is_decimal() {
        return Ok(value.clone());
    }
    let Ok(text) = value.as_immutable_string_ref() else {
        return Err(format!("number(…) needs a text or a number, this is {}", kind_of(value)));
    };
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(Dynamic::from_int(whole));
    }
    exact_decimal(text)
        .map(Dynamic::from_decimal)
        .ok_or_else(|| format!("{} is not a number (write it like 1234.50)", shown(value)))
}

fn digits(digits: i64) -> Result<u32, Failure> {
    match u32::try_from(digits) {
        Ok(count) if digits <= MAX_DIGITS => Ok(count),
        _ => Err(fail(format!("the number of digits must be 0 to {MAX_DIGITS}"))),
    }
}

/// Half away from zero, as on invoices.
fn rounded(value: Decimal, to: i64) -> Result<Decimal, Failure> {
    Ok(value.round_dp_with_strategy(digits(to)?, RoundingStrategy::MidpointAwayFromZero))
}

/// `12.3` becomes the text `12.30`.
fn money(value: &Dynamic, to: i64) -> Result<ImmutableString, Failure> {
    let value = number(value).map_err(fail)?;
    let value = decimal(&value).ok_or_else(|| fail("this is not a number"))?;
    let places = usize::try_from(to).unwrap_or_default();
    Ok(format!("{:.places$}", rounded(value, to)?).into())
}

fn whole(value: &Dynamic) -> Result<i64, Failure> {
    let value = number(value).map_err(fail)?;
    let value = decimal(&value).ok_or_else(|| fail("this is not a number"))?;
    i64::try_from(value.trunc()).map_err(|_| fail("this is too large for a whole number"))
}
