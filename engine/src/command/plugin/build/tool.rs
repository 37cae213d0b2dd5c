//! Starting a language's own tool: its output goes to standard error, its absence is told with what installs it.

use std::{
    io::{self, ErrorKind},
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::failure::{Failure, OrFail as _, Result, environment, not_fine};

/// A tool that builds.
pub(super) struct Tool {
    pub(super) name: &'static str,
    /// What to do where it is missing.
    pub(super) install: String,
}

impl Tool {
    /// Runs it to its end; what it prints is for whoever waits.
    pub(super) fn run(&self, command: &mut Command) -> Result<()> {
        self.ended(command.stdin(Stdio::null()).stdout(io::stderr()).output()).map(drop)
    }

    /// Runs it to its end and gives what it wrote to standard output.
    pub(super) fn output(&self, command: &mut Command) -> Result<Vec<u8>> {
        self.ended(command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()).map(|output| output.stdout)
    }

    fn ended(&self, output: io::Result<Output>) -> Result<Output> {
        let output = output.map_err(|error| self.missing(&error))?;
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = if said.trim().is_empty() { String::new() } else { format!(":\n{}", said.trim_end()) };
        Err(not_fine(format!("{} could not build the plugin ({}){said}", self.name, output.status)))
    }

    fn missing(&self, error: &io::Error) -> Failure {
        match error.kind() {
            ErrorKind::NotFound => environment(format!("{} is not installed", self.name)),
            _ => environment(format!("cannot start {}: {error}", self.name)),
        }
        .help(self.install.clone())
    }
}

/// What a tool left in a file.
pub(super) fn made(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).or_environment(format!("the tool wrote no {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool() -> Tool {
        Tool { name: "make-it", install: "apt install it".into() }
    }

    #[test]
    fn a_missing_tool_is_told_with_what_installs_it() {
        let failure = tool().run(&mut Command::new("no-such-tool-anywhere")).unwrap_err();
        assert_eq!(failure.to_string(), "make-it is not installed");
        assert_eq!(failure.help.as_deref(), Some("apt install it"));
    }

    #[test]
    fn a_tool_that_fails_is_told_with_its_status() {
        let failure = tool().run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(failure.to_string(), "make-it could not build the plugin (exit status: 3)");
    }
}
