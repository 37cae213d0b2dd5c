//! The configuration: `cartwright.toml`, then `CARTWRIGHT_*` in the environment, then flags, each over the one before.
//! The only place that reads the environment.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use cartwright_run::outbound::Cidr;
use cartwright_woo::{ClientOptions, Secret, key_source::MASTER_KEY_VARIABLE};
use serde::{Deserialize, Deserializer, de::Error as _};
use url::Url;

use crate::{
    command::StoreSecrets,
    failure::{Result, usage},
    log::{LogFile, LogFormat},
    plugins_config::{PluginsConfig, PluginsFile},
    stores_config::StoresFile,
    telemetry_config::{HEADERS_VARIABLE, TelemetryConfig, TelemetryFile},
    vault_config::{PASSPHRASE_VARIABLE, VaultConfig, VaultFile},
};

const DEFAULT_FILE: &str = "cartwright.toml";
const DEFAULT_DATA: &str = "cartwright-data";
const DEFAULT_WORKFLOWS: &str = "workflows";
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
const PREFIX: &str = "CARTWRIGHT_";
/// Understood after the prefix. Others are reported by `doctor` and `serve` and change nothing: schedulers of
/// containers set variables of that form by themselves.
const VARIABLES: &[&str] = &[
    "DATA",
    "WORKFLOWS",
    "PLUGINS",
    "LISTEN",
    "STORAGE",
    "ALLOW_OUTBOUND",
    "EXTRA_CA_CERTIFICATES",
    "LOG",
    "LOG_FORMAT",
    "CONFIG",
    "SERVER",
    "OTLP_ENDPOINT",
];
/// The API token that commands show.
const TOKEN_VARIABLE: &str = "CARTWRIGHT_TOKEN";
/// Names the compiler for `plugin build`.
const GUEST_RUSTC_VARIABLE: &str = "CARTWRIGHT_GUEST_RUSTC";

/// What the environment says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    values: BTreeMap<String, String>,
    /// Master keys.
    master_key: Option<Secret>,
    token: Option<Secret>,
    /// What the collector of traces is shown.
    otlp_headers: Option<Secret>,
    /// What backups are sealed under.
    pub(crate) passphrase: Option<Secret>,
    /// A Rust compiler that builds plugins where the usual one cannot.
    pub(crate) guest_rustc: Option<PathBuf>,
    /// Keys of a store to add.
    pub(crate) store_secrets: StoreSecrets,
    /// `CARTWRIGHT_*` variables that mean nothing here.
    pub(crate) unknown: Vec<String>,
    /// `NO_COLOR` is set to something.
    pub(crate) no_colour: bool,
    /// `TERM` is `dumb`.
    pub(crate) dumb: bool,
}

impl Environment {
    pub(crate) fn read() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::from_variables(std::env::vars_os().filter_map(text))
    }

    fn from_variables(variables: impl Iterator<Item = (String, String)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables.filter(|(_, value)| !value.is_empty()) {
            match name.strip_prefix(PREFIX) {
                _ if name == MASTER_KEY_VARIABLE => environment.master_key = Some(Secret::new(value)),
                _ if name == TOKEN_VARIABLE => environment.token = Some(Secret::new(value)),
                _ if environment.store_secrets.take(&name, &value) => {}
                _ if name == PASSPHRASE_VARIABLE => environment.passphrase = Some(Secret::new(value)),
                _ if name == HEADERS_VARIABLE => environment.otlp_headers = Some(Secret::new(value)),
                _ if name == GUEST_RUSTC_VARIABLE => environment.guest_rustc = Some(value.into()),
                Some(key) if VARIABLES.contains(&key) => drop(environment.values.insert(key.to_owned(), value)),
                Some(_) => environment.unknown.push(name),
                None if name == "NO_COLOR" => environment.no_colour = true,
                None if name == "TERM" => environment.dumb = value == "dumb",
                None => {}
            }
        }
        environment.unknown.sort();
        environment
    }

    /// Whether a data folder is named.
    pub(crate) fn names_data(&self) -> bool {
        self.get("DATA").is_some()
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    workflows: Option<PathBuf>,
    listen: Option<String>,
    storage: Option<String>,
    allow_outbound: Option<Vec<String>>,
    #[serde(default)]
    log: LogFile,
    #[serde(default)]
    telemetry: TelemetryFile,
    #[serde(default)]
    retention: RetentionFile,
    #[serde(default)]
    http: Door,
    #[serde(default)]
    vault: VaultFile,
    #[serde(default)]
    stores: StoresFile,
    #[serde(default)]
    plugins: PluginsFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetentionFile {
    days: Option<u32>,
    runs: Option<u64>,
    audit_days: Option<u32>,
    audit_entries: Option<u64>,
}

/// `[http]`: how the door is set up where the usual limits do not fit, and whom outbound calls trust.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Door {
    /// Names under which people reach the API and the status page besides the loopback ones, behind a proxy say.
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
    /// Address ranges of proxies in front of the engine: what they say about addresses and https is believed.
    #[serde(default, deserialize_with = "ranges")]
    pub(crate) proxies: Vec<Cidr>,
    /// Larger bodies are refused, in bytes.
    pub(crate) body_limit_bytes: Option<usize>,
    /// Requests a second of one store or one hook.
    pub(crate) store_requests_per_second: Option<NonZeroU32>,
    /// Refused requests a second of one address, and ten times as many at once.
    pub(crate) refused_requests_per_second: Option<NonZeroU32>,
    /// Under which address people reach the engine, such as https://engine.example.com: links to approvals lead there.
    #[serde(default, deserialize_with = "public_url")]
    pub(crate) public_url: Option<Url>,
    /// How long a caller of `respond: sync` waits for an answer, in seconds.
    pub(crate) sync_seconds: Option<NonZeroU32>,
    /// Callers that may wait at once.
    pub(crate) sync_callers_max: Option<NonZeroU32>,
    /// A file with certificates of authorities that outbound calls and calls to stores trust besides the system's.
    pub(crate) extra_ca_certificates: Option<PathBuf>,
}

