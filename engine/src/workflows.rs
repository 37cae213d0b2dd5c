//! The workflows folder: files become definitions, a broken edit keeps the last good version running, and changes on
//! disk are seen while the engine runs.

mod folder;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use cartwright_core::{
    id::WorkflowId,
    plugin::FILE_PREFIX,
    workflow::{Diagnostic, Severity, WorkflowSet, codes, parse},
};
use cartwright_http::FileFindings;
use cartwright_run::{Definition, Loaded};
use cartwright_sandbox::Sandbox;

use crate::{
    failure::{OrFail as _, Result, environment},
    plugins::Installed,
};

/// Of one workflow or script file, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Files read from one folder.
const MAX_FILES: usize = 50_000;
/// Folders in folders.
const MAX_DEPTH: usize = 16;

pub(crate) use folder::{Fingerprint, Folder, Reading};

/// One file, read.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) loaded: Option<Loaded>,
    pub(crate) finding: Option<FileFindings>,
}

/// What files are read with.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'s> {
    /// The plugins that they can name.
    pub(crate) plugins: &'s Installed,
    /// Checks their expressions and scripts as well; they are compiled when first used otherwise.
    pub(crate) sandbox: Option<&'s Sandbox>,
}

impl Sources<'_> {
    /// Reads one file.
    pub(crate) fn read(self, root: &Path, path: &Path) -> Examined {
        read_file(root, path, self)
    }
}

fn read_file(root: &Path, path: &Path, Sources { plugins, sandbox }: Sources<'_>) -> Examined {
    let file = path.display().to_string();
    let id = id_of(root, path);
    let refused = |diagnostic: Diagnostic, source: String| Examined {
        loaded: None,
        finding: Some(FileFindings {
            workflow: id.as_ref().ok().cloned(),
            file: file.clone(),
            source,
            diagnostics: vec![diagnostic],
        }),
    };
    let id = match id.clone() {
        Ok(id) => id,
        Err(why) => {
            return refused(Diagnostic::error(codes::BAD_VALUE, 0..0, why).help("Rename the file."), String::new());
        }
    };
    let source = match read_text(path) {
        Ok(source) => source,
        Err(error) => {
            let code = if error.kind() == io::ErrorKind::InvalidData { codes::NOT_UTF8 } else { codes::TOO_LARGE };
            return refused(Diagnostic::error(code, 0..0, format!("the file cannot be read: {error}")), String::new());
        }
    };
    let folder = path.parent().unwrap_or(root);
    let files: RefCell<BTreeMap<String, String>> = RefCell::default();
    let script = |name: &str| -> Result<String, String> {
        let text = match name.strip_prefix(FILE_PREFIX) {
            Some(plugin) => plugins.find(plugin)?.record.text(),
            None => read_script(root, folder, name)?,
        };
        files.borrow_mut().insert(name.to_owned(), text.clone());
        Ok(text)
    };
    let parsed = parse(id.clone(), &source, &script);
    let mut diagnostics = parsed.diagnostics;
    let workflow = parsed.workflow.map(Arc::new);
    if let (Some(workflow), Some(sandbox)) = (workflow.as_deref().or(parsed.draft.as_ref()), sandbox) {
        diagnostics.extend(sandbox.check_workflow(&source, workflow));
        diagnostics.sort_by_key(|one| (one.span.start, one.span.end, one.code));
    }
    if let Some(workflow) = &workflow {
        diagnostics.extend(cartwright_http::body_schema::check(workflow));
    }
    let broken = diagnostics.iter().any(|one| one.severity == Severity::Error);
    let definition = Definition { id: id.clone(), source: source.clone(), files: files.into_inner() };
    let loaded = workflow.filter(|_| !broken).map(|workflow| Loaded { definition, workflow });
    let finding = (!diagnostics.is_empty()).then_some(FileFindings { workflow: Some(id), file, source, diagnostics });
    Examined { loaded, finding }
}

fn id_of(root: &Path, path: &Path) -> Result<WorkflowId, String> {
    let below = path.strip_prefix(root).unwrap_or(path).with_extension("");
    let segments: Option<Vec<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
    let text = segments.map(|segments| segments.join("/")).ok_or("the file's name is not UTF-8")?;
    text.parse().map_err(|error| format!("the file's name makes no workflow id: {error}"))
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    Ok(text)
}

