//! `cartwright restore`: a backup is read to its end and everything sealed in it opened once; only then a data folder that
//! is empty gets it, in a second reading. Until its end the folder has a mark that every command refuses.

use std::{
    fs::{self, File},
    io::BufReader,
    path::Path,
    sync::Arc,
};

use cartwright_core::{run::row::RunStatus, time::Timestamp};
use cartwright_run::{
    Contents, Hold, check_empty, hold, restore_record,
    storage::{BackupPart, Counts, Storage},
};
use cartwright_sandbox::plugin::hash_of;
use cartwright_woo::{
    KeySource, MasterKey, Vault,
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
    plugins::Store,
    terminal::Progress,
};

/// What a backup holds, all of it checked.
struct Checked {
    created: Timestamp,
    keys: Vec<MasterKey>,
    contents: Contents,
    /// Before the last.
    entries: u64,
}

pub(super) async fn run(command: Restore, context: &Context) -> Result<()> {
    let Restore { file, passphrase_file, resume } = command;
    let (terminal, config) = (&context.terminal, &context.config);
    if config.storage == StorageChoice::Memory {
        return Err(usage("a backup is restored into storage that lasts; name one with --storage or leave it out"));
    }
    check_folder(&config.data, "A backup is restored")?;
    let opened = File::open(&file).or_environment(format_args!("cannot open {}", file.display()))?;
    let passphrase = passphrase::ask(passphrase_file.as_deref(), context.passphrase.as_ref(), For::Opening, terminal)?;
    let read = tokio::task::spawn_blocking(move || {
        let mut opened = Opened::new(BufReader::new(opened), &passphrase)?;
        check(&mut opened).map(|checked| (opened, checked))
    });
    let mut progress = terminal.progress("reading all of it", "parts", None);
    let read = progress.during(read).await;
    drop(progress);
    let (mut opened, checked) = read.map_err(bug)?.map_err(|error| refuse(&error))?;
    let source = config.vault.source(&config.data);
    let keys = keys_for(&source, &checked).await?;
    let vault = Vault::with_keys(keys.clone()).or_environment("cannot open the vault")?;
    checked.contents.check(&vault).map_err(|error| not_fine(format!("{error}; nothing was written")))?;

    let data = DataFolder::create(&config.data)?;
    let restoring = data.begin_restore()?;
    let storage = assembly::storage(config).await?;
    let progress = terminal.progress("restoring", "parts", Some(checked.entries));
    let filled = fill(&storage, &data, &mut opened, &checked, progress).await;
    let held = match filled {
        Ok(()) if !resume && goes_on(&checked.contents.counts) => {
            let note = Hold { backup: checked.created, restored: context.now() };
            hold(&storage, &note).await.or_environment("cannot write into the storage").map(|()| true)
        }
        filled => filled.map(|()| false),
    };
    let closed = storage.close().await.or_environment("cannot close the storage");
    let held = held?;
    closed?;
    config.vault.source(data.path()).install(&keys).or_environment("cannot write the master key")?;
    restoring.end()?;
    report(&checked, held, context)
}

/// Whether something in it would go on by itself.
fn goes_on(counts: &Counts) -> bool {
    let open = RunStatus::ALL.into_iter().zip(counts.runs).any(|(status, count)| !status.is_ended() && count > 0);
    open || counts.inbox > 0 || counts.outbox > 0 || counts.timers > 0
}

fn report(checked: &Checked, held: bool, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let Checked { created, contents, .. } = checked;
    let (stores, secrets) = contents.sealed();
    let (runs, events) = (super::backup::runs(&contents.counts), contents.counts.events);
    if terminal.json {
        return terminal.data(&json!({
            "created": created, "runs": runs, "events": events, "stores": stores, "secrets": secrets, "held": held,
        }));
    }
    terminal.line(format_args!(
        "{runs} runs, {events} events, {stores} stores and {secrets} secrets of {created} are restored in {}",
        context.config.data.display()
    ));
    if held {
        terminal.note("runs that were open then may have gone on since, so an engine on it accepts events and begins nothing yet:");
        terminal.note("look at them (`cartwright runs ls --status running`), cancel what must not be repeated, then `cartwright resume`");
    }
    Ok(())
}

