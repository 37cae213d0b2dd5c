//! The engine as others see it: the door, the command line and the tests call this and nothing below it.

use std::{fmt, sync::Arc, time::Duration};

use cartwright_core::{
    id::{EventId, RunId, StoreId, Version, WorkflowId},
    run::{
        entry::Entry,
        row::RunRow,
        steps::{StepView, steps},
    },
    secret::SecretMarks,
    shard::{Fence, ShardId},
    time::Timestamp,
    workflow::WorkflowSet,
};
use cartwright_sandbox::Sandbox;
use cartwright_storage::{BackupPart, Counts, EventFilter, Page, RunFilter, Storage, StorageError, StoredEvent};
use cartwright_woo::{
    Vault,
    client::{Ambience, Client, ClientOptions, LaneView},
    examine::{Report, Target, examine},
    transport::Transport,
};
use futures_util::future::try_join_all;
use serde_json::value::RawValue;
use url::Url;

use crate::{
    accept::{AcceptError, Acceptance, Incoming},
    access::{Access, AccessError},
    answers::Answers,
    backup,
    clock::{Clock, Entropy},
    definition::{self, Definition, Loaded},
    export::{self, ImportError, Imported, Line, Part},
    gates::{self, HeldGroup, count_held},
    hold::{Hold, begin, held, release},
    inner::Inner,
    keys::{KeyError, KeyList, Rotated},
    live::{LastId, Subscription, WorkflowNews},
    metrics::Metrics,
    outbound::Outbound,
    plugin::PluginHost,
    recall,
    rehearse::StandIn,
    secrets::Secrets,
    slots::{self, RunSlot, SlotGroup},
    stores::{StoreError, Stores},
    telemetry::Telemetry,
};

/// How often storage is told how tokens were used.
const KEEP_USAGE_EVERY: Duration = Duration::from_secs(60);

/// What an engine is made of.
pub struct Parts {
    /// Where everything durable lives.
    pub storage: Arc<dyn Storage>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The world outside.
    pub outbound: Arc<dyn Outbound>,
    /// The way to stores.
    pub stores: Arc<dyn Transport>,
    /// The expression language and scripts.
    pub sandbox: Sandbox,
    /// The same marks that the sandbox was given.
    pub marks: SecretMarks,
    /// Seals secrets.
    pub vault: Arc<Vault>,
    /// Limits and retention.
    pub options: Options,
}

/// Limits and retention of an engine.
#[derive(Debug, Clone)]
pub struct Options {
    /// Runs in memory at once; more wait in storage.
    pub runs_in_memory_max: usize,
    /// Ended runs and their events are kept this long.
    pub keep_for: Duration,
    /// At most this many runs are kept.
    pub keep_runs: u64,
    /// Entries of the audit log are kept this long.
    pub keep_audit_for: Duration,
    /// At most this many entries of the audit log are kept.
    pub keep_audit: u64,
    /// The name under which this process owns shards.
    pub node: String,
    /// Answers questions and keeps what people ask for, but accepts no events and begins nothing.
    pub paused: bool,
    /// Limits of calls to stores.
    pub stores: ClientOptions,
    /// Under which address people reach the engine; `None`: links to approvals cannot be sent.
    pub public_url: Option<Url>,
    /// Where traces of runs go; `None`: none are made.
    pub telemetry: Option<Telemetry>,
    /// Answers every call in place of the world outside; then no schedule is due by itself, and nothing is cleaned up.
    pub stand_in: Option<StandIn>,
    /// Executes plugins; `None`: steps that call one fail.
    pub plugins: Option<PluginHost>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            runs_in_memory_max: 1_024,
            keep_for: Duration::from_secs(30 * 24 * 3600),
            keep_runs: 1_000_000,
            keep_audit_for: Duration::from_secs(365 * 24 * 3600),
            keep_audit: 1_000_000,
            node: "local".into(),
            paused: false,
            stores: ClientOptions::default(),
            public_url: None,
            telemetry: None,
            stand_in: None,
            plugins: None,
        }
    }
}

