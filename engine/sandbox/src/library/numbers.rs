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
        .register_fn("money", |value: Dynamic, currency: ImmutableString| money(&value, decimals(&currency)?))
        .register_fn("money", |value: Dynamic, digits: i64, point: ImmutableString, between: ImmutableString| {
            separated(&money(&value, digits)?, &point, &between)
        })
        .register_fn(
            "money",
            |value: Dynamic, currency: ImmutableString, point: ImmutableString, between: ImmutableString| {
                separated(&money(&value, decimals(&currency)?)?, &point, &between)
            },
        )
        .register_fn("cents", |value: Dynamic| cents(&value, 2))
        .register_fn("cents", |value: Dynamic, currency: ImmutableString| cents(&value, decimals(&currency)?))
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

/// Digits after the point of a currency, by ISO 4217.
fn decimals(currency: &str) -> Result<i64, Failure> {
    const NONE: [&str; 16] = [
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF",
    ];
    const THREE: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
    let code = currency.to_ascii_uppercase();
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(fail(format!("`{currency}` is not the code of a currency; write it like EUR")));
    }
    Ok(if NONE.contains(&code.as_str()) {
        0
    } else if THREE.contains(&code.as_str()) {
        3
    } else {
        2
    })
}

/// `1234567.50` with signs of one's own: `1.234.567,50`.
fn separated(amount: &str, point: &str, between: &str) -> Result<ImmutableString, Failure> {
    const SIGN_MAX_BYTES: usize = 8;
    if point.len() > SIGN_MAX_BYTES || between.len() > SIGN_MAX_BYTES {
        return Err(fail("the signs between digits have a few characters at most"));
    }
    let (sign, digits) = amount.strip_prefix('-').map_or(("", amount), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut text = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            text.push_str(between);
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push_str(point);
        text.push_str(fraction);
    }
    Ok(text.into())
}

/// In the currency's smallest unit, as payment services want it: `19.90` becomes `1990`.
fn cents(value: &Dynamic, places: i64) -> Result<i64, Failure> {
    let value = number(value).map_err(fail)?;
    let value = decimal(&value).ok_or_else(|| fail("this is not a number"))?;
    let factor = Decimal::from(10i64.pow(digits(places)?));
    let cents = rounded(value, places)?.checked_mul(factor).and_then(|cents| i64::try_from(cents).ok());
    cents.ok_or_else(|| fail("the amount is too large"))
}

fn whole(value: &Dynamic) -> Result<i64, Failure> {
    let value = number(value).map_err(fail)?;
    let value = decimal(&value).ok_or_else(|| fail("this is not a number"))?;
    i64::try_from(value.trunc()).map_err(|_| fail("this is too large for a whole number"))
}
