//! `cartwright diff`: what differs between the files on disk and what the engine runs, or ran last.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use cartwright_core::{
    Json,
    id::WorkflowId,
    plugin::{FILE_PREFIX, PluginRecord},
};
use serde_json::json;

use super::{
    Context, Session, field,
    workflows::{listed, shown},
};
use crate::{
    cli::Diff,
    failure::{Result, environment, quiet, usage},
    plugins::Installed,
    terminal::{Terminal, Tone, unified},
    workflows::{Sources, files_below},
};

/// Texts by name: the workflow file and its scripts.
type Texts = BTreeMap<String, String>;

/// A file on disk.
struct OnDisk {
    version: Option<String>,
    texts: Texts,
    /// It cannot be used as it stands.
    broken: bool,
}

/// How a workflow stands.
struct Standing {
    id: WorkflowId,
    word: &'static str,
    lines: Vec<String>,
}

/// What is compared.
struct Scope<'a> {
    /// The folder that ids are relative to.
    root: &'a Path,
    /// Only these; empty: all.
    paths: &'a [PathBuf],
    plugins: &'a Installed,
}

impl<'a> Scope<'a> {
    /// A folder beside the workflows folder, such as another checkout, is compared as a whole.
    fn of(command: &'a Diff, plugins: &'a Installed, context: &'a Context) -> Result<Self> {
        let (root, paths) = (context.config.workflows.as_path(), command.paths.as_slice());
        let full_root = full(root);
        let beside = |path: &PathBuf| {
            let path = full(path);
            !path.starts_with(&full_root) && !full_root.starts_with(&path)
        };
        match paths {
            [folder] if folder.is_dir() && beside(folder) => return Ok(Self { root: folder, paths: &[], plugins }),
            _ => {}
        }
        if let Some(other) = paths.iter().find(|path| beside(path)) {
            let failure = usage(format!("{} is not in the workflows folder {}", other.display(), root.display()));
            return Err(failure.help("Another folder is compared as a whole, when it is the only one that is named."));
        }
        if paths.is_empty() && !root.is_dir() {
            let failure = environment(format!("there is no workflows folder {}", root.display()));
            return Err(failure.help("Name the folder: `cartwright diff DIR`; or `workflows` in cartwright.toml."));
        }
        Ok(Self { root, paths, plugins })
    }

    /// Whether a workflow's file is, or would be, among the paths.
    fn has(&self, id: &WorkflowId) -> bool {
        let file = full(self.root).join(format!("{id}.yaml"));
        let mut paths = self.paths.iter().map(|path| full(path));
        self.paths.is_empty() || paths.any(|path| file.starts_with(&path) || file.with_extension("yml") == path)
    }
}

