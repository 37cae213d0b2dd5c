//! Compiling in a process of its own: compiling a large component takes hundreds of megabytes, which an engine would not
//! give back, and what a compiler's bug may do must not be done to the engine.

use std::{
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use cartwright_sandbox::plugin::{Compile, compile_file};

use crate::failure::{Result, not_fine};

/// The hidden command that compiles.
const COMPILE_COMMAND: &str = "compile-plugin";
/// After that a compilation is given up.
const COMPILE_MAX: Duration = Duration::from_secs(180);
/// Of the child, in seconds on the processor, and in bytes of address space.
const CHILD_PROCESSOR_SECONDS: u64 = 300;
const CHILD_ADDRESS_BYTES: u64 = 8 << 30;
/// Between two looks at the child.
const LOOK: Duration = Duration::from_millis(2);
/// Of what the child says, in bytes.
const SAID_BYTES_MAX: u64 = 4_096;

/// Compiles in a child of this program.
#[derive(Debug)]
pub(crate) struct ChildCompiler;

impl Compile for ChildCompiler {
    fn compile(&self, component: &Path, out: &Path) -> std::result::Result<(), String> {
        let program = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
        let mut child = Command::new(program)
            .arg(COMPILE_COMMAND)
            .args([component, out])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the compiler's process cannot be started: {error}"))?;
        let begun = Instant::now();
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if begun.elapsed() < COMPILE_MAX => std::thread::sleep(LOOK),
                gone => {
                    child.kill().ok();
                    child.wait().ok();
                    let why = gone.err().map(|error| error.to_string());
                    return Err(why.unwrap_or_else(|| format!("it takes longer than {} s", COMPILE_MAX.as_secs())));
                }
            }
        };
        if status.success() {
            return Ok(());
        }
        let mut said = String::new();
        if let Some(stderr) = child.stderr.take() {
            stderr.take(SAID_BYTES_MAX).read_to_string(&mut said).ok();
        }
        let said = said.trim();
        Err(if said.is_empty() { format!("the compiler's process ended with {status}") } else { said.to_owned() })
    }
}

/// What the child does; its parent reads what it says when it fails.
pub(crate) fn compile(component: &Path, out: &Path) -> Result<()> {
    limit_self();
    compile_file(component, out).map_err(not_fine)
}

/// A component may be made to be hard to compile.
fn limit_self() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let limit = |max| Rlimit { current: Some(max), maximum: Some(max) };
        setrlimit(Resource::Cpu, limit(CHILD_PROCESSOR_SECONDS)).ok();
        setrlimit(Resource::As, limit(CHILD_ADDRESS_BYTES)).ok();
    }
}
