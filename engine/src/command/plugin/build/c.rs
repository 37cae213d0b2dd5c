//! C: zig's compiler makes a module of the project's files and of the bindings, which stand in `sdk/c`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    super::{component::of_plain_module, template::BINDINGS},
    Made, Project, ZIG_VERSION,
    tool::{Tool, made},
};
use crate::failure::{OrFail as _, Result};

/// Zig would set 16 MiB aside in every instance.
const STACK: &str = "-Wl,-z,stack-size=262144";
/// A reactor: functions that are called, no `main`. The libc is WASI's, of which only what imports nothing may be used.
const FLAGS: [&str; 6] = ["--target=wasm32-wasi", "-mexec-model=reactor", "-Oz", "-std=c17", "-Wall", "-Wextra"];
/// Where a project has its bindings, if it has its own.
const BINDINGS_FOLDER: &str = "bindings";

pub(super) fn build(project: &Project<'_>) -> Result<Made> {
    let module = project.scratch.join("plugin.module.wasm");
    let bindings = bindings(project)?;
    let sources = [c_files(&project.folder)?, c_files(&bindings)?].concat();
    let install = format!("`pip install ziglang=={ZIG_VERSION}` or https://ziglang.org/download installs it.");
    let tool = Tool { name: "zig", install };
    let mut compiler = zig();
    compiler.current_dir(&project.folder).arg("cc").args(FLAGS).arg(STACK).arg("-I").arg(&bindings).args(sources);
    tool.run(compiler.arg("-o").arg(&module))?;
    Ok(Made { component: of_plain_module(made(&module)?)?, name: None })
}

/// The project's own bindings, or the newest.
fn bindings(project: &Project<'_>) -> Result<PathBuf> {
    let own = project.folder.join(BINDINGS_FOLDER);
    if own.is_dir() {
        return Ok(own);
    }
    let newest = project.scratch.join(BINDINGS_FOLDER);
    let write = |(name, text): &(&str, &str)| fs::write(newest.join(name), text);
    fs::create_dir(&newest).and_then(|()| BINDINGS.iter().try_for_each(write)).or_environment("cannot write")?;
    Ok(newest)
}

/// What stands in one folder, in order; files below it, such as tests, are not part of the plugin.
fn c_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut files = read().or_environment(format!("cannot read {}", folder.display()))?;
    files.retain(|file| file.extension() == Some(OsStr::new("c")));
    files.sort();
    Ok(files)
}

/// The program `zig`, or the one that Python's package `ziglang` brings.
fn zig() -> Command {
    let quiet = |command: &mut Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|it| it.success())
    };
    let mut by_python = Command::new("python3");
    by_python.args(["-m", "ziglang"]);
    if !quiet(Command::new("zig").arg("version")) && quiet(Command::new("python3").args(["-m", "ziglang", "version"])) {
        return by_python;
    }
    Command::new("zig")
}
