//! The engine over memory storage, with time, network and randomness in the tests' hands.

mod approvals;
mod calls;
mod flow;
mod gates;
mod keys;
mod recovery;
mod schedules;
mod slots;
mod stores;
mod waits;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use cartwright_core::{
    Json,
    call::{CallError, ErrorClass},
    event::Source,
    id::{EventId, RunId, WorkflowId},
    run::row::{RunRow, RunStatus},
    secret::SecretMarks,
    time::Timestamp,
};
use cartwright_sandbox::{Limits, Sandbox};
use cartwright_storage::{MemoryStorage, RunFilter, Storage};
use cartwright_woo::{
    Secret, StoreSettings, Vault,
    transport::{HttpAnswer, HttpRequest, Transport, TransportError},
};
use parking_lot::Mutex;
use serde_json::{json, value::to_raw_value};
use tokio::time::Instant;

use crate::{
    Clock, Definition, Engine, Entropy, Incoming, Loaded, Options, Parts, RunDetail,
    outbound::{Outbound, OutboundRequest},
};

/// A clock that moves with tokio's, which the tests pause.
struct TestClock {
    start: Instant,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000).plus(self.start.elapsed())
    }
}

#[derive(Default)]
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (byte, from) in bytes.iter_mut().rev().zip(number.iter().rev()) {
            *byte = *from;
        }
    }
}

/// The outside world: answers from a script per URL, remembers what was asked.
#[derive(Default)]
pub(super) struct World {
    answers: Mutex<BTreeMap<String, VecDeque<Answer>>>,
    asked: Mutex<Vec<(String, String)>>,
    /// The bodies of what was asked.
    pub(super) bodies: Mutex<Vec<Json>>,
    /// What stores answer, in order; then 200 with an empty map.
    pub(super) store_answers: Mutex<VecDeque<(u16, Json)>>,
    /// Method, address and `Authorization` of every exchange with a store.
    pub(super) exchanges: Mutex<Vec<String>>,
}

pub(super) enum Answer {
    Err(CallError),
    /// Never answers.
    Hang,
}

impl World {
    pub(super) fn answer(&self, url: &str, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().insert(url.into(), answers.into_iter().collect());
    }

    /// URL and idempotency key of every call, in order.
    pub(super) fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().clone()
    }

    pub(super) fn urls(&self) -> Vec<String> {
        self.asked().into_iter().map(|(url, _)| url).collect()
    }
}

