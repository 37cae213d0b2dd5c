//! `cartwright backup`: everything comes from the engine part by part, as it is in storage, the master key from where it
//! lies; both leave in one file under a passphrase. Neither passphrase nor master key goes over HTTP, and no more than
//! a part is in memory.

use std::{fs::File, io::Write as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cartwright_core::Json;
use cartwright_run::{
    Contents,
    storage::{BackupPart, Counts},
};
use cartwright_woo::{
    KeySource, MasterKey, Secret, Vault,
    backup::{Cost, Entry, Sealing, write_entry},
};
use serde_json::json;
use tempfile::NamedTempFile;

use super::{Context, field};
use crate::{
    cli::Backup,
    client::Client,
    failure::{OrFail as _, Result, bug, environment, usage},
    passphrase::{self, For},
    plugins::Store,
};

/// Times that everything is read again because keys were rotated meanwhile.
const TRIES: usize = 3;

pub(super) async fn run(command: Backup, context: &Context) -> Result<()> {
    let Backup { file, passphrase_file } = command;
    if file.exists() {
        return Err(usage(format!("{} is there already; a backup replaces nothing", file.display())));
    }
    let terminal = &context.terminal;
    let data = &context.config.data;
    if !data.exists() {
        return Err(environment(format!("there is no data folder {}", data.display())).help("Name it with --data."));
    }
    let passphrase = passphrase::ask(passphrase_file.as_deref(), context.passphrase.as_ref(), For::Sealing, terminal)?;
    let session = context.look().await?;
    let source = context.config.vault.source(data);
    let made = make(&session.client, &source, &file, &passphrase, context).await;
    let Made { bytes, contents, has_keys } = session.end(made).await?;
    let (stores, secrets) = contents.sealed();
    let (runs, events) = (runs(&contents.counts), contents.counts.events);
    if terminal.json {
        let shown = file.display().to_string();
        return terminal.data(&json!({
            "file": shown, "bytes": bytes, "runs": runs, "events": events, "stores": stores, "secrets": secrets,
            "master_key": has_keys,
        }));
    }
    let shown = file.display();
    terminal
        .line(format_args!("{runs} runs, {events} events, {stores} stores and {secrets} secrets are saved in {shown}"));
    if has_keys {
        terminal.note("it contains the master key: file and passphrase together open everything; keep them apart");
    } else {
        terminal.note(format_args!("the master key is not in it: it stays with its source ({})", source.name()));
    }
    terminal.note("workflow files, the folder of plugins and admin.token are not in it");
    Ok(())
}

/// How many runs there are.
pub(super) fn runs(counts: &Counts) -> u64 {
    counts.runs.iter().sum()
}

struct Made {
    bytes: u64,
    contents: Contents,
    has_keys: bool,
}

/// Reads everything with the keys that open it, and puts the file in its place once all of it was opened.
async fn make(
    client: &Client,
    source: &KeySource,
    target: &Path,
    passphrase: &Secret,
    context: &Context,
) -> Result<Made> {
    let doing = || format!("cannot write the backup {}", target.display());
    let mut last = None;
    let mut progress = context.terminal.progress("saving", "parts", None);
    for _ in 0..TRIES {
        // A rotation may begin or end while parts are read: keys of before and after together open them.
        let mut keys = source.read().await.or_environment("cannot read the master key")?;
        let about = Entry::About { created: context.now(), engine: env!("CARGO_PKG_VERSION").to_owned() };
        let mut unfinished = beside(target)?;
        let mut sealing = Sealing::new(&mut unfinished, passphrase, Cost::default()).or_environment(doing())?;
        let (mut contents, mut entries) = (Contents::default(), 0);
        let mut write = |entry: &Entry| {
            entries += 1;
            write_entry(&mut sealing, entry).or_environment(doing())
        };
        write(&about)?;
        let mut cursor = None;
        loop {
            let (part, next) = progress.during(part(client, cursor.as_deref())).await?;
            if let Some(part) = part {
                contents.see(&part).map_err(bug)?;
                write(&Entry::Part(part.as_bytes().to_vec()))?;
                progress.add(1);
            }
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        for component in components(&context.config.data)? {
            write(&Entry::Plugin(component?))?;
        }
        let after = source.read().await.or_environment("cannot read the master key")?;
        keys.retain(|key| !after.contains(key));
        let keys: Vec<MasterKey> = [after, keys].concat();
        let vault = Vault::with_keys(keys.clone()).or_environment("cannot read the master key")?;
        if let Err(error) = contents.check(&vault) {
            last = Some(error);
            continue;
        }
        let has_keys = source.is_ours();
        if has_keys {
            write(&Entry::MasterKeys(keys))?;
        }
        write_entry(&mut sealing, &Entry::End { entries }).or_environment(doing())?;
        sealing.finish().or_environment(doing())?.flush().or_environment(doing())?;
        return Ok(Made { bytes: put(unfinished, target).or_environment(doing())?, contents, has_keys });
    }
    let error = last.map(|error| error.to_string()).unwrap_or_default();
    Err(environment(format!("nothing was written, because {error}"))
        .help("A backup that does not open helps nobody: mend or remove that one, then make the backup again."))
}

/// Every version of a plugin that a run may be pinned to, one after the other. A damaged one helps nobody.
fn components(data: &Path) -> Result<impl Iterator<Item = Result<Vec<u8>>>> {
    let doing = "cannot read the versions of plugins";
    let store = Store::of(data).or_environment(doing)?;
    let hashes = store.versions().or_environment(doing)?;
    Ok(hashes.into_iter().map(move |hash| {
        store
            .read(&hash)
            .or_environment(format_args!("cannot read the version {hash} of a plugin in {}", store.folder().display()))
    }))
}

/// One part, and the cursor of the next.
async fn part(client: &Client, cursor: Option<&str>) -> Result<(Option<BackupPart>, Option<String>)> {
    let query = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
    let page = client.get(&format!("/api/v1/backup/records{query}")).await?;
    let items = page.get("items").and_then(Json::as_array).ok_or_else(|| bug("a page has items"))?;
    let part = match items.first() {
        Some(item) => {
            let bytes = BASE64.decode(field(item, "part")).map_err(bug)?;
            Some(BackupPart::from_bytes(bytes).map_err(bug)?)
        }
        None => None,
    };
    Ok((part, page.get("next").and_then(Json::as_str).map(str::to_owned)))
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A file beside its place, for its owner only. What is not finished goes away with it.
pub(super) fn beside(target: &Path) -> Result<NamedTempFile> {
    let unfinished = tempfile::Builder::new().prefix(".cartwright-backup-").tempfile_in(folder_of(target));
    unfinished.or_environment(format_args!("cannot write the backup {}", target.display()))
}

/// Puts a file in its place, durably. Gives its length.
pub(super) fn put(unfinished: NamedTempFile, target: &Path) -> std::io::Result<u64> {
    unfinished.as_file().sync_all()?;
    let file = unfinished.persist_noclobber(target).map_err(|error| error.error)?;
    File::open(folder_of(target)).and_then(|folder| folder.sync_all())?;
    Ok(file.metadata()?.len())
}
