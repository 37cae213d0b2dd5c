//! Where master keys come from: the data folder, the environment, or a command that asks a key service.

use std::{ffi::OsString, path::PathBuf, process::Stdio, time::Duration};

use tokio::{io::AsyncReadExt, process::Command};
use zeroize::Zeroizing;

use crate::{
    key_file,
    master::{self, MAX_KEY_TEXT_BYTES, MasterKey},
    seal::Secret,
    vault::VaultError,
};

/// For the command to answer.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The variable that holds master keys.
pub const MASTER_KEY_VARIABLE: &str = "CARTWRIGHT_MASTER_KEY";

/// Where master keys come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// `master.key` in this data folder; the engine makes and rotates it.
    File(PathBuf),
    /// [`MASTER_KEY_VARIABLE`], with what it said when the process began.
    Environment(Secret),
    /// What this program prints, run without a shell.
    Command(KeyCommand),
    /// Nowhere: a key that lives as long as the process, for tests, dry runs and the demo.
    Memory,
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCommand {
    /// Looked up in `PATH` unless it has a slash.
    pub program: OsString,
    /// Handed over as they are.
    pub arguments: Vec<OsString>,
    /// Taken from its environment: it has no need of our other secrets.
    pub hidden_variables: Vec<OsString>,
}

/// What went wrong with the command. Never quotes what it printed.
#[derive(Debug, thiserror::Error)]
pub enum CommandFault {
    /// It could not be started or read.
    #[error("cannot run it: {0}")]
    Start(std::io::Error),
    /// It did not end in time.
    #[error("it did not end within {} seconds", COMMAND_TIMEOUT.as_secs())]
    Late,
    /// It ended badly.
    #[error(
        "it ended with {status} and wrote {stderr_bytes} bytes to stderr, which are not shown here; run it by hand"
    )]
    Failed {
        /// As the system says it.
        status: std::process::ExitStatus,
        /// How much it said about it.
        stderr_bytes: u64,
    },
    /// It printed too much.
    #[error("it printed more than {MAX_KEY_TEXT_BYTES} bytes")]
    TooLong,
    /// It printed something else.
    #[error("what it printed is not a list of master keys: {0}")]
    NotKeys(#[from] master::NotKeys),
}

impl KeySource {
    /// `file`, `environment`, `command` or `memory`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Environment(_) => "environment",
            Self::Command(_) => "command",
            Self::Memory => "memory",
        }
    }

    /// Whether the engine itself makes and retires keys.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::File(_) | Self::Memory)
    }

    /// Makes `master.key` with these keys, which must not be there yet; the other sources are kept by people.
    pub fn install(&self, keys: &[MasterKey]) -> Result<(), VaultError> {
        match self {
            Self::File(data) => key_file::create(data, keys),
            Self::Environment(_) | Self::Command(_) | Self::Memory => Ok(()),
        }
    }

    /// The keys there are, the current one first. Makes none.
    pub async fn read(&self) -> Result<Vec<MasterKey>, VaultError> {
        match self {
            Self::File(data) => key_file::read(data),
            Self::Environment(text) => master::parse(text.expose()).map_err(VaultError::Environment),
            Self::Command(command) => command.run().await.map_err(|fault| VaultError::Command {
                program: command.program.to_string_lossy().into_owned(),
                fault,
            }),
            Self::Memory => Ok(vec![MasterKey::random()?]),
        }
    }
}

impl KeyCommand {
    async fn run(&self) -> Result<Vec<MasterKey>, CommandFault> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in &self.hidden_variables {
            command.env_remove(name);
        }
        tokio::time::timeout(COMMAND_TIMEOUT, keys_of(command)).await.unwrap_or(Err(CommandFault::Late))
    }
}

async fn keys_of(mut command: Command) -> Result<Vec<MasterKey>, CommandFault> {
    let mut child = command.spawn().map_err(CommandFault::Start)?;
    let stdout = child.stdout.take().expect("it was asked for");
    let stderr = child.stderr.take().expect("it was asked for");
    // All of it at once, so that the buffer is not moved and no copy of a key stays behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_KEY_TEXT_BYTES + 64));
    let (mut stdout, mut stderr) = (stdout.take(MAX_KEY_TEXT_BYTES as u64 + 1), stderr);
    let mut ignored = tokio::io::sink();
    let printed = async {
        let length = stdout.read_to_end(&mut text).await.map_err(CommandFault::Start)?;
        if length > MAX_KEY_TEXT_BYTES { Err(CommandFault::TooLong) } else { Ok(()) }
    };
    let said = async { Ok(tokio::io::copy(&mut stderr, &mut ignored).await.unwrap_or(0)) };
    let ((), stderr_bytes) = tokio::try_join!(printed, said)?;
    let status = child.wait().await.map_err(CommandFault::Start)?;
    if !status.success() {
        return Err(CommandFault::Failed { status, stderr_bytes });
    }
    Ok(master::parse(&text)?)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> KeySource {
        let arguments = ["-c", script].map(OsString::from).to_vec();
        KeySource::Command(KeyCommand {
            program: "sh".into(),
            arguments,
            hidden_variables: vec!["CARGO_MANIFEST_DIR".into()],
        })
    }

    #[tokio::test]
    async fn what_a_command_prints_is_the_key() {
        let text = "ab".repeat(32);
        let keys = shell(&format!("echo {text}; echo {} | tr a-f A-F", "cd".repeat(32))).read().await.expect("keys");
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0].to_text().as_str(), text);
        // Cargo and nextest set this one for every test.
        let unless_seen = format!("[ -z \"${{CARGO_MANIFEST_DIR+x}}\" ] && echo {text}");
        assert!(shell(&unless_seen).read().await.is_ok(), "a hidden variable is not handed on");
        let KeySource::Command(mut command) = shell(&unless_seen) else { unreachable!("a command") };
        command.hidden_variables.clear();
        assert!(KeySource::Command(command).read().await.is_err(), "the others are");
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_command_is_said_without_what_it_printed() {
        let no_such = KeySource::Command(KeyCommand {
            program: "./no-such-program".into(),
            arguments: Vec::new(),
            hidden_variables: Vec::new(),
        });
        for (source, word) in [
            (shell("echo hunter2 >&2; echo hunter2; exit 3"), "8 bytes to stderr"),
            (shell("echo hunter2"), "64 hex digits"),
            (shell(""), "no key"),
            (shell("yes hunter2"), "more than 4096"),
            (no_such, "cannot run it"),
        ] {
            let error = source.read().await.expect_err(word).to_string();
            assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_hangs_is_given_up() {
        let error = shell("exec sleep 600").read().await.expect_err("late").to_string();
        assert!(error.contains("30 seconds"), "{error}");
    }
}
