//! `cartwright plugin build`: finds the language by what lies in the folder, lets that language's own tool build, makes a
//! component of what came out, and looks whether it can be installed.

mod c;
mod javascript;
mod narrow;
mod python;
mod rust;
mod tool;

use std::{
    fs,
    path::{Path, PathBuf},
};

use cartwright_core::plugin::is_name;
use serde_json::{Value as Json, json};

use super::{
    super::Context,
    component::{self, Built, WIT},
};
use crate::{
    cli::{Language, PluginBuild},
    failure::{OrFail as _, Result, bug, usage},
    terminal::{Terminal, Tone},
};

/// The versions of tools that templates ask for and tests use.
pub(super) const QJS_VERSION: &str = "0.4.5";
pub(super) const PY_VERSION: &str = "0.25.1";
const ZIG_VERSION: &str = "0.17.1";

/// What a language's builder works with.
struct Project<'a> {
    /// Absolute: tools are started inside it.
    folder: PathBuf,
    /// For what a tool leaves behind on its way.
    scratch: &'a Path,
    /// A folder with the interface.
    wit: PathBuf,
    /// A Rust compiler that knows the target, where the usual one does not.
    guest_rustc: Option<&'a Path>,
}

/// What a builder gives.
struct Made {
    component: Vec<u8>,
    /// What the project calls itself.
    name: Option<String>,
}

pub(super) fn run(command: &PluginBuild, context: &Context) -> Result<()> {
    let given = command.folder.clone().unwrap_or_else(|| ".".into());
    let folder = given.canonicalize().or_environment(format!("cannot open the folder {}", given.display()))?;
    let language = command.lang.map_or_else(|| language_of(&folder), Ok)?;
    let scratch = tempfile::tempdir().or_environment("cannot make a temporary folder")?;
    let wit = wit_of(&folder, scratch.path())?;
    let project = Project { folder, scratch: scratch.path(), wit, guest_rustc: context.guest_rustc.as_deref() };
    let made = match language {
        Language::Rust => rust::build(&project),
        Language::Js => javascript::build(&project),
        Language::Python => python::build(&project),
        Language::C => c::build(&project),
    }?;
    let built = component::read(made.component)?;
    let file = match &command.output {
        Some(file) => file.clone(),
        None => given.join(format!("{}.wasm", name_of(made.name, &project.folder)?)),
    };
    write(&file, &built.bytes)?;
    report(&built, &file, language, &context.terminal)
}

fn language_of(folder: &Path) -> Result<Language> {
    let found: Vec<Language> = Language::ALL.into_iter().filter(|one| folder.join(one.sign()).is_file()).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let signs: Vec<&str> = Language::ALL.iter().map(|one| one.sign()).collect();
            Err(usage(format!("{} holds no plugin: none of {} is there", folder.display(), signs.join(", ")))
                .help("`cartwright plugin new NAME --lang rust` begins one."))
        }
        several => {
            let titles: Vec<&str> = several.iter().map(|one| one.title()).collect();
            Err(usage(format!("{} holds {}", folder.display(), titles.join(" and ")))
                .help("Say with --lang which of them the plugin is."))
        }
    }
}

/// The project's own interface, or the newest.
fn wit_of(folder: &Path, scratch: &Path) -> Result<PathBuf> {
    let own = folder.join("wit");
    if own.join("plugin.wit").is_file() {
        return Ok(own);
    }
    let newest = scratch.join("wit");
    fs::create_dir(&newest).and_then(|()| fs::write(newest.join("plugin.wit"), WIT)).or_environment("cannot write")?;
    Ok(newest)
}

/// What the project calls itself, else what its folder is called.
fn name_of(own: Option<String>, folder: &Path) -> Result<String> {
    let name = own.or_else(|| Some(folder.file_name()?.to_str()?.to_owned())).unwrap_or_default();
    if is_name(&name) {
        return Ok(name);
    }
    Err(usage(format!("'{name}' is no name for a plugin"))
        .help("Names are lower-case words with dashes, such as loyalty-points; -o names the file in another way."))
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let writing = || format!("cannot write {}", file.display());
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).or_environment(writing())?;
    }
    fs::write(file, bytes).or_environment(writing())
}

fn report(built: &Built, file: &Path, language: Language, terminal: &Terminal) -> Result<()> {
    if terminal.json {
        let mut data = built.to_json();
        let about = data.as_object_mut().ok_or_else(|| bug("an object"))?;
        about.insert("file".into(), json!(file));
        about.insert("language".into(), Json::from(language.title()));
        return terminal.data(&data);
    }
    terminal.line(format_args!("{} {}", terminal.paint(Tone::Good, "built"), file.display()));
    terminal.fact("size", &size(built.bytes.len()));
    terminal.fact("written", &format!("in {}", language.title()));
    let uses = if built.uses.is_empty() { "no host functions".to_owned() } else { built.uses.join(", ") };
    terminal.fact("uses", &uses);
    terminal.line(terminal.paint(Tone::Quiet, format_args!("next: cartwright plugin add {}", file.display())));
    Ok(())
}

/// With a unit in which it has one to four digits.
pub(super) fn size(bytes: usize) -> String {
    const KIB: usize = 1024;
    match bytes {
        0..KIB => format!("{bytes} bytes"),
        _ if bytes < KIB * KIB => format!("{} KiB", bytes.div_ceil(KIB)),
        _ => format!("{}.{} MiB", bytes / (KIB * KIB), bytes % (KIB * KIB) * 10 / (KIB * KIB)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_seen_by_one_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let message = || language_of(folder.path()).map(|_| ()).unwrap_err().to_string();
        assert!(message().ends_with("none of Cargo.toml, package.json, plugin.py, plugin.c is there"), "{}", message());
        for language in Language::ALL {
            let sign = folder.path().join(language.sign());
            fs::write(&sign, "").expect("a file");
            assert_eq!(language_of(folder.path()).ok(), Some(language));
            fs::remove_file(sign).expect("it goes");
        }
        fs::write(folder.path().join("plugin.c"), "").expect("a file");
        fs::write(folder.path().join("plugin.py"), "").expect("a file");
        assert!(message().ends_with("holds Python and C"), "{}", message());
    }

    #[test]
    fn a_project_without_a_fit_name_takes_its_folders() {
        assert_eq!(name_of(Some("tidy".into()), Path::new("/x/other")).ok().as_deref(), Some("tidy"));
        assert_eq!(name_of(None, Path::new("/x/other")).ok().as_deref(), Some("other"));
        assert!(name_of(None, Path::new("/x/No_Name")).is_err());
        assert!(name_of(Some("../../up".into()), Path::new("/x/other")).is_err(), "a name is no path");
    }

    #[test]
    fn sizes_are_read_at_a_glance() {
        let sizes: Vec<String> = [0, 1023, 1024, 61_402, 1_627_296, 18_472_174].into_iter().map(size).collect();
        assert_eq!(sizes, ["0 bytes", "1023 bytes", "1 KiB", "60 KiB", "1.5 MiB", "17.6 MiB"]);
    }
}
