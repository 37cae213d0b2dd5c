//! `<data>/master.key`: made by the first start, replaced as a whole by a rotation, readable by its owner only.
//!
//! One key a line as 64 hex digits, the current one first. More than one: a rotation is under way or was cut off. It is
//! the one thing that a copy of the storage does not contain; without it nothing sealed opens again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{
    master::{self, MAX_KEY_TEXT_BYTES, MasterKey},
    vault::VaultError,
};

/// Its name in the data folder.
pub const MASTER_KEY_FILE: &str = "master.key";
/// Of the random part in the name of a file that is being written, in bytes.
const SUFFIX_BYTES: usize = 8;

/// The keys in the file of a data folder.
pub(crate) fn read(data: &Path) -> Result<Vec<MasterKey>, VaultError> {
    let path = &data.join(MASTER_KEY_FILE);
    let failed = |source| VaultError::File { action: "read", path: path.clone(), source };
    let file = File::open(path).map_err(failed)?;
    check_permissions(&file, path)?;
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_KEY_TEXT_BYTES));
    file.take(MAX_KEY_TEXT_BYTES as u64).read_to_end(&mut text).map_err(failed)?;
    master::parse(&text).map_err(|reason| VaultError::Malformed { path: path.clone(), reason })
}

/// Makes a file with these keys unless there is one; never replaces one. It is written under another name, flushed,
/// then linked into place: there whole or not at all. When two processes start at once, one link fails and both use
/// the first file.
pub(crate) fn create(data: &Path, keys: &[MasterKey]) -> Result<(), VaultError> {
    let path = data.join(MASTER_KEY_FILE);
    let made = write_beside(data, keys).and_then(|unfinished| {
        let linked = match fs::hard_link(&unfinished, &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        };
        fs::remove_file(&unfinished)?;
        linked?;
        flush_folder(data)
    });
    made.map_err(|source| VaultError::File { action: "create", path, source })
}

/// Puts these keys in place of those in the file: after a power cut the one or the other are there. Only for the
/// process that holds the storage.
pub(crate) fn replace(data: &Path, keys: &[MasterKey]) -> Result<(), VaultError> {
    let path = data.join(MASTER_KEY_FILE);
    let done = remove_leftovers(data)
        .and_then(|()| write_beside(data, keys))
        .and_then(|unfinished| fs::rename(&unfinished, &path))
        .and_then(|()| flush_folder(data));
    done.map_err(|source| VaultError::File { action: "replace", path, source })
}

fn write_beside(data: &Path, keys: &[MasterKey]) -> io::Result<PathBuf> {
    let mut suffix = [0; SUFFIX_BYTES];
    getrandom::fill(&mut suffix).map_err(io::Error::other)?;
    let unfinished = data.join(format!("{MASTER_KEY_FILE}.{}", hex::encode(suffix)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    for key in keys {
        file.write_all(key.to_text().as_bytes())?;
        file.write_all(b"\n")?;
    }
    file.sync_all()?;
    Ok(unfinished)
}

/// A crash while the file was written leaves a copy under another name, which nobody would ever remove.
fn remove_leftovers(data: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        let name = entry.file_name();
        let suffix = name.to_str().and_then(|name| name.strip_prefix(MASTER_KEY_FILE)?.strip_prefix('.'));
        if suffix.is_some_and(|suffix| hex::decode(suffix).is_ok_and(|bytes| bytes.len() == SUFFIX_BYTES)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A name is on disk only once its folder is.
fn flush_folder(data: &Path) -> io::Result<()> {
    File::open(data)?.sync_all()
}

#[cfg(unix)]
fn check_permissions(file: &File, path: &Path) -> Result<(), VaultError> {
    use std::os::unix::fs::PermissionsExt;

    let failed = |source| VaultError::File { action: "read", path: path.to_owned(), source };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(VaultError::Permissions { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn check_permissions(_: &File, _: &Path) -> Result<(), VaultError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    fn key() -> MasterKey {
        MasterKey::random().expect("made")
    }

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("file").file_name().into_string().expect("text");
        fs::read_dir(folder).expect("read").map(name).collect()
    }

    #[test]
    fn keys_are_kept_in_order_and_nothing_else_is_left() {
        let data = folder();
        let (old, new) = (key(), key());
        create(data.path(), std::slice::from_ref(&old)).expect("made");
        assert_eq!(read(data.path()).expect("read"), std::slice::from_ref(&old));
        fs::write(data.path().join("master.key.0011223344556677"), "left by a crash").expect("written");
        fs::write(data.path().join("master.key.backup"), "not ours").expect("written");
        replace(data.path(), &[new.clone(), old.clone()]).expect("replaced");
        assert_eq!(read(data.path()).expect("read"), [new, old]);
        let mut left = names(data.path());
        left.sort();
        assert_eq!(left, ["master.key", "master.key.backup"]);
    }

    #[test]
    fn starts_at_the_same_time_agree_on_one_key() {
        let data = folder();
        let keys: Vec<_> = std::thread::scope(|threads| {
            let start = || {
                create(data.path(), &[key()]).expect("made or found");
                read(data.path()).expect("opened")
            };
            let starts: Vec<_> = (0..8).map(|_| threads.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().expect("no panic")).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(names(data.path()), [MASTER_KEY_FILE], "nothing else is left");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt;

        let data = folder();
        create(data.path(), &[key()]).expect("created");
        let path = data.path().join(MASTER_KEY_FILE);
        let mode = || fs::metadata(&path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        replace(data.path(), &[key(), key()]).expect("replaced");
        assert_eq!(mode(), 0o600);
        for bad in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bad)).expect("set");
            let error = read(data.path()).expect_err("refused").to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
    }
}
