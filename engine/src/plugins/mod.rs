//! Plugins of this installation: a folder of `NAME.wasm` files that people change, and the store beside the data in which
//! every version that a workflow was pinned to is kept under its hash. A name goes in, the record of the version that is
//! there now comes out; a hash goes in, bytes come out.

mod child;
mod store;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use cartwright_core::{
    plugin::{Manifest, PluginRecord, is_name},
    secret::SecretMarks,
};
use cartwright_run::{InstalledPlugin, PluginHost, PluginSource, json_schema, rehearse::Means};
use cartwright_sandbox::{
    Limits, Sandbox,
    plugin::{self, CodeCache, PluginLimits, Plugins, PublicKey, Signature},
};
use parking_lot::Mutex;

pub(crate) use child::{ChildCompiler, compile};
pub(crate) use store::Store;
pub(crate) use store::write_whole as put_whole;

use crate::{
    assembly,
    config::Config,
    failure::{OrFail as _, Result, environment},
    plugins_config::PluginsConfig,
};

/// Files looked at in one folder.
const MAX_PLUGINS: usize = 10_000;
/// What came of something, or why it could not be done, in words for people.
type Told<T> = std::result::Result<T, String>;

/// How a plugin's file ends.
const ENDING: &str = ".wasm";

/// The plugins of an installation; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Installed(Arc<Shared>);

struct Shared {
    /// The data folder.
    data: PathBuf,
    folder: PathBuf,
    trust: Trust,
    marks: SecretMarks,
    /// Made when the first plugin is looked at, or an engine starts.
    opened: OnceLock<Told<(Store, Plugins)>>,
    /// Records by name, with what their files looked like.
    records: Mutex<BTreeMap<String, (Seen, Told<Known>)>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Installed").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// What a file looks like from outside: equal ones hold the same. Of the component and of its signature.
type Seen = [Option<(u64, Option<SystemTime>)>; 2];

/// A plugin that can be used.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) record: PluginRecord,
    /// The trusted key that signed it.
    pub(crate) signed_by: Option<String>,
}

/// Whose signatures count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust {
    /// Whose signatures count.
    pub(crate) keys: Vec<PublicKey>,
    /// Refuse what none of them signed.
    pub(crate) required: bool,
}

impl Installed {
    /// The plugins that a configuration names. Nothing is read or made yet.
    pub(crate) fn of(config: &Config) -> Self {
        let PluginsConfig { folder, trust } = config.plugins.clone();
        Self::new(config.data.clone(), folder, trust)
    }

    fn new(data: PathBuf, folder: PathBuf, trust: Trust) -> Self {
        let marks = assembly::marks();
        Self(Arc::new(Shared { data, folder, trust, marks, opened: OnceLock::new(), records: Mutex::default() }))
    }

    /// No plugins.
    #[cfg(test)]
    pub(crate) fn nothing() -> Self {
        Self::new("no-data".into(), "no-plugins".into(), Trust::default())
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Makes the folder where it is the data folder's own: one that is not there cannot be watched. A folder that somebody
    /// named is theirs to make.
    pub(crate) fn make_own_folder(&self) -> Result<()> {
        let Shared { folder, data, .. } = &*self.0;
        match folder.starts_with(data) {
            true => fs::create_dir_all(folder).or_environment(format_args!("cannot make {}", folder.display())),
            false => Ok(()),
        }
    }

    /// The marks that an engine must have which executes these plugins.
    pub(crate) fn marks(&self) -> SecretMarks {
        self.0.marks.clone()
    }

    /// What an engine executes them with.
    pub(crate) fn host(&self) -> Result<PluginHost> {
        let (_, plugins) = self.open().map_err(environment)?;
        Ok(PluginHost::new(plugins.clone(), Arc::new(self.clone())))
    }

    /// What tests and replays of workflows are played with.
    pub(crate) fn means(&self) -> Result<Means> {
        let sandbox = Sandbox::new(Limits::default(), self.marks());
        Ok(Means { sandbox, marks: self.marks(), plugins: Some(self.host()?) })
    }

    fn open(&self) -> Told<&(Store, Plugins)> {
        let opened = self.0.opened.get_or_init(|| {
            let store = Store::of(&self.0.data).map_err(|error| {
                format!("the folder for compiled plugins in {} cannot be used: {error}", self.0.data.display())
            })?;
            let cache = CodeCache { dir: store.folder().to_owned(), key: store.key() };
            let plugins = Plugins::new(PluginLimits::default(), self.marks(), Some(cache), Arc::new(ChildCompiler));
            Ok((store, plugins))
        });
        opened.as_ref().map_err(Clone::clone)
    }

    /// The file of a plugin, there or not.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.folder.join(format!("{name}{ENDING}"))
    }

