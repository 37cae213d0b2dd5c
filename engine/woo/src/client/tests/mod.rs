//! The client over a made-up store: a function from what is sent to what comes back.

mod auth;
mod calls;
mod documented;
mod lane;
mod paging;
mod parse;
mod rows;
mod taxonomy;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use cartwright_core::{Json, time::Timestamp, woo::WooRequest};
use parking_lot::Mutex;
use serde_json::json;

use super::{Ambience, Client, ClientOptions, Connection};
use crate::{
    seal::Secret,
    transport::{HttpAnswer, HttpRequest, Transport, TransportError},
};

pub(super) const NOW: i64 = 1_795_225_207_000;
pub(super) const KEY: &str = "ck_0123456789abcdef0123456789abcdef01234567";
pub(super) const SECRET: &str = "cs_76543210fedcba9876543210fedcba9876543210";

type Outcome = Result<HttpAnswer, TransportError>;

/// Answers as the test says and keeps what was sent.
pub(super) struct Shop {
    answer: Box<dyn Fn(&HttpRequest) -> Outcome + Send + Sync>,
    pub(super) sent: Mutex<Vec<HttpRequest>>,
    clock: AtomicI64,
}

#[async_trait]
impl Transport for Shop {
    async fn exchange(&self, request: HttpRequest) -> Outcome {
        self.sent.lock().push(request.clone());
        (self.answer)(&request)
    }
}

impl Shop {
    pub(super) fn new(answer: impl Fn(&HttpRequest) -> Outcome + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), sent: Mutex::default(), clock: AtomicI64::new(NOW) })
    }

    pub(super) fn client(self: &Arc<Self>) -> Client {
        self.client_with(ClientOptions::default())
    }

    pub(super) fn client_with(self: &Arc<Self>, options: ClientOptions) -> Client {
        let shop = Arc::clone(self);
        let now = move || Timestamp::from_millis(shop.clock.load(Ordering::Relaxed));
        let count = Mutex::new(0_u8);
        let random = move |buffer: &mut [u8]| {
            let mut count = count.lock();
            *count += 1;
            buffer.fill(*count);
        };
        Client::new(Arc::clone(self) as _, Ambience { now: Box::new(now), random: Box::new(random) }, options)
    }

    pub(super) fn pass(&self, millis: i64) {
        self.clock.fetch_add(millis, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> usize {
        self.sent.lock().len()
    }
}

pub(super) fn store(url: &str) -> Connection {
    Connection {
        id: "shop".parse().expect("an id"),
        url: url.parse().expect("a URL"),
        key: Secret::new(KEY),
        secret: Secret::new(SECRET),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "tests write `request(json!(…))`")]
pub(super) fn request(spec: Json) -> WooRequest {
    WooRequest::parse(&spec).expect("a request")
}

pub(super) fn get(path: &str) -> WooRequest {
    request(json!({ "path": path }))
}

pub(super) fn answer(status: u16, body: &str) -> HttpAnswer {
    HttpAnswer { status, headers: Vec::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
}

pub(super) fn with(mut answer: HttpAnswer, name: &str, value: &str) -> HttpAnswer {
    answer.headers.push((name.to_owned(), value.to_owned()));
    answer
}

pub(super) fn error(status: u16, code: &str, message: &str) -> HttpAnswer {
    answer(status, &json!({ "code": code, "message": message, "data": { "status": status } }).to_string())
}

/// What a header of the request says.
pub(super) fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

/// A parameter of the request's query.
pub(super) fn param(request: &HttpRequest, name: &str) -> Option<String> {
    request.url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}
