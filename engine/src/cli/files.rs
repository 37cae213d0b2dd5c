//! Commands about workflow files: `check`, `fmt`.

use std::path::PathBuf;

use cartwright_core::id::WorkflowId;
use clap::{Args, Subcommand, ValueEnum};

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
    /// Check again whenever a file changes, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
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

#[derive(Debug, Args)]
#[command(after_help = "Ends with 1 where something differs. While no engine runs, it compares with what ran last.")]
pub(crate) struct Diff {
    /// Only these files and folders of the workflows folder, or another folder as a whole
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Workflows {
    /// List the workflows that run, and what is wrong with files
    Ls,
    /// Show one workflow with its text, as it runs
    Show {
        /// The workflow
        #[arg(value_name = "ID")]
        workflow: WorkflowId,
    },
}
