//! Changes in the workflows folder reach the engine while it runs. What is read goes to a [`Sink`]; the real one gives it to
//! the engine, the API's findings and the live stream. A broken or half-written edit keeps the last good version.

mod watcher;
#[cfg(test)]
mod tests;

use std::time::Duration;

use cartwright_core::workflow::render;
use cartwright_http::Findings;
use cartwright_run::{Engine, live::FileChange};
use cartwright_sandbox::Sandbox;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use self::watcher::Watching;
use crate::workflows::{Fingerprint, Folder, Reading};

/// Editors and checkouts write many files at once; they are read together once nothing happened for so long.
const SETTLE: Duration = Duration::from_millis(100);
/// A folder that never comes to rest is read after so long all the same.
const SETTLE_MAX: Duration = Duration::from_secs(2);
/// A file that is gone or broken is looked at again after so long: it may be in the middle of being written.
const DOUBT: Duration = Duration::from_millis(250);
/// How often; what has not come back until then is taken as it is.
const DOUBTS_MAX: usize = 4;
/// Between two looks at a folder that cannot be watched.
const POLL: Duration = Duration::from_secs(2);
/// Between two tries to keep what was read, or to read what could not be read.
const RETRY: Duration = Duration::from_secs(5);

/// Where readings go.
pub(crate) trait Sink: Send + Sync + 'static {
    /// Takes a reading. An error is logged, and the same is offered again later.
    fn put(&self, reading: &Reading) -> impl Future<Output = Result<(), String>> + Send;
}

/// Watches until it is dropped.
pub(crate) struct Reloading {
    task: JoinHandle<()>,
}

impl Drop for Reloading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Begins to watch a folder that was read, or that is not there yet.
pub(crate) fn watch(folder: Folder, seen: Fingerprint, sink: impl Sink) -> Reloading {
    let (changed, changes) = mpsc::channel(1);
    let watching = Watching::new(changed);
    Reloading { task: tokio::spawn(follow(folder, seen, sink, watching, changes)) }
}

/// The real sink.
pub(crate) struct ToEngine {
    pub(crate) engine: Engine,
    pub(crate) findings: Findings,
}

impl Sink for ToEngine {
    async fn put(&self, reading: &Reading) -> Result<(), String> {
        if reading.changes_versions() {
            self.engine.set_workflows(reading.loaded.clone()).await.map_err(|error| error.to_string())?;
        }
        self.findings.set(reading.findings.clone());
        let is_new = |file: &str| reading.news.iter().any(|one| one.change == FileChange::Broken && one.file == file);
        for finding in reading.findings.iter().filter(|finding| is_new(&finding.file)) {
            tracing::warn!("{}", render(&finding.file, &finding.source, &finding.diagnostics));
        }
        let words: Vec<String> = reading
            .news
            .iter()
            .map(|one| {
                format!("{} {}", one.change.as_str(), one.workflow.as_ref().map_or(one.file.as_str(), |id| id.as_str()))
            })
            .collect();
        if !words.is_empty() {
            tracing::info!(changes = words.join(", "), "workflow files read again");
        }
        self.engine.tell_files(reading.news.clone());
        Ok(())
    }
}

