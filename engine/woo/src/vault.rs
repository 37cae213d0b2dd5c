//! The vault: the master key in the data folder, made by the first start, and what it wraps.
//!
//! `<data>/master.key` holds 32 random bytes as 64 hex digits and a newline, readable by its owner only. It is the one
//! thing that a copy of the storage does not contain; without it nothing sealed opens again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::seal::{self, DataKey, KEY_BYTES, Scope, WrappedKey};

/// Its name in the data folder.
pub const MASTER_KEY_FILE: &str = "master.key";
/// More than a key file ever has, in bytes.
const MAX_FILE_BYTES: u64 = 1024;

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key file could not be read or made.
    #[error("cannot {action} the master key {}: {source}. Check that the data folder exists, belongs to the user who runs cartwright, and has space left", path.display())]
    File {
        /// `read`, `create`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read the key file.
    #[error("the master key {} is readable by others (mode {mode:03o}). Run: chmod 600 {}", path.display(), path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file holds something else.
    #[error("{} is not a master key: expected 64 hex digits. Put the original file back from a backup; secrets sealed under it open with no other", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Sealed under another master key.
    #[error(
        "{scope} is sealed under master key {wanted}, but this data folder has master key {present}. Put the original master.key back, or set the secrets of {scope} again"
    )]
    WrongKey {
        /// Whose value.
        scope: String,
        /// The key it needs.
        wanted: String,
        /// The key there is.
        present: String,
    },
    /// The right master key, and still it does not open.
    #[error("`{field}` of {scope} does not open: the stored record was changed or moved. Set it again")]
    Tampered {
        /// Whose value.
        scope: String,
        /// Which one.
        field: String,
    },
    /// Sealed by a newer engine.
    #[error(
        "sealed in format {format}, which this version of cartwright does not know. Use the version that wrote it, or a newer one"
    )]
    NewerFormat {
        /// The format's number.
        format: u32,
    },
    /// The system gave no random bytes.
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
    /// Beyond what the cipher takes.
    #[error("the value is too long to be sealed")]
    TooLong,
}

/// Holds the master key in memory.
pub struct Vault {
    master: Zeroizing<[u8; KEY_BYTES]>,
    id: String,
}

