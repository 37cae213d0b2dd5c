//! Why a plugin cannot be used, in words for whoever installs it.

use cartwright_core::call::CallError;

use super::inspect::Version;

/// Why a plugin cannot be inspected, compiled, loaded or described.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PluginError {
    /// It is too large.
    #[error(
        "the plugin has {bytes} bytes, at most {max} are allowed; build it for size (Rust: opt-level = \"s\", lto, strip)"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// It is a core module, what most tool chains make first.
    #[error(
        "this is a WebAssembly module, not yet a component; make one of it with `cartwright plugin build`, or with `wasm-tools component new IN -o OUT`"
    )]
    CoreModule,
    /// It is none of WebAssembly's formats.
    #[error("this is not WebAssembly: a plugin is a component, a binary file that `cartwright plugin build` makes")]
    NotWasm,
    /// It is damaged, or uses what this engine does not know.
    #[error("this is no component that this engine understands: {reason}; build it again")]
    Invalid {
        /// What the validator says.
        reason: String,
    },
    /// It wants files, clocks or sockets of the operating system.
    #[error(
        "the plugin imports {}: plugins get nothing from the operating system, only what `cartwright:plugin` offers. Build without WASI: Rust with `--target wasm32-unknown-unknown`, JavaScript with `componentize-qjs --stub-wasi`, Python with `componentize-py --stub-wasi`, C as a reactor that uses no files (engine/docs/plugins.md)",
        listed(.imports)
    )]
    Wasi {
        /// Their names.
        imports: Vec<String>,
    },
    /// It imports what nobody offers.
    #[error(
        "the plugin imports `{import}`, which this engine does not offer; it offers {}, version {}",
        super::inspect::offered(),
        super::inspect::CURRENT
    )]
    UnknownImport {
        /// Its name.
        import: String,
    },
    /// It was built for another generation of the interface.
    #[error(
        "the plugin was built for cartwright:plugin {built}, this engine knows {}.x; {}",
        super::inspect::CURRENT.major, major_help(.built)
    )]
    WrongMajor {
        /// The version it was built for.
        built: Version,
    },
    /// It was built for a later version of the interface.
    #[error(
        "the plugin was built for cartwright:plugin {built}, this engine knows versions up to {}; update Cartwright, or build the plugin against the older interface",
        super::inspect::CURRENT
    )]
    NewerMinor {
        /// The version it was built for.
        built: Version,
    },
    /// It lacks what every plugin has.
    #[error(
        "the plugin does not export `{export}`; build it against the world `plugin` of sdk/wit, version {}",
        super::inspect::CURRENT
    )]
    MissingExport {
        /// The function.
        export: &'static str,
    },
    /// It begins with more memory than it may have.
    #[error("the plugin begins with {} MiB of memory, at most {} MiB are allowed", .begins >> 20, .max >> 20)]
    Memory {
        /// Bytes that it begins with.
        begins: u64,
        /// The limit.
        max: usize,
    },
    /// Imports or exports have other types than the interface says.
    #[error(
        "the plugin's imports or exports do not fit the interface ({reason}); build it against sdk/wit, version {}",
        super::inspect::CURRENT
    )]
    WrongType {
        /// What does not fit.
        reason: String,
    },
    /// Compiling failed, or took more than it may.
    #[error("the plugin cannot be compiled: {reason}")]
    Compile {
        /// What the compiler says.
        reason: String,
    },
    /// Its file, or a file of the compiled code, cannot be read or written.
    #[error("{what}: {reason}")]
    File {
        /// What was tried.
        what: String,
        /// What the operating system says.
        reason: String,
    },
    /// The file is not the one whose hash was asked for.
    #[error(
        "the plugin's file has changed: it has the hash {found}, {expected} was asked for; put the old file back, or retry the run with the new one"
    )]
    OtherContent {
        /// The hash that was asked for.
        expected: String,
        /// The hash of what is there.
        found: String,
    },
    /// The runtime could not be made.
    #[error("plugins cannot be run here: {reason}")]
    Runtime {
        /// What it says.
        reason: String,
    },
    /// `describe` failed.
    #[error("the plugin cannot describe itself: {}", .0.message)]
    Describe(CallError),
}

fn listed(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn major_help(built: &Version) -> &'static str {
    match built.major > super::inspect::CURRENT.major {
        true => "update Cartwright",
        false => "build the plugin again with the current SDK",
    }
}

impl PluginError {
    pub(super) fn file(what: impl Into<String>, error: &std::io::Error) -> Self {
        Self::File { what: what.into(), reason: error.to_string() }
    }
}
