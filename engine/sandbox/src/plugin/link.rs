//! The imports of a plugin, each a function of the registry: how its arguments become JSON, and its answer WIT values.

use std::future::poll_fn;
use std::task::Poll;

use cartwright_core::{Json, time::Timestamp};
use serde_json::{Map, json};
use wasmtime::{
    StoreContextMut,
    component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower},
};

use super::{
    bindings::{Awaited, Level, http, types::Failure, woo::Method},
    guest::Guest,
    inspect::CURRENT,
    session::{Asked, Ending},
    values::{member, optional, parsed, printed},
};

type Args = Result<Vec<Json>, Failure>;

/// A linker with every import that a plugin may have.
pub(super) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    let interface = |name: &str| format!("cartwright:plugin/{name}@{CURRENT}");

    linker.instance(&interface("types"))?;

    let mut log = linker.instance(&interface("log"))?;
    log.func_wrap_async("emit", |mut store, (level, message): (Level, String)| {
        Box::new(async move {
            let function = match level {
                Level::Debug => "log::debug",
                Level::Info => "log::info",
                Level::Warn => "log::warn",
                Level::Error => "log::error",
            };
            surely(&mut store, function, vec![Json::String(message)], |_| Ok(())).await.map(|((),)| ())
        })
    })?;

    let mut http = linker.instance(&interface("http"))?;
    define(
        &mut http,
        "send",
        "http::request",
        |(request,): (http::Request,)| Ok(vec![request_args(request)]),
        response,
    )?;

    let mut woo = linker.instance(&interface("woo"))?;
    type Read = (Option<String>, String, Option<String>);
    define(&mut woo, "get", "woo::get", |args: Read| read_args(args), |value| Ok(printed(value)))?;
    define(&mut woo, "list", "woo::all", |args: Read| read_args(args), |value| Ok(printed(value)))?;
    woo.func_wrap_async("write", |mut store, (other, method, path, body, query): Write| {
        Box::new(async move {
            let function = match method {
                Method::Post => "woo::post",
                Method::Put => "woo::put",
                Method::Delete => "woo::delete",
            };
            let args = write_args(other.as_deref(), method, path, body.as_deref(), query.as_deref());
            ask(&mut store, function, args, |value| Ok(printed(value))).await
        })
    })?;

    let mut state = linker.instance(&interface("state"))?;
    let key = |(key,): (String,)| Ok(vec![Json::String(key)]);
    define(&mut state, "get", "state::get", key, |value| Ok(optional(value)))?;
    define(&mut state, "delete", "state::delete", key, |value| Ok(*value == Json::Bool(true)))?;
    let set = |(key, value): (String, String)| Ok(vec![Json::String(key), parsed(&value, "the value")?]);
    define(&mut state, "set", "state::set", set, |_| Ok(()))?;
    define(
        &mut state,
        "compare-and-set",
        "state::compare_and_set",
        |(key, expected, value): (String, Option<String>, String)| {
            let expected = expected.map_or(Ok(Json::Null), |expected| parsed(&expected, "what is expected"))?;
            Ok(vec![Json::String(key), expected, parsed(&value, "the value")?])
        },
        |value| Ok(*value == Json::Bool(true)),
    )?;
    define(
        &mut state,
        "increment",
        "state::increment",
        |(key, by): (String, i64)| Ok(vec![Json::String(key), by.into()]),
        |value| value.as_i64().ok_or_else(|| Failure::Other(format!("the sum {value} is no whole number"))),
    )?;

    let mut clock = linker.instance(&interface("clock"))?;
    clock.func_wrap_async("now", |mut store, (): ()| {
        Box::new(async move { surely(&mut store, "clock::now", vec![], now).await })
    })?;
    clock.func_wrap_async("sleep", |mut store, (milliseconds,): (u64,)| {
        Box::new(async move {
            let duration = Json::String(format!("{milliseconds}ms"));
            surely(&mut store, "clock::sleep", vec![duration], |_| Ok(())).await.map(|((),)| ())
        })
    })?;
    clock.func_wrap_async("sleep-until", |mut store, (moment,): (u64,)| {
        Box::new(async move {
            let latest = Timestamp::MAX.as_millis();
            let moment = Timestamp::from_millis(i64::try_from(moment).unwrap_or(latest).min(latest));
            surely(&mut store, "clock::sleep", vec![Json::String(moment.to_string())], |_| Ok(())).await.map(|((),)| ())
        })
    })?;

    let mut random = linker.instance(&interface("random"))?;
    random.func_wrap_async("bytes", |mut store, (length,): (u32,)| {
        Box::new(async move { surely(&mut store, "random::bytes", vec![length.into()], bytes).await })
    })?;

    let mut events = linker.instance(&interface("events"))?;
    define(
        &mut events,
        "emit",
        "events::emit",
        |(topic, data): (String, String)| Ok(vec![Json::String(topic), parsed(&data, "the data")?]),
        |value| Ok(value.as_str().map_or_else(|| printed(value), str::to_owned)),
    )?;
    define(
        &mut events,
        "wait-for",
        "events::wait_for",
        |(awaited,): (Awaited,)| wait_args(&awaited),
        |value| Ok(optional(value)),
    )?;

    let mut secrets = linker.instance(&interface("secrets"))?;
    define(
        &mut secrets,
        "get",
        "secrets::get",
        |(name,): (String,)| Ok(vec![Json::String(name)]),
        |value| Ok(value.as_str().unwrap_or_default().to_owned()),
    )?;
    Ok(linker)
}

