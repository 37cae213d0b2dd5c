//! The environment variables that steer the tests; the README and `tests/run` list them.

use std::path::PathBuf;

#[expect(clippy::disallowed_methods, reason = "the one place where tests read the environment")]
fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// A number, or `default`.
///
/// # Panics
/// When the variable is set to something else.
pub fn number(name: &str, default: u64) -> u64 {
    text(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not `{text}`")))
}

/// Whether golden files are to be written instead of compared: `UPDATE_GOLDEN`.
pub fn updates_golden() -> bool {
    text("UPDATE_GOLDEN").is_some()
}

/// The folder with recorded WooCommerce traffic, where it is at hand.
pub fn corpus() -> Option<PathBuf> {
    text("CARTWRIGHT_CORPUS").map(PathBuf::from)
}

/// The real binary: `CARTWRIGHT_BIN`, else the one built beside this test.
///
/// # Panics
/// When there is none: `cargo build -p cartwright` makes it, `tests/run` does so by itself.
pub fn binary() -> PathBuf {
    if let Some(path) = text("CARTWRIGHT_BIN").map(PathBuf::from).filter(|path| path.is_file()) {
        return path;
    }
    let own = std::env::current_exe().expect("a test has a path");
    // target/<profile>/deps/it-… or target/<profile>/bench-…
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("cartwright"));
    beside.into_iter().find(|path| path.is_file()).expect("no cartwright binary: run `cargo build -p cartwright` first")
}
