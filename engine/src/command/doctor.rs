//! `cartwright doctor`: looks at everything an engine stands on and says what is wrong and what to do.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path};

use cartwright_core::workflow::Severity;
use cartwright_http::FileFindings;
use cartwright_woo::Vault;
use serde_json::json;

use super::{Context, field, running};
use crate::{
    assembly,
    client::Client,
    config::StorageChoice,
    data::{DataFolder, TOKEN_FILE},
    failure::{Result, quiet},
    plugins::Installed,
    terminal::{Table, Tone},
    workflows::{Sources, files_below},
};

/// Less free space than this is a warning, in bytes.
const LOW_SPACE_BYTES: u64 = 1024 * 1024 * 1024;
/// Clocks before this are wrong: 2026-01-01.
const EARLIEST_MILLIS: i64 = 1_767_225_600_000;
const MAX_SECRETS: usize = 10_000;
/// Of parked runs that are counted.
const MAX_PARKED: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Fine,
    Warning,
    Wrong,
}

struct Checkup {
    what: &'static str,
    verdict: Verdict,
    found: String,
}

pub(super) async fn run(context: &Context) -> Result<()> {
    let mut all = Vec::new();
    let mut say = |what, verdict, found: String| all.push(Checkup { what, verdict, found });
    say_configuration(context, &mut say);
    say_clock(context, &mut say);
    say_tls(&mut say);
    let needed = say_workflows(context, &mut say);
    match DataFolder::open(&context.config.data) {
        Ok(data) => {
            say_folder(context, &data, &mut say).await;
            say_engine(context, &data, &needed, &mut say).await;
        }
        Err(_) => say(
            "data folder",
            Verdict::Warning,
            format!("{} is not there yet; the first start makes it", context.config.data.display()),
        ),
    }
    report(&all, context)
}

type Say<'a> = dyn FnMut(&'static str, Verdict, String) + Send + 'a;

fn say_configuration(context: &Context, say: &mut Say<'_>) {
    match context.unknown_variables.as_slice() {
        [] => say("configuration", Verdict::Fine, format!("data in {}", context.config.data.display())),
        unknown => say("configuration", Verdict::Warning, format!("set but unknown: {}", unknown.join(", "))),
    }
}

fn say_clock(context: &Context, say: &mut Say<'_>) {
    let now = context.now();
    if now.as_millis() < EARLIEST_MILLIS {
        say(
            "clock",
            Verdict::Wrong,
            format!("it says {now}; signatures, schedules and certificates need the right time"),
        );
    } else {
        say("clock", Verdict::Fine, now.to_string());
    }
}

/// A client that cannot be made with the system's roots means that https calls will fail.
fn say_tls(say: &mut Say<'_>) {
    match reqwest::Client::builder().no_proxy().build() {
        Ok(_) => say("TLS roots", Verdict::Fine, "the system's certificates are there".into()),
        Err(_) => say(
            "TLS roots",
            Verdict::Wrong,
            "no root certificates: install the package ca-certificates, https calls fail without".into(),
        ),
    }
}