fn ranges<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<Cidr>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let why = "public_url is an address such as https://engine.example.com, without a path and without a password";
    plain_address(&text).map(Some).ok_or_else(|| D::Error::custom(why))
}

/// An address of a server and nothing else.
fn plain_address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    (plain && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// What flags say, as far as a command has them.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    pub(crate) config: Option<PathBuf>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) workflows: Option<PathBuf>,
    pub(crate) plugins: Option<PathBuf>,
    pub(crate) listen: Option<String>,
    pub(crate) storage: Option<String>,
    pub(crate) log: Option<String>,
    pub(crate) log_format: Option<LogFormat>,
    pub(crate) allow_outbound: Vec<Cidr>,
    pub(crate) extra_ca_certificates: Option<PathBuf>,
    pub(crate) server: Option<String>,
    pub(crate) token: Option<String>,
}

/// The outcome.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) workflows: PathBuf,
    /// Where plugins are, and whose count.
    pub(crate) plugins: PluginsConfig,
    pub(crate) listen: SocketAddr,
    pub(crate) storage: StorageChoice,
    pub(crate) allow_outbound: Vec<Cidr>,
    /// A filter as `tracing-subscriber` reads it: `info`, `cartwright_run=debug`.
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    /// Where traces go; `None`: nowhere.
    pub(crate) telemetry: Option<TelemetryConfig>,
    pub(crate) retention: Retention,
    pub(crate) http: Door,
    pub(crate) vault: VaultConfig,
    /// Limits of calls to stores.
    pub(crate) stores: ClientOptions,
    /// The engine that commands talk to; `None`: the one on the data folder.
    pub(crate) server: Option<Url>,
    /// The API token that commands show; `None`: the local administrator's.
    pub(crate) token: Option<Secret>,
}

/// Where runs and stores are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StorageChoice {
    /// A folder.
    Sled(PathBuf),
    /// Nothing survives the process.
    Memory,
}

/// How long history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention {
    /// Ended runs and their events older than this go.
    pub(crate) days: u32,
    /// Beyond this many the oldest ended runs go.
    pub(crate) runs: u64,
    /// Entries of the audit log older than this go, and the oldest beyond so many.
    pub(crate) audit_days: u32,
    pub(crate) audit_entries: u64,
}

const DEFAULT_RETENTION: Retention =
    Retention { days: 30, runs: 10_000_000, audit_days: 365, audit_entries: 1_000_000 };

impl Config {
    /// Reads the file the flags, the environment or the current folder name, and lays environment and flags over it.
    pub(crate) fn load(flags: Flags, environment: &Environment) -> Result<Self> {
        let named = flags.config.clone().or_else(|| environment.get("CONFIG").map(PathBuf::from));
        let file = match named {
            Some(path) => read_file(&path)?,
            None if Path::new(DEFAULT_FILE).is_file() => read_file(Path::new(DEFAULT_FILE))?,
            None => File::default(),
        };
        Self::merge(file, environment, flags)
    }

