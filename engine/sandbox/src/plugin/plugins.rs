//! All plugins of an engine: compiled, mapped and linked once each, then executed as often as they are called.

use std::{
    collections::HashMap,
    fs, io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use cartwright_core::secret::SecretMarks;
use parking_lot::Mutex;
use tempfile::NamedTempFile;
use tokio::sync::Semaphore;
use wasmtime::{
    Engine,
    component::{Component, Linker},
};

use super::{
    PluginError,
    bindings::PluginPre,
    cache::{CodeCache, Found, Sealed},
    code,
    compile::Compile,
    config,
    execution::{Execution, PluginCall},
    guest::{self, Guest, Task},
    inspect::{hash_of, inspect},
    limits::{PluginLimits, RUNNING_MAX},
    link,
    session::Session,
    ticker::Ticker,
};
use crate::Recorded;

/// The plugins of an engine. Cheap to make and to clone: everything else is made at first use.
#[derive(Clone)]
pub struct Plugins {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) limits: Arc<PluginLimits>,
    pub(super) marks: SecretMarks,
    cache: Option<CodeCache>,
    compile: Arc<dyn Compile>,
    runtime: OnceLock<Result<Runtime, PluginError>>,
    /// By hash.
    loaded: Mutex<HashMap<String, Arc<LoadedPlugin>>>,
    /// Held while a plugin is loaded, by hash: who wants the same waits for it.
    loading: Mutex<HashMap<String, Arc<Mutex<()>>>>,
    /// Held while one is compiled: it takes much memory.
    compiling: Mutex<()>,
}

/// What all plugins share.
pub(super) struct Runtime {
    engine: Engine,
    linker: Linker<Guest>,
    pub(super) ticker: Ticker,
    /// What the names of compiled files say about this engine.
    compatibility: String,
    /// One permit for each guest that may be inside at once.
    pub(super) turns: Semaphore,
    /// Guests that wait in memory.
    parked: Arc<AtomicUsize>,
}

/// A plugin that is ready to be executed.
pub struct LoadedPlugin {
    hash: String,
    engine: Engine,
    pre: PluginPre<Guest>,
}

impl std::fmt::Debug for LoadedPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedPlugin").field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl LoadedPlugin {
    /// The SHA-256 of its component, in hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn pre(&self) -> &PluginPre<Guest> {
        &self.pre
    }
}

/// A guest's place in memory while it waits.
pub(super) struct Parked(Arc<AtomicUsize>);

