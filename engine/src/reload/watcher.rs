//! What is watched so that no change of a workflows folder goes unseen: the folder itself, the one above it (the folder may
//! be replaced as a whole, or not be there yet), and the folders that links lead to.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use parking_lot::Mutex;
use tokio::sync::mpsc;

/// A folder as the file system knows it: another one of the same name is not the same.
type Identity = Option<(u64, u64)>;

/// Paths whose changes count: everything below one, and what leads to one.
type Interest = Arc<Mutex<Vec<PathBuf>>>;

/// The watches that are in place.
pub(super) struct Watching {
    watcher: Option<RecommendedWatcher>,
    covered: BTreeMap<PathBuf, (RecursiveMode, Identity)>,
    interest: Interest,
    /// A watch that is needed could not be had.
    blind: bool,
    /// Held so that whoever waits goes on waiting.
    _kept: mpsc::Sender<()>,
}

impl Watching {
    /// Watches nothing yet. A change fills `changed`; a full channel means that a look is due anyway.
    pub(super) fn new(changed: mpsc::Sender<()>) -> Self {
        let interest = Interest::default();
        let kept = changed.clone();
        let wanted = Arc::clone(&interest);
        let told = move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| is_change(event.kind) && is_wanted(&event.paths, &wanted.lock())) {
                changed.try_send(()).ok();
            }
        };
        let watcher = notify::recommended_watcher(told);
        if let Err(error) = &watcher {
            tracing::warn!(%error, "files cannot be watched; the workflows folder is looked at every two seconds");
        }
        Self { blind: watcher.is_err(), watcher: watcher.ok(), covered: BTreeMap::new(), interest, _kept: kept }
    }

    /// As on a file system that tells nothing.
    #[cfg(test)]
    pub(super) fn blind(changed: mpsc::Sender<()>) -> Self {
        Self { watcher: None, blind: true, _kept: changed, ..Self::new(mpsc::channel(1).0) }
    }

    /// Whether changes may go unseen: somebody has to look by themselves.
    pub(super) fn is_blind(&self) -> bool {
        self.blind
    }

    /// Puts watches where they are needed now, and takes away the others.
    pub(super) fn cover(&mut self, root: &Path, elsewhere: &BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted = wanted(root, elsewhere);
        let mut interest: Vec<PathBuf> = elsewhere.iter().cloned().collect();
        interest.extend([absolute(root), root.canonicalize().unwrap_or_else(|_| absolute(root))]);
        *self.interest.lock() = interest;
        let gone: Vec<PathBuf> = self.covered.keys().filter(|path| !wanted.contains_key(*path)).cloned().collect();
        for path in gone {
            watcher.unwatch(&path).ok();
            self.covered.remove(&path);
        }
        let was_blind = std::mem::take(&mut self.blind);
        for (path, mode) in wanted {
            let now = (mode, identity(&path));
            // New folders inside a watched one are watched by themselves.
            if self.covered.get(&path) == Some(&now) {
                continue;
            }
            if self.covered.remove(&path).is_some() {
                watcher.unwatch(&path).ok();
            }
            match watcher.watch(&path, mode) {
                Ok(()) => drop(self.covered.insert(path, now)),
                Err(error) => {
                    self.blind = true;
                    if !was_blind {
                        let folder = path.display();
                        tracing::warn!(%error, %folder, "a folder cannot be watched; workflows are looked at every two seconds");
                    }
                }
            }
        }
    }
}

fn wanted(root: &Path, elsewhere: &BTreeSet<PathBuf>) -> BTreeMap<PathBuf, RecursiveMode> {
    let mut wanted: BTreeMap<PathBuf, RecursiveMode> =
        elsewhere.iter().map(|folder| (folder.clone(), RecursiveMode::NonRecursive)).collect();
    let absolute = absolute(root);
    // The nearest folder above that is there tells when the next one appears.
    wanted.extend(
        absolute
            .ancestors()
            .skip(1)
            .find(|path| path.is_dir())
            .map(|path| (path.to_owned(), RecursiveMode::NonRecursive)),
    );
    if let Ok(real) = root.canonicalize() {
        wanted.extend(real.parent().map(|above| (above.to_owned(), RecursiveMode::NonRecursive)));
        wanted.insert(real, RecursiveMode::Recursive);
    }
    wanted
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(unix)]
fn identity(path: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|about| (about.dev(), about.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Identity {
    None
}

/// Reading a file is an event too; following those would never end.
fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write))
}

/// A queue that ran over names no path: anything may have changed.
fn is_wanted(paths: &[PathBuf], interest: &[PathBuf]) -> bool {
    let counts = |path: &PathBuf| interest.iter().any(|one| path.starts_with(one) || one.starts_with(path));
    paths.is_empty() || paths.iter().any(counts)
}
