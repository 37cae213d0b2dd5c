//! `==`, `!=`, `<`, `<=`, `>`, `>=`: between values of the same type only, except that `==` and `!=` take `()` too.
//! Whole numbers and decimals are one type, texts and single characters are one type.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, FuncRegistration, ImmutableString, Map};
use rust_decimal::Decimal;

use super::dates::{Date, Span};
use crate::{
    error::{Failure, fail},
    secret::Secret,
    value::{WideNumber, kind_of},
};

/// Whether two values are equal; an error when their types differ and neither is `()`.
pub(crate) fn equal(a: &Dynamic, b: &Dynamic) -> Result<bool, String> {
    if a.is::<Secret>() || b.is::<Secret>() {
        return Err("a secret cannot be compared".into());
    }
    if a.is_unit() || b.is_unit() {
        return Ok(a.is_unit() && b.is_unit());
    }
    alike(a, b).ok_or_else(|| different(a, b))
}

/// Equality; `None` for different types. Inside lists and maps different types are merely unequal.
fn alike(a: &Dynamic, b: &Dynamic) -> Option<bool> {
    if let Some(order) = scalar_order(a, b) {
        return Some(order == Ordering::Equal);
    }
    let inner = |a: &Dynamic, b: &Dynamic| (a.is_unit() && b.is_unit()) || alike(a, b).unwrap_or(false);
    if let (Ok(a), Ok(b)) = (a.as_array_ref(), b.as_array_ref()) {
        return Some(a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| inner(a, b)));
    }
    if let (Ok(a), Ok(b)) = (a.as_map_ref(), b.as_map_ref()) {
        return Some(a.len() == b.len() && a.iter().zip(b.iter()).all(|((ka, a), (kb, b))| ka == kb && inner(a, b)));
    }
    if let (Some(a), Some(b)) = (a.read_lock::<WideNumber>(), b.read_lock::<WideNumber>()) {
        return (a.0 == b.0).then_some(true);
    }
    None
}

/// How two values are ordered; an error when they are not numbers, texts, dates or durations of the same type.
pub(crate) fn order(a: &Dynamic, b: &Dynamic) -> Result<Ordering, String> {
    scalar_order(a, b).ok_or_else(|| different(a, b))
}

fn scalar_order(a: &Dynamic, b: &Dynamic) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (decimal(a), decimal(b)) {
        return Some(a.cmp(&b));
    }
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return Some(a.as_str().cmp(b.as_str()));
    }
    if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        return Some(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (letters(a), letters(b)) {
        return Some(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Date>(), b.read_lock::<Date>()) {
        return Some(a.millis().cmp(&b.millis()));
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Span>(), b.read_lock::<Span>()) {
        return Some(a.millis().cmp(&b.millis()));
    }
    None
}

/// A number as a decimal.
pub(crate) fn decimal(value: &Dynamic) -> Option<Decimal> {
    match value.as_int() {
        Ok(number) => Some(number.into()),
        Err(_) => value.as_decimal().ok(),
    }
}

fn letters(value: &Dynamic) -> Option<ImmutableString> {
    match value.as_char() {
        Ok(letter) => Some(letter.to_string().into()),
        Err(_) => value.as_immutable_string_ref().ok().map(|text| text.clone()),
    }
}

fn different(a: &Dynamic, b: &Dynamic) -> String {
    let (left, right) = (kind_of(a), kind_of(b));
    let hint = match (left, right) {
        ("a number", "a text") | ("a text", "a number") => "; turn the text into a number with number(…)",
        ("()", _) | (_, "()") => "; give a default with ??",
        ("a date", "a text") | ("a text", "a date") => "; turn the text into a date with date(…)",
        _ => "",
    };
    format!("{left} cannot be compared with {right}{hint}")
}

pub(super) fn register(engine: &mut Engine) {
    macro_rules! comparison {
        ($name:literal, $test:expr) => {{
            let test = $test;
            operator(engine, $name, move |a: i64, b: i64| test(a.cmp(&b)));
            operator(engine, $name, move |a: Decimal, b: Decimal| test(a.cmp(&b)));
            operator(engine, $name, move |a: i64, b: Decimal| test(Decimal::from(a).cmp(&b)));
            operator(engine, $name, move |a: Decimal, b: i64| test(a.cmp(&Decimal::from(b))));
            operator(engine, $name, move |a: ImmutableString, b: ImmutableString| test(a.as_str().cmp(b.as_str())));
        }};
    }
    comparison!("==", Ordering::is_eq);
    comparison!("!=", Ordering::is_ne);
    comparison!("<", Ordering::is_lt);
    comparison!("<=", Ordering::is_le);
    comparison!(">", Ordering::is_gt);
    comparison!(">=", Ordering::is_ge);

    for (name, wanted) in [("==", true), ("!=", false)] {
        let test = move |a: Dynamic, b: Dynamic| equal(&a, &b).map(|same| same == wanted).map_err(fail);
        operator(engine, name, move |a: Dynamic, b: Dynamic| test(a, b));
        operator(engine, name, move |a: Array, b: Array| test(a.into(), b.into()));
        operator(engine, name, move |a: Map, b: Map| test(a.into(), b.into()));
        operator(engine, name, move |a: (), b: Dynamic| test(a.into(), b));
    }
    type Test = (&'static str, fn(Ordering) -> bool);
    let tests: [Test; 4] =
        [("<", Ordering::is_lt), ("<=", Ordering::is_le), (">", Ordering::is_gt), (">=", Ordering::is_ge)];
    for (name, test) in tests {
        operator(engine, name, move |a: Dynamic, b: Dynamic| order(&a, &b).map(test).map_err(fail));
    }
}

fn operator<A: 'static, const N: usize, const X: bool, R, const F: bool, FUNC>(
    engine: &mut Engine,
    name: &str,
    function: FUNC,
) where
    R: rhai::Variant + Clone,
    FUNC: rhai::RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    Result<R, Failure>: Sized,
{
    FuncRegistration::new(name).register_into_engine(engine, function);
}
