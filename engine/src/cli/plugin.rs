//! Commands about plugins: `plugin new`, `build`, `check`, `add`, `keygen`, `sign`, `ls`, `rm`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum Plugins {
    /// Begin a plugin: a folder that builds and tests at once
    New(PluginNew),
    /// Build a plugin's folder into one file to install
    Build(PluginBuild),
    /// Look at a built plugin: what it offers, asks for and may use; nothing is installed
    Check {
        /// The built file, or a plugin's folder that holds one
        #[arg(value_name = "FILE|DIR")]
        path: PathBuf,
    },
    /// Install a plugin, or another version of one; runs that are under way keep theirs
    Add(PluginAdd),
    /// Make a key pair to sign plugins with; prints the public key, which others trust
    Keygen {
        /// The file for the private key; it must not be there yet
        file: PathBuf,
    },
    /// Sign a built plugin: FILE.sig says who made it
    Sign {
        /// The built file
        file: PathBuf,
        /// The private key, as `plugin keygen` or `openssl genpkey -algorithm ed25519` makes it
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// List the installed plugins
    Ls,
    /// Remove a plugin; runs that are under way keep their version
    Rm {
        /// Its name
        name: String,
        /// Even if workflows use it
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cartwright plugin add fraud-score.wasm\n  cartwright plugin add loyalty-points --name points"
)]
pub(crate) struct PluginAdd {
    /// The built file, or a plugin's folder that holds one; a signature beside it is taken along
    #[arg(value_name = "FILE|DIR")]
    pub(crate) path: PathBuf,
    /// What workflows call it [default: the file's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cartwright plugin new loyalty-points --lang rust\n  cartwright plugin new tidy-names --lang js --dir plugins"
)]
pub(crate) struct PluginNew {
    /// What it is called: lower-case words with dashes
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What it is written in
    #[arg(long, value_enum)]
    pub(crate) lang: Language,
    /// Where the new folder is made [default: here]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cartwright plugin build loyalty-points\n  cartwright plugin build -o out/loyalty-points.wasm"
)]
pub(crate) struct PluginBuild {
    /// The plugin's folder [default: this one]
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// The file to make [default: NAME.wasm in the folder]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What it is written in, where the folder holds several languages
    #[arg(long, value_enum)]
    pub(crate) lang: Option<Language>,
}

/// What plugins are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Rust: small and fast, all types checked
    Rust,
    /// JavaScript, executed by QuickJS
    #[value(alias = "javascript")]
    Js,
    /// Python: whole standard library, large files
    #[value(alias = "py")]
    Python,
    /// C: the smallest files
    C,
}

impl Language {
    /// All of them, in the order in which they are offered.
    pub(crate) const ALL: [Self; 4] = [Self::Rust, Self::Js, Self::Python, Self::C];

    /// As people write it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Js => "JavaScript",
            Self::Python => "Python",
            Self::C => "C",
        }
    }

    /// The file by which a plugin's folder shows its language.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::Js => "package.json",
            Self::Python => "plugin.py",
            Self::C => "plugin.c",
        }
    }
}
