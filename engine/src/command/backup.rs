//! `cartwright backup`: records come from the engine as they are in storage, the master key from where it lies; both
//! leave in one file under a passphrase. Neither passphrase nor master key goes over HTTP.

use std::{fs::File, io::Write as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cartwright_core::Json;
use cartwright_run::{BackupRecord, check_record};
use cartwright_woo::{
    KeySource, MasterKey, Secret, Vault,
    backup::{Cost, Entry, Sealing, write_entry},
};
use serde_json::json;

use super::{Context, field};
use crate::{
    cli::Backup,
    client::Client,
    failure::{OrFail as _, Result, bug, environment, usage},
    passphrase::{self, For},
};

/// Records that are read at most.
const MAX_RECORDS: usize = 10_000_000;
/// Times that records are read again because keys were rotated meanwhile.
const TRIES: usize = 5;

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
    let read = read(&session.client, &source).await;
    let (records, keys) = session.end(read).await?;
    let (stores, secrets) = (count(&records, "stores"), count(&records, "secrets"));
    let has_keys = !keys.is_empty();
    let created = context.now();
    let about = Entry::About { created, engine: env!("CARGO_PKG_VERSION").to_owned() };
    let target = file.clone();
    let written = tokio::task::spawn_blocking(move || write(&target, &passphrase, about, keys, records));
    let bytes = written.await.map_err(bug)??;
    if terminal.json {
        let shown = file.display().to_string();
        return terminal.data(&json!({
            "file": shown, "bytes": bytes, "stores": stores, "secrets": secrets, "master_key": has_keys,
        }));
    }
    terminal.line(format_args!("{stores} stores and {secrets} secrets are saved in {}", file.display()));
    if has_keys {
        terminal.note("it contains the master key: file and passphrase together open everything; keep them apart");
    } else {
        terminal.note(format_args!("the master key is not in it: it stays with its source ({})", source.name()));
    }
    terminal.note("runs and events are not part of a backup in this version");
    Ok(())
}

fn count(records: &[BackupRecord], table: &str) -> usize {
    records.iter().filter(|record| record.table == table).count()
}

/// Records with the keys that open them; no keys where people keep those themselves. All of it was opened once.
async fn read(client: &Client, source: &KeySource) -> Result<(Vec<BackupRecord>, Vec<MasterKey>)> {
    let mut last = None;
    for _ in 0..TRIES {
        // A rotation may begin or end while records are read: keys of before and after together open them.
        let doing = "cannot read the master key";
        let mut keys = source.read().await.or_environment(doing)?;
        let items = client.list("/api/v1/backup/records", &[], MAX_RECORDS).await?;
        let records = items.iter().map(record).collect::<Result<Vec<_>>>()?;
        let after = source.read().await.or_environment(doing)?;
        keys.retain(|key| !after.contains(key));
        let keys = [after, keys].concat();
        let vault = Vault::with_keys(keys.clone()).or_environment(doing)?;
        match records.iter().try_for_each(|record| check_record(&vault, record)) {
            Ok(()) if source.is_ours() => return Ok((records, keys)),
            Ok(()) => return Ok((records, Vec::new())),
            Err(error) => last = Some(error),
        }
    }
    let error = last.map(|error| error.to_string()).unwrap_or_default();
    Err(environment(format!("nothing was written, because {error}"))
        .help("A backup that does not open helps nobody: mend or remove that one, then make the backup again."))
}

fn record(item: &Json) -> Result<BackupRecord> {
    let value = BASE64.decode(field(item, "value")).map_err(bug)?;
    Ok(BackupRecord { table: field(item, "table"), key: field(item, "key"), value })
}

/// Writes the file beside its place, for its owner only, and puts it there whole. Gives its length.
fn write(
    target: &Path,
    passphrase: &Secret,
    about: Entry,
    keys: Vec<MasterKey>,
    records: Vec<BackupRecord>,
) -> Result<u64> {
    let doing = || format!("cannot write the backup {}", target.display());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Only its owner may read what this makes.
    let mut unfinished =
        tempfile::Builder::new().prefix(".cartwright-backup-").tempfile_in(folder).or_environment(doing())?;
    let mut sealing = Sealing::new(&mut unfinished, passphrase, Cost::default()).or_environment(doing())?;
    let keys = (!keys.is_empty()).then_some(Entry::MasterKeys(keys));
    let record = |BackupRecord { table, key, value }| Entry::Record { table, key, value };
    let mut entries = 0;
    for entry in [about].into_iter().chain(keys).chain(records.into_iter().map(record)) {
        write_entry(&mut sealing, &entry).or_environment(doing())?;
        entries += 1;
    }
    write_entry(&mut sealing, &Entry::End { entries }).or_environment(doing())?;
    sealing.finish().or_environment(doing())?.flush().or_environment(doing())?;
    unfinished.as_file().sync_all().or_environment(doing())?;
    let file = unfinished.persist_noclobber(target).map_err(|error| error.error).or_environment(doing())?;
    File::open(folder).and_then(|folder| folder.sync_all()).or_environment(doing())?;
    Ok(file.metadata().or_environment(doing())?.len())
}