/// Nothing is merged and nothing replaced: what is there may be newer than the backup, and nobody could tell which of
/// two secrets is the right one.
pub(super) fn check_folder(data: &Path, what: &str) -> Result<()> {
    let entries = match fs::read_dir(data) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.or_environment(format_args!("cannot read {}", data.display()))?,
    };
    // A disk of its own comes with this one.
    let ours = |entry: std::io::Result<fs::DirEntry>| entry.map_or(true, |entry| entry.file_name() != "lost+found");
    if entries.into_iter().any(ours) {
        return Err(not_fine(format!("the data folder {} is not empty; nothing was changed", data.display()))
            .help(format!("{what} into an empty or new folder: name one with --data, or move this one away.")));
    }
    Ok(())
}

/// Reads a backup to its end.
fn check(opened: &mut Opened<BufReader<File>>) -> std::result::Result<Checked, BackupError> {
    let (mut created, mut keys, mut contents) = (None, Vec::new(), Contents::default());
    let mut place = 0;
    loop {
        place += 1;
        let wrong = |reason: &str| BackupError::Entry { place, reason: reason.to_owned() };
        match read_entry(opened, place)?.ok_or_else(|| wrong("the last entry is missing"))? {
            Entry::About { created: at, .. } if place == 1 => created = Some(at),
            _ if place == 1 => return Err(wrong("the first entry says what it is, and this is another")),
            Entry::MasterKeys(found) if keys.is_empty() => keys = found,
            Entry::Part(bytes) => {
                let part = BackupPart::from_bytes(bytes).map_err(|error| wrong(&error.to_string()))?;
                contents.see(&part).map_err(|error| wrong(&error.to_string()))?;
            }
            Entry::Record { table, key, value } => {
                contents.see_named(&table, key, value).map_err(|error| wrong(&error.to_string()))?;
            }
            Entry::Plugin(_) => {}
            Entry::End { entries } if entries + 1 == place => break,
            _ => return Err(wrong("it is not expected there")),
        }
    }
    match (read_entry(opened, place + 1)?, created) {
        (None, Some(created)) => Ok(Checked { created, keys, contents, entries: place - 1 }),
        _ => Err(BackupError::Entry { place: place + 1, reason: "it comes after the last".into() }),
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
async fn keys_for(source: &KeySource, checked: &Checked) -> Result<Vec<MasterKey>> {
    match (source.is_ours(), checked.keys.is_empty()) {
        (true, false) => Ok(checked.keys.clone()),
        (true, true) if checked.contents.sealed() == (0, 0) => Ok(vec![MasterKey::random().or_environment("no key")?]),
        (true, true) => Err(not_fine("the backup holds no master key: it was made where the key comes from elsewhere")
            .help("Set CARTWRIGHT_MASTER_KEY, or [vault] in the configuration, as it was there.")),
        (false, _) => source.read().await.or_environment("cannot read the master key"),
    }
}

/// Reads the backup once more, into an empty storage.
async fn fill(
    storage: &Arc<dyn Storage>,
    data: &DataFolder,
    opened: &mut Opened<BufReader<File>>,
    checked: &Checked,
    mut progress: Progress,
) -> Result<()> {
    check_empty(storage).await.map_err(not_fine)?;
    let doing = "cannot write into the storage";
    opened.rewind().map_err(|error| refuse(&error))?;
    for place in 1..=checked.entries {
        match read_entry(opened, place).or_environment("the backup was changed while it was read")? {
            Some(Entry::Part(bytes)) => {
                let part = BackupPart::from_bytes(bytes).or_environment(doing)?;
                storage.restore(part).await.or_environment(doing)?;
            }
            Some(Entry::Record { table, key, value }) => {
                restore_record(storage, &table, key, value).await.or_environment(doing)?;
            }
            Some(Entry::Plugin(component)) => {
                let kept = Store::of(data.path()).and_then(|store| store.keep(&hash_of(&component), &component));
                kept.or_environment("cannot keep a version of a plugin")?;
            }
            _ => {}
        }
        progress.add(1);
    }
    Ok(())
}
