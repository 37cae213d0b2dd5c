//! Host calls outside of a component: answered by the stubs of the test harness that runs on this thread.

use serde_json::{Value, json};

use crate::{
    Failure,
    events::Awaited,
    http::{Request, Response},
    log::Level,
    random::MOST_BYTES_AT_ONCE,
    testing::{Stubs, WooRequest, with_stubs},
    woo::Method,
};

pub(crate) fn log(level: Level, message: &str) {
    with_stubs("log.emit", Value::Null, |stubs| stubs.log(level, message));
}

pub(crate) fn http_send(request: &Request) -> Result<Response, Failure> {
    let args =
        json!({ "method": request.method, "url": request.url, "headers": request.headers, "body": request.body });
    let stub = with_stubs("http.send", args, |stubs| stubs.http.take());
    let Some(mut stub) = stub else {
        missing(
            &format!("http ({} {})", request.method, request.url),
            ".http(|request| Ok(Response::text(200, \"{}\")))",
        )
    };
    let answer = stub(request);
    restore(|stubs| stubs.http = Some(stub));
    answer
}

pub(crate) fn woo(
    method: Method,
    store: Option<&str>,
    path: &str,
    query: Option<&str>,
    body: Option<&str>,
) -> Result<String, Failure> {
    let value = |text: Option<&str>| text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
    let request = WooRequest {
        method,
        store: store.map(str::to_owned),
        path: path.to_owned(),
        query: value(query),
        body: value(body),
    };
    let name = match method {
        Method::Get => "woo.get",
        Method::List => "woo.list",
        Method::Post | Method::Put | Method::Delete => "woo.write",
    };
    let args = json!({ "store": store, "path": path, "query": request.query, "body": request.body });
    let Some(mut stub) = with_stubs(name, args, |stubs| stubs.woo.take()) else {
        missing(&format!("{name} ({path})"), ".woo(|request| Ok(json!({ \"id\": 61 })))")
    };
    let answer = stub(&request);
    restore(|stubs| stubs.woo = Some(stub));
    Ok(answer?.to_string())
}

pub(crate) fn state_get(key: &str) -> Result<Option<String>, Failure> {
    with_stubs("state.get", json!({ "key": key }), |stubs| {
        Stubs::key(key)?;
        Ok(stubs.state.get(key).map(Value::to_string))
    })
}

pub(crate) fn state_set(key: &str, value: &str) -> Result<(), Failure> {
    let parsed = Stubs::value(value);
    with_stubs("state.set", json!({ "key": key, "value": parsed.as_ref().ok() }), |stubs| {
        Stubs::key(key)?;
        stubs.state.insert(key.to_owned(), parsed?);
        Ok(())
    })
}

pub(crate) fn state_compare_and_set(key: &str, expected: Option<&str>, value: &str) -> Result<bool, Failure> {
    let (expected, parsed) = (expected.map(Stubs::value).transpose()?, Stubs::value(value));
    let args = json!({ "key": key, "expected": expected, "value": parsed.as_ref().ok() });
    with_stubs("state.compare-and-set", args, |stubs| {
        Stubs::key(key)?;
        let parsed = parsed?;
        let same = stubs.state.get(key) == expected.as_ref();
        if same {
            stubs.state.insert(key.to_owned(), parsed);
        }
        Ok(same)
    })
}

pub(crate) fn state_increment(key: &str, by: i64) -> Result<i64, Failure> {
    with_stubs("state.increment", json!({ "key": key, "by": by }), |stubs| {
        Stubs::key(key)?;
        let now = match stubs.state.get(key) {
            None => 0,
            Some(value) => value
                .as_i64()
                .ok_or_else(|| Failure::Invalid(format!("what is kept under `{key}` is no whole number")))?,
        };
        let sum = now.checked_add(by).ok_or_else(|| Failure::Invalid(format!("`{key}` would become too large")))?;
        stubs.state.insert(key.to_owned(), sum.into());
        Ok(sum)
    })
}

pub(crate) fn state_delete(key: &str) -> Result<bool, Failure> {
    with_stubs("state.delete", json!({ "key": key }), |stubs| {
        Stubs::key(key)?;
        Ok(stubs.state.remove(key).is_some())
    })
}

pub(crate) fn now() -> u64 {
    with_stubs("clock.now", Value::Null, |stubs| stubs.now)
}

pub(crate) fn sleep(milliseconds: u64) {
    with_stubs("clock.sleep", json!({ "milliseconds": milliseconds }), |stubs| stubs.advance(milliseconds));
}

pub(crate) fn sleep_until(moment: u64) {
    with_stubs("clock.sleep-until", json!({ "moment": moment }), |stubs| {
        stubs.advance(moment.saturating_sub(stubs.now));
    });
}

pub(crate) fn random(length: u32) -> Vec<u8> {
    assert!(length as usize <= MOST_BYTES_AT_ONCE, "the host gives at most {MOST_BYTES_AT_ONCE} random bytes at once");
    with_stubs("random.bytes", json!({ "length": length }), |stubs| stubs.random(length as usize))
}

pub(crate) fn emit(topic: &str, data: &str) -> Result<String, Failure> {
    let data = Stubs::value(data)?;
    with_stubs("events.emit", json!({ "topic": topic, "data": data }), |stubs| Ok(stubs.emit(topic, data)))
}

pub(crate) fn wait_for(awaited: &Awaited) -> Result<Option<String>, Failure> {
    let args = json!({ "topic": awaited.topic, "condition": awaited.condition });
    match with_stubs("events.wait-for", args, |stubs| stubs.events.pop_front()) {
        None => missing(
            &format!("events.wait-for (`{}`)", awaited.topic),
            &format!(".event(\"{}\", json!({{}})), or .no_event() for a wait that ends in vain", awaited.topic),
        ),
        Some(None) => {
            let wait = awaited.timeout.unwrap_or_default().as_millis();
            restore(|stubs| stubs.advance(u64::try_from(wait).unwrap_or(u64::MAX)));
            Ok(None)
        }
        Some(Some((topic, event))) => {
            assert_eq!(topic, awaited.topic, "the plugin waits for another event than the test has next");
            Ok(Some(event.to_string()))
        }
    }
}

pub(crate) fn secret(name: &str) -> Result<String, Failure> {
    match with_stubs("secrets.get", json!({ "name": name }), |stubs| stubs.secrets.get(name).cloned()) {
        Some(secret) => Ok(secret),
        None => missing(&format!("secrets.get (`{name}`)"), &format!(".secret(\"{name}\", \"for tests\")")),
    }
}

/// As [`with_stubs`], for what follows a call that is noted already.
fn restore<T>(then: impl FnOnce(&mut Stubs) -> T) -> T {
    crate::testing::with_current(then)
}

fn missing(what: &str, how: &str) -> ! {
    panic!("the plugin calls {what} and the test has no answer; add to the harness: {how}")
}