async fn follow(
    mut folder: Folder,
    mut seen: Fingerprint,
    sink: impl Sink,
    mut watching: Watching,
    mut changes: mpsc::Receiver<()>,
) {
    let sandbox = crate::assembly::sandbox();
    let mut elsewhere = std::collections::BTreeSet::from([folder.plugins().to_owned()]);
    let mut was_missing = false;
    loop {
        watching.cover(folder.root(), &elsewhere);
        let mut is_there = folder.root().is_dir();
        if !is_there && !was_missing {
            // It may be in the middle of being replaced.
            tokio::time::sleep(DOUBT).await;
            is_there = folder.root().is_dir();
            watching.cover(folder.root(), &elsewhere);
        }
        let now = print_of(&folder).await;
        let mut again = None;
        if !is_there {
            if !was_missing {
                tracing::warn!(folder = %folder.root().display(), "there is no workflows folder; what was loaded runs on");
            }
        } else if now != seen || was_missing {
            match read(&folder, &sandbox, &sink).await {
                Ok(reading) => {
                    folder.take(&reading);
                    elsewhere = reading.elsewhere;
                    seen = now;
                }
                Err(why) => {
                    tracing::warn!(
                        error = why,
                        "the workflows folder was not taken over; the earlier workflows run on"
                    );
                    again = Some(RETRY);
                }
            }
            watching.cover(folder.root(), &elsewhere);
        }
        was_missing = !is_there;
        let pause = again.or(watching.is_blind().then_some(POLL)).unwrap_or(Duration::MAX);
        // A look more costs nothing: it is the fingerprint that says whether to read.
        if timeout(pause, changes.recv()).await == Ok(None) {
            return;
        }
        settle(&mut changes).await;
    }
}

/// Paths that somebody looks at until something changes.
pub(crate) struct Observed {
    folders: Vec<(std::path::PathBuf, Watching, Fingerprint)>,
    changes: mpsc::Receiver<()>,
}

impl Observed {
    /// Files are observed through their folders.
    pub(crate) fn new(paths: &[std::path::PathBuf]) -> Self {
        let (changed, changes) = mpsc::channel(1);
        let folder = |path: &std::path::PathBuf| match path.parent() {
            Some(above) if path.is_file() && above.as_os_str().is_empty() => ".".into(),
            Some(above) if path.is_file() => above.to_owned(),
            _ => path.clone(),
        };
        let observe = |path| {
            let folder = folder(path);
            let seen = Fingerprint::of(&folder);
            (folder, Watching::new(changed.clone()), seen)
        };
        Self { folders: paths.iter().map(observe).collect(), changes }
    }

    /// Resolves when a file below one of the paths is another than before.
    pub(crate) async fn changed(&mut self) {
        loop {
            let mut blind = false;
            let mut differs = false;
            for (folder, watching, seen) in &mut self.folders {
                watching.cover(folder, &std::collections::BTreeSet::new());
                blind |= watching.is_blind();
                let now = Fingerprint::of(folder);
                differs |= now != *seen;
                *seen = now;
            }
            if differs {
                return;
            }
            timeout(if blind { POLL } else { Duration::MAX }, self.changes.recv()).await.ok();
            settle(&mut self.changes).await;
        }
    }
}

/// Waits until nothing happens any more.
async fn settle(changes: &mut mpsc::Receiver<()>) {
    let quiet = async { while timeout(SETTLE, changes.recv()).await.is_ok_and(|change| change.is_some()) {} };
    timeout(SETTLE_MAX, quiet).await.ok();
}

async fn print_of(folder: &Folder) -> Fingerprint {
    let folder = folder.clone();
    tokio::task::spawn_blocking(move || folder.fingerprint()).await.unwrap_or_default()
}

/// Reads until two readings agree about what is gone or broken, and hands the last one on.
async fn read(folder: &Folder, sandbox: &Sandbox, sink: &impl Sink) -> Result<Reading, String> {
    let mut reading = look(folder, sandbox).await?;
    for _ in 0..DOUBTS_MAX {
        if !reading.is_doubtful() {
            break;
        }
        tokio::time::sleep(DOUBT).await;
        let later = look(folder, sandbox).await?;
        let agrees = later.news == reading.news;
        reading = later;
        if agrees {
            break;
        }
    }
    // Without news too: warnings may be others.
    sink.put(&reading).await?;
    Ok(reading)
}

async fn look(folder: &Folder, sandbox: &Sandbox) -> Result<Reading, String> {
    let (folder, sandbox) = (folder.clone(), sandbox.clone());
    let looked = tokio::task::spawn_blocking(move || folder.look(Some(&sandbox))).await;
    looked.map_err(|error| error.to_string())?.map_err(|failure| failure.to_string())
}
