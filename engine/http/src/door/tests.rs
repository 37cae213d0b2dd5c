//! The whole door over a real engine in memory: what each address takes, refuses and shows.

mod access;
mod account;
mod api;
mod approvals;
mod links;
mod audited;
mod hooks;
mod idempotent;
mod live;
mod manual;
mod matrix;
mod metrics;
mod people;
mod queries;
mod sign_in;
mod sync;
mod webhooks;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cartwright_core::{
    Json,
    call::CallError,
    secret::SecretMarks,
    time::Timestamp,
    workflow::{Workflow, parse},
};
use cartwright_run::{
    Clock, Definition, Engine, Loaded, Options, Parts, SystemClock, SystemEntropy,
    outbound::{HttpOutbound, NoTransport, Outbound, OutboundOptions, OutboundRequest},
    sandbox::{Limits, Sandbox},
    storage::MemoryStorage,
    woo::{Secret, StoreSettings, Vault},
};
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use sha2::Sha256;
use tower::ServiceExt;

use super::*;
use crate::describe::conform;

const TOKEN: &str = "the-administrators-token";
const SECRET: &str = "s3cr3t";
const PASSWORD: &str = "correct horse battery";

/// The machine's clock until it is stopped at a time.
#[derive(Default)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        match self.0.load(Relaxed) {
            0 => SystemClock.now(),
            stopped => Timestamp::from_millis(stopped),
        }
    }
}

/// An engine with a door.
struct House {
    clock: Arc<TestClock>,
    engine: Engine,
    storage: Arc<MemoryStorage>,
    router: Router,
    /// What was sent to hosts of `example`.
    sent: Arc<Mutex<Vec<Json>>>,
}

/// Hosts of `example` answer with nothing; the rest of the world is there.
struct World {
    sent: Arc<Mutex<Vec<Json>>>,
    real: HttpOutbound,
}

impl Outbound for World {
    fn send<'s, 'f>(
        &'s self,
        request: OutboundRequest,
    ) -> Pin<Box<dyn Future<Output = Result<Json, CallError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        let is_example = request.spec["url"].as_str().is_some_and(|url| url.starts_with("https://hooks.example/"));
        if !is_example {
            return self.real.send(request);
        }
        self.sent.lock().push(request.spec);
        Box::pin(async { Ok(serde_json::json!({ "status": 200, "headers": {}, "body": null })) })
    }
}

/// An answer.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The cookie it sets, as a browser sends it back.
    fn cookie(&self) -> String {
        let set = self.headers["set-cookie"].to_str().expect("text");
        set.split(';').next().expect("a pair").to_owned()
    }

    /// Status and code of a refusal.
    fn refusal(&self) -> (u16, String) {
        let kind = self.headers.get("content-type").map(|kind| kind.as_bytes());
        assert_eq!(kind, Some(&b"application/problem+json"[..]), "{self:?}");
        assert!(!self.body.contains(SECRET) && !self.body.contains(TOKEN), "{self:?}");
        (self.status.as_u16(), self.json()["code"].as_str().expect("a code").to_owned())
    }
}

fn load(id: &str, source: &str) -> Loaded {
    let id = id.parse().expect("a workflow id");
    let definition = Definition { id, source: source.to_owned(), files: Default::default() };
    let parsed = parse(definition.id.clone(), source, &|name: &str| Err(format!("no {name}")));
    let workflow: Workflow = parsed.workflow.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    Loaded { definition, workflow: Arc::new(workflow) }
}

impl House {
    async fn new(workflows: &[(&str, &str)]) -> Self {
        Self::with(workflows, |_| {}).await
    }

