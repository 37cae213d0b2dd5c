//! What `cartwright check` says, word for word: golden pairs of workflow files and rendered diagnostics, and the pages
//! about codes, whose examples are checked as well.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use cartwright_core::plugin::{FILE_PREFIX, PluginRecord};
use cartwright_core::workflow::{Diagnostic, Parsed, Workflow, WorkflowSet, codes, parse_bytes, render};
use cartwright_sandbox::{Limits, Sandbox};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    assert!(!entries.is_empty(), "{} holds nothing", folder.display());
    entries
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = entries(folder);
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    files
}

/// One file with all that was found in it.
struct Checked {
    name: String,
    source: String,
    workflow: Option<Workflow>,
    found: Vec<Diagnostic>,
}

fn check(name: &str, bytes: &[u8], sandbox: &Sandbox) -> Checked {
    let source = String::from_utf8_lossy(bytes).into_owned();
    let id =
        name.trim_end_matches(".yaml").trim_end_matches(".yml").parse().unwrap_or_else(|_| "sample".parse().unwrap());
    let Parsed { workflow, draft, diagnostics: mut found } = parse_bytes(id, bytes, &|script| match script {
        "./score.rhai" => Ok("40 + 2".to_owned()),
        "./broken.rhai" => Ok("let x = 1;\nlet y = ;".to_owned()),
        _ => match script.strip_prefix(FILE_PREFIX) {
            Some(name) => installed(name),
            None => Err("no such file".to_owned()),
        },
    });
    let workflow = workflow.or(draft);
    if let Some(workflow) = &workflow {
        found.extend(sandbox.check_workflow(&source, workflow));
    }
    Checked { name: name.to_owned(), source, workflow, found }
}

/// Plugins that workflows of these tests can name; only their records exist.
fn installed(name: &str) -> Result<String, String> {
    let records = fs::read_to_string(repository().join("tests/golden/plugins/records.json")).unwrap();
    let records: BTreeMap<String, PluginRecord> = serde_json::from_str(&records).unwrap();
    records.get(name).map(PluginRecord::text).ok_or_else(|| "it is not installed".to_owned())
}

/// Files side by side, as `check` sees a folder.
fn check_together(files: &[(String, Vec<u8>)], sandbox: &Sandbox) -> Vec<Checked> {
    let mut checked: Vec<Checked> = files.iter().map(|(name, bytes)| check(name, bytes, sandbox)).collect();
    let set = WorkflowSet::new(checked.iter().filter_map(|one| one.workflow.clone()).map(Arc::new).collect());
    let calls = set.unknown_calls().into_iter().map(|(_, conflict)| conflict);
    for conflict in &set.conflicts().iter().cloned().chain(calls).chain(set.warnings()).collect::<Vec<_>>() {
        let owner = |one: &&mut Checked| one.workflow.as_ref().is_some_and(|workflow| workflow.id == conflict.workflow);
        checked.iter_mut().find(owner).unwrap().found.push(conflict.diagnostic.clone());
    }
    checked
}

fn rendered(checked: &[Checked]) -> String {
    let texts: Vec<String> =
        checked.iter().map(|one| render(&one.name, &one.source, &one.found)).filter(|text| !text.is_empty()).collect();
    if texts.is_empty() { "no diagnostics\n".to_owned() } else { texts.join("\n") }
}

fn sandbox() -> Sandbox {
    Sandbox::new(Limits::default(), cartwright_core::secret::SecretMarks::new([7; 32]))
}

