//! A backup as one file: entries go in, and come out again only with the passphrase and only if every byte is as it was.
//!
//! ```text
//! file    = header (120 bytes) chunk* "CARTWRIGHT-END\n"
//! chunk   = AES-256-GCM of 64 KiB (the last one: of what is left, which may be nothing)
//! payload = (length u32, entry)*                  entry = JSON, or the byte 1 and a part of storage
//! ```
//!
//! The key is made from the passphrase by argon2id with a salt of the file's own, so no nonce meets a key twice. A
//! chunk's nonce is its number and whether it is the last: chunks cannot be dropped, repeated, reordered or added
//! (STREAM, Hoang et al. 2015). Numbers are big-endian. Read in this order: [`header`], [`stream`], [`entry`].

pub mod header;
pub mod stream;
pub mod entry;

use std::io;

pub use entry::{Entry, read_entry, write_entry};
pub use header::Cost;
pub use stream::{Opened, Sealing};

/// Of passphrases for new backups, in bytes: a stolen file can be tried against a dictionary for ever.
pub const MIN_PASSPHRASE_BYTES: usize = 12;

/// Why a backup cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The disk refused.
    #[error("the backup cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// Not ours.
    #[error("this is not a backup made by cartwright")]
    Foreign,
    /// By a later version.
    #[error(
        "the backup has format {format}, which this version of cartwright does not know. Restore it with the version that made it, or a newer one"
    )]
    Newer {
        /// The format's number.
        format: u16,
    },
    /// The first bytes are not as written.
    #[error("the head of the backup is damaged. Use another copy of it")]
    Head,
    /// It is ours and whole, and opens with another passphrase.
    #[error("the passphrase is not the one that this backup was sealed under")]
    Passphrase,
    /// The end is not there.
    #[error("the backup is cut off: its end is missing. Use another copy of it")]
    CutOff,
    /// Bytes are not as written.
    #[error(
        "the backup is damaged between byte {from} and {to}: something was changed, left out or moved. Use another copy of it"
    )]
    Damaged {
        /// First byte of the chunk that does not open.
        from: u64,
        /// The byte after it.
        to: u64,
    },
    /// It opens, and says something that makes no sense.
    #[error("entry {place} of the backup is not understood: {reason}")]
    Entry {
        /// Which one, from 1.
        place: u64,
        /// What is wrong.
        reason: String,
    },
    /// An entry of a later version.
    #[error(
        "entry {place} of the backup is of a kind that this version of cartwright does not know (`{kind}`). Restore it with the version that made it, or a newer one"
    )]
    NewerEntry {
        /// Which one, from 1.
        place: u64,
        /// Its kind.
        kind: String,
    },
    /// Too easy to guess.
    #[error(
        "a passphrase has at least {MIN_PASSPHRASE_BYTES} characters, better 20: four or five words that nobody else would put together"
    )]
    Weak,
    /// The key cannot be made.
    #[error("the key cannot be made from the passphrase: {0}")]
    Key(String),
}

#[cfg(test)]
mod tests;
