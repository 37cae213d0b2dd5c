//! Compiled plugins on disk: `HASH-ENGINE.cwasm`, and beside it `HASH-ENGINE.mac`, which says under this engine's own key
//! that the code is what it compiled. Code whose seal does not fit is never mapped; it is compiled again.
//!
//! Files are written under other names and renamed, never changed: engines that share a folder do not disturb each
//! other, and code that is mapped stays as it is.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use ring::{digest, hmac};
use tempfile::NamedTempFile;

/// How names of files begin that are not finished.
const UNFINISHED: &str = ".unfinished-";
/// Nobody compiles for that long.
const UNFINISHED_AGE_MAX: Duration = Duration::from_secs(3_600);

/// Where compiled plugins are kept.
#[derive(Clone)]
pub struct CodeCache {
    /// A folder that only the engine can write; it is made when it is missing.
    pub dir: PathBuf,
    /// What seals are made with. Whoever has it can have code run by the engine.
    pub key: [u8; 32],
}

impl std::fmt::Debug for CodeCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodeCache").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// A file of compiled code whose seal fits, with its content.
pub(super) struct Sealed {
    pub(super) file: File,
    pub(super) bytes: Vec<u8>,
}

impl Sealed {
    /// What was just compiled here.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self { file, bytes })
    }
}

/// What a look into the cache gives.
pub(super) enum Found {
    Sealed(Sealed),
    /// There is none.
    Absent,
    /// There is one that must not be used.
    Foreign(&'static str),
}

impl CodeCache {
    fn paths(&self, hash: &str, engine: &str) -> (PathBuf, PathBuf) {
        let file = |ending: &str| self.dir.join(format!("{hash}-{engine}.{ending}"));
        (file("cwasm"), file("mac"))
    }

    /// The compiled form of the component with this hash, for this engine.
    pub(super) fn find(&self, hash: &str, engine: &str) -> Found {
        let (code, seal) = self.paths(hash, engine);
        let Ok(mut file) = File::open(&code) else { return Found::Absent };
        let mut bytes = Vec::new();
        if file.read_to_end(&mut bytes).is_err() {
            return Found::Foreign("it cannot be read");
        }
        let Ok(seal) = fs::read(&seal) else { return Found::Foreign("its seal is missing") };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        match hmac::verify(&key, &sealed_text(hash, engine, &bytes), &seal) {
            Ok(()) => Found::Sealed(Sealed { file, bytes }),
            Err(_) => Found::Foreign("its seal does not fit: it is damaged, or another engine made it"),
        }
    }

    /// A new empty file in the folder, for what is not finished; it goes when it is dropped.
    pub(super) fn unfinished(&self) -> io::Result<NamedTempFile> {
        fs::create_dir_all(&self.dir)?;
        tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.dir)
    }

    /// Removes compiled code of plugins that `wanted` does not want, by hash, and what killed engines left unfinished.
    /// Gives how many files went. Whatever was wrongly removed is compiled again.
    pub fn sweep(&self, wanted: impl Fn(&str) -> bool) -> io::Result<usize> {
        // The time by the folder's own clock, which may be another machine's.
        let now = self.unfinished()?.as_file().metadata()?.modified()?;
        let mut removed = 0;
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let (Some(name), modified) = (entry.file_name().to_str().map(str::to_owned), entry.metadata()?.modified()?)
            else {
                continue;
            };
            let old = now.duration_since(modified).is_ok_and(|age| age > UNFINISHED_AGE_MAX);
            let ours = name.ends_with(".cwasm") || name.ends_with(".mac");
            let unwanted = match name.split_once('-') {
                _ if name.starts_with(UNFINISHED) => old,
                Some((hash, _)) if ours => !wanted(hash),
                _ => false,
            };
            if unwanted && fs::remove_file(entry.path()).is_ok() {
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Seals what was compiled into `code` and gives it its name.
    pub(super) fn keep(&self, hash: &str, engine: &str, code: NamedTempFile) -> io::Result<Sealed> {
        // What was compiled may be another file than the one that was made: compilers write as they like.
        let sealed = Sealed::read(code.path())?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        let seal = hmac::sign(&key, &sealed_text(hash, engine, &sealed.bytes));
        let unfinished = self.unfinished()?;
        fs::write(unfinished.path(), seal.as_ref())?;
        let (code_path, seal_path) = self.paths(hash, engine);
        persist(code, &code_path)?;
        persist(unfinished, &seal_path)?;
        Ok(sealed)
    }
}

fn persist(file: NamedTempFile, to: &Path) -> io::Result<()> {
    file.into_temp_path().persist(to).map_err(|error| error.error)
}

/// What is sealed: the code's hash with what it was compiled from and for.
fn sealed_text(hash: &str, engine: &str, code: &[u8]) -> Vec<u8> {
    let mut text = format!("cartwright-compiled-v1\0{hash}\0{engine}\0").into_bytes();
    text.extend_from_slice(digest::digest(&digest::SHA256, code).as_ref());
    text
}
