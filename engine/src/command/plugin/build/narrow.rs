//! Tools of JavaScript and Python import the whole interface, whatever the code uses. What a plugin imports is what it
//! can ask for, so they are given an interface with only those imports that the sources name.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use super::Project;
use crate::failure::{OrFail as _, Result};

/// Not the plugin's own code.
const PASSED_OVER: [&str; 4] = ["node_modules", "tests", "test", "__pycache__"];
/// Folders within folders; deeper ones are no plugin's.
const MAX_DEPTH: usize = 16;

/// A folder with the project's interface, without the imports that `used` does not find in any source.
pub(super) fn narrowed(project: &Project<'_>, endings: &[&str], used: fn(&str) -> BTreeSet<&str>) -> Result<PathBuf> {
    let file = project.wit.join("plugin.wit");
    let text = fs::read_to_string(&file).or_environment(format!("cannot read {}", file.display()))?;
    let mut sources = Vec::new();
    collect(&project.folder, endings, MAX_DEPTH, &mut sources)
        .or_environment(format!("cannot read {}", project.folder.display()))?;
    let names: BTreeSet<&str> = sources.iter().flat_map(|source| used(source)).collect();
    let folder = project.scratch.join("narrowed");
    let write = fs::create_dir(&folder).and_then(|()| fs::write(folder.join("plugin.wit"), without(&text, &names)));
    write.or_environment("cannot write a temporary file")?;
    Ok(folder)
}

/// The interface's text without the imports that are not among the names.
fn without(text: &str, names: &BTreeSet<&str>) -> String {
    let stays = |line: &&str| {
        let import = line.trim().strip_prefix("import ").and_then(|rest| rest.strip_suffix(';'));
        import.is_none_or(|name| names.contains(name))
    };
    text.split_inclusive('\n').filter(stays).collect()
}

fn collect(folder: &Path, endings: &[&str], depth: usize, sources: &mut Vec<String>) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or(".");
        let ends = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        match () {
            () if name.starts_with('.') || PASSED_OVER.contains(&name) => {}
            () if path.is_dir() && depth > 0 => collect(&path, endings, depth - 1, sources)?,
            () if endings.contains(&ends) => sources.push(String::from_utf8_lossy(&fs::read(&path)?).into_owned()),
            () => {}
        }
    }
    Ok(())
}

/// The interfaces in `import … from 'cartwright:plugin/NAME@1.0.0'`.
pub(super) fn used_by_javascript(source: &str) -> BTreeSet<&str> {
    source.split("cartwright:plugin/").skip(1).map(word).collect()
}

/// The interfaces in `from wit_world.imports import NAME, …` and `imports.NAME`.
pub(super) fn used_by_python(source: &str) -> BTreeSet<&str> {
    // Also behind `from wit_world import imports`.
    let mut names: BTreeSet<&str> = source.split("imports.").skip(1).map(word).collect();
    for rest in source.split("wit_world.imports").skip(1) {
        if let Some(list) = rest.trim_start().strip_prefix("import") {
            let end = if list.trim_start().starts_with('(') { ')' } else { '\n' };
            names.extend(list.split(end).next().unwrap_or_default().split([',', '(']).map(|name| word(name.trim())));
        }
    }
    names
}

/// The letters that a text begins with.
fn word(text: &str) -> &str {
    text.split(|one: char| !one.is_ascii_alphanumeric() && one != '-' && one != '_').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(used: BTreeSet<&str>, expected: &[&str]) {
        assert_eq!(used.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn imports_of_javascript_are_found() {
        check(
            used_by_javascript("import { emit } from 'cartwright:plugin/log@1.0.0';\nimport a from 'other';"),
            &["log"],
        );
        check(
            used_by_javascript(
                "const x = await import(\"cartwright:plugin/state\"), y = 'cartwright:plugin/http@1.2.0'",
            ),
            &["http", "state"],
        );
        check(used_by_javascript("no imports"), &[]);
    }

    #[test]
    fn imports_of_python_are_found() {
        check(used_by_python("from wit_world.imports import log, state as kept\nimport json"), &["log", "state"]);
        check(
            used_by_python("from wit_world.imports import (\n    clock,\n    http,\n)\nimport woo"),
            &["clock", "http"],
        );
        check(
            used_by_python("import wit_world.imports.secrets\nwit_world.imports.events.emit('x')"),
            &["events", "secrets"],
        );
        check(used_by_python("from wit_world import imports\nimports.woo.get('x')"), &["woo"]);
        check(used_by_python("from wit_world.imports.random import bytes"), &["random"]);
    }

    #[test]
    fn only_named_imports_stay_in_the_interface() {
        let text = without(super::super::WIT, &BTreeSet::from(["log", "state"]));
        let left: Vec<&str> = text.lines().filter(|line| line.trim().starts_with("import ")).map(str::trim).collect();
        assert_eq!(left, ["import log;", "import state;"]);
        assert!(text.contains("export handle:"), "the rest is as it was");
    }
}
