//! `cartwright restore`: a backup is read to its end and everything in it opened once; only then a data folder that is
//! empty gets it.

use std::{
    fs::{self, File},
    io::BufReader,
    path::Path,
    sync::Arc,
};

use cartwright_run::{BackupRecord, check_empty, check_record, restore_records, storage::Storage};
use cartwright_woo::{
    KeySource, MasterKey, Secret, Vault,
    backup::{BackupError, Entry, Opened, read_entry},
};
use serde_json::json;

use super::Context;
use crate::{
    assembly,
    cli::Restore,
    config::StorageChoice,
    data::DataFolder,
    failure::{Failure, OrFail as _, Result, bug, environment, not_fine, usage},
    passphrase::{self, For},
};

/// Records that go into storage in one commit.
const BATCH: usize = 200;

/// What a backup holds, all of it checked.
struct Contents {
    created: String,
    keys: Vec<MasterKey>,
    records: Vec<BackupRecord>,
}

pub(super) async fn run(command: Restore, context: &Context) -> Result<()> {
    let Restore { file, passphrase_file } = command;
    let (terminal, config) = (&context.terminal, &context.config);
    if config.storage == StorageChoice::Memory {
        return Err(usage("a backup is restored into storage that lasts; name one with --storage or leave it out"));
    }
    check_folder(&config.data)?;
    let opened = File::open(&file).or_environment(format_args!("cannot open {}", file.display()))?;
    let passphrase = passphrase::ask(passphrase_file.as_deref(), context.passphrase.as_ref(), For::Opening, terminal)?;
    let read = tokio::task::spawn_blocking(move || contents(opened, &passphrase));
    let contents = read.await.map_err(bug)?.map_err(|error| refuse(&error))?;
    let source = config.vault.source(&config.data);
    let keys = keys_for(&source, &contents).await?;
    let vault = Vault::with_keys(keys.clone()).or_environment("cannot open the vault")?;
    for record in &contents.records {
        check_record(&vault, record).map_err(|error| not_fine(format!("{error}; nothing was written")))?;
    }
    let (stores, secrets) = (count(&contents, "stores"), count(&contents, "secrets"));

    let data = DataFolder::create(&config.data)?;
    let restoring = data.begin_restore()?;
    let storage = assembly::storage(config).await?;
    let filled = fill(&storage, contents.records).await;
    let closed = storage.close().await.or_environment("cannot close the storage");
    filled.and(closed)?;
    config.vault.source(data.path()).install(&keys).or_environment("cannot write the master key")?;
    restoring.end()?;
    if terminal.json {
        return terminal.data(&json!({ "created": contents.created, "stores": stores, "secrets": secrets }));
    }
    let made = &contents.created;
    terminal.line(format_args!(
        "{stores} stores and {secrets} secrets of {made} are restored in {}",
        config.data.display()
    ));
    Ok(())
}

fn count(contents: &Contents, table: &str) -> usize {
    contents.records.iter().filter(|record| record.table == table).count()
}

/// Nothing is merged and nothing replaced: what is there may be newer than the backup, and nobody could tell which of
/// two secrets is the right one.
fn check_folder(data: &Path) -> Result<()> {
    let entries = match fs::read_dir(data) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.or_environment(format_args!("cannot read {}", data.display()))?,
    };
    // A disk of its own comes with this one.
    let ours = |entry: std::io::Result<fs::DirEntry>| entry.map_or(true, |entry| entry.file_name() != "lost+found");
    if entries.into_iter().any(ours) {
        return Err(not_fine(format!("the data folder {} is not empty; nothing was changed", data.display()))
            .help("A backup is restored into an empty or new folder: name one with --data, or move this one away."));
    }
    Ok(())
}

/// Reads a backup to its end.
fn contents(file: File, passphrase: &Secret) -> std::result::Result<Contents, BackupError> {
    let mut opened = Opened::new(BufReader::new(file), passphrase)?;
    let mut contents = Contents { created: String::new(), keys: Vec::new(), records: Vec::new() };
    let mut place = 0;
    loop {
        place += 1;
        let wrong = |reason: &str| BackupError::Entry { place, reason: reason.to_owned() };
        match read_entry(&mut opened, place)?.ok_or_else(|| wrong("the last entry is missing"))? {
            Entry::About { created, .. } if place == 1 => contents.created = created.to_string(),
            _ if place == 1 => return Err(wrong("the first entry says what it is, and this is another")),
            Entry::MasterKeys(keys) if contents.keys.is_empty() => contents.keys = keys,
            Entry::Record { table, key, value } => contents.records.push(BackupRecord { table, key, value }),
            Entry::End { entries } if entries + 1 == place => break,
            _ => return Err(wrong("it is not expected there")),
        }
    }
    match read_entry(&mut opened, place + 1)? {
        None => Ok(contents),
        Some(_) => Err(BackupError::Entry { place: place + 1, reason: "it comes after the last".into() }),
    }
}

fn refuse(error: &BackupError) -> Failure {
    let failure = match error {
        BackupError::Io(_) => environment(error),
        _ => not_fine(error),
    };
    failure.help("Nothing was written.")
}

/// The keys that the new folder will have.
async fn keys_for(source: &KeySource, contents: &Contents) -> Result<Vec<MasterKey>> {
    match (source.is_ours(), contents.keys.is_empty()) {
        (true, false) => Ok(contents.keys.clone()),
        (true, true) if contents.records.is_empty() => Ok(vec![MasterKey::random().or_environment("no key")?]),
        (true, true) => Err(not_fine("the backup holds no master key: it was made where the key comes from elsewhere")
            .help("Set CARTWRIGHT_MASTER_KEY, or [vault] in the configuration, as it was there.")),
        (false, _) => source.read().await.or_environment("cannot read the master key"),
    }
}

async fn fill(storage: &Arc<dyn Storage>, mut records: Vec<BackupRecord>) -> Result<()> {
    check_empty(storage).await.map_err(not_fine)?;
    while !records.is_empty() {
        let batch = records.drain(..records.len().min(BATCH)).collect();
        restore_records(storage, batch).await.or_environment("cannot write into the storage")?;
    }
    Ok(())
}