/// A script file beside the workflow; it must lie in the workflows folder, links included.
fn read_script(root: &Path, folder: &Path, name: &str) -> Result<String, String> {
    let path = folder.join(name).canonicalize().map_err(|error| format!("`{name}` cannot be read: {error}"))?;
    let root = root.canonicalize().map_err(|error| format!("the workflows folder cannot be read: {error}"))?;
    if !path.starts_with(&root) {
        return Err(format!("`{name}` lies outside of the workflows folder"));
    }
    read_text(&path).map_err(|error| format!("`{name}` cannot be read: {error}"))
}

/// Every workflow file below a folder, in order of path: `*.yaml` and `*.yml`, without tests and hidden ones.
pub(crate) fn files_below(root: &Path) -> Result<Vec<PathBuf>> {
    named_below(root, is_workflow)
}

/// Every test file below a folder: `*.test.yaml` and `*.test.yml`.
pub(crate) fn tests_below(root: &Path) -> Result<Vec<PathBuf>> {
    named_below(root, |name| is_test(Path::new(name)))
}

/// Workflow files and their tests.
pub(crate) fn with_tests_below(root: &Path) -> Result<Vec<PathBuf>> {
    named_below(root, |name| stem(name).is_some())
}

fn named_below(root: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // Whoever changes folders removes some between two looks.
            Err(error) if depth > 0 && error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(error).or_environment(format_args!("cannot read the folder {}", folder.display()));
            }
        };
        for entry in entries {
            let path = entry.or_environment(format_args!("cannot read the folder {}", folder.display()))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if name.starts_with('.') {
                continue;
            }
            if path.is_dir() {
                if depth + 1 < MAX_DEPTH {
                    folders.push((path, depth + 1));
                }
            } else if wanted(&name) {
                found.insert(path);
            }
            if found.len() > MAX_FILES {
                return Err(environment(format!("{} holds more than {MAX_FILES} workflow files", root.display())));
            }
        }
    }
    Ok(found.into_iter().collect())
}

fn stem(name: &str) -> Option<&str> {
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))
}

fn is_workflow(name: &str) -> bool {
    stem(name).is_some_and(|stem| !stem.ends_with(".test"))
}

/// Whether a file holds tests of a workflow.
pub(crate) fn is_test(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(stem);
    name.is_some_and(|stem| stem.ends_with(".test"))
}

/// What two workflows cannot both have, such as a path below `/hooks/`, and calls of workflows that are not there.
/// `file` names a workflow's file; `is_there` says whether a workflow that did not load has one.
pub(crate) fn conflicts<'a>(
    loaded: impl Iterator<Item = &'a Loaded>,
    file: impl Fn(&WorkflowId) -> String,
    is_there: impl Fn(&str) -> bool,
) -> Vec<FileFindings> {
    let loaded: Vec<&Loaded> = loaded.collect();
    let set = WorkflowSet::new(loaded.iter().map(|one| Arc::clone(&one.workflow)).collect());
    let source =
        |id: &WorkflowId| loaded.iter().find(|one| one.definition.id == *id).map(|one| one.definition.source.clone());
    let finding = |conflict: &cartwright_core::workflow::set::Conflict| FileFindings {
        workflow: Some(conflict.workflow.clone()),
        file: file(&conflict.workflow),
        source: source(&conflict.workflow).unwrap_or_default(),
        diagnostics: vec![conflict.diagnostic.clone()],
    };
    // A file that is there and has errors of its own is not missing.
    let calls = set.unknown_calls().into_iter().filter(|(id, _)| !is_there(id)).map(|(_, conflict)| conflict);
    set.conflicts().iter().cloned().chain(calls).chain(set.warnings()).map(|conflict| finding(&conflict)).collect()
}