    async fn with(workflows: &[(&str, &str)], change: impl FnOnce(&mut Config)) -> Self {
        let storage = MemoryStorage::new();
        let clock = Arc::new(TestClock::default());
        let marks = SecretMarks::new([7; 32]);
        let real = HttpOutbound::new(OutboundOptions::default()).expect("a client");
        let sent = Arc::<Mutex<Vec<Json>>>::default();
        let public_url = "https://engine.example".parse().ok();
        let parts = Parts {
            storage: storage.clone(),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            outbound: Arc::new(World { sent: Arc::clone(&sent), real }),
            stores: Arc::new(NoTransport),
            sandbox: Sandbox::new(Limits::default(), marks.clone()),
            marks,
            vault: Arc::new(Vault::in_memory().expect("a vault")),
            options: Options { public_url, ..Options::default() },
        };
        let workflows = workflows.iter().map(|(id, source)| load(id, source)).collect();
        let engine = Engine::start(parts, workflows).await.expect("started");
        let settings = StoreSettings { webhook_secrets: vec![Secret::new(SECRET)], ..StoreSettings::default() };
        engine.stores().add("shop".parse().expect("an id"), &settings, engine.now(), |_| None).await.expect("added");
        let mut config = Config::local(AdminToken::new(TOKEN.as_bytes()));
        change(&mut config);
        Self { router: router(engine.clone(), config), engine, storage, clock, sent }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.router.clone().oneshot(request).await.expect("infallible");
        let (status, headers) = (answer.status(), answer.headers().clone());
        // A stream has no end to wait for.
        let endless = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let body = if endless { Body::empty() } else { answer.into_body() };
        let body = to_bytes(body, 10_000_000).await.expect("a body");
        let body = String::from_utf8(body.to_vec()).expect("text");
        conform::check(method.as_str(), &path, status, &headers, &body);
        Answer { status, headers, body }
    }

    async fn call(&self, method: &str, target: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let method: Method = method.parse().expect("a method");
        let mut request = Request::builder().method(method).uri(target);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "127.0.0.1:8080");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).expect("a request")).await
    }

    async fn api(&self, method: &str, target: &str, body: &str) -> Answer {
        let token = format!("Bearer {TOKEN}");
        self.call(method, &format!("/api/v1{target}"), &[("authorization", &token)], body.to_owned()).await
    }

    /// Stops the clock so much later than it is.
    fn later(&self, by: Duration) {
        self.clock.0.store(self.clock.now().plus(by).as_millis(), Relaxed);
    }

    /// Adds a store.
    async fn connect(&self, id: &str, tags: &[&str]) {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let settings = StoreSettings { webhook_secrets: vec![Secret::new(SECRET)], tags, ..StoreSettings::default() };
        self.engine
            .stores()
            .add(id.parse().expect("an id"), &settings, self.engine.now(), |_| None)
            .await
            .expect("added");
    }

    /// Makes a token.
    async fn token(&self, name: &str, scopes: &[&str], stores: Option<&[&str]>) -> String {
        let body = serde_json::json!({ "name": name, "scopes": scopes, "stores": stores });
        let made = self.api("POST", "/tokens", &body.to_string()).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["token"].as_str().expect("a token").to_owned()
    }

    /// Asks the API with a token.
    async fn with_token(&self, token: &str, method: &str, target: &str, body: &str) -> Answer {
        let token = format!("Bearer {token}");
        self.call(method, &format!("/api/v1{target}"), &[("authorization", &token)], body.to_owned()).await
    }

    /// Makes somebody a person with the first link; gives their cookie.
    async fn join(&self, name: &str) -> String {
        let link = self.engine.access().invite_first_owner(self.engine.now()).await.expect("invited");
        let body = format!("name={name}&password={}", PASSWORD.replace(' ', "+"));
        let joined = self.call("POST", &format!("/join/{link}"), &[], body).await;
        assert_eq!(joined.status, 303, "{joined:?}");
        joined.cookie()
    }

    async fn get(&self, target: &str) -> Json {
        let answer = self.api("GET", target, "").await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        answer.json()
    }

    async fn deliver(&self, topic: &str, body: &str) -> Answer {
        let signature = sign(body.as_bytes());
        let headers = [
            ("content-type", "application/json"),
            ("x-wc-webhook-topic", topic),
            ("x-wc-webhook-id", "5"),
            ("x-wc-webhook-delivery-id", "e856c21d"),
            ("x-wc-webhook-signature", &signature),
        ];
        self.call("POST", "/webhooks/shop", &headers, body.to_owned()).await
    }

    /// Nothing was accepted.
    async fn is_untouched(&self) {
        assert_eq!(self.get("/events").await["items"], serde_json::json!([]));
    }

    /// Asks until there is an answer; each time around the engine's tasks get their turn.
    async fn wait(&self, what: &str, target: &str, is: impl Fn(&Json) -> bool) -> Json {
        for _ in 0..10_000 {
            let shown = self.get(target).await;
            if is(&shown) {
                return shown;
            }
            tokio::task::yield_now().await;
        }
        panic!("waited in vain: {what}: {}", self.get(target).await)
    }
}

fn sign(body: &[u8]) -> String {
    let key: Hmac<Sha256> = Hmac::new_from_slice(SECRET.as_bytes()).expect("a key");
    BASE64.encode(key.chain_update(body).finalize().into_bytes())
}
