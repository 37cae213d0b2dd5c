//! Which test files a command line means.

use std::path::{Path, PathBuf};

use crate::{
    failure::{Result, environment},
    workflows::{is_test, tests_below},
};

/// Each test file with the folder that its workflow's id is relative to. A workflow file means the test beside it.
pub(super) fn test_files(paths: &[PathBuf], workflows: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let default = [workflows.to_owned()];
    let paths = if paths.is_empty() { &default[..] } else { paths };
    let mut found = Vec::new();
    for path in paths {
        let is_below = path.starts_with(workflows);
        if path.is_dir() {
            let root = if is_below { workflows } else { path };
            found.extend(tests_below(path)?.into_iter().map(|file| (root.to_owned(), file)));
            continue;
        }
        if !path.is_file() {
            let failure = environment(format!("there is no {}", path.display()));
            return Err(failure.help("Name a test file, a workflow file or a folder of them."));
        }
        let root = if is_below { workflows } else { path.parent().unwrap_or(Path::new("")) };
        let file = if is_test(path) { path.clone() } else { test_of(path) };
        if file.is_file() {
            found.push((root.to_owned(), file));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// `vip.yaml` → `vip.test.yaml`
fn test_of(path: &Path) -> PathBuf {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("yaml");
    path.with_extension(format!("test.{extension}"))
}
