//! `DATA/compiled`: every version of a plugin that was ever installed, under its hash (`HASH.wasm`), what it says of
//! itself (`HASH.json`), and its compiled code, which the sandbox keeps there. Runs that wait for weeks go on with the
//! version they began with, whatever is installed by then.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use cartwright_core::plugin::PluginRecord;
use cartwright_sandbox::plugin;
use tempfile::TempDir;

const FOLDER: &str = "compiled";
/// What compiled code is sealed with.
const KEY_FILE: &str = "seal.key";

/// Where versions are kept; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
    key: [u8; 32],
    /// Without a data folder what is compiled lives as long as the process.
    _passing: Option<Arc<TempDir>>,
}

impl Store {
    /// The store of a data folder; one of this process's own where there is no such folder (yet).
    pub(crate) fn of(data: &Path) -> io::Result<Self> {
        if data.is_dir() {
            return Self::open(data.join(FOLDER), None);
        }
        let passing = tempfile::tempdir()?;
        Self::open(passing.path().join(FOLDER), Some(Arc::new(passing)))
    }

    fn open(folder: PathBuf, passing: Option<Arc<TempDir>>) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        let key = seal_key(&folder.join(KEY_FILE))?;
        Ok(Self { folder, key, _passing: passing })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn key(&self) -> [u8; 32] {
        self.key
    }

    fn file(&self, hash: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{hash}.{ending}"))
    }

    /// Keeps a component. On stable storage when it returns.
    pub(crate) fn keep(&self, hash: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.file(hash, "wasm");
        match fs::read(&path) {
            Ok(kept) if kept == bytes => Ok(()),
            _ => write_whole(&path, bytes),
        }
    }

    /// Keeps what a component says of itself.
    pub(crate) fn keep_record(&self, hash: &str, record: &PluginRecord) -> io::Result<()> {
        write_whole(&self.file(hash, "json"), record.text().as_bytes())
    }

    /// The component with this hash.
    pub(crate) fn read(&self, hash: &str) -> io::Result<Vec<u8>> {
        let bytes = fs::read(self.file(hash, "wasm"))?;
        match plugin::hash_of(&bytes) == hash {
            true => Ok(bytes),
            false => Err(io::Error::new(io::ErrorKind::InvalidData, "its file in the data folder is damaged")),
        }
    }

    /// Every component that is kept.
    pub(crate) fn versions(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.folder)?;
        let hash = |entry: fs::DirEntry| Some(entry.file_name().into_string().ok()?.strip_suffix(".wasm")?.to_owned());
        let mut hashes: Vec<String> = entries.flatten().filter_map(hash).collect();
        hashes.sort();
        Ok(hashes)
    }

    /// What the component with this hash says of itself, if it is kept whole.
    pub(crate) fn record(&self, hash: &str) -> Option<PluginRecord> {
        let record = PluginRecord::parse(&fs::read_to_string(self.file(hash, "json")).ok()?).ok()?;
        (record.hash == hash && self.read(hash).is_ok()).then_some(record)
    }
}

/// The key of a folder, made if it is not there.
fn seal_key(path: &Path) -> io::Result<[u8; 32]> {
    if let Ok(bytes) = fs::read(path)
        && let Ok(key) = bytes.try_into()
    {
        return Ok(key);
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    write_whole(path, &key)?;
    // Another process may have made one in the same moment: the file says which one holds.
    fs::read(path)?.try_into().map_err(|_| io::Error::other("the key of compiled plugins has a wrong length"))
}

/// Replaces a file as a whole. On stable storage when it returns.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut unfinished = tempfile::NamedTempFile::new_in(folder)?;
    unfinished.write_all(content)?;
    unfinished.as_file().sync_all()?;
    unfinished.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}
