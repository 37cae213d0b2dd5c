//! Rust: cargo builds a module for `wasm32-unknown-unknown`, which has no WASI; its SDK left the interface in a section.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use super::{
    super::component::of_module,
    Made, Project,
    tool::{Tool, made},
};
use crate::failure::{Result, environment, not_fine};

const TARGET: &str = "wasm32-unknown-unknown";
/// Small files, and names of functions for backtraces. A project's own `[profile.release]` gives way.
const PROFILE: [(&str, &str); 5] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s"),
    ("CARGO_PROFILE_RELEASE_LTO", "true"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_STRIP", "debuginfo"),
];

/// A line of what cargo says about its work, as far as it matters.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    filenames: Option<Vec<PathBuf>>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

pub(super) fn build(project: &Project<'_>) -> Result<Made> {
    let manifest = project.folder.join("Cargo.toml");
    let rustc = project.guest_rustc.unwrap_or(Path::new("rustc"));
    has_target(rustc, project)?;
    let tool = Tool { name: "cargo", install: "https://rustup.rs installs Rust.".into() };
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(&project.folder)
        .args(["build", "--release", "--lib", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(&manifest)
        .envs(PROFILE);
    if let Some(rustc) = project.guest_rustc {
        cargo.env("RUSTC", rustc);
    }
    let said = tool.output(&mut cargo)?;
    let (name, module) = module_of(&said, &manifest).ok_or_else(|| {
        not_fine("cargo built no module for a plugin")
            .help("Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\", \"rlib\"]`.")
    })?;
    Ok(Made { component: of_module(&made(&module)?)?, name: Some(name) })
}

/// Whether the compiler has a standard library for plugins.
fn has_target(rustc: &Path, project: &Project<'_>) -> Result<()> {
    let tool = Tool { name: "rustc", install: "https://rustup.rs installs Rust.".into() };
    let mut asked = Command::new(rustc);
    asked.current_dir(&project.folder).args(["--print", "target-libdir", "--target", TARGET]);
    let said = tool.output(&mut asked)?;
    let folder = PathBuf::from(String::from_utf8_lossy(&said).trim());
    let is_std = |name: &str| name.starts_with("libstd-") && name.ends_with(".rlib");
    let has_std = std::fs::read_dir(&folder)
        .is_ok_and(|mut files| files.any(|file| file.is_ok_and(|file| file.file_name().to_str().is_some_and(is_std))));
    if has_std {
        return Ok(());
    }
    Err(environment(format!("this Rust has no standard library for {TARGET}"))
        .help(format!("`rustup target add {TARGET}` installs it.")))
}

/// The plugin's name and module among what cargo says it made.
fn module_of(said: &[u8], manifest: &Path) -> Option<(String, PathBuf)> {
    let messages = said.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Message>(line).ok());
    let ours =
        messages.filter(|one| one.reason == "compiler-artifact" && one.manifest_path.as_deref() == Some(manifest));
    let mut modules = ours.filter_map(|one| {
        let target = one.target.filter(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))?;
        let file = one.filenames?.into_iter().find(|file| file.extension().is_some_and(|end| end == "wasm"))?;
        Some((target.name.replace('_', "-"), file))
    });
    modules.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_the_one_of_this_manifest() {
        let line = |manifest: &str, kind: &str, file: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"{manifest}","target":{{"name":"tidy_up","crate_types":["{kind}"]}},"filenames":["{file}"]}}"#
            )
        };
        let said = [
            "no JSON at all".to_owned(),
            line("/dep/Cargo.toml", "cdylib", "/t/dep.wasm"),
            line("/p/Cargo.toml", "rlib", "/t/libtidy_up.rlib"),
            line("/p/Cargo.toml", "cdylib", "/t/tidy_up.wasm"),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let found = |lines: &[String]| module_of(lines.join("\n").as_bytes(), Path::new("/p/Cargo.toml"));
        assert_eq!(found(&said), Some(("tidy-up".to_owned(), PathBuf::from("/t/tidy_up.wasm"))));
        assert_eq!(found(&said[..3]), None);
    }
}
