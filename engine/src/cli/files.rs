//! Commands about workflow files: `check`, `fmt`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Files and folders [default: the workflows folder]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How to report
    #[arg(long, value_enum)]
    pub(crate) format: Option<CheckFormat>,
    /// What ends the check with exit code 1 besides errors
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) deny: Option<Denied>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    #[value(alias = "human")]
    Text,
    /// One JSON document
    Json,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
    /// Workflow commands of GitHub Actions
    Github,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Denied {
    /// Warnings count as errors do
    Warnings,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cartwright fmt\n  cartwright fmt --check --diff workflows\n  cartwright fmt --stdin < thanks.yaml"
)]
pub(crate) struct Fmt {
    /// Files and folders [default: the workflows folder]; with --stdin what the text is called
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Change nothing; end with 1 where something would change
    #[arg(long)]
    pub(crate) check: bool,
    /// Change nothing; print what would change
    #[arg(long)]
    pub(crate) diff: bool,
    /// Read standard input, write standard output
    #[arg(long, conflicts_with_all = ["check", "diff"])]
    pub(crate) stdin: bool,
}
