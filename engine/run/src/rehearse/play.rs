//! Plays a scene: starts an engine in virtual time, lets happen what happens, and waits until nothing moves any more.

use std::{sync::Arc, time::Duration};

use cartwright_core::{
    Json,
    id::{StoreId, WorkflowId},
    run::{entry::TimerKind, row::RunStatus},
    secret::SecretMarks,
    shard::ShardId,
    testing::step_id,
    time::Timestamp,
};
use cartwright_sandbox::Sandbox;
use cartwright_storage::{
    EventFilter, Expect, MemoryStorage, NewEvent, RecordWrite, RunFilter, Storage, StorageError, StoredEvent, Table,
};
use cartwright_woo::{Secret, StoreSettings, Vault};

use super::{
    scene::{Happens, Refused, Scene},
    stand_in::{StandIn, Stands},
    time::{Repeatable, VirtualClock},
};
use crate::{
    OperatorError,
    accept::{AcceptError, Incoming},
    clock::Clock,
    engine::{Engine, Options, Parts, RunDetail, StartError},
    outbound::{NoTransport, Outbound, OutboundRequest},
    plugin::PluginHost,
    secrets::SecretError,
    stores::StoreError,
};

/// Everything that needs no time is done once this has passed in virtual time.
const MOMENT: Duration = Duration::from_millis(1);
/// The first look at something that takes time and has no timer, such as a slow answer; each next one waits twice as long.
const FIRST_LOOK: Duration = Duration::from_millis(10);
/// Looks at one scene. Each goes to the next timer, so this bounds loops, not time.
const LOOKS_MAX: u32 = 20_000;
/// Virtual time that a scene may take.
const TIME_MAX: Duration = Duration::from_secs(3 * 366 * 24 * 3600);
const PAGE: usize = 500;
/// Who cancels, retries and, where nobody else is named, answers.
pub(super) const BY: &str = "test";