/// Why an engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Storage refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The stores could not be read.
    #[error(transparent)]
    Stores(#[from] StoreError),
    /// Who may use the API could not be read.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Another process owns a shard.
    #[error("another engine owns shard {0} of this storage; stop it first")]
    Owned(u16),
}

/// Everything about one run.
#[derive(Debug, Clone)]
pub struct RunDetail {
    /// The row.
    pub row: RunRow,
    /// Its steps, in the order they began.
    pub steps: Vec<StepView>,
    /// Its journal.
    pub journal: Vec<Entry>,
    /// Its slot, where its workflow says how many runs move at once.
    pub slot: Option<RunSlot>,
}

/// A running engine. Cheap to clone; all clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("live", &self.inner.live_count()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Takes all shards, sets the workflows, and begins to move what is in storage.
    pub async fn start(parts: Parts, workflows: Vec<Loaded>) -> Result<Self, StartError> {
        let fences = acquire_all(&parts).await?;
        let sealing = Arc::default();
        let client = Arc::new(Client::new(Arc::clone(&parts.stores), ambience(&parts), parts.options.stores.clone()));
        let (storage, vault) = (Arc::clone(&parts.storage), Arc::clone(&parts.vault));
        let stores = Stores::load(storage, vault, Arc::clone(&client), Arc::clone(&sealing)).await?;
        let any_waiting = parts.storage.counts().await?.runs[2] > 0;
        let access = Access::load(Arc::clone(&parts.storage), Arc::clone(&parts.entropy)).await?;
        let inner = Arc::new(Inner::new(parts, client, stores, access, sealing, fences, any_waiting));
        slots::count(&inner).await?;
        let engine = Self { inner };
        count_held(&engine.inner).await?;
        engine.set_workflows(workflows).await?;
        engine.inner.held.send_replace(held(engine.inner.storage.as_ref()).await?.is_some());
        // What is played ticks through weeks of virtual time, and has no use for housekeeping.
        if engine.inner.options.stand_in.is_none() {
            tokio::spawn(keep_usage(Arc::clone(&engine.inner)));
        }
        tokio::spawn(begin(Arc::clone(&engine.inner)));
        Ok(engine)
    }

    /// Where traces go, when they go somewhere.
    pub fn telemetry(&self) -> Option<&Telemetry> {
        self.inner.options.telemetry.as_ref()
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// How calls to a store go.
    pub fn store_lane(&self, id: &StoreId) -> LaneView {
        self.inner.client.lane(id)
    }

    /// Accepts an event: on stable storage when it resolves, and its runs follow whatever happens.
    pub async fn accept(&self, incoming: Incoming) -> Result<Acceptance, AcceptError> {
        self.inner.accept(incoming).await
    }

    /// Replaces the workflows. Their texts are on stable storage when it resolves; runs under way keep their versions.
    pub async fn set_workflows(&self, workflows: Vec<Loaded>) -> Result<(), StorageError> {
        let storage = self.inner.storage.as_ref();
        self.inner.pinned.keep(storage, &workflows).await?;
        // Who only looks at storage changes nothing about what ran there.
        if !self.inner.options.paused {
            recall::remember(storage, &workflows).await?;
        }
        let set = WorkflowSet::new(workflows.into_iter().map(|loaded| loaded.workflow).collect());
        self.inner.workflows.store(Arc::new(set));
        self.inner.workflows_changed.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Puts the workflows in place that an engine over this storage ran last: for questions while none runs.
    pub async fn recall_workflows(&self) -> Result<(), StorageError> {
        let set = recall::last(self.inner.storage.as_ref()).await?;
        self.inner.workflows.store(Arc::new(set));
        Ok(())
    }

    /// Tells those who watch live what became of workflow files.
    pub fn tell_files(&self, news: Vec<WorkflowNews>) {
        if !news.is_empty() {
            self.inner.told.files_changed(self.now(), news);
        }
    }

    /// The workflows that events are matched to.
    pub fn workflows(&self) -> Arc<WorkflowSet> {
        self.inner.workflows.load_full()
    }

    /// Connected stores.
    pub fn stores(&self) -> &Stores {
        &self.inner.stores
    }

    /// Whether a store can be called, what is wrong with it and what to do; `None`: no such store. Takes seconds.
    pub async fn examine_store(&self, id: &StoreId) -> Option<Report> {
        let open = self.inner.stores.get(id)?;
        let target = Target { id, url: open.store.url.as_deref(), connection: open.connection.as_ref() };
        Some(examine(&self.inner.client, target).await)
    }

    /// Who may use the API.
    pub fn access(&self) -> &Access {
        &self.inner.access
    }

    /// Answers to requests that carried an idempotency key.
    pub fn answers(&self) -> &Answers {
        &self.inner.answers
    }

    /// Named secrets.
    pub fn secrets(&self) -> &Secrets {
        &self.inner.secrets
    }

    /// The engine's time.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Runs, newest first.
    pub async fn runs(
        &self,
        filter: &RunFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<RunRow>, StorageError> {
        self.inner.storage.query_runs(filter, cursor, limit).await
    }

    /// One run's row.
    pub async fn run(&self, run: &RunId) -> Result<Option<RunRow>, StorageError> {
        self.inner.storage.run(run).await
    }

    /// One run with its steps and journal.
    pub async fn run_detail(&self, run: &RunId) -> Result<Option<RunDetail>, StorageError> {
        run_detail(self.inner.storage.as_ref(), run).await
    }

    /// Groups of `concurrency` that are in use, by workflow. `cursor` comes from the page before.
    pub async fn slots(
        &self,
        workflow: Option<&WorkflowId>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<SlotGroup>, StorageError> {
        slots::list(self.inner.storage.as_ref(), workflow, cursor, limit).await
    }

    /// Events, newest first.
    pub async fn events(
        &self,
        filter: &EventFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<StoredEvent>, StorageError> {
        self.inner.storage.query_events(filter, cursor, limit).await
    }

    /// One event with what came of matching it.
    pub async fn event(&self, event: &EventId) -> Result<Option<StoredEvent>, StorageError> {
        self.inner.storage.event(event).await
    }

    /// Replaces the master key, and with `data_keys` also the keys it wraps. Nothing stops meanwhile.
    pub async fn rotate_keys(&self, data_keys: bool) -> Result<Rotated, KeyError> {
        self.inner.rotate_keys(data_keys).await
    }

    /// Names the master keys and says what each wraps.
    pub async fn key_list(&self) -> Result<KeyList, StorageError> {
        self.inner.key_list().await
    }

    /// The next part of a backup and the cursor of the one after it. Without a cursor a new backup begins; what was
    /// acknowledged before is in it. One that nobody reads for a minute is over.
    pub async fn backup_part(
        &self,
        cursor: Option<&str>,
    ) -> Result<(Option<BackupPart>, Option<String>), StorageError> {
        backup::next_part(&self.inner, cursor).await
    }

    /// Lines of an export, and the cursor of those after them: at most about a MiB.
    pub async fn export_page(&self, part: &Part, cursor: Option<&str>) -> Result<Page<Box<RawValue>>, StorageError> {
        export::page(&self.inner, part, cursor).await
    }

    /// Takes lines of an export in, as history that moves nothing. The engine must have had nothing before the first, and
    /// must begin nothing ([`Options::paused`]) until the last; on stable storage when it resolves.
    pub async fn import(&self, lines: Vec<Line>) -> Result<Imported, ImportError> {
        export::import(&self.inner, lines).await
    }

    /// Why nothing is begun here until somebody says so: the storage was restored from a backup.
    pub async fn hold(&self) -> Result<Option<Hold>, StorageError> {
        held(self.inner.storage.as_ref()).await
    }

    /// Lets a restored engine go on; `None`: nothing held it.
    pub async fn release(&self) -> Result<Option<Hold>, StorageError> {
        release(&self.inner).await
    }

    /// How much there is.
    pub async fn counts(&self) -> Result<Counts, StorageError> {
        self.inner.storage.counts().await
    }

    /// What executes plugins, where there is something.
    pub fn plugins(&self) -> Option<&PluginHost> {
        self.inner.options.plugins.as_ref()
    }

    /// What happened since the start.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Listens to what happens from now on, or after the item that was seen last. Not durable: a gap says what was missed.
    pub fn listen(&self, last: Option<&LastId>) -> Subscription {
        self.inner.told.subscribe(last)
    }

    /// Runs in memory, and events that wait in memory for their turn.
    pub fn in_memory(&self) -> (usize, usize) {
        (self.inner.live_count(), self.inner.queue.depth())
    }

    /// Whether the engine takes events.
    pub fn is_stopping(&self) -> bool {
        self.inner.is_stopping()
    }

    /// Stops: nothing new is begun, calls under way may end until `patience` is over, then storage is closed.
    /// Calls that are cut off are settled at the next start.
    pub async fn stop(&self, patience: Duration) -> Result<(), StorageError> {
        self.inner.stopping.send_replace(true);
        let all = u32::try_from(self.inner.options.runs_in_memory_max).unwrap_or(u32::MAX);
        let drained = self.inner.slots.acquire_many(all);
        if tokio::time::timeout(patience, drained).await.is_err() {
            tracing::warn!("calls still under way were cut off; the next start settles them");
        }
        if let Err(error) = self.inner.access.keep_usage().await {
            tracing::warn!(%error, "how tokens were used since the last minute is not kept");
        }
        self.inner.storage.close().await
    }

    /// Events that gates hold for a run to come, oldest first; of one workflow where one is named.
    pub async fn held_groups(
        &self,
        workflow: Option<&WorkflowId>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<HeldGroup>, StorageError> {
        gates::held(&self.inner, workflow, cursor, limit).await
    }

    /// How many groups of events are held.
    pub fn held_count(&self) -> u64 {
        self.inner.gates.held()
    }

    /// The text of a version, from storage. `None`: it is not kept any more.
    pub async fn definition(&self, version: &Version) -> Result<Option<Definition>, StorageError> {
        definition::read(self.inner.storage.as_ref(), version).await
    }

    /// The workflow a person names, whether or not it is enabled.
    pub fn workflow(&self, id: &WorkflowId) -> Option<Arc<cartwright_core::workflow::Workflow>> {
        self.workflows().get(id).cloned()
    }
}

/// One run with its steps and journal, from storage.
pub async fn run_detail(storage: &dyn Storage, run: &RunId) -> Result<Option<RunDetail>, StorageError> {
    let Some(row) = storage.run(run).await? else { return Ok(None) };
    let journal = storage.journal(run).await?;
    let slot = slots::of_run(storage, &journal).await?;
    Ok(Some(RunDetail { row, steps: steps(&journal), journal, slot }))
}

/// Writes how tokens were used, now and then, until the engine stops.
async fn keep_usage(inner: Arc<Inner>) {
    let mut stopping = inner.stopping.subscribe();
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(KEEP_USAGE_EVERY) => {}
        }
        if let Err(error) = inner.access.keep_usage().await {
            tracing::warn!(%error, "how tokens were used could not be written; trying again in a minute");
        }
    }
}

/// What the client for stores takes from the engine's world.
fn ambience(parts: &Parts) -> Ambience {
    let (clock, entropy) = (Arc::clone(&parts.clock), Arc::clone(&parts.entropy));
    Ambience { now: Box::new(move || clock.now()), random: Box::new(move |bytes| entropy.fill(bytes)) }
}

async fn acquire_all(parts: &Parts) -> Result<Vec<Fence>, StartError> {
    let now = parts.clock.now();
    // One process on embedded storage owns everything until it ends: there is nobody to renew a lease against.
    let acquire = |shard: ShardId| {
        let (storage, node) = (Arc::clone(&parts.storage), parts.options.node.clone());
        async move {
            let fence = storage.acquire(shard, &node, now, Timestamp::MAX).await?;
            fence.ok_or(StartError::Owned(shard.number()))
        }
    };
    try_join_all(ShardId::all().map(acquire)).await
}
