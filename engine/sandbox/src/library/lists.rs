//! Lists and maps: sums, extremes, groups, order, pieces. Nothing here changes its argument, except `sort`.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, FnPtr, ImmutableString, Map, NativeCallContext};

use super::{
    operators::{decimal, equal, order},
    pure,
};
use crate::{
    error::{Failure, fail},
    limits::OUTPUT_MAX_DEPTH,
    value::{kind_of, shown},
};

pub(super) fn register(engine: &mut Engine) {
    pure(engine, "sum", |list: &mut Array| sum(list));
    pure(engine, "sum", |ctx: NativeCallContext<'_>, list: &mut Array, by: Dynamic| sum(&keys(&ctx, list, &by)?));
    pure(engine, "min", |list: &mut Array| extreme(list, Ordering::Less));
    pure(engine, "max", |list: &mut Array| extreme(list, Ordering::Greater));
    pure(engine, "group_by", |ctx: NativeCallContext<'_>, list: &mut Array, by: Dynamic| group_by(&ctx, list, &by));
    // Rhai has a `sort_by` for functions that changes the list in place.
    pure(engine, "sort_by", |ctx: NativeCallContext<'_>, list: &mut Array, by: FnPtr| sort_by(&ctx, list, &by.into()));
    pure(engine, "sort_by", |ctx: NativeCallContext<'_>, list: &mut Array, by: Dynamic| sort_by(&ctx, list, &by));
    pure(engine, "unique", unique);
    pure(engine, "chunk", chunk);
    pure(engine, "contains", |list: &mut Array, value: Dynamic| contains(list, &value));
    pure(engine, "index_of", |list: &mut Array, value: Dynamic| {
        let found = list.iter().position(|item| equal(item, &value).unwrap_or(false));
        found.map_or(-1, |at| at as i64)
    });
    pure(engine, "join", |list: &mut Array| join(list, ""));
    pure(engine, "join", |list: &mut Array, between: ImmutableString| join(list, &between));
    pure(engine, "first", |list: &mut Array| list.first().cloned().unwrap_or_default());
    pure(engine, "last", |list: &mut Array| list.last().cloned().unwrap_or_default());
    pure(engine, "flatten", |list: &mut Array| {
        list.iter().flat_map(|item| item.clone().into_array().unwrap_or_else(|_| vec![item.clone()])).collect::<Array>()
    });
    pure(engine, "reduce", |ctx: NativeCallContext<'_>, list: &mut Array, by: FnPtr| {
        reduce(&ctx, list, &by, Dynamic::UNIT)
    });
    pure(engine, "reduce", |ctx: NativeCallContext<'_>, list: &mut Array, by: FnPtr, from: Dynamic| {
        reduce(&ctx, list, &by, from)
    });
    engine.register_fn("collect", |range: std::ops::Range<i64>| collect(range.start, range.end));
    engine.register_fn("collect", |range: std::ops::RangeInclusive<i64>| {
        collect(*range.start(), range.end().saturating_add(1))
    });
    engine.register_fn("sort", |list: &mut Array| {
        sorted(std::mem::take(list), |a, b| order(a, b).map_err(fail)).map(|done| *list = done)
    });
    engine.register_fn("sort", |ctx: NativeCallContext<'_>, list: &mut Array, by: FnPtr| {
        let compare = |a: &Dynamic, b: &Dynamic| {
            let answer: Dynamic = by.call_within_context(&ctx, (a.clone(), b.clone()))?;
            match (answer.as_int(), answer.as_bool()) {
                (Ok(number), _) => Ok(number.cmp(&0)),
                (_, Ok(before)) => Ok(if before { Ordering::Less } else { Ordering::Greater }),
                _ => Err(fail("the function given to sort must answer with a number: below 0, 0 or above 0")),
            }
        };
        sorted(list.clone(), compare).map(|done| *list = done)
    });
}

/// What `by` gives for each item: a function's answer, or the field of that name.
fn keys(ctx: &NativeCallContext<'_>, list: &Array, by: &Dynamic) -> Result<Array, Failure> {
    if let Some(function) = by.read_lock::<FnPtr>() {
        return list.iter().map(|item| function.call_within_context(ctx, (item.clone(),))).collect();
    }
    let Some(name) = by.as_immutable_string_ref().ok().map(|name| name.clone()) else {
        return Err(fail(format!("give a function or the name of a field, not {}", kind_of(by))));
    };
    let field = |item: &Dynamic| {
        let map = item.as_map_ref().map_err(|_| fail(format!("an item is {}, it has no `{name}`", kind_of(item))))?;
        map.get(name.as_str()).cloned().ok_or_else(|| fail(format!("an item has no `{name}`")))
    };
    list.iter().map(field).collect()
}

/// The sum of numbers and of texts that are numbers, exact; 0 for an empty list.
fn sum(list: &Array) -> Result<Dynamic, Failure> {
    let mut total = Dynamic::from_int(0);
    let overflow = || fail("the sum is too large");
    for item in list {
        let item = super::numbers::number(item).map_err(fail)?;
        total = match (total.as_int(), item.as_int()) {
            (Ok(a), Ok(b)) => a.checked_add(b).ok_or_else(overflow)?.into(),
            _ => match (decimal(&total), decimal(&item)) {
                (Some(a), Some(b)) => Dynamic::from_decimal(a.checked_add(b).ok_or_else(overflow)?),
                _ => return Err(fail("sum needs numbers")),
            },
        };
    }
    Ok(total)
}

fn extreme(list: &Array, wanted: Ordering) -> Result<Dynamic, Failure> {
    let mut best: Option<&Dynamic> = None;
    for item in list {
        best = match best {
            Some(best) if order(item, best).map_err(fail)? != wanted => Some(best),
            _ => Some(item),
        };
    }
    Ok(best.cloned().unwrap_or_default())
}

fn group_by(ctx: &NativeCallContext<'_>, list: &Array, by: &Dynamic) -> Result<Map, Failure> {
    let mut groups = Map::new();
    for (key, item) in keys(ctx, list, by)?.into_iter().zip(list.iter()) {
        let name = match key.as_immutable_string_ref() {
            Ok(text) => text.to_string(),
            Err(_) => shown(&key),
        };
        let group = groups.entry(name.into()).or_insert_with(|| Dynamic::from_array(Array::new()));
        if let Some(mut group) = group.write_lock::<Array>() {
            group.push(item.clone());
        }
    }
    Ok(groups)
}

fn sort_by(ctx: &NativeCallContext<'_>, list: &Array, by: &Dynamic) -> Result<Array, Failure> {
    let keys = keys(ctx, list, by)?;
    let positions = (0..list.len()).collect();
    let ordered = sorted(positions, |a: &usize, b: &usize| order(&keys[*a], &keys[*b]).map_err(fail))?;
    Ok(ordered.into_iter().map(|at| list[at].clone()).collect())
}

fn unique(list: &mut Array) -> Result<Array, Failure> {
    const MAX_ITEMS: usize = 5_000;
    if list.len() > MAX_ITEMS {
        return Err(fail(format!("unique takes at most {MAX_ITEMS} items")));
    }
    let mut kept = Array::new();
    for item in list.iter() {
        if !kept.iter().any(|other| equal(item, other).unwrap_or(false)) {
            kept.push(item.clone());
        }
    }
    Ok(kept)
}

fn chunk(list: &mut Array, size: i64) -> Result<Array, Failure> {
    match usize::try_from(size) {
        Ok(size) if size > 0 => Ok(list.chunks(size).map(|part| Dynamic::from_array(part.to_vec())).collect()),
        _ => Err(fail("the size of a chunk must be at least 1")),
    }
}

/// An error where no item has the type of `value`: a number looked for among texts is a mistake, not an absence.
fn contains(list: &Array, value: &Dynamic) -> Result<bool, Failure> {
    let mut problem = None;
    let mut compared = list.is_empty();
    for item in list {
        match equal(item, value) {
            Ok(true) => return Ok(true),
            Ok(false) => compared = true,
            Err(error) => problem = Some(error),
        }
    }
    match problem {
        Some(problem) if !compared => Err(fail(problem)),
        _ => Ok(false),
    }
}

fn join(list: &Array, between: &str) -> Result<ImmutableString, Failure> {
    const MAX_BYTES: usize = 1 << 20;
    let mut out = String::new();
    for (at, item) in list.iter().enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        out.push_str(&crate::value::render(item, crate::value::Secrets::Refuse, MAX_BYTES).map_err(fail)?);
        if out.len() > MAX_BYTES {
            return Err(fail(format!("the text would be longer than {MAX_BYTES} bytes")));
        }
    }
    Ok(out.into())
}

