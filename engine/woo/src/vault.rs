//! The vault: the master keys in memory and what they wrap.
//!
//! Keys come from a [`KeySource`]. The first is current: everything new is wrapped by it. The others only open, until a
//! rotation has wrapped anew what they wrapped: [`Vault::begin_rotation`], then whoever keeps the records rewraps them
//! all, then [`Vault::end_rotation`]. Both keys are on disk before the first record changes and until the last one has,
//! so that everything opens whenever the process dies in between.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::RwLock;

use crate::{
    key_file,
    key_source::{CommandFault, KeySource},
    master::{MAX_MASTER_KEYS, MasterKey, NotKeys},
    seal::{self, DataKey, Scope, WrappedKey},
};

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
    #[error("{} is not a master key: {reason}. Put the original file back from a backup; secrets sealed under it open with no other", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: NotKeys,
    },
    /// The key file is gone, and there is something that only it opens.
    #[error("there is no master key {}, but the storage holds secrets sealed under master key {wanted}. Put the original file back from a backup, or name its source ([vault] in the configuration, CARTWRIGHT_MASTER_KEY)", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The key that is needed.
        wanted: String,
    },
    /// The variable holds something else.
    #[error(
        "CARTWRIGHT_MASTER_KEY is not a list of master keys: {0}. Write 64 hex digits (`openssl rand -hex 32` makes a key), several with commas between, the current one first"
    )]
    Environment(NotKeys),
    /// The command gave no keys.
    #[error("`{program}` (master_key_command) gave no master key: {fault}")]
    Command {
        /// What was run, without its arguments.
        program: String,
        /// What went wrong.
        fault: CommandFault,
    },
    /// The source no longer gives a key that records are sealed under.
    #[error(
        "the {source_name} gives another master key now and no longer {wanted}, which secrets are sealed under. Let it give both, the new one first, until the rotation is done"
    )]
    Dropped {
        /// `command`
        source_name: &'static str,
        /// The key that is needed.
        wanted: String,
    },
    /// Rotations that were never finished have piled up.
    #[error("there are {MAX_MASTER_KEYS} master keys already; finish the rotation first")]
    TooManyKeys,
    /// Sealed under another master key.
    #[error(
        "{scope} is sealed under master key {wanted}, but the engine has {present}. Put the original key back (in master.key, CARTWRIGHT_MASTER_KEY or what master_key_command prints; several are allowed, the first is current), or set the secrets of {scope} again"
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

/// The master keys in memory.
pub struct Vault {
    source: KeySource,
    ring: RwLock<Arc<Ring>>,
}

pub(crate) struct Ring {
    /// Never empty; the first is current.
    keys: Vec<MasterKey>,
    /// Replaced while this process ran: whoever read a record just before it was wrapped anew still opens it.
    retired: Vec<MasterKey>,
}

impl Ring {
    /// The keys, the current one first; those that are retired are not among them.
    pub(crate) fn every(&self) -> impl Iterator<Item = &MasterKey> {
        self.keys.iter()
    }
}

/// What a rotation begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Everything is to be wrapped by this one.
    pub current: String,
    /// To be retired.
    pub previous: Vec<String>,
    /// The current key was made just now.
    pub made: bool,
}

