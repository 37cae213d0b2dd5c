//! `random::*`: randomness that replays.

use cartwright_core::{Json, call::CallKind};
use rust_decimal::Decimal;

use super::{Answer, FunctionSpec, Prepared, RandomKind, calls::Draws};

/// Bytes of one `random::bytes`.
const BYTES_MAX: u64 = 1_024;

const fn kind(
    name: &'static str,
    signature: &'static str,
    doc: &'static str,
    arguments: usize,
    kind: RandomKind,
    prepare: fn(&str, Vec<Json>) -> Result<Prepared, String>,
) -> FunctionSpec {
    FunctionSpec { name, signature, doc, arguments: arguments..=arguments, answer: Answer::Random(kind), prepare }
}

pub(super) const FUNCTIONS: &[FunctionSpec] = &[
    kind("random::int", "random::int(from, to)", "A whole number, both ends included.", 2, RandomKind::Int, int),
    kind(
        "random::decimal",
        "random::decimal()",
        "A number from 0 up to, not including, 1.",
        0,
        RandomKind::Decimal,
        any,
    ),
    kind("random::uuid", "random::uuid()", "A random UUID.", 0, RandomKind::Uuid, any),
    kind("random::choice", "random::choice(list)", "An item of a list.", 1, RandomKind::Choice, choice),
    kind(
        "random::bytes",
        "random::bytes(length)",
        "Random bytes, at most 1,024, as hexadecimal text. Not for keys: the journal holds them.",
        1,
        RandomKind::Bytes,
        bytes,
    ),
];

fn any(name: &str, args: Vec<Json>) -> Result<Prepared, String> {
    Ok(Prepared { kind: CallKind::Immediate, args, summary: name.to_owned() })
}

fn int(name: &str, args: Vec<Json>) -> Result<Prepared, String> {
    match (args.first().and_then(Json::as_i64), args.get(1).and_then(Json::as_i64)) {
        (Some(from), Some(to)) if from <= to => any(name, args),
        _ => Err("give two whole numbers, the smaller first".into()),
    }
}

fn choice(name: &str, args: Vec<Json>) -> Result<Prepared, String> {
    match args.first() {
        Some(Json::Array(list)) if !list.is_empty() => any(name, args),
        _ => Err("give a list that is not empty".into()),
    }
}

fn bytes(name: &str, args: Vec<Json>) -> Result<Prepared, String> {
    match args.first().and_then(Json::as_u64) {
        Some(0..=BYTES_MAX) => any(name, args),
        _ => Err(format!("give how many bytes, at most {BYTES_MAX}")),
    }
}

/// A random value. The bias is below 2^-64.
pub(super) fn draw(kind: RandomKind, args: &[Json], draws: &mut Draws) -> Result<Json, String> {
    if kind == RandomKind::Bytes {
        let length = args.first().and_then(Json::as_u64).unwrap_or_default().min(BYTES_MAX);
        let bytes = draws.bytes(usize::try_from(length).unwrap_or_default());
        return Ok(Json::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect()));
    }
    let bytes = draws.next();
    let number = u128::from_be_bytes(bytes);
    let below = |limit: u128| number % limit.max(1);
    let wrong = || "the arguments do not fit".to_owned();
    Ok(match kind {
        RandomKind::Int => {
            let from = i128::from(args.first().and_then(Json::as_i64).ok_or_else(wrong)?);
            let to = i128::from(args.get(1).and_then(Json::as_i64).ok_or_else(wrong)?);
            let span = u128::try_from(to - from + 1).map_err(|_| wrong())?;
            let value = from + i128::try_from(below(span)).map_err(|_| wrong())?;
            Json::from(i64::try_from(value).map_err(|_| wrong())?)
        }
        RandomKind::Decimal => {
            const DIGITS: u32 = 18;
            let value = i128::try_from(below(10u128.pow(DIGITS))).map_err(|_| wrong())?;
            let value = Decimal::from_i128_with_scale(value, DIGITS);
            Json::Number(value.to_string().parse().map_err(|_| wrong())?)
        }
        RandomKind::Uuid => {
            // RFC 9562, version 4: six bits are fixed.
            let mut bytes = bytes;
            bytes[6] = bytes[6] & 0x0f | 0x40;
            bytes[8] = bytes[8] & 0x3f | 0x80;
            let hex = format!("{:032x}", u128::from_be_bytes(bytes));
            let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
            Json::String(parts.join("-"))
        }
        RandomKind::Choice => {
            let list = args.first().and_then(Json::as_array).ok_or_else(wrong)?;
            let at = usize::try_from(below(list.len() as u128)).map_err(|_| wrong())?;
            list.get(at).cloned().ok_or_else(wrong)?
        }
        RandomKind::Bytes => return Err(wrong()),
    })
}