/// Each `NAME.yaml` renders as its `NAME.txt`, and each folder of files as the `expected.txt` in it;
/// `UPDATE_GOLDEN=1` rewrites them.
#[test]
fn every_file_is_told_what_is_wrong_with_it() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let sandbox = sandbox();
    let mut wrong = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut invalid = 0;
    for entry in entries(&repository().join("tests/golden/workflow")) {
        let (files, golden) = match entry.extension().and_then(|extension| extension.to_str()) {
            Some("yaml") => (vec![entry.clone()], entry.with_extension("txt")),
            None => (yaml_files(&entry), entry.join("expected.txt")),
            Some(_) => continue,
        };
        let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
        let files: Vec<_> = files.iter().map(|file| (name(file), fs::read(file).unwrap())).collect();
        let checked = check_together(&files, &sandbox);
        for found in checked.iter().flat_map(|one| &one.found) {
            *seen.entry(found.code).or_default() += 1;
        }
        invalid += usize::from(checked.iter().any(|one| !one.found.is_empty()));
        for found in checked.iter().flat_map(|one| one.found.iter().map(move |found| (one, found))) {
            let (file, span) = (&found.0.source, &found.1.span);
            assert!(file.get(span.clone()).is_some(), "{}: {:?} lies not in the file", found.0.name, found.1);
        }
        let text = rendered(&checked);
        if update {
            fs::write(&golden, &text).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != text {
            wrong.push(format!("{} renders as\n{text}", entry.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nrun with UPDATE_GOLDEN=1 if this is wanted", wrong.join("\n"));
    let unseen: Vec<&&str> = codes::ALL
        .iter()
        .filter(|code| !seen.contains_key(**code) && !of_test_files(code) && !ELSEWHERE.contains(code))
        .collect();
    assert!(unseen.is_empty(), "no golden file has {unseen:?}");
    assert!(invalid >= INVALID_FILES, "only {invalid} golden files have something wrong");
}

/// How many files with something wrong there must be at least.
const INVALID_FILES: usize = 120;

/// A body's schema is looked at by the door's crate, whose tests have it; no value is refused as not available any more;
/// and what an engine has is known only where one is asked.
const ELSEWHERE: [&str; 4] = ["E0332", "E0603", "E0508", "E0509"];

/// Codes that need more than one file's text: its bytes, or a very long one.
const NO_EXAMPLE: [&str; 2] = ["E0102", "E0410"];

/// Codes of files beside workflows, `NAME.test.yaml`, which `cartwright test` reads.
fn of_test_files(code: &str) -> bool {
    code.starts_with("E09")
}

/// The first example of a code's page has that problem and no other, the second has none. An example is one YAML block,
/// or several that begin with `# NAME.yaml` each.
#[test]
fn pages_show_the_mistake_and_its_cure() {
    let sandbox = sandbox();
    let mut wrong = Vec::new();
    for code in
        codes::ALL.iter().filter(|code| !NO_EXAMPLE.contains(code) && !of_test_files(code) && !ELSEWHERE.contains(code))
    {
        let mut examples = examples(codes::page(code).unwrap()).into_iter();
        let found = examples.next().map(|mistake| codes_of(&mistake, &sandbox)).unwrap_or_default();
        if found != BTreeSet::from([*code]) {
            wrong.push(format!("{code}: the mistake gives {found:?}"));
        }
        let cures: Vec<_> = examples.map(|cure| codes_of(&cure, &sandbox)).collect();
        if cures.is_empty() || cures.iter().any(|found| !found.is_empty()) {
            wrong.push(format!("{code}: the cure gives {cures:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn codes_of(files: &[(String, Vec<u8>)], sandbox: &Sandbox) -> BTreeSet<&'static str> {
    check_together(files, sandbox).iter().flat_map(|one| &one.found).map(|found| found.code).collect()
}

/// The examples of a page, each a list of files.
fn examples(page: &str) -> Vec<Vec<(String, Vec<u8>)>> {
    let mut examples: Vec<Vec<(String, Vec<u8>)>> = Vec::new();
    let mut prose = true;
    for (index, part) in page.split("```").enumerate() {
        let Some(yaml) = part.strip_prefix("yaml\n").filter(|_| index % 2 == 1) else {
            prose |= !part.trim().is_empty();
            continue;
        };
        let name = yaml
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# "))
            .filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"));
        let file = (name.unwrap_or("sample.yaml").to_owned(), yaml.as_bytes().to_vec());
        // Files that follow each other without words between them stand side by side.
        match examples.last_mut().filter(|_| !prose && name.is_some()) {
            Some(example) => example.push(file),
            None => examples.push(vec![file]),
        }
        prose = false;
    }
    examples
}
