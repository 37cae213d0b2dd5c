//! JavaScript: `componentize-qjs` puts the file and the QuickJS interpreter into one component.

use std::{fs, path::PathBuf, process::Command};

use serde::Deserialize;

use super::{
    super::component::WORLD,
    Made, Project, QJS_VERSION,
    narrow::{narrowed, used_by_javascript},
    tool::{Tool, made},
};
use crate::failure::{OrFail as _, Result, usage};

const TOOL: &str = "componentize-qjs";
/// Of sources.
const ENDINGS: [&str; 2] = ["js", "mjs"];
/// The file to build where `package.json` names none.
const MAIN: &str = "plugin.js";

/// `package.json`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Package {
    name: Option<String>,
    main: Option<String>,
}

pub(super) fn build(project: &Project<'_>) -> Result<Made> {
    let file = project.folder.join("package.json");
    let text = fs::read(&file).or_environment(format!("cannot read {}", file.display()))?;
    let package: Package =
        serde_json::from_slice(&text).map_err(|error| usage(format!("{} is not readable: {error}", file.display())))?;
    let component = project.scratch.join("plugin.wasm");
    let tool = Tool {
        name: TOOL,
        install: format!(
            "`npm install` in the plugin's folder, or `npm install --global {TOOL}@{QJS_VERSION}`, installs it."
        ),
    };
    tool.run(
        Command::new(program(project))
            .current_dir(&project.folder)
            .arg("--wit")
            .arg(narrowed(project, &ENDINGS, used_by_javascript)?)
            .args(["--world", WORLD, "--module-root"])
            .arg(&project.folder)
            .arg("--js")
            .arg(package.main.as_deref().unwrap_or(MAIN))
            .arg("--output")
            .arg(&component)
            // Without these it imports WASI, and its exports are asynchronous.
            .args(["--stub-wasi", "--sync"]),
    )?;
    Ok(Made { component: made(&component)?, name: package.name })
}

/// The project's own, or one of a folder above it as npm looks for them, or the system's.
fn program(project: &Project<'_>) -> PathBuf {
    let own = project.folder.ancestors().map(|folder| folder.join("node_modules/.bin").join(TOOL));
    own.into_iter().find(|file| file.is_file()).unwrap_or_else(|| TOOL.into())
}