impl Drop for Parked {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Plugins {
    /// No plugin is loaded, and no memory taken, before the first is asked for. Without `cache`, every start compiles.
    pub fn new(limits: PluginLimits, marks: SecretMarks, cache: Option<CodeCache>, compile: Arc<dyn Compile>) -> Self {
        let inner = Inner {
            limits: Arc::new(limits),
            marks,
            cache,
            compile,
            runtime: OnceLock::new(),
            loaded: Mutex::default(),
            loading: Mutex::default(),
            compiling: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The plugin with this hash: from memory, else from the compiled code on disk, else compiled from `bytes`. Blocks,
    /// for seconds where a large one is compiled.
    pub fn load(&self, hash: &str, bytes: &dyn Fn() -> io::Result<Vec<u8>>) -> Result<Arc<LoadedPlugin>, PluginError> {
        if let Some(loaded) = self.loaded(hash) {
            return Ok(loaded);
        }
        let gate = Arc::clone(self.inner.loading.lock().entry(hash.to_owned()).or_default());
        let held = gate.lock();
        if let Some(loaded) = self.loaded(hash) {
            return Ok(loaded);
        }
        let loaded = self.inner.load(hash, bytes);
        if let Ok(loaded) = &loaded {
            self.inner.loaded.lock().insert(hash.to_owned(), Arc::clone(loaded));
        }
        drop(held);
        self.inner.loading.lock().remove(hash);
        loaded
    }

    /// The plugin with this hash, when it is in memory.
    pub fn loaded(&self, hash: &str) -> Option<Arc<LoadedPlugin>> {
        self.inner.loaded.lock().get(hash).cloned()
    }

    /// Forgets plugins that `wanted` does not want any more, by hash; executions under way end as they would have.
    pub fn retain(&self, wanted: impl Fn(&str) -> bool) {
        self.inner.loaded.lock().retain(|hash, _| wanted(hash));
    }

    /// What a plugin says about itself: JSON text that nobody has looked at yet.
    pub async fn describe(&self, plugin: &Arc<LoadedPlugin>) -> Result<String, PluginError> {
        let calls = Session::calls(&self.inner.marks, &[], &[], &self.inner.limits);
        let session = Arc::new(Mutex::new(Session::new(calls, Vec::new(), true)));
        let guest = guest::start(plugin, &self.inner.limits, &session, Task::Describe);
        super::execution::described(self.inner.runtime()?, guest, &session, &self.inner.limits)
            .await
            .map_err(PluginError::Describe)
    }

    /// An execution of a plugin with the calls that are recorded so far. Nothing happens before it is advanced.
    pub fn start(&self, plugin: &Arc<LoadedPlugin>, call: PluginCall, recorded: &[Recorded]) -> Execution {
        Execution::new(Arc::clone(&self.inner), Arc::clone(plugin), call, recorded)
    }
}

impl Inner {
    pub(super) fn runtime(&self) -> Result<&Runtime, PluginError> {
        self.runtime.get_or_init(|| Runtime::new(&self.limits)).as_ref().map_err(Clone::clone)
    }

    fn load(&self, hash: &str, bytes: &dyn Fn() -> io::Result<Vec<u8>>) -> Result<Arc<LoadedPlugin>, PluginError> {
        let runtime = self.runtime()?;
        let component = match self.kept(runtime, hash) {
            Some(component) => component,
            None => self.compiled(runtime, hash, bytes)?,
        };
        let fits = runtime.linker.instantiate_pre(&component).and_then(PluginPre::new);
        let pre = fits.map_err(|error| PluginError::WrongType { reason: format!("{error:#}") })?;
        Ok(Arc::new(LoadedPlugin { hash: hash.to_owned(), engine: runtime.engine.clone(), pre }))
    }

    /// From the compiled code on disk.
    fn kept(&self, runtime: &Runtime, hash: &str) -> Option<Component> {
        let why = match self.cache.as_ref()?.find(hash, &runtime.compatibility) {
            Found::Absent => return None,
            Found::Foreign(why) => why.to_owned(),
            Found::Sealed(sealed) => match code::map(&runtime.engine, &sealed) {
                Ok(component) => return Some(component),
                Err(error) => format!("{error:#}"),
            },
        };
        tracing::warn!(plugin = hash, %why, "compiled code on disk is not used; the plugin is compiled again");
        None
    }

    fn compiled(
        &self,
        runtime: &Runtime,
        hash: &str,
        bytes: &dyn Fn() -> io::Result<Vec<u8>>,
    ) -> Result<Component, PluginError> {
        let bytes = bytes().map_err(|error| PluginError::file("the plugin cannot be read", &error))?;
        if bytes.len() > self.limits.component_bytes {
            return Err(PluginError::TooLarge { bytes: bytes.len(), max: self.limits.component_bytes });
        }
        let found = hash_of(&bytes);
        if found != hash {
            return Err(PluginError::OtherContent { expected: hash.to_owned(), found });
        }
        let begins = inspect(&bytes)?.memory_initial_bytes;
        if begins > self.limits.memory_bytes as u64 {
            return Err(PluginError::Memory { begins, max: self.limits.memory_bytes });
        }
        let _one = self.compiling.lock();
        let file = |error: io::Error| PluginError::file("the compiled plugin cannot be written", &error);
        let component = self.unfinished().map_err(file)?;
        fs::write(component.path(), &bytes).map_err(file)?;
        let out = self.unfinished().map_err(file)?;
        self.compile.compile(component.path(), out.path()).map_err(|reason| PluginError::Compile { reason })?;
        let sealed = match &self.cache {
            Some(cache) => cache.keep(hash, &runtime.compatibility, out),
            None => Sealed::read(out.path()),
        };
        let component = code::map(&runtime.engine, &sealed.map_err(file)?);
        component.map_err(|error| PluginError::Compile { reason: format!("{error:#}") })
    }

    fn unfinished(&self) -> io::Result<NamedTempFile> {
        self.cache.as_ref().map_or_else(NamedTempFile::new, CodeCache::unfinished)
    }
}

impl Runtime {
    fn new(limits: &PluginLimits) -> Result<Self, PluginError> {
        let broken = |error: wasmtime::Error| PluginError::Runtime { reason: format!("{error:#}") };
        let engine = match Engine::new(&config::run(limits, true)) {
            Ok(engine) => engine,
            Err(error) => {
                tracing::warn!(%error, "no memory can be set aside for plugins; each call asks for its own, which is slower");
                Engine::new(&config::run(limits, false)).map_err(broken)?
            }
        };
        let linker = link::linker(&engine).map_err(broken)?;
        let ticker = Ticker::start(&engine).map_err(|error| PluginError::Runtime { reason: error.to_string() })?;
        Ok(Self {
            compatibility: config::compatibility(&engine),
            engine,
            linker,
            ticker,
            turns: Semaphore::new(RUNNING_MAX),
            parked: Arc::default(),
        })
    }

    /// A place in memory for a guest that waits, when there is one left.
    pub(super) fn park(&self, limits: &PluginLimits) -> Option<Parked> {
        let add = |parked: usize| (parked < limits.live).then_some(parked + 1);
        self.parked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        Some(Parked(Arc::clone(&self.parked)))
    }
}
