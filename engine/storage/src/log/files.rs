//! The file operations that durability rests on, behind a trait so that tests can make each of them fail.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::Path,
};

/// A file that only grows, and the directory it is in.
pub(crate) trait Files: Send + Sync + 'static {
    /// A new, empty file; an error when there is one already.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Growing>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Replaces `to` by `from`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// A file that is appended to.
pub(crate) trait Growing: Send {
    /// Writes at the end. After an error any part of it may be there; see [`Growing::cut`].
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes the file this long, and the next append start there.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Returns once everything appended is on stable storage. After an error nobody knows what is.
    fn sync(&mut self) -> io::Result<()>;
}

/// The real ones.
pub(crate) struct Disk;

impl Files for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Growing>> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Box::new(file))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

impl Growing for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(drop)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