impl Vault {
    /// The keys of a source; a data folder without a key file gets one (on stable storage when this returns).
    pub async fn open_or_create(source: KeySource) -> Result<Self, VaultError> {
        match (source.read().await, &source) {
            (Err(VaultError::File { source: error, .. }), KeySource::File(data))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                key_file::create(data, &[MasterKey::random()?])?;
            }
            (keys, _) => return Ok(Self::new(source, keys?)),
        }
        Self::open(source).await
    }

    /// The keys of a source; an error when there are none.
    pub async fn open(source: KeySource) -> Result<Self, VaultError> {
        let keys = source.read().await?;
        Ok(Self::new(source, keys))
    }

    /// A vault whose key lives as long as the process: for tests, dry runs and the demo.
    pub fn in_memory() -> Result<Self, VaultError> {
        Ok(Self::new(KeySource::Memory, vec![MasterKey::random()?]))
    }

    /// A vault with these keys and no source, for what was restored.
    pub fn with_keys(keys: Vec<MasterKey>) -> Result<Self, VaultError> {
        let keys = if keys.is_empty() { vec![MasterKey::random()?] } else { keys };
        Ok(Self::new(KeySource::Memory, keys))
    }

    fn new(source: KeySource, keys: Vec<MasterKey>) -> Self {
        Self { source, ring: RwLock::new(Arc::new(Ring { keys, retired: Vec::new() })) }
    }

    pub(crate) fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read())
    }

    /// Where its keys come from.
    pub fn source(&self) -> &KeySource {
        &self.source
    }

    /// Names the current key without telling it.
    pub fn key_id(&self) -> String {
        self.ring().keys[0].id().to_owned()
    }

    /// Names all keys, the current one first.
    pub fn key_ids(&self) -> Vec<String> {
        self.ring().keys.iter().map(|key| key.id().to_owned()).collect()
    }

    /// A new data key for an owner.
    pub fn new_key(&self, scope: &Scope) -> Result<WrappedKey, VaultError> {
        seal::new_data_key(&self.ring().keys[0], scope)
    }

    /// Opens an owner's data key.
    pub fn unwrap_key(&self, scope: &Scope, wrapped: &WrappedKey) -> Result<DataKey, VaultError> {
        let ring = self.ring();
        let key = ring.keys.iter().chain(&ring.retired).find(|key| key.id() == wrapped.master);
        let key = key.ok_or_else(|| VaultError::WrongKey {
            scope: scope.to_string(),
            wanted: wrapped.master.clone(),
            present: ring.keys.iter().map(MasterKey::id).collect::<Vec<_>>().join(", "),
        })?;
        seal::unwrap(key, scope, wrapped)
    }

    /// Wraps an owner's data key by the current master key; `None`: it is already. The data key stays the same, so what
    /// it seals needs no change.
    pub fn rewrap(&self, scope: &Scope, wrapped: &WrappedKey) -> Result<Option<WrappedKey>, VaultError> {
        let ring = self.ring();
        // Opened in any case: a rotation that says all is well has looked.
        let key = self.unwrap_key(scope, wrapped)?;
        if wrapped.master == ring.keys[0].id() {
            return Ok(None);
        }
        seal::wrap(&ring.keys[0], &key).map(Some)
    }

    /// Makes a new key current (our own source) or takes what the source gives now as current (a key service). From then
    /// on new records are wrapped by it. A rotation that was cut off is gone on with. One at a time.
    pub async fn begin_rotation(&self) -> Result<Rotation, VaultError> {
        let ring = self.ring();
        let mut made = false;
        let keys = match &self.source {
            KeySource::File(_) | KeySource::Memory if ring.keys.len() > 1 => ring.keys.clone(),
            KeySource::File(_) | KeySource::Memory => {
                made = true;
                [vec![MasterKey::random()?], ring.keys.clone()].concat()
            }
            KeySource::Environment(_) => ring.keys.clone(),
            KeySource::Command(_) => {
                let keys = self.source.read().await?;
                if let Some(lost) = ring.keys.iter().find(|key| !keys.contains(key)) {
                    return Err(VaultError::Dropped { source_name: self.source.name(), wanted: lost.id().to_owned() });
                }
                keys
            }
        };
        if keys.len() > MAX_MASTER_KEYS {
            return Err(VaultError::TooManyKeys);
        }
        if let (KeySource::File(data), true) = (&self.source, made) {
            replace_file(data, &keys).await?;
        }
        let id = |key: &MasterKey| key.id().to_owned();
        let rotation = Rotation { current: id(&keys[0]), previous: keys[1..].iter().map(id).collect(), made };
        self.set(keys);
        Ok(rotation)
    }

    /// Retires all keys but the current one. Only once nothing is wrapped by them any more. In the environment and with
    /// a key service it is up to people to take them away.
    pub async fn end_rotation(&self) -> Result<(), VaultError> {
        let current = self.ring().keys[..1].to_vec();
        if let KeySource::File(data) = &self.source {
            replace_file(data, &current).await?;
        }
        self.set(current);
        Ok(())
    }

    fn set(&self, keys: Vec<MasterKey>) {
        let mut ring = self.ring.write();
        let gone = ring.keys.iter().chain(&ring.retired).filter(|key| !keys.contains(key)).cloned().collect();
        *ring = Arc::new(Ring { keys, retired: gone });
    }
}

async fn replace_file(data: &Path, keys: &[MasterKey]) -> Result<(), VaultError> {
    let (data, keys) = (data.to_owned(), keys.to_vec());
    match tokio::task::spawn_blocking(move || key_file::replace(&data, &keys)).await {
        Ok(done) => done,
        Err(cut_off) => std::panic::resume_unwind(cut_off.into_panic()),
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({} from {})", self.key_ids().join(", "), self.source.name())
    }
}

#[cfg(test)]
mod tests;
