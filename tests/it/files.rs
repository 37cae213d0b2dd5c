//! The shape of our source files: each says at its top what it is, none is too long to read, none holds a machine's path.

use std::{
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Nearly all files stay under 350 lines; past this one, split it.
const MOST_LINES: usize = 500;
/// Tables of cases may be longer.
const MOST_LINES_OF_TESTS: usize = 600;

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.expect("a folder can be read").path()) {
        let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if entry.is_dir() && name != "target" && !name.starts_with('.') {
            rust_files(&entry, found);
        } else if name.ends_with(".rs") {
            found.push(entry);
        }
    }
}

#[test]
fn every_file_says_what_it_is_and_stays_readable() {
    let mut files = Vec::new();
    for folder in ["engine", "tests", "fuzz", "sdk", "plugins-wasm"] {
        rust_files(&Path::new(ROOT).join(folder), &mut files);
    }
    assert!(files.len() > 20, "the sources were found");
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("UTF-8");
        let name = file.strip_prefix(ROOT).unwrap_or(&file).display().to_string();
        // `#![no_main]` of fuzz targets may come first.
        if !text.lines().take(3).any(|line| line.starts_with("//!")) {
            wrong.push(format!("{name}: starts without `//!`"));
        }
        let lines = text.lines().count();
        let is_test = name.contains("/tests/") || name.trim_start_matches('/').starts_with("tests/");
        if lines > if is_test { MOST_LINES_OF_TESTS } else { MOST_LINES } {
            wrong.push(format!("{name}: {lines} lines"));
        }
        if text.contains(concat!("/wo", "rk/")) || text.contains(concat!("/ro", "ot/")) {
            wrong.push(format!("{name}: names a path of one machine"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
