//! Puts the crates together: storage, vault, sandbox, outbound calls and workflows become an engine, and an engine
//! becomes an API.

use std::{num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use cartwright_core::secret::SecretMarks;
use cartwright_http::{AdminToken, Config as DoorConfig, Findings};
use cartwright_run::{
    Engine, Entropy as _, Loaded, Options, Parts, StartError, SystemClock, SystemEntropy, Telemetry,
    outbound::{NoTransport, Outbound},
};
use cartwright_sandbox::{Limits, Sandbox};
use cartwright_storage::{MemoryStorage, Storage, StorageError};
use cartwright_woo::{ClientOptions, KeySource, MASTER_KEY_FILE, Vault, VaultError, transport::Transport};
use url::Url;

use crate::{
    client::Client,
    config::{Config, Door, Retention, StorageChoice},
    data::DataFolder,
    failure::{Failure, OrFail as _, Result, environment},
    outside::{LazyTransport, NoOutbound},
    plugins::Installed,
};

/// For calls under way when an engine stops.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What an engine is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To run workflows.
    Work,
    /// To look and to change; nothing is begun.
    Administration,
}

/// A sandbox that only checks.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(Limits::default(), marks())
}

pub(crate) fn marks() -> SecretMarks {
    let mut nonce = [0; 32];
    SystemEntropy.fill(&mut nonce);
    SecretMarks::new(nonce)
}

/// Everything an engine needs besides its workflows.
pub(crate) struct Foundation {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) vault: Vault,
    pub(crate) outbound: Arc<dyn Outbound>,
    /// The way to stores.
    pub(crate) stores: Arc<dyn Transport>,
    pub(crate) retention: Retention,
    /// Limits of calls to stores.
    pub(crate) limits: ClientOptions,
    pub(crate) mode: Mode,
    /// Under which address people reach the engine.
    pub(crate) public_url: Option<Url>,
    /// Where traces of runs go.
    pub(crate) telemetry: Option<Telemetry>,
    /// What plugin steps execute; `None`: nothing is begun.
    pub(crate) plugins: Option<Installed>,
}

/// Starts an engine.
pub(crate) async fn start(foundation: Foundation, workflows: Vec<Loaded>) -> Result<Engine> {
    let marks = foundation.plugins.as_ref().map_or_else(marks, Installed::marks);
    let options = Options {
        keep_for: Duration::from_secs(u64::from(foundation.retention.days) * 24 * 3600),
        keep_runs: foundation.retention.runs,
        keep_audit_for: Duration::from_secs(u64::from(foundation.retention.audit_days) * 24 * 3600),
        keep_audit: foundation.retention.audit_entries,
        stores: foundation.limits,
        public_url: foundation.public_url,
        telemetry: foundation.telemetry,
        plugins: foundation.plugins.as_ref().map(Installed::host).transpose()?,
        paused: foundation.mode == Mode::Administration,
        ..Options::default()
    };
    let parts = Parts {
        storage: foundation.storage,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        outbound: foundation.outbound,
        stores: foundation.stores,
        sandbox: Sandbox::new(Limits::default(), marks.clone()),
        marks,
        vault: Arc::new(foundation.vault),
        options,
    };
    Engine::start(parts, workflows).await.map_err(cannot_start)
}

fn cannot_start(error: StartError) -> Failure {
    let is_lost_key = matches!(error, StartError::Stores(_));
    let failure = environment(error);
    if is_lost_key {
        return failure;
    }
    failure.help("Only one process may use a data folder: is another engine or command running on it?")
}

/// Opens the storage that the configuration names.
pub(crate) async fn storage(config: &Config) -> Result<Arc<dyn Storage>> {
    match &config.storage {
        StorageChoice::Memory => Ok(memory()),
        StorageChoice::Sled(folder) => {
            let folder = folder.clone();
            let shown = folder.display().to_string();
            let opened = tokio::task::spawn_blocking(move || {
                cartwright_storage::SledStorage::open(&folder, cartwright_storage::Options::default())
            });
            let opened = opened.await.or_environment("opening the storage was cut off")?;
            opened.map(|storage| storage as Arc<dyn Storage>).map_err(|error| cannot_open(&error, &shown))
        }
    }
}

pub(crate) fn memory() -> Arc<dyn Storage> {
    MemoryStorage::new()
}

fn cannot_open(error: &StorageError, folder: &str) -> Failure {
    let failure = environment(format!("cannot open the storage in {folder}: {error}"));
    failure.help("Only one process may use it at a time; `cartwright doctor` says more.")
}