fn full(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

pub(super) async fn run(command: &Diff, context: &Context) -> Result<()> {
    let plugins = Installed::of(&context.config);
    let scope = Scope::of(command, &plugins, context)?;
    let disk = on_disk(&scope)?;
    let session = context.look().await?;
    session.recall().await?;
    let compared = compare(&scope, context, &session, &disk).await;
    let all = session.end(compared).await?;
    tell(&all, &context.terminal)
}

fn on_disk(scope: &Scope<'_>) -> Result<BTreeMap<WorkflowId, OnDisk>> {
    let root = scope.root;
    let sandbox = crate::assembly::sandbox();
    let mut found = BTreeMap::new();
    let files = if root.is_dir() { files_below(root)? } else { Vec::new() };
    for file in files {
        let examined = Sources { plugins: scope.plugins, sandbox: Some(&sandbox) }.read(root, &file);
        let broken = examined.finding.as_ref().is_some_and(cartwright_http::FileFindings::is_broken);
        let id = match (&examined.loaded, &examined.finding) {
            (Some(loaded), _) => loaded.definition.id.clone(),
            (None, Some(finding)) => match &finding.workflow {
                Some(id) => id.clone(),
                None => continue,
            },
            (None, None) => continue,
        };
        let mut texts = Texts::new();
        if let Some(loaded) = &examined.loaded {
            texts.extend(loaded.definition.files.iter().map(|(name, text)| match PluginRecord::parse(text) {
                Ok(record) if name.starts_with(FILE_PREFIX) => {
                    plugin(&record.name, &record.manifest.version, &record.hash)
                }
                _ => (name.clone(), text.clone()),
            }));
        }
        let source = examined.loaded.as_ref().map(|loaded| loaded.definition.source.clone());
        let source = source.or(examined.finding.map(|finding| finding.source)).unwrap_or_default();
        texts.insert(String::new(), source);
        let version = examined.loaded.map(|loaded| loaded.workflow.version.to_string());
        found.insert(id, OnDisk { version, texts, broken });
    }
    found.retain(|id, _| scope.has(id));
    Ok(found)
}

async fn compare(
    scope: &Scope<'_>,
    context: &Context,
    session: &Session,
    disk: &BTreeMap<WorkflowId, OnDisk>,
) -> Result<Vec<Standing>> {
    let running = listed(session).await?.items;
    let running: BTreeMap<WorkflowId, String> = running
        .iter()
        .filter_map(|item| Some((field(item, "id").parse().ok()?, field(item, "version"))))
        .filter(|(id, _)| scope.has(id))
        .collect();
    let ids: BTreeSet<&WorkflowId> = disk.keys().chain(running.keys()).collect();
    let mut all = Vec::new();
    for id in ids {
        let (here, there) = (disk.get(id), running.get(id));
        let word = match (here, there) {
            (Some(_), None) => "added",
            (None, _) => "removed",
            (Some(here), Some(there)) if here.version.as_ref() == Some(there) => "same",
            (Some(here), Some(_)) if here.broken => "broken",
            (Some(_), Some(_)) => "changed",
        };
        let lines = match (word, here) {
            ("same", _) => Vec::new(),
            (_, here) => {
                let before = if there.is_some() { texts(&shown(session, id).await?) } else { Texts::new() };
                let none = Texts::new();
                differences(id, &before, here.map_or(&none, |here| &here.texts), &context.terminal)
            }
        };
        all.push(Standing { id: id.clone(), word, lines });
    }
    Ok(all)
}

/// What the engine has of a workflow.
fn texts(shown: &Json) -> Texts {
    let scripts = shown["scripts"].as_object().into_iter().flatten();
    let mut texts: Texts = scripts.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect();
    let plugins = shown["plugins"].as_array().into_iter().flatten();
    texts.extend(plugins.map(|one| plugin(&field(one, "name"), &field(one, "version"), &field(one, "hash"))));
    texts.insert(String::new(), field(shown, "source"));
    texts
}

/// A plugin's version as a text to compare.
fn plugin(name: &str, version: &str, hash: &str) -> (String, String) {
    (format!("{FILE_PREFIX}{name}"), format!("version {version}\nsha256 {hash}\n"))
}

fn differences(id: &WorkflowId, before: &Texts, after: &Texts, terminal: &Terminal) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut lines = Vec::new();
    for name in names {
        let title = if name.is_empty() { format!("{id}.yaml") } else { format!("{id}: {name}") };
        let of = |texts: &Texts| texts.get(name).cloned().unwrap_or_default();
        let titles = (format!("{title} (engine)"), format!("{title} (disk)"));
        lines.extend(unified((&titles.0, &of(before)), (&titles.1, &of(after)), terminal));
    }
    lines
}

fn tell(all: &[Standing], terminal: &Terminal) -> Result<()> {
    let differs = all.iter().any(|one| one.word != "same");
    if terminal.json {
        let items: Vec<Json> = all
            .iter()
            .map(|one| json!({ "workflow": one.id, "status": one.word, "diff": one.lines.join("\n") }))
            .collect();
        terminal.data(&json!({ "same": !differs, "items": items }))?;
    } else {
        for one in all.iter().filter(|one| one.word != "same") {
            let tone = match one.word {
                "added" => Tone::Good,
                "changed" => Tone::Wait,
                _ => Tone::Bad,
            };
            terminal.line(format_args!("{} {}", terminal.paint(tone, one.word), one.id));
            one.lines.iter().for_each(|line| terminal.line(line));
            terminal.line("");
        }
        let count = |word: &str| all.iter().filter(|one| one.word == word).count();
        let words = ["added", "changed", "broken", "removed", "same"].map(|word| format!("{} {word}", count(word)));
        terminal.note(words.join(", "));
    }
    if differs { Err(quiet()) } else { Ok(()) }
}
