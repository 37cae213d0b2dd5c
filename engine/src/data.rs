//! The data folder: who may read it, the local administrator's token, and which engine runs on it.
//!
//! `master.key` belongs to the vault. `admin.token` is made by the first start. `engine.json` says where the running
//! engine listens; it may be stale after a crash, so whoever reads it asks that address before trusting it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, OrFail as _, Result, environment};

pub(crate) const TOKEN_FILE: &str = "admin.token";
const ENGINE_FILE: &str = "engine.json";
/// There while a restore writes: what it left unfinished is not to be used.
const RESTORE_FILE: &str = "restore.unfinished";
/// More than either file ever has, in bytes.
const MAX_FILE_BYTES: u64 = 4096;

impl RunningEngine {
    /// Whether a process of that id is there; true where the system cannot say.
    pub(crate) fn may_live(&self) -> bool {
        !cfg!(target_os = "linux") || Path::new("/proc").join(self.pid.to_string()).exists()
    }
}

/// A data folder that exists.
#[derive(Debug, Clone)]
pub(crate) struct DataFolder {
    path: PathBuf,
}

/// `engine.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunningEngine {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
}

impl DataFolder {
    /// The folder, made (for its owner only) if it is not there.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).or_environment(format_args!("cannot create the data folder {}", path.display()))?;
        Self::open(path)
    }

    /// The folder, which must be there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        match path.canonicalize() {
            Ok(path) if path.join(RESTORE_FILE).exists() => {
                Err(environment(format!("a restore into {} was cut off", path.display()))
                    .help("Empty that folder, then run `cartwright restore` again; the backup is as good as it was."))
            }
            Ok(path) => Ok(Self { path }),
            Err(error) => Err(environment(format!("there is no data folder {}: {error}", path.display()))
                .help("Name it with --data, or start an engine with `cartwright serve`.")),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The local administrator's token, made if it is not there.
    pub(crate) fn token(&self) -> Result<String> {
        let path = self.path.join(TOKEN_FILE);
        match read_small(&path) {
            Ok(token) if !token.trim().is_empty() => return Ok(token.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot("read", &path, error)),
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|error| environment(format!("the system's random source failed: {error}")))?;
        let token = format!("cwa_{}", hex::encode(random));
        write_private(&path, token.as_bytes()).map_err(|error| cannot("write", &path, error))?;
        // Another start may have made one at the same time; the file says which one holds.
        let kept = read_small(&path).map_err(|error| cannot("read", &path, error))?;
        Ok(kept.trim().to_owned())
    }

    /// From here until it ends, the folder is refused by every other command.
    pub(crate) fn begin_restore(&self) -> Result<Restoring> {
        let path = self.path.join(RESTORE_FILE);
        write_private(&path, b"").and_then(|()| self.flush()).map_err(|error| cannot("write", &path, error))?;
        Ok(Restoring { folder: self.clone() })
    }

    /// A name is on disk only once its folder is.
    fn flush(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// What `engine.json` says, if it says anything.
    pub(crate) fn engine(&self) -> Option<RunningEngine> {
        serde_json::from_str(&read_small(&self.path.join(ENGINE_FILE)).ok()?).ok()
    }

    /// Writes `engine.json`; it goes when the guard is dropped.
    pub(crate) fn announce(&self, address: SocketAddr) -> Result<Announcement> {
        let engine = RunningEngine { address: reachable(address), pid: std::process::id() };
        let path = self.path.join(ENGINE_FILE);
        let text = serde_json::to_vec(&engine).expect("an address and a number become JSON");
        write_private(&path, &text).map_err(|error| cannot("write", &path, error))?;
        Ok(Announcement { folder: self.clone(), engine })
    }
}

/// A restore that is under way. What does not end leaves its mark.
#[derive(Debug)]
pub(crate) struct Restoring {
    folder: DataFolder,
}

impl Restoring {
    /// Everything is on stable storage.
    pub(crate) fn end(self) -> Result<()> {
        let path = self.folder.path.join(RESTORE_FILE);
        let removed = fs::remove_file(&path).and_then(|()| self.folder.flush());
        removed.map_err(|error| cannot("remove", &path, error))
    }
}

/// An engine that listens everywhere is reached on this machine's own address.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    address
}

/// Keeps `engine.json` as long as the engine runs.
#[derive(Debug)]
pub(crate) struct Announcement {
    folder: DataFolder,
    engine: RunningEngine,
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if self.folder.engine().as_ref() == Some(&self.engine) {
            // A file that stays is tolerated by every reader.
            fs::remove_file(self.folder.path.join(ENGINE_FILE)).ok();
        }
    }
}

fn cannot(action: &str, path: &Path, error: io::Error) -> Failure {
    Failure {
        exit: crate::failure::Exit::Environment,
        error: Some(anyhow::Error::new(error).context(format!("cannot {action} {}", path.display()))),
        help: None,
    }
}

fn read_small(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Replaces a file as a whole, readable by its owner only.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(content)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::create(&folder.path().join("a/b")).expect("made");
        let token = data.token().expect("made");
        assert_eq!(token.len(), 68);
        assert_eq!(data.token().expect("kept"), token);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
            assert_eq!(mode(&data.path().join(TOKEN_FILE)), 0o600);
            assert_eq!(mode(data.path()), 0o700);
        }
    }

    #[test]
    fn a_folder_whose_restore_was_cut_off_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::create(folder.path()).expect("made");
        let restoring = data.begin_restore().expect("begun");
        let refused = DataFolder::open(folder.path()).expect_err("refused");
        assert!(refused.help.is_some_and(|help| help.contains("again")));
        assert!(DataFolder::create(folder.path()).is_err());
        restoring.end().expect("ended");
        DataFolder::open(folder.path()).expect("as before");
    }

    #[test]
    fn the_announcement_ends_with_the_engine_and_only_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::create(folder.path()).expect("made");
        let first = data.announce("0.0.0.0:5000".parse().expect("address")).expect("announced");
        assert_eq!(data.engine().map(|engine| engine.address.to_string()), Some("127.0.0.1:5000".into()));
        let second = data.announce("127.0.0.1:5001".parse().expect("address")).expect("announced");
        drop(first);
        assert_eq!(data.engine().map(|engine| engine.address.port()), Some(5001));
        drop(second);
        assert_eq!(data.engine(), None);
        fs::write(data.path().join(ENGINE_FILE), "{broken").expect("written");
        assert_eq!(data.engine(), None, "a damaged file is no engine");
    }
}