#[async_trait]
impl Outbound for World {
    async fn send(&self, request: OutboundRequest) -> Result<Json, CallError> {
        let url = request.spec["url"].as_str().unwrap_or_default().to_owned();
        let method = request.spec["method"].as_str().unwrap_or_default();
        let host = url.split('/').nth(2).unwrap_or_default().to_owned();
        (request.allow)(method, &host, 443).map_err(|missing| CallError::denied(&missing))?;
        self.asked.lock().push((url.clone(), request.idempotency_key));
        self.bodies.lock().push(request.spec["body"].clone());
        let answer = self.answers.lock().get_mut(&url).and_then(VecDeque::pop_front);
        match answer {
            None => Ok(json!({"status": 200, "headers": {}, "body": {"seen": request.spec.get("body")}})),
            Some(Answer::Err(error)) => Err(error),
            Some(Answer::Hang) => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Transport for World {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, TransportError> {
        let authorization = request.headers.iter().find(|(name, _)| *name == "authorization");
        let authorization = authorization.map(|(_, value)| value.as_str()).unwrap_or_default();
        let line = format!("{} {} {authorization}", request.method.as_str(), request.url);
        self.exchanges.lock().push(line.trim_end().to_owned());
        let (status, body) = self.store_answers.lock().pop_front().unwrap_or_else(|| (200, json!({})));
        let headers = vec![("content-type".to_owned(), "application/json; charset=UTF-8".to_owned())];
        Ok(HttpAnswer { status, headers, body: body.to_string().into() })
    }
}

pub(super) fn unavailable() -> Answer {
    Answer::Err(CallError { status: Some(503), ..CallError::retryable("status", "503 Service Unavailable") })
}

pub(super) fn lost() -> Answer {
    Answer::Err(CallError { class: ErrorClass::Unknown, ..CallError::r#final("connection", "cut after sending") })
}

/// An engine with its world.
pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) world: Arc<World>,
    pub(super) storage: Arc<MemoryStorage>,
    start: Instant,
    workflows: Vec<Loaded>,
    options: Options,
}

pub(super) fn workflow(id: &str, yaml: &str) -> Loaded {
    let id: WorkflowId = id.parse().expect("test ids are valid");
    let definition = Definition { id, source: yaml.into(), files: BTreeMap::new() };
    let (workflow, diagnostics) = definition.parse();
    let workflow = workflow.unwrap_or_else(|| panic!("the workflow is not valid: {diagnostics:#?}"));
    Loaded { definition, workflow }
}

impl Bench {
    pub(super) async fn new(workflows: &[(&str, &str)]) -> Self {
        let public_url = "https://engine.example".parse().ok();
        Self::with(workflows, Options { public_url, ..Options::default() }).await
    }

    pub(super) async fn with(workflows: &[(&str, &str)], options: Options) -> Self {
        let workflows = workflows.iter().map(|(id, yaml)| workflow(id, yaml)).collect();
        Self::over(MemoryStorage::new(), Arc::default(), Instant::now(), workflows, options).await
    }

    async fn over(
        storage: Arc<MemoryStorage>,
        world: Arc<World>,
        start: Instant,
        workflows: Vec<Loaded>,
        options: Options,
    ) -> Self {
        let marks = SecretMarks::new([7; 32]);
        let parts = Parts {
            storage: Arc::clone(&storage) as Arc<dyn Storage>,
            clock: Arc::new(TestClock { start }),
            entropy: Arc::new(Counter::default()),
            outbound: Arc::clone(&world) as Arc<dyn Outbound>,
            stores: Arc::clone(&world) as Arc<dyn Transport>,
            sandbox: Sandbox::new(Limits::default(), marks.clone()),
            marks,
            vault: Arc::new(Vault::in_memory().expect("randomness")),
            options: options.clone(),
        };
        let engine = Engine::start(parts, workflows.clone()).await.expect("it starts");
        Self { engine, world, storage, start, workflows, options }
    }

    /// The process dies here and another one starts on what storage has.
    pub(super) async fn crash(self) -> Self {
        let storage = self.storage.reopen();
        Self::over(storage, self.world, self.start, self.workflows, self.options).await
    }

    pub(super) async fn emit(&self, topic: &str, data: Json) -> EventId {
        let incoming = Incoming {
            topic: topic.into(),
            store: None,
            source: Source::Api,
            data: Arc::from(to_raw_value(&data).expect("JSON")),
            dedupe: None,
        };
        self.engine.accept(incoming).await.expect("accepted").id
    }

    /// Where the storage may be dead.
    pub(super) async fn try_emit(&self, topic: &str, data: Json) -> bool {
        let data = Arc::from(to_raw_value(&data).expect("JSON"));
        let incoming = Incoming { topic: topic.into(), store: None, source: Source::Api, data, dedupe: None };
        self.engine.accept(incoming).await.is_ok()
    }

    /// Connects a store; `keys`: with REST keys.
    pub(super) async fn connect(&self, id: &str, keys: bool) {
        let key = |text: &str| keys.then(|| Secret::new(text));
        let settings = StoreSettings {
            url: Some("https://shop.example".into()),
            rest_key: key("ck_1"),
            rest_secret: key("cs_2"),
            ..StoreSettings::default()
        };
        let id = id.parse().expect("a store id");
        self.engine.stores().add(id, &settings, self.engine.now(), |_| None).await.expect("added");
    }

    pub(super) async fn rows(&self) -> Vec<RunRow> {
        let mut rows = self.engine.runs(&RunFilter::default(), None, 100).await.expect("listed").items;
        rows.reverse();
        rows
    }

    /// Lets time pass until every run is in one of these states.
    pub(super) async fn until(&self, wanted: &[RunStatus]) -> Vec<RunRow> {
        for _ in 0..2_000 {
            let rows = self.rows().await;
            if !rows.is_empty() && rows.iter().all(|row| wanted.contains(&row.status)) {
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("runs did not reach {wanted:?}: {:#?}", self.rows().await)
    }

    pub(super) async fn one(&self, wanted: RunStatus) -> RunDetail {
        let rows = self.until(&[wanted]).await;
        assert_eq!(rows.len(), 1, "{rows:#?}");
        self.detail(&rows[0].id).await
    }

    pub(super) async fn detail(&self, run: &RunId) -> RunDetail {
        self.engine.run_detail(run).await.expect("read").expect("there")
    }
}

impl RunDetail {
    pub(super) fn step(&self, id: &str) -> &cartwright_core::run::steps::StepView {
        let found = self.steps.iter().find(|step| step.id.as_str() == id);
        found.unwrap_or_else(|| panic!("no step {id} in {:#?}", self.steps))
    }

    pub(super) fn output(&self) -> Json {
        match &self.journal.last().expect("a journal").what {
            cartwright_core::run::entry::What::RunFinished { output, .. } => output.clone(),
            other => panic!("the run has not ended: {other:?}"),
        }
    }
}
