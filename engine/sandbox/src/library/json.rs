//! JSON as text, and reaching into values by path.

use rhai::{Array, Dynamic, Engine, ImmutableString, Map};

use crate::{
    error::{Failure, fail},
    source::path::position,
    source::rewrite::{AT_FUNCTION, CAUGHT_FUNCTION, COPY_FUNCTION, OPTIONAL_FUNCTION},
    value::{Secrets, from_json, to_json},
};

/// Bytes of JSON text that a function reads or writes.
const MAX_BYTES: usize = 1 << 20;

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("json", |value: Dynamic| text(&value))
        .register_fn("to_json", |value: Dynamic| text(&value))
        .register_fn("to_json", |value: Map| text(&value.into()))
        .register_fn("to_string", |value: Map| text(&value.into()))
        .register_fn("to_string", |value: Array| text(&value.into()))
        .register_fn("parse_json", |text: ImmutableString| {
            if text.len() > MAX_BYTES {
                return Err(fail(format!("the text is longer than {MAX_BYTES} bytes")));
            }
            serde_json::from_str(&text).map(|json| from_json(&json)).map_err(|e| fail(format!("this is not JSON: {e}")))
        })
        .register_fn("get", |value: Dynamic, path: ImmutableString| get(&value, &path).unwrap_or_default())
        .register_fn("get", |value: Map, path: ImmutableString| get(&value.into(), &path).unwrap_or_default())
        .register_fn("get", |value: Dynamic, path: ImmutableString, default: Dynamic| {
            get(&value, &path).filter(|found| !found.is_unit()).unwrap_or(default)
        })
        .register_fn(OPTIONAL_FUNCTION, |value: Dynamic, name: ImmutableString| optional(&value, &name))
        .register_fn(COPY_FUNCTION, |value: Dynamic| value)
        .register_fn(CAUGHT_FUNCTION, caught)
        .register_fn(AT_FUNCTION, |value: Dynamic, key: Dynamic| at(&value, &key));
}

fn text(value: &Dynamic) -> Result<ImmutableString, Failure> {
    to_json(value, Secrets::Refuse, MAX_BYTES).map(|json| json.to_string().into()).map_err(fail)
}

/// Follows names and numbers joined by dots; `None` where one is missing. A key that holds the whole text goes first.
fn get(value: &Dynamic, path: &str) -> Option<Dynamic> {
    if let Some(found) = value.as_map_ref().ok().and_then(|map| map.get(path).cloned()) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let step = |next: &Dynamic| match rest {
        Some(rest) => get(next, rest),
        None => Some(next.clone()),
    };
    if let Ok(map) = value.as_map_ref() {
        return map.get(first).and_then(step);
    }
    let list = value.as_array_ref().ok()?;
    list.get(position(first.parse().ok()?, list.len())?).and_then(step)
}

/// A caught error: Rhai's own are maps that know their kind (`error`) but have no `code`.
fn caught(mut value: Dynamic) -> Dynamic {
    if let Some(mut map) = value.write_lock::<Map>()
        && map.contains_key("error")
        && map.contains_key("message")
        && !map.contains_key("code")
    {
        map.insert("code".into(), "script".into());
        map.insert("status".into(), Dynamic::UNIT);
    }
    value
}

/// `value?.name` where value is not `()`.
fn optional(value: &Dynamic, name: &str) -> Result<Dynamic, Failure> {
    match value.as_map_ref() {
        Ok(map) => Ok(map.get(name).cloned().unwrap_or_default()),
        Err(_) if name == "len" && value.is_array() => {
            Ok(value.as_array_ref().map_or(0, |list| list.len() as i64).into())
        }
        Err(_) => Err(fail(format!("{} has no `{name}`", crate::value::kind_of(value)))),
    }
}

/// `value?[key]` where value is not `()`.
fn at(value: &Dynamic, key: &Dynamic) -> Result<Dynamic, Failure> {
    if let (Ok(map), Ok(key)) = (value.as_map_ref(), key.as_immutable_string_ref()) {
        return Ok(map.get(key.as_str()).cloned().unwrap_or_default());
    }
    if let (Ok(list), Ok(at)) = (value.as_array_ref(), key.as_int()) {
        return Ok(position(at, list.len()).and_then(|at| list.get(at).cloned()).unwrap_or_default());
    }
    Err(fail(format!("{} cannot be indexed with {}", crate::value::kind_of(value), crate::value::kind_of(key))))
}
