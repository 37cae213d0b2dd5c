//! A folder that is read again and again: each reading says what is good, what is not, and what is new since the one that
//! was taken last.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use cartwright_core::{
    id::WorkflowId,
    workflow::{Diagnostic, codes},
};
use cartwright_http::FileFindings;
use cartwright_run::{
    Loaded,
    live::{FileChange, WorkflowNews},
};
use cartwright_sandbox::Sandbox;

use super::{Examined, MAX_DEPTH, MAX_FILES, Sources, conflicts, files_below, has_file, id_of};
use crate::{failure::Result, plugins::Installed};

/// A folder of workflow files.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
    plugins: Installed,
    /// The last good version of each file that is there, and its file.
    good: BTreeMap<WorkflowId, (PathBuf, Loaded)>,
    /// What was wrong with files, by file.
    broken: BTreeMap<String, FileFindings>,
}

/// What one reading gave.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Good versions, older ones of files that are broken now included.
    pub(crate) loaded: Vec<Loaded>,
    pub(crate) findings: Vec<FileFindings>,
    /// What is new since the last reading that was taken, by change and then by workflow.
    pub(crate) news: Vec<WorkflowNews>,
    /// Folders of files that are links to somewhere else.
    pub(crate) elsewhere: BTreeSet<PathBuf>,
    good: BTreeMap<WorkflowId, (PathBuf, Loaded)>,
    broken: BTreeMap<String, FileFindings>,
}

impl Reading {
    /// Whether other versions run from now on than before.
    pub(crate) fn changes_versions(&self) -> bool {
        self.news.iter().any(|one| !matches!(one.change, FileChange::Broken | FileChange::Repaired))
    }

    /// Whether it may be a moment in the middle of a change: a file that was good is gone or broken.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.news.iter().any(|one| matches!(one.change, FileChange::Removed | FileChange::Broken))
    }
}

impl Folder {
    pub(crate) fn new(root: PathBuf, plugins: Installed) -> Self {
        Self { root, plugins, good: BTreeMap::new(), broken: BTreeMap::new() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of plugins, which change what workflows mean as well.
    pub(crate) fn plugins(&self) -> &Path {
        self.plugins.folder()
    }

    /// What its files and the plugins look like at the moment.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut found = Fingerprint::of(&self.root);
        found.0.extend(Fingerprint::of(self.plugins()).0);
        found
    }

    /// Reads everything and takes it.
    pub(crate) fn read(&mut self, sandbox: Option<&Sandbox>) -> Result<Reading> {
        let reading = self.look(sandbox)?;
        self.take(&reading);
        Ok(reading)
    }

    /// From now on a reading is what later ones are compared with.
    pub(crate) fn take(&mut self, reading: &Reading) {
        self.good.clone_from(&reading.good);
        self.broken.clone_from(&reading.broken);
    }

    /// Reads everything.
    pub(crate) fn look(&self, sandbox: Option<&Sandbox>) -> Result<Reading> {
        let mut good: BTreeMap<WorkflowId, (PathBuf, Loaded)> = BTreeMap::new();
        let mut findings = Vec::new();
        let mut elsewhere = BTreeSet::from([self.plugins().to_owned()]);
        let sources = Sources { plugins: &self.plugins, sandbox };
        for path in files_below(&self.root)? {
            elsewhere.extend(behind_link(&path));
            let Examined { loaded, finding } = sources.read(&self.root, &path);
            findings.extend(finding);
            let last = || Some(self.good.get(&id_of(&self.root, &path).ok()?)?.1.clone());
            let Some(loaded) = loaded.or_else(last) else { continue };
            match good.entry(loaded.definition.id.clone()) {
                std::collections::btree_map::Entry::Vacant(place) => drop(place.insert((path, loaded))),
                std::collections::btree_map::Entry::Occupied(place) => findings.push(twice(place.key(), &path)),
            }
        }
        let file = |id: &WorkflowId| good.get(id).map(|(path, _)| path.display().to_string()).unwrap_or_default();
        findings.extend(conflicts(good.values().map(|(_, loaded)| loaded), file, |id| has_file(&self.root, id)));
        let broken = findings.iter().filter(|one| one.is_broken());
        let broken: BTreeMap<_, _> = broken.map(|one| (one.file.clone(), one.clone())).collect();
        let news = self.news(&good, &broken);
        let loaded = good.values().map(|(_, loaded)| loaded.clone()).collect();
        Ok(Reading { loaded, findings, news, elsewhere, good, broken })
    }

    fn news(
        &self,
        good: &BTreeMap<WorkflowId, (PathBuf, Loaded)>,
        broken: &BTreeMap<String, FileFindings>,
    ) -> Vec<WorkflowNews> {
        let mut news = Vec::new();
        let ids: BTreeSet<_> = good.keys().chain(self.good.keys()).collect();
        for id in ids {
            let version = |found: &(PathBuf, Loaded)| found.1.workflow.version.clone();
            let (before, now) = (self.good.get(id), good.get(id));
            let change = match (before.map(version), now.map(version)) {
                (None, Some(_)) => FileChange::Added,
                (Some(_), None) => FileChange::Removed,
                (before, now) if before != now => FileChange::Changed,
                _ => continue,
            };
            let file = now.or(before).map(|(path, _)| path.display().to_string()).unwrap_or_default();
            news.push(WorkflowNews {
                change,
                workflow: Some(id.clone()),
                file,
                version: now.map(version),
                error: None,
            });
        }
        let mut tell = |change, one: &FileFindings, error| {
            let version = one.workflow.as_ref().and_then(|id| good.get(id));
            let version = version.map(|(_, loaded)| loaded.workflow.version.clone());
            news.push(WorkflowNews { change, workflow: one.workflow.clone(), file: one.file.clone(), version, error });
        };
        for (_, one) in broken.iter().filter(|(file, one)| self.broken.get(*file) != Some(one)) {
            tell(FileChange::Broken, one, Some(one.errors()));
        }
        for (_, one) in self.broken.iter().filter(|(file, _)| !broken.contains_key(*file)) {
            // A broken file that was removed is not repaired.
            if Path::new(&one.file).exists() {
                tell(FileChange::Repaired, one, None);
            }
        }
        news.sort_by_key(|one| one.change);
        news
    }
}

/// The folder of what a link leads to.
fn behind_link(path: &Path) -> Option<PathBuf> {
    if !path.is_symlink() {
        return None;
    }
    Some(path.canonicalize().ok()?.parent()?.to_owned())
}

fn twice(id: &WorkflowId, path: &Path) -> FileFindings {
    let message = "another file has the same workflow id (`.yaml` and `.yml`)";
    let diagnostics = vec![Diagnostic::error(codes::DUPLICATE_WORKFLOW, 0..0, message).help("Remove one of them.")];
    FileFindings { workflow: Some(id.clone()), file: path.display().to_string(), source: String::new(), diagnostics }
}

/// What the files below a folder look like from outside: equal ones hold the same. Scripts count, hidden files do not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Fingerprint(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl Fingerprint {
    /// Looks at every file; what cannot be looked at counts as not there.
    pub(crate) fn of(root: &Path) -> Self {
        let mut found = BTreeMap::new();
        let mut folders = vec![(root.to_owned(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
                // Follows links.
                let Ok(about) = fs::metadata(&path) else { continue };
                if hidden || found.len() >= MAX_FILES {
                    continue;
                }
                if about.is_dir() && depth + 1 < MAX_DEPTH {
                    folders.push((path, depth + 1));
                } else if about.is_file() {
                    found.insert(path, (about.len(), about.modified().ok()));
                }
            }
        }
        Self(found)
    }
}