/// Names of secrets that workflows use, each with one workflow that does.
fn say_workflows(context: &Context, say: &mut Say<'_>) -> BTreeMap<String, String> {
    let folder = &context.config.workflows;
    let mut needed = BTreeMap::new();
    if !folder.is_dir() {
        say("workflows", Verdict::Warning, format!("there is no folder {}", folder.display()));
        return needed;
    }
    let paths = match files_below(folder) {
        Ok(paths) => paths,
        Err(failure) => {
            say("workflows", Verdict::Wrong, failure.to_string());
            return needed;
        }
    };
    let (sandbox, plugins) = (assembly::sandbox(), Installed::of(&context.config));
    let sources = Sources { plugins: &plugins, sandbox: Some(&sandbox) };
    let (mut broken, mut linking) = (Vec::new(), Vec::new());
    for path in &paths {
        let examined = sources.read(folder, path);
        if let Some(loaded) = &examined.loaded {
            if loaded.workflow.sends_links() {
                linking.push(loaded.definition.id.to_string());
            }
            let granted = loaded.workflow.grants.secrets.iter().map(String::as_str);
            for secret in granted.chain(loaded.workflow.trigger_secrets()) {
                needed.entry(secret.to_owned()).or_insert_with(|| loaded.definition.id.to_string());
            }
        }
        broken.extend(examined.finding.filter(FileFindings::is_broken).map(|finding| {
            let errors = finding.diagnostics.iter().filter(|one| one.severity == Severity::Error).count();
            format!("{} ({errors})", finding.file)
        }));
    }
    if let (false, None) = (linking.is_empty(), &context.config.http.public_url) {
        let found = format!(
            "{} sends links to approvals, which fail without `public_url` under [http] in cartwright.toml",
            linking.join(", ")
        );
        say("links", Verdict::Warning, found);
    }
    if broken.is_empty() {
        say("workflows", Verdict::Fine, format!("{} files in {}, all fine", paths.len(), folder.display()));
    } else {
        say("workflows", Verdict::Wrong, format!("errors in {}; `cartwright check` shows them", broken.join(", ")));
    }
    needed
}

async fn say_folder(context: &Context, data: &DataFolder, say: &mut Say<'_>) {
    let mut open = Vec::new();
    for path in [data.path().to_owned(), data.path().join(TOKEN_FILE)] {
        if is_open_to_others(&path) {
            open.push(path.display().to_string());
        }
    }
    if open.is_empty() {
        say("data folder", Verdict::Fine, data.path().display().to_string());
    } else {
        say(
            "data folder",
            Verdict::Warning,
            format!("others on this machine may read {}; run chmod go-rwx on it", open.join(" and ")),
        );
    }
    let source = context.config.vault.source(data.path());
    let (name, is_ours) = (source.name(), source.is_ours());
    match Vault::open(source).await {
        Ok(vault) if vault.key_ids().len() == 1 => {
            say("master key", Verdict::Fine, format!("key {} from {name}", vault.key_id()));
        }
        Ok(vault) => {
            let ids = vault.key_ids();
            let hint = if is_ours { "a rotation did not finish" } else { "the first is current, the others only open" };
            let verdict = if is_ours { Verdict::Warning } else { Verdict::Fine };
            say(
                "master key",
                verdict,
                format!(
                    "keys {} from {name}: {hint}; `cartwright key rotate` leaves only the first in use",
                    ids.join(", ")
                ),
            );
        }
        Err(cartwright_woo::VaultError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            say("master key", Verdict::Warning, "not made yet; the first start makes it".into());
        }
        Err(error) => say("master key", Verdict::Wrong, error.to_string()),
    }
    match free_bytes(data.path()) {
        Some(free) if free < LOW_SPACE_BYTES => say(
            "disk space",
            Verdict::Warning,
            format!("{} MB left; the engine refuses events on a full disk", free / 1_000_000),
        ),
        Some(free) => say("disk space", Verdict::Fine, format!("{:.1} GB left", free as f64 / 1e9)),
        None => {}
    }
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}

/// Free space on the disk of a folder, where the system says it.
#[cfg(unix)]
fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

async fn say_engine(context: &Context, data: &DataFolder, needed: &BTreeMap<String, String>, say: &mut Say<'_>) {
    match running(data, None).await {
        Ok(Some(client)) => {
            let at = data.engine().map(|engine| engine.address.to_string()).unwrap_or_default();
            say("engine", Verdict::Fine, format!("runs and answers at {at}"));
            say_secrets(&client, needed, say).await;
            say_runs(&client, say).await;
        }
        Ok(None) => {
            say_port(context.config.listen, say).await;
            let stale = data.engine().is_some();
            let found = if stale {
                "none runs; engine.json is left over from a crash, which is harmless"
            } else {
                "none runs on this folder"
            };
            say("engine", Verdict::Fine, found.into());
            match assembly::open(&context.config, data).await {
                Ok((engine, client)) => {
                    let place = match &context.config.storage {
                        StorageChoice::Sled(folder) => folder.display().to_string(),
                        StorageChoice::Memory => "memory; nothing survives a restart".into(),
                    };
                    say("storage", Verdict::Fine, format!("opens: {place}"));
                    say_secrets(&client, needed, say).await;
                    say_runs(&client, say).await;
                    if let Err(error) = engine.stop(std::time::Duration::ZERO).await {
                        say("storage", Verdict::Wrong, format!("does not close: {error}"));
                    }
                }
                Err(failure) => say("storage", Verdict::Wrong, failure.to_string()),
            }
        }
        Err(failure) => say("engine", Verdict::Wrong, failure.to_string()),
    }
}

