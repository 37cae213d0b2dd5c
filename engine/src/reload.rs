//! Changes in the workflows folder reach the engine while it runs. A broken edit is logged with its place; the last good
//! version stays.

use std::time::Duration;

use cartwright_core::workflow::render;
use cartwright_http::Findings;
use cartwright_run::Engine;
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::workflows::Folder;

/// Editors and checkouts write many files at once; they are read together.
const SETTLE: Duration = Duration::from_millis(100);

/// Watches until it is dropped.
pub(crate) struct Reloading {
    _watcher: RecommendedWatcher,
    task: JoinHandle<()>,
}

impl Drop for Reloading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Begins to watch a folder that was read. `None`: it cannot be watched, which is logged.
pub(crate) fn watch(folder: Folder, engine: Engine, findings: Findings) -> Option<Reloading> {
    if !folder.root().is_dir() {
        return None;
    }
    let (changed, changes) = mpsc::channel(1);
    let told = move |event: notify::Result<notify::Event>| {
        // A full channel means that a reading is due anyway.
        if event.map_or(true, |event| is_change(event.kind)) {
            changed.try_send(()).ok();
        }
    };
    let watcher = notify::recommended_watcher(told).and_then(|mut watcher| {
        watcher.watch(folder.root(), RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    match watcher {
        Ok(watcher) => {
            Some(Reloading { _watcher: watcher, task: tokio::spawn(follow(folder, engine, findings, changes)) })
        }
        Err(error) => {
            tracing::warn!(%error, "the workflows folder cannot be watched: changes are seen at the next start");
            None
        }
    }
}

/// Reading a file is an event too; following those would never end.
fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write))
}

async fn follow(folder: Folder, engine: Engine, findings: Findings, mut changes: mpsc::Receiver<()>) {
    let sandbox = crate::assembly::sandbox();
    let mut folder = Some(folder);
    while changes.recv().await.is_some() {
        tokio::time::sleep(SETTLE).await;
        while changes.try_recv().is_ok() {}
        let Some(mut reader) = folder.take() else { return };
        let checker = sandbox.clone();
        let read = tokio::task::spawn_blocking(move || {
            let reading = reader.read(Some(&checker));
            (reader, reading)
        });
        let Ok((reader, reading)) = read.await else { return };
        folder = Some(reader);
        match reading {
            Ok(reading) => {
                for finding in &reading.findings {
                    tracing::warn!("{}", render(&finding.file, &finding.source, &finding.diagnostics));
                }
                findings.set(reading.findings);
                if reading.changed.is_empty() {
                    continue;
                }
                let changed: Vec<&str> = reading.changed.iter().map(|id| id.as_str()).collect();
                match engine.set_workflows(reading.loaded).await {
                    Ok(()) => tracing::info!(changed = changed.join(", "), "workflows reloaded"),
                    Err(error) => {
                        tracing::error!(%error, "workflows changed but cannot be kept; the earlier ones run on");
                    }
                }
            }
            Err(failure) => {
                tracing::warn!(error = %failure, "the workflows folder cannot be read; the earlier workflows run on");
            }
        }
    }
}
