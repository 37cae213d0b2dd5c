//! Host calls of a component: our types become those of the generated bindings, and answers come back.

use std::time::Duration;

use crate::{
    Failure,
    bindings::cartwright::plugin::{
        clock, events, http, log as lines, random as dice, secrets, state, types, woo as stores,
    },
    events::Awaited,
    http::{Request, Response},
    log::Level,
    woo::Method,
};

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => lines::Level::Debug,
        Level::Info => lines::Level::Info,
        Level::Warn => lines::Level::Warn,
        Level::Error => lines::Level::Error,
    };
    lines::emit(level, message);
}

pub(crate) fn http_send(request: &Request) -> Result<Response, Failure> {
    let request = http::Request {
        method: request.method.clone(),
        url: request.url.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        timeout_ms: request.timeout.map(millis),
        expect: request.expect.clone(),
        idempotent: request.idempotent,
    };
    let http::Response { status, headers, body } = http::send(&request)?;
    Ok(Response { status, headers, body })
}

pub(crate) fn woo(
    method: Method,
    store: Option<&str>,
    path: &str,
    query: Option<&str>,
    body: Option<&str>,
) -> Result<String, Failure> {
    let answer = match method {
        Method::Get => stores::get(store, path, query),
        Method::List => stores::list(store, path, query),
        Method::Post => stores::write(store, stores::Method::Post, path, body, query),
        Method::Put => stores::write(store, stores::Method::Put, path, body, query),
        Method::Delete => stores::write(store, stores::Method::Delete, path, body, query),
    };
    Ok(answer?)
}

pub(crate) fn state_get(key: &str) -> Result<Option<String>, Failure> {
    Ok(state::get(key)?)
}

pub(crate) fn state_set(key: &str, value: &str) -> Result<(), Failure> {
    Ok(state::set(key, value)?)
}

pub(crate) fn state_compare_and_set(key: &str, expected: Option<&str>, value: &str) -> Result<bool, Failure> {
    Ok(state::compare_and_set(key, expected, value)?)
}

pub(crate) fn state_increment(key: &str, by: i64) -> Result<i64, Failure> {
    Ok(state::increment(key, by)?)
}

pub(crate) fn state_delete(key: &str) -> Result<bool, Failure> {
    Ok(state::delete(key)?)
}

pub(crate) fn now() -> u64 {
    clock::now()
}

pub(crate) fn sleep(milliseconds: u64) {
    clock::sleep(milliseconds);
}

pub(crate) fn sleep_until(moment: u64) {
    clock::sleep_until(moment);
}

pub(crate) fn random(length: u32) -> Vec<u8> {
    dice::bytes(length)
}

pub(crate) fn emit(topic: &str, data: &str) -> Result<String, Failure> {
    Ok(events::emit(topic, data)?)
}

pub(crate) fn wait_for(awaited: &Awaited) -> Result<Option<String>, Failure> {
    let awaited = events::Awaited {
        topic: awaited.topic.clone(),
        condition: awaited.condition.clone(),
        timeout_ms: awaited.timeout.map(millis),
        lookback_ms: awaited.lookback.map(millis),
    };
    Ok(events::wait_for(&awaited)?)
}

pub(crate) fn secret(name: &str) -> Result<String, Failure> {
    Ok(secrets::get(name)?)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<types::Failure> for Failure {
    fn from(failure: types::Failure) -> Self {
        match failure {
            types::Failure::Denied(grant) => Self::Denied(grant),
            types::Failure::Timeout => Self::Timeout,
            types::Failure::RateLimited(wait_ms) => Self::RateLimited { wait_ms },
            types::Failure::Rejected(types::Rejection { status, body }) => Self::Rejected { status, body },
            types::Failure::Invalid(text) => Self::Invalid(text),
            types::Failure::Unknown => Self::Unknown,
            types::Failure::Other(text) => Self::Other(text),
        }
    }
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Denied(grant) => Self::Denied(grant),
            Failure::Timeout => Self::Timeout,
            Failure::RateLimited { wait_ms } => Self::RateLimited(wait_ms),
            Failure::Rejected { status, body } => Self::Rejected(types::Rejection { status, body }),
            Failure::Invalid(text) => Self::Invalid(text),
            Failure::Unknown => Self::Unknown,
            Failure::Other(text) => Self::Other(text),
        }
    }
}
