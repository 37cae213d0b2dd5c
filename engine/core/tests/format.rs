//! `format`: what comes out means the same, has the same comments, and formatting it again changes nothing. Over golden
//! pairs, every workflow file there is, generated documents and damaged ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "format/messy.rs"]
mod messy;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use cartwright_core::{
    id::Version,
    workflow::{FileKind, Unformatted, format, parse},
};
use proptest::prelude::*;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![repository().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml")
                // One of the golden files is no text.
                && let Ok(text) = String::from_utf8(fs::read(&path).unwrap())
            {
                found.push((path.display().to_string(), text));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

fn corpus() -> Vec<(String, String)> {
    ["workflows", "engine/src/demo/workflows", "tests/golden/workflow", "tests/golden/format"]
        .into_iter()
        .flat_map(files)
        .collect()
}

/// The workflow without its places and its version; `None` where the file makes none.
fn meaning(source: &str) -> Option<String> {
    let parsed = parse("sample".parse().unwrap(), source, &|_| Ok("40 + 2".to_owned()));
    let workflow = cartwright_core::workflow::Workflow { version: Version::of(&[]), ..parsed.workflow? };
    let text = format!("{workflow:?}");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("..") {
        let (before, after) = rest.split_at(at);
        out.push_str(before.trim_end_matches(|c: char| c.is_ascii_digit()));
        rest = after[2..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    Some(out + rest)
}

/// Lines that are nothing but a comment, wherever they stand.
fn comments(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.trim_start_matches("---").trim()).filter(|line| line.starts_with('#')).collect()
}

/// Holds for every text that can be formatted.
fn assert_canonical(name: &str, source: &str) -> bool {
    let Ok(once) = format(source, FileKind::Workflow) else { return false };
    assert_eq!(format(&once, FileKind::Workflow).as_deref(), Ok(once.as_str()), "{name}: not stable\n{source}");
    assert_eq!(meaning(&once), meaning(source), "{name}: means something else\n{source}\n{once}");
    assert!(once.ends_with('\n') && !once.ends_with("\n\n\n"), "{name}: {once:?}");
    let (mut before, mut after) = (comments(source), comments(&once));
    before.sort_unstable();
    after.sort_unstable();
    assert_eq!(before, after, "{name}: comments\n{source}\n{once}");
    let kept = format(source, FileKind::Test).unwrap();
    assert_eq!(comments(&kept), comments(source), "{name}: comments in order\n{kept}");
    true
}

/// Each `NAME.yaml` becomes its `NAME.out`; `UPDATE_GOLDEN=1` rewrites the latter.
#[test]
fn golden_pairs() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for (file, source) in files("tests/golden/format") {
        let kind = if file.ends_with(".test.yaml") { FileKind::Test } else { FileKind::Workflow };
        let formatted = format(&source, kind).unwrap_or_else(|why| panic!("{file}: {why:?}"));
        let golden = Path::new(&file).with_extension("out");
        if update {
            fs::write(&golden, &formatted).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != formatted {
            wrong.push(format!("{file} becomes\n{formatted}"));
        }
    }
    assert!(wrong.is_empty(), "{}\nrun with UPDATE_GOLDEN=1 if this is wanted", wrong.join("\n"));
}

/// What is shown to newcomers is written as `fmt` writes it.
#[test]
fn the_workflows_of_the_repository_are_formatted() {
    let wrong: Vec<String> = ["workflows", "engine/src/demo/workflows"]
        .into_iter()
        .flat_map(files)
        .filter(|(name, source)| {
            let kind = if name.ends_with(".test.yaml") { FileKind::Test } else { FileKind::Workflow };
            format(source, kind).as_deref() != Ok(source)
        })
        .map(|(name, _)| name)
        .collect();
    assert!(wrong.is_empty(), "run `cartwright fmt` over {wrong:?}");
}

#[test]
fn every_file_keeps_its_meaning_and_its_comments() {
    let mut formatted = 0;
    for (name, source) in corpus() {
        formatted += usize::from(assert_canonical(&name, &source));
        // As an editor on Windows writes it.
        let windows = source.replace("\r\n", "\n").replace('\n', "\r\n");
        assert_eq!(format(&windows, FileKind::Workflow).ok(), format(&source, FileKind::Workflow).ok(), "{name}");
    }
    assert!(formatted > 20, "{formatted} files are YAML");
}

#[test]
fn workflows_that_work_are_never_unusual() {
    for (name, source) in corpus() {
        if meaning(&source).is_some() {
            assert!(format(&source, FileKind::Workflow).is_ok(), "{name}");
        }
    }
}

#[test]
fn what_is_not_yaml_is_left_alone_with_its_places() {
    for source in ["on: [", "a: 1\na: 2\n", "a: !event.paid\n", "", "a: 1\n---\nb: 2\n", "a: b: c\n"] {
        match format(source, FileKind::Workflow) {
            Err(Unformatted::Broken(found)) => assert!(!found.is_empty(), "{source:?}"),
            other => panic!("{source:?} gave {other:?}"),
        }
    }
    for source in ["? a\n: b\n", "[a, b]\n", "just text\n", "a: 1\r- 2\n", "%YAML 1.2\n---\na: 1\n"] {
        assert!(format(source, FileKind::Workflow).is_err(), "{source:?}");
    }
}

#[test]
fn aliases_stay_behind_their_anchors() {
    let source = "steps:\n  - http: GET https://a\n    headers: &h { X: y }\n    id: a\n    query: *h\n";
    let formatted = format(source, FileKind::Workflow).unwrap();
    assert!(
        formatted.starts_with("steps:\n  - id: a\n    http: GET https://a\n    headers: &h { X: y }\n"),
        "{formatted}"
    );
    // Here `if` would move before `vars`, which holds the anchor it repeats.
    let source = "steps: []\nvars: { a: &x 1 }\nif: *x\n";
    assert_eq!(format(source, FileKind::Workflow).unwrap(), source);
}

static CORPUS: LazyLock<Vec<(String, String)>> = LazyLock::new(corpus);

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_documents_keep_meaning_and_comments(seed in any::<u64>()) {
        let messy = messy::document(seed);
        let formatted = format(&messy.text, FileKind::Test);
        prop_assert!(formatted.is_ok(), "{formatted:?}\n{}", messy.text);
        let formatted = formatted.unwrap();
        let again = format(&formatted, FileKind::Test);
        prop_assert_eq!(again.as_ref(), Ok(&formatted), "{}", messy.text);
        let found: Vec<&str> = formatted.split("#c").skip(1).map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap()).collect();
        let wanted: Vec<String> = (0..messy.comments).map(|number| number.to_string()).collect();
        prop_assert_eq!(&found, &wanted, "{}\n{}", messy.text, formatted);
        for line in formatted.lines().filter(|line| !line.contains("keep") && !line.ends_with("\\ ")) {
            prop_assert_eq!(line, line.trim_end(), "{}", &formatted);
        }
    }

    #[test]
    fn damaged_files_are_refused_or_keep_their_meaning(file in 0usize..1000, edits in prop::collection::vec((any::<u16>(), 0u8..8), 1..4)) {
        let (name, source) = &CORPUS[file % CORPUS.len()];
        assert_canonical(name, &messy::damaged(source, &edits));
    }
}