/// How many seconds' worth of refusals one address may cause at once.
const REFUSED_BURST_SECONDS: NonZeroU32 = NonZeroU32::new(10).expect("not zero");

/// What a door needs besides its engine and its configuration.
#[derive(Debug, Default)]
pub(crate) struct Around {
    /// It can be reached from this machine only.
    pub(crate) loopback: bool,
    /// What the loader of workflows found wrong.
    pub(crate) findings: Findings,
    /// A folder on the disk that holds storage.
    pub(crate) volume: Option<PathBuf>,
}

/// The API of an engine.
pub(crate) fn router(engine: &Engine, token: &str, around: Around, door: &Door) -> Router {
    let usual = DoorConfig::local(AdminToken::new(token.as_bytes()));
    let mut quotas = usual.quotas;
    if let Some(limit) = door.store_requests_per_second {
        quotas.accepted_per_second = limit;
    }
    if let Some(limit) = door.refused_requests_per_second {
        quotas.refused_per_second = limit;
        quotas.refused_burst = limit.saturating_mul(REFUSED_BURST_SECONDS);
    }
    let body_limit_bytes = door.body_limit_bytes.unwrap_or(usual.body_limit_bytes);
    let (mut hosts, proxies) = (door.hosts.clone(), door.proxies.clone());
    // Links lead there, so it must be let in.
    hosts.extend(door.public_url.as_ref().and_then(Url::host_str).map(str::to_owned));
    let seconds = |seconds: NonZeroU32| Duration::from_secs(u64::from(seconds.get()));
    let sync_wait = door.sync_seconds.map_or(usual.sync_wait, seconds);
    let callers = door.sync_callers_max.and_then(|most| usize::try_from(most.get()).ok());
    let Around { loopback, findings, volume } = around;
    let config = DoorConfig {
        loopback,
        findings,
        volume,
        quotas,
        body_limit_bytes,
        sync_wait,
        sync_callers_max: callers.unwrap_or(usual.sync_callers_max),
        hosts,
        proxies,
        ..usual
    };
    cartwright_http::router(engine.clone(), config)
}

/// The master key from where the configuration says. A data folder without one gets one, unless its storage holds what
/// only the lost one opens.
pub(crate) async fn vault(config: &Config, data: &DataFolder, storage: &Arc<dyn Storage>) -> Result<Vault> {
    let source = config.vault.source(data.path());
    let doing = "cannot open the vault";
    let file = data.path().join(MASTER_KEY_FILE);
    if matches!(source, KeySource::File(_)) && !file.exists() {
        let needed = cartwright_run::needed_key(storage).await.or_environment(doing)?;
        if let Some(wanted) = needed {
            return Err(VaultError::Missing { path: file, wanted }).or_environment(doing);
        }
    }
    Vault::open_or_create(source).await.or_environment(doing)
}

/// An engine over the data folder that only answers; its workflows are not loaded.
pub(crate) async fn open(config: &Config, data: &DataFolder) -> Result<(Engine, Client)> {
    open_over(config, data, storage(config).await?).await
}

/// The same, over storage that is open.
pub(crate) async fn open_over(
    config: &Config,
    data: &DataFolder,
    storage: Arc<dyn Storage>,
) -> Result<(Engine, Client)> {
    let vault = vault(config, data, &storage).await?;
    administration(storage, vault, data.token()?, Arc::new(LazyTransport::new(config.clone()))).await
}

/// An engine over nothing, for questions about a data folder that is not there.
pub(crate) async fn nothing() -> Result<(Engine, Client)> {
    let vault = Vault::in_memory().or_environment("cannot make a key")?;
    administration(memory(), vault, "nothing".to_owned(), Arc::new(NoTransport)).await
}

async fn administration(
    storage: Arc<dyn Storage>,
    vault: Vault,
    token: String,
    stores: Arc<dyn Transport>,
) -> Result<(Engine, Client)> {
    let retention = Retention { days: u32::MAX, runs: u64::MAX, audit_days: u32::MAX, audit_entries: u64::MAX };
    let outbound = Arc::new(NoOutbound);
    let (limits, mode) = (ClientOptions::default(), Mode::Administration);
    let (public_url, telemetry, plugins) = (None, None, None);
    let foundation =
        Foundation { storage, vault, outbound, stores, retention, limits, mode, public_url, telemetry, plugins };
    let engine = start(foundation, Vec::new()).await?;
    let client =
        Client::own(router(&engine, &token, Around { loopback: true, ..Around::default() }, &Door::default()), token);
    Ok((engine, client))
}