/// An import that gives a result.
fn define<P, R>(
    instance: &mut LinkerInstance<'_, Guest>,
    name: &str,
    function: &'static str,
    args: fn(P) -> Args,
    answer: fn(&Json) -> Result<R, Failure>,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + Send + 'static,
    R: Lower + Send + wasmtime::component::ComponentType + 'static,
{
    instance.func_wrap_async(name, move |mut store, params: P| {
        Box::new(async move { ask(&mut store, function, args(params), answer).await })
    })
}

/// Asks for a call; waits for it where it has to be made.
async fn ask<R>(
    store: &mut StoreContextMut<'_, Guest>,
    function: &'static str,
    args: Args,
    answer: fn(&Json) -> Result<R, Failure>,
) -> wasmtime::Result<(Result<R, Failure>,)> {
    let args = match args {
        Ok(args) => args,
        Err(failure) => return Ok((Err(failure),)),
    };
    let asked = store.data().session.lock().ask(function, args);
    let outcome = match asked {
        Asked::Answer(outcome) => outcome,
        Asked::End(ending) => return Err(ending.into()),
        Asked::Wait => {
            note_usage(store);
            let session = std::sync::Arc::clone(&store.data().session);
            poll_fn(|_| session.lock().answered().map_or(Poll::Pending, Poll::Ready)).await
        }
    };
    Ok((outcome.and_then(|value| answer(&value)),))
}

/// As [`ask`], for imports that cannot fail: a failure ends the guest.
async fn surely<R>(
    store: &mut StoreContextMut<'_, Guest>,
    function: &'static str,
    args: Vec<Json>,
    answer: fn(&Json) -> Result<R, Failure>,
) -> wasmtime::Result<(R,)> {
    match ask(store, function, Ok(args), answer).await? {
        (Ok(value),) => Ok((value,)),
        (Err(failure),) => {
            let message = super::failure::from_guest(&failure).message;
            Err(Ending::Wrong { function, message }.into())
        }
    }
}

/// Writes down what has been used, where only the store knows it.
fn note_usage(store: &StoreContextMut<'_, Guest>) {
    let fuel = store.get_fuel().unwrap_or_default();
    let guest = store.data();
    guest.note_usage(fuel);
}

fn request_args(request: http::Request) -> Json {
    let mut headers = Map::new();
    for (name, value) in request.headers {
        match headers.get_mut(&name) {
            Some(Json::Array(values)) => values.push(value.into()),
            Some(single) => *single = json!([single.take(), value]),
            None => drop(headers.insert(name, value.into())),
        }
    }
    let expect = (!request.expect.is_empty()).then_some(request.expect);
    json!({
        "method": request.method,
        "url": request.url,
        "headers": headers,
        "body": request.body,
        "timeout_ms": request.timeout_ms,
        "expect": expect,
        "idempotent": request.idempotent,
        "parse": "text",
    })
}

fn response(value: &Json) -> Result<http::Response, Failure> {
    let broken = || Failure::Other("the recorded answer is no HTTP answer".into());
    let status = value.get("status").and_then(Json::as_u64).and_then(|status| u16::try_from(status).ok());
    let mut headers = Vec::new();
    for (name, values) in value.get("headers").and_then(Json::as_object).into_iter().flatten() {
        let values = match values {
            Json::Array(values) => values.as_slice(),
            single => std::slice::from_ref(single),
        };
        headers.extend(values.iter().map(|value| (name.clone(), text(value))));
    }
    let body = value.get("body").map(text).unwrap_or_default();
    Ok(http::Response { status: status.ok_or_else(broken)?, headers, body })
}

/// Text as it is, nothing for `null`, anything else as JSON.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

fn read_args((store, path, query): (Option<String>, String, Option<String>)) -> Args {
    Ok(vec![Json::String(path), member(query.as_deref(), "the query")?, json!({ "store": store })])
}

type Write = (Option<String>, Method, String, Option<String>, Option<String>);

fn write_args(store: Option<&str>, method: Method, path: String, body: Option<&str>, query: Option<&str>) -> Args {
    let body = member(body, "the body")?;
    let query = member(query, "the query")?;
    Ok(match method {
        Method::Delete => vec![Json::String(path), query, json!({ "store": store, "body": body })],
        Method::Post | Method::Put => vec![Json::String(path), body, json!({ "store": store, "query": query })],
    })
}

fn wait_args(awaited: &Awaited) -> Args {
    Ok(vec![json!({
        "event": awaited.topic,
        "if": awaited.condition,
        "timeout_ms": awaited.timeout_ms,
        "lookback_ms": awaited.lookback_ms,
    })])
}

fn now(value: &Json) -> Result<u64, Failure> {
    let moment = value.as_str().and_then(Timestamp::parse);
    let millis = moment.and_then(|moment| u64::try_from(moment.as_millis()).ok());
    millis.ok_or_else(|| Failure::Other("the recorded time is no time".into()))
}

fn bytes(value: &Json) -> Result<Vec<u8>, Failure> {
    let bytes = value.as_str().and_then(|text| hex::decode(text).ok());
    bytes.ok_or_else(|| Failure::Other("the recorded bytes are no bytes".into()))
}
