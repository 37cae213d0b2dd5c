//! The files of new plugins, one set a language. They are compiled in, so that a binary alone is enough to begin.

use super::component::WIT;
use crate::cli::Language;

/// The generated bindings of C and what belongs to them, as files.
pub(super) const BINDINGS: [(&str, &str); 4] = [
    ("cartwright.h", include_str!("../../../../sdk/c/cartwright.h")),
    ("cartwright.c", include_str!("../../../../sdk/c/cartwright.c")),
    ("component_type.c", include_str!("../../../../sdk/c/component_type.c")),
    ("json.h", include_str!("../../../../sdk/c/json.h")),
];
/// The Rust SDK, as files.
const SDK: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/sdk_files.rs"));

/// Stands in texts where the plugin's name comes to.
const NAME: &str = "{{name}}";
/// The same with `_` for `-`.
const IDENTIFIER: &str = "{{identifier}}";

/// A file of a new plugin.
#[derive(Debug)]
pub(super) struct File {
    /// Below the plugin's folder.
    pub(super) path: String,
    pub(super) text: String,
    /// It is a program.
    pub(super) executable: bool,
}

macro_rules! templates {
    ($language:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("templates/", $language, "/", $path)))),+]
    };
}

const RUST: &[(&str, &str)] = templates!("rust": "Cargo.toml", "src/lib.rs", "README.md");
const JAVASCRIPT: &[(&str, &str)] = templates!("js": "package.json", "plugin.js", "tests/host.js", "tests/loader.js", "tests/plugin.test.js", "README.md");
const PYTHON: &[(&str, &str)] = templates!("python": "plugin.py", "requirements.txt", "tests/__init__.py", "tests/host.py", "tests/test_plugin.py", "README.md");
const C: &[(&str, &str)] = templates!("c": "plugin.c", "tests/run", "tests/test_plugin.c", "README.md");
const GITIGNORE: &str = include_str!("templates/common/gitignore");

/// All files of a new plugin.
pub(super) fn files(language: Language, name: &str) -> Vec<File> {
    let own = match language {
        Language::Rust => RUST,
        Language::Js => JAVASCRIPT,
        Language::Python => PYTHON,
        Language::C => C,
    };
    let (folder, kept): (&str, &[(&str, &str)]) = match language {
        // The SDK has the interface in it.
        Language::Rust => ("sdk", SDK),
        Language::C => ("bindings", &BINDINGS),
        Language::Js | Language::Python => ("", &[]),
    };
    let mut files = vec![file(".gitignore", GITIGNORE.to_owned())];
    files.extend(own.iter().map(|(path, text)| file(path, filled(text, name))));
    files.extend(kept.iter().map(|(path, text)| file(&format!("{folder}/{path}"), (*text).to_owned())));
    if language != Language::Rust {
        files.push(file("wit/plugin.wit", WIT.to_owned()));
    }
    files
}

fn filled(text: &str, name: &str) -> String {
    text.replace(NAME, name).replace(IDENTIFIER, &name.replace('-', "_"))
}

fn file(path: &str, text: String) -> File {
    File { path: path.to_owned(), executable: text.starts_with("#!"), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_filled() {
        for language in Language::ALL {
            for file in files(language, "loyalty-points") {
                assert!(!file.text.contains("{{name}}") && !file.text.contains("{{identifier}}"), "{}", file.path);
                assert!(!file.path.starts_with('/'), "{}", file.path);
            }
        }
    }

    #[test]
    fn every_project_shows_its_language_and_holds_the_interface() {
        for language in Language::ALL {
            let files = files(language, "loyalty-points");
            let is_there = |path: &str| files.iter().any(|file| file.path == path);
            assert!(is_there(language.sign()) && is_there("README.md") && is_there(".gitignore"), "{language:?}");
            let interface = files.iter().filter(|file| file.path.ends_with("/plugin.wit") && file.text == WIT).count();
            assert_eq!(interface, 1, "{language:?}");
        }
    }

    #[test]
    fn the_binary_holds_the_whole_sdk() {
        for needed in ["Cargo.toml", "src/lib.rs", "wit/1.0.0/plugin.wit"] {
            assert!(SDK.iter().any(|(path, _)| *path == needed), "{needed}");
        }
    }

    #[test]
    fn versions_of_tools_stand_in_one_place() {
        let javascript = files(Language::Js, "a");
        let package = javascript.iter().find(|file| file.path == "package.json").expect("it is there");
        assert!(package.text.contains(&format!("\"componentize-qjs\": \"{}\"", super::super::build::QJS_VERSION)));
        let python = files(Language::Python, "a");
        let wanted = python.iter().find(|file| file.path == "requirements.txt").expect("it is there");
        assert!(wanted.text.contains(&format!("componentize-py=={}", super::super::build::PY_VERSION)));
    }
}