/// Whether a workflow has a file, whatever is in it.
pub(crate) fn has_file(root: &Path, id: &str) -> bool {
    ["yaml", "yml"].iter().any(|extension| root.join(format!("{id}.{extension}")).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "on: { woo: [order.created] }\nsteps:\n  - stop: done\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        folder
    }

    fn ids(reading: &Reading) -> Vec<&str> {
        reading.loaded.iter().map(|one| one.definition.id.as_str()).collect()
    }

    #[test]
    fn folders_become_part_of_the_id_and_other_files_are_left_alone() {
        let files = [
            ("a.yaml", GOOD),
            ("stock/sync.yaml", GOOD),
            ("a.test.yaml", "x"),
            (".hidden/b.yaml", "x"),
            ("notes.md", "x"),
            ("c.yml", GOOD),
        ];
        let folder = folder(&files);
        let reading = Folder::new(folder.path().to_owned(), Installed::nothing()).read(None).expect("read");
        assert_eq!(ids(&reading), ["a", "c", "stock/sync"]);
        assert_eq!(reading.findings, []);
    }

    #[test]
    fn a_broken_edit_keeps_the_last_good_version() {
        let files = folder(&[("a.yaml", GOOD), ("b.yaml", GOOD)]);
        let mut folder = Folder::new(files.path().to_owned(), Installed::nothing());
        let first = folder.read(None).expect("read");
        fs::write(files.path().join("a.yaml"), "on: [").expect("written");
        let second = folder.read(None).expect("read");
        assert_eq!(ids(&second), ["a", "b"]);
        assert!(second.news.len() == 1 && second.findings[0].is_broken());
        assert_eq!(second.loaded[0].workflow.version, first.loaded[0].workflow.version);
        fs::write(files.path().join("a.yaml"), GOOD.replace("done", "over")).expect("written");
        fs::remove_file(files.path().join("b.yaml")).expect("removed");
        let third = folder.read(None).expect("read");
        assert_eq!(ids(&third), ["a"]);
        assert_eq!(
            third
                .news
                .iter()
                .map(|one| (one.change.as_str(), one.file.rsplit('/').next().unwrap_or_default()))
                .collect::<Vec<_>>(),
            [("changed", "a.yaml"), ("removed", "b.yaml"), ("repaired", "a.yaml")]
        );
    }

    #[test]
    fn scripts_are_read_from_the_folder_and_from_nowhere_else() {
        let with = |script: &str| format!("on: {{ woo: [order.created] }}\nsteps:\n  - script: {script}\n");
        let outside = folder(&[("secret.rhai", "1")]);
        let files = folder(&[
            ("a.yaml", &with("./lib/x.rhai")),
            ("lib/x.rhai", "1 + 1"),
            ("b.yaml", &with("./../secret.rhai")),
        ]);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(outside.path().join("secret.rhai"), files.path().join("link.rhai"))
                .expect("linked");
            fs::write(files.path().join("c.yaml"), with("./link.rhai")).expect("written");
        }
        let reading = Folder::new(files.path().to_owned(), Installed::nothing()).read(None).expect("read");
        assert_eq!(ids(&reading), ["a"]);
        assert_eq!(reading.loaded[0].definition.files.len(), 1);
        assert!(reading.findings.iter().all(FileFindings::is_broken));
    }

    #[test]
    fn two_workflows_at_one_path_are_a_finding() {
        let hook = "on: { http: { path: /in, auth: none } }\nsteps:\n  - stop: done\n";
        let files = folder(&[("a.yaml", hook), ("b.yaml", hook), ("c.yaml", GOOD)]);
        let reading = Folder::new(files.path().to_owned(), Installed::nothing()).read(None).expect("read");
        assert_eq!(reading.findings.len(), 2, "{:?}", reading.findings);
        let mut names: Vec<&str> = reading.findings.iter().filter_map(|one| one.file.rsplit('/').next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["a.yaml", "b.yaml"]);
        assert!(reading.findings.iter().all(|one| !one.source.is_empty()), "the place can be shown");
    }

    #[test]
    fn bad_names_and_bad_bytes_are_findings() {
        let files = folder(&[("with space.yaml", GOOD)]);
        fs::write(files.path().join("bytes.yaml"), [0xff, 0xfe]).expect("written");
        fs::write(files.path().join("large.yaml"), vec![b'#'; 1024 * 1024 + 1]).expect("written");
        let reading = Folder::new(files.path().to_owned(), Installed::nothing()).read(None).expect("read");
        assert_eq!((ids(&reading).len(), reading.findings.len()), (0, 3));
    }
}
