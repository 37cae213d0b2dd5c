//! Workflow files through the public API: the sample workflows, and hostile text. (Golden pairs of file and rendered
//! diagnostics are tested with the sandbox, which knows Rhai.)

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use cartwright_core::workflow::{Parsed, parse, parse_bytes, render};
use proptest::prelude::*;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.retain(|file| !file.to_string_lossy().ends_with(".test.yaml"));
    files.sort();
    assert!(!files.is_empty(), "{} holds no files", folder.display());
    files
}

fn read(text: &str) -> Parsed {
    parse("sample".parse().unwrap(), text, &|name| match name {
        "./score.rhai" => Ok("40 + 2".to_owned()),
        _ => Err("no such file".to_owned()),
    })
}

#[test]
fn sample_workflows_are_clean() {
    let folders = ["workflows", "engine/src/demo/workflows"].map(|folder| yaml_files(&repository().join(folder)));
    for file in folders.into_iter().flatten() {
        let source = fs::read_to_string(&file).unwrap();
        let parsed = read(&source);
        assert!(parsed.diagnostics.is_empty(), "{}", render(&file.display().to_string(), &source, &parsed.diagnostics));
        assert!(parsed.workflow.is_some());
    }
}

/// The examples of the language's page are whole files without a mistake.
#[test]
fn the_languages_page_shows_valid_files() {
    let page = fs::read_to_string(repository().join("engine/docs/workflows.md")).unwrap();
    let examples: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for source in examples.into_iter().filter(|source| source.contains("\nsteps:")) {
        let parsed = read(source);
        assert!(parsed.diagnostics.is_empty(), "{}", render("workflows.md", source, &parsed.diagnostics));
    }
}

/// A valid file to start from, and pieces that break files in interesting ways.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "${{",
        "}}",
        "$${{",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "`",
        "#",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\t",
        "&a",
        "*a",
        "!x ",
        "!!str ",
        "|",
        ">-",
        "<<: *a",
        "if: ",
        "steps:",
        "for_each: ",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\u{feff}",
        "日本",
        "\0",
        "\r",
        "\u{85}",
        "? ",
        "0x",
        "1e9999",
        ".inf",
        "`${",
        "/*",
        "//",
        "\\",
        "~",
    ];
    let samples: Vec<String> =
        yaml_files(&repository().join("workflows")).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let edit = (any::<prop::sample::Index>(), 0..pieces.len() + 2, any::<u8>());
    (0..samples.len(), prop::collection::vec(edit, 0..8)).prop_map(move |(sample, edits)| {
        let mut bytes = samples[sample].clone().into_bytes();
        for (index, piece, byte) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            match pieces.get(piece) {
                Some(piece) => drop(bytes.splice(at..at, piece.bytes())),
                None if piece == pieces.len() => bytes[at] = byte,
                None => bytes.truncate(at),
            }
        }
        bytes
    })
}

fn never_panics(bytes: &[u8]) {
    let parsed = parse_bytes("sample".parse().unwrap(), bytes, &|_| Err("no such file".to_owned()));
    assert!(parsed.workflow.is_some() || !parsed.diagnostics.is_empty());
    let source = String::from_utf8_lossy(bytes);
    render("sample.yaml", &source, &parsed.diagnostics);
    for diagnostic in &parsed.diagnostics {
        assert!(diagnostic.span.start <= diagnostic.span.end, "{diagnostic:?}");
        diagnostic.to_json("sample.yaml", &source);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_never_panic(bytes in mutated()) {
        never_panics(&bytes);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        never_panics(text.as_bytes());
        never_panics(format!("on: {{woo: [a.b]}}\nsteps:\n  - stop: |\n      {text}\n    if: {text}").as_bytes());
        never_panics(format!("on: {{woo: [a.b]}}\nsteps:\n  - stop: \"${{{{ {text} }}}}\"").as_bytes());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        never_panics(&bytes);
    }
}