/// Whether the next start can listen.
async fn say_port(address: SocketAddr, say: &mut Say<'_>) {
    match tokio::net::TcpListener::bind(address).await {
        Ok(_) => say("port", Verdict::Fine, format!("{address} is free")),
        Err(error) => say(
            "port",
            Verdict::Wrong,
            format!("cannot listen on {address}: {error}; stop what uses it, or name another one with --listen"),
        ),
    }
}

/// Runs that wait for a person.
async fn say_runs(client: &Client, say: &mut Say<'_>) {
    match client.list("/api/v1/runs", &[("status", "parked".to_owned())], MAX_PARKED).await {
        Ok(parked) if parked.is_empty() => say("parked runs", Verdict::Fine, "none waits for a person".into()),
        Ok(parked) => {
            let unknown = parked.iter().filter(|run| run["error"]["code"] == "unknown").count();
            let more = if parked.len() == MAX_PARKED { " or more" } else { "" };
            let doubt = if unknown > 0 { format!(", of {unknown} nobody knows what happened") } else { String::new() };
            let found = format!(
                "{}{more} wait for a person{doubt}; `cartwright runs ls --status parked` says why",
                parked.len()
            );
            say("parked runs", Verdict::Warning, found);
        }
        Err(failure) => say("parked runs", Verdict::Wrong, failure.to_string()),
    }
}

async fn say_secrets(client: &Client, needed: &BTreeMap<String, String>, say: &mut Say<'_>) {
    match client.list("/api/v1/secrets", &[], MAX_SECRETS).await {
        Ok(secrets) => {
            let set: Vec<String> = secrets.iter().map(|secret| field(secret, "name")).collect();
            let missing: Vec<String> = needed
                .iter()
                .filter(|(name, _)| !set.contains(name))
                .map(|(name, workflow)| format!("{name} (used by {workflow})"))
                .collect();
            if missing.is_empty() {
                say("secrets", Verdict::Fine, format!("{} needed, all set", needed.len()));
            } else {
                say(
                    "secrets",
                    Verdict::Warning,
                    format!("not set: {}; runs that need them are parked", missing.join(", ")),
                );
            }
        }
        Err(failure) => say("secrets", Verdict::Wrong, failure.to_string()),
    }
}

fn report(all: &[Checkup], context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let word = |verdict| match verdict {
        Verdict::Fine => ("ok", Tone::Good),
        Verdict::Warning => ("note", Tone::Wait),
        Verdict::Wrong => ("wrong", Tone::Bad),
    };
    if terminal.json {
        let list: Vec<_> = all
            .iter()
            .map(|one| json!({ "check": one.what, "verdict": word(one.verdict).0, "found": one.found }))
            .collect();
        terminal.data(&list)?;
    } else {
        let mut table = Table::new(&["CHECK", "", "FOUND"]);
        for one in all {
            let (word, tone) = word(one.verdict);
            table.row(vec![(Tone::Plain, one.what.into()), (tone, word.into()), (Tone::Plain, one.found.clone())]);
        }
        terminal.lines(table.lines(terminal));
    }
    let wrong = all.iter().filter(|one| one.verdict == Verdict::Wrong).count();
    if wrong > 0 {
        terminal.note(format_args!("{wrong} of {} checks found something wrong", all.len()));
        return Err(quiet());
    }
    Ok(())
}