    fn merge(file: File, environment: &Environment, flags: Flags) -> Result<Self> {
        let path = |flag: Option<PathBuf>, key: &str, file: Option<PathBuf>, default: &str| {
            flag.or_else(|| environment.get(key).map(PathBuf::from)).or(file).unwrap_or_else(|| default.into())
        };
        let text = |flag: Option<String>, key: &str, file: Option<String>| {
            flag.or_else(|| environment.get(key).map(str::to_owned)).or(file)
        };
        let data = path(flags.data, "DATA", file.data, DEFAULT_DATA);
        let workflows = path(flags.workflows, "WORKFLOWS", file.workflows, DEFAULT_WORKFLOWS);
        let folder = flags.plugins.or_else(|| environment.get("PLUGINS").map(PathBuf::from));
        let plugins = file.plugins.config(folder, &data)?;
        let listen = text(flags.listen, "LISTEN", file.listen).unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
        let listen = parse_listen(&listen)?;
        let storage = match text(flags.storage, "STORAGE", file.storage) {
            None => StorageChoice::Sled(data.join("storage")),
            Some(url) => parse_storage(&url)?,
        };
        let ranges = match environment.get("ALLOW_OUTBOUND") {
            Some(list) => list.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect(),
            None => file.allow_outbound.unwrap_or_default(),
        };
        let allow_outbound = if flags.allow_outbound.is_empty() {
            ranges.iter().map(|range| range.parse().map_err(usage)).collect::<Result<_>>()?
        } else {
            flags.allow_outbound
        };
        let log_format = LogFormat::choose(flags.log_format, environment.get("LOG_FORMAT"), file.log.format)?;
        let log = text(flags.log, "LOG", file.log.level).unwrap_or_else(|| "info".to_owned());
        let headers = environment.otlp_headers.as_ref().and_then(Secret::expose_text);
        let telemetry = TelemetryConfig::new(file.telemetry, environment.get("OTLP_ENDPOINT"), headers)?;
        let retention = Retention {
            days: file.retention.days.unwrap_or(DEFAULT_RETENTION.days),
            runs: file.retention.runs.unwrap_or(DEFAULT_RETENTION.runs),
            audit_days: file.retention.audit_days.unwrap_or(DEFAULT_RETENTION.audit_days),
            audit_entries: file.retention.audit_entries.unwrap_or(DEFAULT_RETENTION.audit_entries),
        };
        let extra = flags.extra_ca_certificates.or_else(|| environment.get("EXTRA_CA_CERTIFICATES").map(PathBuf::from));
        let http = Door { extra_ca_certificates: extra.or(file.http.extra_ca_certificates), ..file.http };
        let vault = VaultConfig::new(file.vault, environment.master_key.as_ref())?;
        let stores = file.stores.options()?;
        let server = text(flags.server, "SERVER", None).map(|url| parse_server(&url)).transpose()?;
        let token = flags.token.map(Secret::new).or_else(|| environment.token.clone());
        Ok(Self {
            data,
            workflows,
            plugins,
            listen,
            storage,
            allow_outbound,
            log,
            log_format,
            telemetry,
            retention,
            http,
            vault,
            stores,
            server,
            token,
        })
    }
}

fn read_file(path: &Path) -> Result<File> {
    let text = fs::read_to_string(path)
        .map_err(|error| usage(format!("cannot read the configuration {}: {error}", path.display())))?;
    toml::from_str(&text).map_err(|error| usage(format!("in the configuration {}: {error}", path.display())))
}

/// `127.0.0.1:8080`, `[::1]:8080`, `:8080` (this machine only) or `8080`.
pub(crate) fn parse_listen(text: &str) -> Result<SocketAddr> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let text = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().map_err(|_| usage(format!("`{text}` is not an address to listen on: write it like {DEFAULT_LISTEN}")))
}

/// `http://127.0.0.1:8080`, `https://engine.example.com`: what the API's paths are put behind.
fn parse_server(text: &str) -> Result<Url> {
    plain_address(text).ok_or_else(|| {
        // It may hold a password.
        usage("--server is an address such as https://engine.example.com, without a path and without a password")
    })
}

fn parse_storage(url: &str) -> Result<StorageChoice> {
    match url.split_once(':') {
        None if url == "memory" => Ok(StorageChoice::Memory),
        Some(("sled", folder)) if !folder.is_empty() => Ok(StorageChoice::Sled(folder.into())),
        Some(("postgres" | "postgresql", _)) => {
            Err(usage("storage on PostgreSQL is not in this version yet; use sled:DIR"))
        }
        _ => Err(usage(format!("`{url}` is not a storage: use sled:DIR or memory"))),
    }
}