fn reduce(ctx: &NativeCallContext<'_>, list: &Array, by: &FnPtr, from: Dynamic) -> Result<Dynamic, Failure> {
    let mut result = from;
    for item in list {
        result = by.call_within_context(ctx, (result, item.clone()))?;
        if deeper_than(&result, OUTPUT_MAX_DEPTH) {
            return Err(fail(format!("lists and maps are nested more than {OUTPUT_MAX_DEPTH} levels deep")));
        }
    }
    Ok(result)
}

fn deeper_than(value: &Dynamic, levels: usize) -> bool {
    let Some(levels) = levels.checked_sub(1) else { return true };
    if let Ok(list) = value.as_array_ref() {
        return list.iter().any(|item| deeper_than(item, levels));
    }
    value.as_map_ref().is_ok_and(|map| map.values().any(|item| deeper_than(item, levels)))
}

fn collect(from: i64, to: i64) -> Result<Array, Failure> {
    const MAX_ITEMS: i64 = 10_000;
    if to.saturating_sub(from) > MAX_ITEMS {
        return Err(fail(format!("a list made from a range has at most {MAX_ITEMS} items")));
    }
    Ok((from..to).map(Dynamic::from_int).collect())
}

/// Stable merge sort: unlike the standard library's it can stop on an error and never panics on an order that is none.
fn sorted<T: Clone>(
    list: Vec<T>,
    mut compare: impl FnMut(&T, &T) -> Result<Ordering, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut from = list;
    let mut width = 1;
    while width < from.len() {
        let mut to = Vec::with_capacity(from.len());
        for pair in from.chunks(width * 2) {
            let (left, right) = pair.split_at(width.min(pair.len()));
            let (mut l, mut r) = (0, 0);
            while l < left.len() && r < right.len() {
                if compare(&left[l], &right[r])? == Ordering::Greater {
                    to.push(right[r].clone());
                    r += 1;
                } else {
                    to.push(left[l].clone());
                    l += 1;
                }
            }
            to.extend_from_slice(&left[l..]);
            to.extend_from_slice(&right[r..]);
        }
        from = to;
        width *= 2;
    }
    Ok(from)
}