impl Vault {
    /// Reads the master key of a data folder, making one (on stable storage when this returns) if there is none.
    pub fn open_or_create(data: &Path) -> Result<Self, VaultError> {
        let path = data.join(MASTER_KEY_FILE);
        match Self::read(&path) {
            Err(VaultError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
        create(data, &path).map_err(|source| VaultError::File { action: "create", path: path.clone(), source })?;
        Self::read(&path)
    }

    /// Reads the master key of a data folder; an error when there is none.
    pub fn open(data: &Path) -> Result<Self, VaultError> {
        Self::read(&data.join(MASTER_KEY_FILE))
    }

    /// A vault whose key lives as long as the process: for tests, dry runs and the demo.
    pub fn in_memory() -> Result<Self, VaultError> {
        let mut master = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(master.as_mut()).map_err(VaultError::Random)?;
        Ok(Self::new(master))
    }

    fn new(master: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let id = key_id(&master);
        Self { master, id }
    }

    fn read(path: &Path) -> Result<Self, VaultError> {
        let failed = |source| VaultError::File { action: "read", path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        check_permissions(&file, path)?;
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => VaultError::Malformed { path: path.to_owned() },
            _ => failed(error),
        })?;
        let mut master = Zeroizing::new([0; KEY_BYTES]);
        hex::decode_to_slice(text.trim_end(), master.as_mut())
            .map_err(|_| VaultError::Malformed { path: path.to_owned() })?;
        Ok(Self::new(master))
    }

    /// Names the master key without telling it: the first 64 bits of a hash over it.
    pub fn key_id(&self) -> &str {
        &self.id
    }

    /// A new data key for an owner.
    pub fn new_key(&self, scope: &Scope) -> Result<WrappedKey, VaultError> {
        seal::new_data_key(&self.master, &self.id, scope)
    }

    /// Opens an owner's data key.
    pub fn unwrap_key(&self, scope: &Scope, wrapped: &WrappedKey) -> Result<DataKey, VaultError> {
        if wrapped.master != self.id {
            return Err(VaultError::WrongKey {
                scope: scope.to_string(),
                wanted: wrapped.master.clone(),
                present: self.id.clone(),
            });
        }
        seal::unwrap(&self.master, scope, wrapped)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({})", self.id)
    }
}

fn key_id(master: &[u8; KEY_BYTES]) -> String {
    let hash = Sha256::new().chain_update(b"cartwright master key id").chain_update(master).finalize();
    hex::encode(&hash[..8])
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

/// Makes the key file so that it is there whole or not at all, and never replaces one: it is written under another
/// name, flushed, then linked into place. When two processes start at once, one link fails and both use the first key.
fn create(data: &Path, path: &Path) -> io::Result<()> {
    let mut random = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(random.as_mut()).map_err(io::Error::other)?;
    let text = Zeroizing::new(hex::encode(*random) + "\n");
    let mut suffix = [0; 8];
    getrandom::fill(&mut suffix).map_err(io::Error::other)?;
    let unfinished = data.join(format!("{MASTER_KEY_FILE}.{}", hex::encode(suffix)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = match fs::hard_link(&unfinished, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    };
    fs::remove_file(&unfinished)?;
    linked?;
    // The name itself is on disk only once its folder is.
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Secret;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    fn scope() -> Scope {
        Scope::Secret("slack".to_owned())
    }

    #[test]
    fn the_first_start_makes_a_key_and_the_next_one_finds_it() {
        let data = folder();
        let first = Vault::open_or_create(data.path()).expect("created");
        let wrapped = first.new_key(&scope()).expect("wrapped");
        let sealed = first
            .unwrap_key(&scope(), &wrapped)
            .and_then(|key| key.seal("value", 1, &Secret::new("x")))
            .expect("sealed");
        let second = Vault::open_or_create(data.path()).expect("opened");
        assert_eq!(first.key_id(), second.key_id());
        let opened = second.unwrap_key(&scope(), &wrapped).and_then(|key| key.open("value", &sealed));
        assert_eq!(opened.expect("opened"), Secret::new("x"));
        let names: Vec<_> = fs::read_dir(data.path()).expect("read").map(|f| f.expect("file").file_name()).collect();
        assert_eq!(names, [MASTER_KEY_FILE], "nothing else is left");
    }

    #[test]
    fn starts_at_the_same_time_agree_on_one_key() {
        let data = folder();
        let ids: Vec<_> = std::thread::scope(|threads| {
            let starts: Vec<_> = (0..8)
                .map(|_| {
                    threads.spawn(|| {
                        create(data.path(), &data.path().join(MASTER_KEY_FILE)).expect("made or found");
                        Vault::open(data.path()).expect("opened").id
                    })
                })
                .collect();
            starts.into_iter().map(|start| start.join().expect("no panic")).collect()
        });
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt;

        let data = folder();
        Vault::open_or_create(data.path()).expect("created");
        let path = data.path().join(MASTER_KEY_FILE);
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        for bad in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bad)).expect("set");
            let error = Vault::open_or_create(data.path()).expect_err("refused").to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_damaged_key_file_is_an_error_and_is_never_replaced() {
        let data = folder();
        Vault::open_or_create(data.path()).expect("created");
        let path = data.path().join(MASTER_KEY_FILE);
        for content in [&b""[..], b"abc", &[b'f'; 63], &[b'g'; 64], &[0xff; 64], &[b'f'; 2000]] {
            fs::write(&path, content).expect("written");
            assert!(matches!(Vault::open_or_create(data.path()), Err(VaultError::Malformed { .. })), "{content:?}");
            assert_eq!(fs::read(&path).expect("read"), content);
        }
    }

    #[test]
    fn another_master_key_is_told_apart_from_a_changed_record() {
        let (here, there) = (Vault::in_memory().expect("made"), Vault::in_memory().expect("made"));
        let wrapped = here.new_key(&scope()).expect("wrapped");
        let error = there.unwrap_key(&scope(), &wrapped).expect_err("another key");
        assert!(error.to_string().contains(here.key_id()) && error.to_string().contains(there.key_id()), "{error}");
        let renamed = WrappedKey { master: there.key_id().to_owned(), ..wrapped.clone() };
        assert!(matches!(there.unwrap_key(&scope(), &renamed), Err(VaultError::Tampered { .. })));
        let other = Scope::Secret("other".to_owned());
        assert!(matches!(here.unwrap_key(&other, &wrapped), Err(VaultError::Tampered { .. })));
    }
}
