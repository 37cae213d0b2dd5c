//! How a command ends badly: what happened, what to do, and the exit code that scripts read.

use std::fmt;

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked about is not fine: failed checks, a failed run, nothing of that name.
    NotFine = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Something around us: a port, a disk, an engine that does not answer.
    Environment = 3,
    /// Ours.
    Bug = 70,
}

/// Why a command ended, with its exit code. Nothing is printed for a quiet one: the output said it already.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: Option<anyhow::Error>,
    pub(crate) help: Option<String>,
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// The same with a line that says what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.as_ref().map_or(Ok(()), |error| write!(f, "{error:#}"))
    }
}

pub(crate) fn not_fine(error: impl fmt::Display) -> Failure {
    Failure { exit: Exit::NotFine, error: Some(anyhow::anyhow!("{error}")), help: None }
}

/// The output said it already.
pub(crate) fn quiet() -> Failure {
    Failure { exit: Exit::NotFine, error: None, help: None }
}

pub(crate) fn usage(error: impl fmt::Display) -> Failure {
    Failure { exit: Exit::Usage, error: Some(anyhow::anyhow!("{error}")), help: None }
}

pub(crate) fn environment(error: impl fmt::Display) -> Failure {
    Failure { exit: Exit::Environment, error: Some(anyhow::anyhow!("{error}")), help: None }
}

pub(crate) fn bug(error: impl fmt::Display) -> Failure {
    Failure {
        exit: Exit::Bug,
        error: Some(anyhow::anyhow!("{error}")),
        help: Some("This is a bug in cartwright; please report it with the command you ran.".into()),
    }
}

/// Errors that come with their cause become failures of one kind.
pub(crate) trait OrFail<T> {
    fn or_environment(self, doing: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for std::result::Result<T, E> {
    fn or_environment(self, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure {
            exit: Exit::Environment,
            error: Some(error.into().context(doing.to_string())),
            help: None,
        })
    }
}
