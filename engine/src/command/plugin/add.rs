//! `plugin add`: a built file is looked at, compiled, and put into the folder of plugins, from which a running engine takes
//! it by itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use cartwright_core::plugin::is_name;

use super::super::Context;
use crate::{
    cli::PluginAdd,
    data::DataFolder,
    failure::{OrFail as _, Result, not_fine, usage},
    plugins::{Installed, Known, put_whole, signature_file},
};

/// More than any component may have, in bytes; the sandbox has its own limit.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

pub(super) fn run(command: &PluginAdd, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let file = built(&command.path)?;
    let name = name_of(command, &file)?;
    let bytes = read(&file)?;
    // What is compiled is kept there.
    DataFolder::create(&context.config.data)?;
    let installed = Installed::of(&context.config);
    let before = installed.find(&name).ok().map(|known| known.record.hash);
    let signature = signature(&file)?;
    let signed_by = installed.check_signature(signature.as_deref(), &bytes).map_err(|why| refused(&name, &why))?;
    let record = installed.examine(&name, &bytes).map_err(|why| refused(&name, &why))?;
    install(&installed, &name, &bytes, signature.as_deref())?;
    let known = Known { record, signed_by };
    if terminal.json {
        return terminal.data(&super::ls::shown(&name, &Ok(known)));
    }
    let verb = match before {
        Some(hash) if hash == known.record.hash => "is installed already, in this version",
        Some(_) => "is installed in another version; runs that are under way keep the one before",
        None => "is installed",
    };
    terminal.line(format_args!("{name} {verb}"));
    tell(&known, context);
    Ok(())
}

fn tell(known: &Known, context: &Context) {
    let (terminal, record) = (&context.terminal, &known.record);
    let manifest = &record.manifest;
    terminal.fact("version", &super::ls::version(record));
    for (function, about) in &manifest.functions {
        let first = about.description.lines().next().unwrap_or_default();
        terminal.fact("function", format!("{}/{function}  {first}", record.name).trim_end());
    }
    let grants = super::ls::grants(record);
    terminal.fact("grants", if grants.is_empty() { "needs none" } else { &grants });
    if let Some(key) = &known.signed_by {
        terminal.fact("signed by", key);
    }
    terminal.note(format_args!("Use it in a step: `plugin: {}`", record.name));
}

fn refused(name: &str, why: &str) -> crate::failure::Failure {
    not_fine(format!("the plugin `{name}` cannot be installed: {why}"))
}

/// The built file that a path means.
pub(super) fn built(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let entries = fs::read_dir(path).or_environment(format_args!("cannot read {}", path.display()))?;
    let is_built = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "wasm") && path.is_file();
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_built).collect();
    match (files.pop(), files.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(not_fine(format!("{} holds no built plugin", path.display()))
            .help(format!("Build it first: `cartwright plugin build {}`.", path.display()))),
        (Some(_), false) => Err(usage(format!("{} holds several built plugins: name one", path.display()))),
    }
}

fn name_of(command: &PluginAdd, file: &Path) -> Result<String> {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    // Some tools write `_` where a package has `-`.
    let name = command.name.clone().unwrap_or_else(|| stem.replace('_', "-"));
    match is_name(&name) {
        true => Ok(name),
        false => Err(usage(format!("`{name}` cannot be a plugin's name: use lower-case words with dashes"))
            .help("Give it one with --name.")),
    }
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>> {
    let cannot = format!("cannot read {}", file.display());
    let about = fs::metadata(file).or_environment(&cannot)?;
    if about.len() > MAX_FILE_BYTES {
        return Err(not_fine(format!("{} is larger than {MAX_FILE_BYTES} bytes", file.display())));
    }
    fs::read(file).or_environment(&cannot)
}

fn signature(file: &Path) -> Result<Option<String>> {
    let path = signature_file(file);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).or_environment(format_args!("cannot read {}", path.display())),
    }
}

/// Puts it where engines look. The signature first: a plugin is never there without the one that belongs to it.
fn install(installed: &Installed, name: &str, bytes: &[u8], signature: Option<&str>) -> Result<()> {
    let file = installed.file(name);
    let cannot = format!("cannot write {}", file.display());
    fs::create_dir_all(installed.folder()).or_environment(&cannot)?;
    let beside = signature_file(&file);
    match signature {
        Some(text) => put_whole(&beside, text.as_bytes()).or_environment(&cannot)?,
        None if beside.exists() => fs::remove_file(&beside).or_environment(&cannot)?,
        None => {}
    }
    put_whole(&file, bytes).or_environment(&cannot)
}