/// Why a scene could not be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// No runtime.
    #[error("cannot start a runtime: {0}")]
    Runtime(#[from] std::io::Error),
    /// The engine did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Storage in memory refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A store is not valid.
    #[error("a store cannot be connected: {0}")]
    Store(#[from] StoreError),
    /// A secret is not valid.
    #[error("a secret cannot be set: {0}")]
    Secret(#[from] SecretError),
    /// The workflow's state is not valid.
    #[error("the state cannot be set: {0}")]
    State(String),
    /// The event was refused.
    #[error(transparent)]
    Accept(#[from] AcceptError),
    /// A key could not be made.
    #[error("cannot make a key: {0}")]
    Vault(String),
    /// An answer, and nobody asks.
    #[error("nobody is asked for approval by the step `{0}` at the time of the answer")]
    NobodyAsks(String),
    /// The answer was refused.
    #[error(transparent)]
    Answer(#[from] OperatorError),
    /// It goes on and on.
    #[error("it does not come to rest: after {looks} looks and {passed:?} of virtual time something still moves")]
    Restless {
        /// How often it was looked.
        looks: u32,
        /// Virtual time that passed.
        passed: Duration,
    },
}

/// What came of a scene.
#[derive(Debug)]
pub struct Played {
    /// All runs with their journals, in order of start.
    pub runs: Vec<RunDetail>,
    /// All events, in order of acceptance.
    pub events: Vec<StoredEvent>,
    /// What the tested workflow remembers.
    pub state: Vec<(String, Json)>,
    /// As [`Scene::brings`] says.
    pub brought: Vec<Result<(), Refused>>,
}

/// What a scene is played with.
#[derive(Clone)]
pub struct Means {
    /// The expression language and scripts.
    pub sandbox: Sandbox,
    /// The same marks that the sandbox and the plugins were given.
    pub marks: SecretMarks,
    /// Executes plugins; `None`: steps that call one fail.
    pub plugins: Option<PluginHost>,
}

/// Plays a scene on this thread, which must not be in a runtime. Takes milliseconds, however long it is in virtual time.
pub fn play(scene: Scene, means: &Means, answers: Arc<dyn Stands>) -> Result<Played, PlayError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(Box::pin(play_inside(scene, means.clone(), answers)))
}

/// What a stand-in makes unreachable.
struct Nowhere;

#[async_trait::async_trait]
impl Outbound for Nowhere {
    async fn send(&self, _request: OutboundRequest) -> Result<Json, cartwright_core::call::CallError> {
        Err(cartwright_core::call::CallError::r#final("denied", "nothing is sent here"))
    }
}

async fn play_inside(
    scene: Scene,
    Means { sandbox, marks, plugins }: Means,
    answers: Arc<dyn Stands>,
) -> Result<Played, PlayError> {
    let storage = MemoryStorage::new();
    let clock = Arc::new(VirtualClock::new(scene.begins));
    let years = Duration::from_secs(100 * 366 * 24 * 3600);
    let stand_in = Some(StandIn(answers));
    let options = Options { keep_for: years, keep_audit_for: years, stand_in, plugins, ..Options::default() };
    let parts = Parts {
        storage: storage.clone(),
        clock: clock.clone(),
        entropy: Arc::new(Repeatable::default()),
        outbound: Arc::new(Nowhere),
        stores: Arc::new(NoTransport),
        sandbox,
        marks,
        vault: Arc::new(Vault::in_memory().map_err(|error| PlayError::Vault(error.to_string()))?),
        options,
    };
    let engine = Engine::start(parts, scene.workflows).await?;
    furnish(&engine, storage.as_ref(), &scene.tested, &scene.stores, &scene.secrets, &scene.state).await?;
    let stage = Stage { engine: &engine, storage: storage.as_ref(), clock: clock.as_ref() };
    let mut looks = 0;
    for (after, what) in scene.happens {
        stage.settle(Some(scene.begins.plus(after)), &mut looks).await?;
        stage.happen(what).await?;
    }
    stage.settle(None, &mut looks).await?;
    let played = stage.gather(&scene.tested).await?;
    Ok(Played { brought: scene.brings, ..played })
}

async fn furnish(
    engine: &Engine,
    storage: &MemoryStorage,
    tested: &WorkflowId,
    stores: &[(StoreId, Vec<String>)],
    secrets: &[(String, String)],
    state: &[(String, Json)],
) -> Result<(), PlayError> {
    for (id, tags) in stores {
        let settings = StoreSettings {
            url: Some(format!("https://{id}.example")),
            tags: tags.clone(),
            rest_key: Some(Secret::new("ck_test")),
            rest_secret: Some(Secret::new("cs_test")),
            ..StoreSettings::default()
        };
        engine.stores().add(id.clone(), &settings, engine.now(), |_| None).await?;
    }
    for (name, value) in secrets {
        engine.secrets().set(name, &Secret::new(value.clone()), engine.now(), |_| None).await?;
    }
    let write = |(key, value): &(String, Json)| RecordWrite {
        table: Table::State,
        key: format!("{tested}\0{key}"),
        expect: Expect::Any,
        value: Some(value.to_string().into_bytes()),
    };
    if !state.is_empty() {
        let written = storage.write_records(state.iter().map(write).collect()).await;
        written.map_err(|error| PlayError::State(error.to_string()))?;
    }
    Ok(())
}

struct Stage<'a> {
    engine: &'a Engine,
    storage: &'a MemoryStorage,
    clock: &'a VirtualClock,
}

impl Stage<'_> {
    async fn happen(&self, what: Happens) -> Result<(), PlayError> {
        match what {
            Happens::Event { topic, store, source, data } => {
                let incoming = Incoming { topic, store, source, data, dedupe: None };
                self.engine.accept(incoming).await?;
            }
            Happens::Recorded(event) => {
                self.engine.inner.accept_event(NewEvent { event: *event, dedupe: None }).await?;
            }
            Happens::Cancel => {
                for run in self.runs(|status| !status.is_ended()).await? {
                    // One that ended in the same moment cannot be cancelled any more.
                    let _ended = self.engine.cancel(&run.row.id, BY).await;
                }
            }
            Happens::Retry => {
                let stuck = |status| matches!(status, RunStatus::Parked | RunStatus::Failed);
                for run in self.runs(stuck).await? {
                    let _moved = self.engine.retry(&run.row.id, BY, false).await;
                }
            }
            Happens::RetryIterations(which) => {
                let still = |status| matches!(status, RunStatus::Parked | RunStatus::Failed | RunStatus::Succeeded);
                for run in self.runs(still).await? {
                    let _moved = self.engine.retry_iterations(&run.row.id, BY, which.clone()).await;
                }
            }
            Happens::Approve { step, approved, by, comment, must } => {
                let asked = self.engine.approvals(None, PAGE).await?.items;
                let meant = |path: &str| path == step || step_id(path) == step;
                let asked: Vec<_> = asked.into_iter().filter(|one| meant(one.step.as_str())).collect();
                if asked.is_empty() && must {
                    return Err(PlayError::NobodyAsks(step));
                }
                for one in asked {
                    self.engine.answer(&one.run, one.step, approved, &by, comment.clone()).await?;
                }
            }
        }
        Ok(())
    }

    /// Lets time pass until a moment, or until nothing moves and nothing is due.
    async fn settle(&self, until: Option<Timestamp>, looks: &mut u32) -> Result<(), PlayError> {
        let (begun, mut pause) = (self.clock.now(), FIRST_LOOK);
        loop {
            let now = self.clock.now();
            if until.is_some_and(|until| now >= until) {
                return Ok(());
            }
            tokio::time::sleep(until.map_or(MOMENT, |until| MOMENT.min(until.since(now)))).await;
            let now = self.clock.now();
            let counts = self.storage.counts().await?;
            let [queued, running, ..] = counts.runs;
            let moves = queued + running + counts.inbox + counts.outbox > 0;
            let due = self.next_due().await?;
            let next = match (due, until) {
                (None, None) if !moves => return Ok(()),
                (Some(due), Some(until)) => due.min(until),
                (due, until) => due.or(until).unwrap_or(Timestamp::MAX),
            };
            *looks += 1;
            if *looks > LOOKS_MAX || now.since(begun) > TIME_MAX {
                return Err(PlayError::Restless { looks: *looks, passed: now.since(begun) });
            }
            let mut wait = next.since(now);
            if moves {
                wait = wait.min(pause);
                pause = pause.saturating_mul(2);
            } else {
                pause = FIRST_LOOK;
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// When the next timer is due that moves something: a parked run's are for after people had their time.
    async fn next_due(&self) -> Result<Option<Timestamp>, StorageError> {
        let mut earliest: Option<Timestamp> = None;
        for shard in ShardId::all() {
            let Some(first) = self.storage.next_timer(shard).await? else { continue };
            if earliest.is_some_and(|earliest| earliest <= first) {
                continue;
            }
            for timer in self.storage.due_timers(shard, Timestamp::MAX, PAGE).await? {
                let is_expiry = timer.key.kind == TimerKind::ParkExpiry;
                let parked = async {
                    let row = self.storage.run(&timer.key.run).await?;
                    Ok::<_, StorageError>(row.is_some_and(|row| row.status == RunStatus::Parked))
                };
                if !is_expiry && !parked.await? {
                    earliest = Some(earliest.map_or(timer.due, |earliest| earliest.min(timer.due)));
                    break;
                }
            }
        }
        Ok(earliest)
    }

    async fn runs(&self, which: impl Fn(RunStatus) -> bool) -> Result<Vec<RunDetail>, StorageError> {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.engine.runs(&RunFilter::default(), cursor.as_deref(), PAGE).await?;
            for row in page.items.iter().filter(|row| which(row.status)) {
                found.extend(self.engine.run_detail(&row.id).await?);
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        found.sort_by(|a, b| (begun(a), &a.row.id).cmp(&(begun(b), &b.row.id)));
        Ok(found)
    }

    async fn gather(&self, tested: &WorkflowId) -> Result<Played, PlayError> {
        let runs = self.runs(|_| true).await?;
        let (mut events, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.engine.events(&EventFilter::default(), cursor.as_deref(), PAGE).await?;
            events.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        events.sort_by(|a, b| (a.event.time, &a.event.id).cmp(&(b.event.time, &b.event.id)));
        let prefix = format!("{tested}\0");
        let records = self.storage.records(Table::State, &prefix, None, PAGE).await?;
        let state = records.into_iter().map(|record| {
            let key = record.key[prefix.len()..].to_owned();
            (key, serde_json::from_slice(&record.value).unwrap_or_default())
        });
        Ok(Played { runs, events, state: state.collect(), brought: Vec::new() })
    }
}

fn begun(run: &RunDetail) -> Timestamp {
    run.journal.first().map_or(run.row.started, |entry| entry.at)
}