    /// Names of all files that could be plugins, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0.folder).into_iter().flatten().flatten().take(MAX_PLUGINS);
        let name = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?.strip_suffix(ENDING)?.to_owned();
            is_name(&name).then_some(name)
        };
        let mut names: Vec<String> = entries.filter_map(name).collect();
        names.sort();
        names
    }

    /// The version of a plugin that is installed now, kept in the store from here on. The error is in words for people.
    pub(crate) fn find(&self, name: &str) -> Told<Known> {
        let seen = self.seen(name);
        if let Some((before, known)) = self.0.records.lock().get(name)
            && *before == seen
        {
            return known.clone();
        }
        let known = self.read(name);
        self.0.records.lock().insert(name.to_owned(), (seen, known.clone()));
        known
    }

    fn seen(&self, name: &str) -> Seen {
        let file = self.file(name);
        [file.clone(), signature_file(&file)].map(|path| {
            let about = fs::metadata(path).ok()?;
            Some((about.len(), about.modified().ok()))
        })
    }

    fn read(&self, name: &str) -> Told<Known> {
        let file = self.file(name);
        let bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("it is not installed in {}", self.0.folder.display()));
            }
            Err(error) => return Err(format!("{} cannot be read: {error}", file.display())),
        };
        let signature = match fs::read_to_string(signature_file(&file)) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(format!("its signature cannot be read: {error}")),
        };
        let signed_by = self.check_signature(signature.as_deref(), &bytes)?;
        Ok(Known { record: self.examine(name, &bytes)?, signed_by })
    }

    /// The trusted key that signed a component; an error where that does not do.
    pub(crate) fn check_signature(&self, signature: Option<&str>, bytes: &[u8]) -> Told<Option<String>> {
        let trust = &self.0.trust;
        match signature {
            // Whoever trusts no key asks for no signature either.
            Some(text) if !trust.keys.is_empty() => {
                let signature = Signature::parse(text).map_err(|error| error.to_string())?;
                signature.verify(&plugin::hash_of(bytes), &trust.keys).map_err(|error| error.to_string())?;
                Ok(Some(signature.key.to_string()))
            }
            None if trust.required => Err(
                "it is not signed, and this installation takes signed plugins only; put its signature beside it, as \
                 NAME.wasm.sig"
                    .to_owned(),
            ),
            _ => Ok(None),
        }
    }

    /// Looks at a component, compiles it, and keeps it in the store: from here on runs can be pinned to it.
    pub(crate) fn examine(&self, name: &str, bytes: &[u8]) -> Told<PluginRecord> {
        let hash = plugin::hash_of(bytes);
        let (store, plugins) = self.open()?;
        if let Some(record) = store.record(&hash) {
            return Ok(PluginRecord { name: name.to_owned(), ..record });
        }
        let inspection = plugin::inspect(bytes).map_err(|error| error.to_string())?;
        store.keep(&hash, bytes).map_err(|error| format!("it cannot be kept: {error}"))?;
        let manifest = describe(plugins, &hash, bytes)?;
        let record = PluginRecord {
            name: name.to_owned(),
            hash: hash.clone(),
            bytes: bytes.len() as u64,
            wit: inspection.version.to_string(),
            imports: inspection.interfaces,
            manifest: Arc::new(manifest),
        };
        store.keep_record(&hash, &record).map_err(|error| format!("it cannot be kept: {error}"))?;
        Ok(record)
    }
}

/// What a component says of itself, checked.
fn describe(plugins: &Plugins, hash: &str, bytes: &[u8]) -> Told<Manifest> {
    let loaded = plugins.load(hash, &|| Ok(bytes.to_vec())).map_err(|error| error.to_string())?;
    // Whoever reads workflows may do so inside of a runtime, which must not be blocked on itself.
    let described = std::thread::scope(|threads| {
        let describe = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
            runtime.block_on(plugins.describe(&loaded)).map_err(|error| error.to_string())
        };
        threads.spawn(describe).join().unwrap_or_else(|_| Err("describing it broke off".to_owned()))
    })?;
    let manifest = Manifest::parse(&described).map_err(|error| error.to_string())?;
    for (name, function) in &manifest.functions {
        for (what, schema) in [("input", &function.input), ("output", &function.output)] {
            if let Some(fault) = json_schema::compile(schema).err().and_then(|faults| faults.into_iter().next()) {
                return Err(format!("the {what} schema of `{name}` is no JSON Schema: {fault}"));
            }
        }
    }
    Ok(manifest)
}

impl PluginSource for Installed {
    fn read(&self, hash: &str) -> io::Result<Vec<u8>> {
        self.open().map_err(io::Error::other)?.0.read(hash)
    }

    fn installed(&self) -> Vec<InstalledPlugin> {
        let plugin = |name: String| match self.find(&name) {
            Ok(Known { record, signed_by }) => InstalledPlugin { name, signed_by, record: Ok(record) },
            Err(why) => InstalledPlugin { name, signed_by: None, record: Err(why) },
        };
        self.names().into_iter().map(plugin).collect()
    }
}

/// Beside the plugin: `NAME.wasm.sig`.
pub(crate) fn signature_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}
