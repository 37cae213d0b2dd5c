//! Python: `componentize-py` puts the project's modules and the interpreter into one component.

use std::{path::PathBuf, process::Command};

use super::{
    super::component::WORLD,
    Made, PY_VERSION, Project,
    narrow::{narrowed, used_by_python},
    tool::{Tool, made},
};
use crate::failure::Result;

const TOOL: &str = "componentize-py";
/// `plugin.py`.
const MODULE: &str = "plugin";

pub(super) fn build(project: &Project<'_>) -> Result<Made> {
    let component = project.scratch.join("plugin.wasm");
    let tool = Tool { name: TOOL, install: format!("`pip install {TOOL}=={PY_VERSION}` installs it.") };
    tool.run(
        Command::new(program(project))
            .current_dir(&project.folder)
            .arg("--wit-path")
            .arg(narrowed(project, &["py"], used_by_python)?)
            .args(["--world", WORLD, "componentize", MODULE, "--output"])
            .arg(&component)
            // Without this it imports WASI.
            .arg("--stub-wasi"),
    )?;
    Ok(Made { component: made(&component)?, name: None })
}

/// The project's own virtual environment's, or the system's.
fn program(project: &Project<'_>) -> PathBuf {
    let own = project.folder.join(".venv/bin").join(TOOL);
    if own.is_file() { own } else { TOOL.into() }
}
