//! `cartwright plugin new`: writes a project that builds and tests at once.

use std::{fs, path::Path};

use cartwright_core::plugin::is_name;
use serde_json::json;

use super::template::{File, files};
use crate::{
    cli::{Language, PluginNew},
    failure::{OrFail as _, Result, usage},
    terminal::{Terminal, Tone},
};

pub(super) fn run(command: &PluginNew, terminal: &Terminal) -> Result<()> {
    let name = &command.name;
    if !is_name(name) {
        return Err(usage(format!("'{name}' is no name for a plugin"))
            .help("Names are lower-case words with dashes, such as loyalty-points, of at most 64 characters."));
    }
    let folder = command.dir.clone().unwrap_or_default().join(name);
    if folder.exists() {
        return Err(usage(format!("{} is there already", folder.display())).help("Choose another name, or --dir."));
    }
    let files = files(command.lang, name);
    for file in &files {
        write(&folder, file).or_environment(format!("cannot write {}", folder.join(&file.path).display()))?;
    }
    if terminal.json {
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        return terminal.data(&json!({ "folder": folder, "language": command.lang.title(), "files": paths }));
    }
    terminal.line(format_args!(
        "{} {}, in {}",
        terminal.paint(Tone::Good, "made"),
        folder.display(),
        command.lang.title()
    ));
    terminal.line(format_args!("  cd {}", folder.display()));
    for step in steps(command.lang) {
        terminal.line(format_args!("  {step}"));
    }
    terminal.line(format_args!("  cartwright plugin add {name}.wasm"));
    Ok(())
}

/// What to do next in the new folder.
fn steps(language: Language) -> &'static [&'static str] {
    match language {
        Language::Rust => &["cargo test", "cartwright plugin build"],
        Language::Js => &["npm install", "npm test", "cartwright plugin build"],
        Language::Python => &["pip install -r requirements.txt", "python3 -m unittest", "cartwright plugin build"],
        Language::C => &["tests/run", "cartwright plugin build"],
    }
}

fn write(folder: &Path, file: &File) -> std::io::Result<()> {
    let path = folder.join(&file.path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&path, &file.text)?;
    if file.executable { make_executable(&path) } else { Ok(()) }
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, dir: &Path) -> Result<()> {
        let command = PluginNew { name: name.into(), lang: Language::C, dir: Some(dir.into()) };
        run(&command, &Terminal::plain(None))
    }

    #[test]
    fn a_project_is_made_once_and_never_over_another() {
        let dir = tempfile::tempdir().expect("a folder");
        new("tidy", dir.path()).expect("it is made");
        let made = dir.path().join("tidy/plugin.c");
        assert!(fs::read_to_string(&made).expect("it is there").contains("\\\"name\\\":\\\"tidy\\\""));
        fs::write(&made, "mine").expect("it is changed");
        let failure = new("tidy", dir.path()).unwrap_err();
        assert!(failure.to_string().ends_with("tidy is there already"), "{failure}");
        assert_eq!(fs::read_to_string(&made).expect("it is there"), "mine");
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["../up", "/etc", "A", "a b", ""] {
            assert_eq!(new(name, dir.path()).unwrap_err().to_string(), format!("'{name}' is no name for a plugin"));
        }
        assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 0);
    }
}
