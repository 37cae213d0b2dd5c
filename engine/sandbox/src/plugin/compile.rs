//! Compiling a component to machine code: slow and hungry for large ones, so the binary does it in a child process.

use std::{fs, path::Path};

use wasmtime::Engine;

use super::{PluginError, config};

/// Compiles a component's file. Blocks.
pub trait Compile: Send + Sync {
    /// Compiles `component` into the new file `out`. The error is for people.
    fn compile(&self, component: &Path, out: &Path) -> Result<(), String>;
}

/// Compiles here and now, in this process: for tests and tools.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl Compile for InProcess {
    fn compile(&self, component: &Path, out: &Path) -> Result<(), String> {
        compile_file(component, out).map_err(|error| error.to_string())
    }
}

/// What the child process does.
pub fn compile_file(component: &Path, out: &Path) -> Result<(), PluginError> {
    let bytes = fs::read(component).map_err(|error| PluginError::file("the plugin cannot be read", &error))?;
    let engine = Engine::new(&config::code()).map_err(|error| PluginError::Runtime { reason: error.to_string() })?;
    let code =
        engine.precompile_component(&bytes).map_err(|error| PluginError::Compile { reason: format!("{error:#}") })?;
    fs::write(out, code).map_err(|error| PluginError::file("the compiled plugin cannot be written", &error))
}
