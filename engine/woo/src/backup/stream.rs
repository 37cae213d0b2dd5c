//! The bytes after the header: what is written goes out sealed in chunks, and is read back chunk by chunk, each checked
//! before anything of it is seen.

use std::io::{self, Read, Seek, SeekFrom, Write};

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use super::{
    BackupError,
    header::{self, Cost, HEADER_BYTES, Header},
};
use crate::seal::Secret;

/// Of a chunk before it is sealed, in bytes.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// What sealing adds, in bytes.
const TAG_BYTES: usize = 16;
/// After the last chunk. Whoever cuts the file can write it too; it only tells an accident from a change.
const END: &[u8] = b"CARTWRIGHT-END\n";

/// A backup that is being written.
pub struct Sealing<W> {
    out: W,
    cipher: Aes256Gcm,
    header: Header,
    chunk: Zeroizing<Vec<u8>>,
    number: u32,
}

impl<W: Write> Sealing<W> {
    /// Begins a backup under a passphrase.
    pub fn new(mut out: W, passphrase: &Secret, cost: Cost) -> Result<Self, BackupError> {
        let (header, cipher) = header::make(passphrase, cost)?;
        out.write_all(&header)?;
        Ok(Self { out, cipher, header, chunk: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES)), number: 0 })
    }

    /// Writes the last chunk and the end. What is not finished does not open.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        self.out.write_all(END)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let payload = Payload { msg: &self.chunk, aad: &self.header };
        let sealed = self.cipher.encrypt(&nonce(self.number, last), payload);
        self.out.write_all(&sealed.map_err(|_| io::Error::other("a chunk is too long to be sealed"))?)?;
        self.chunk.clear();
        self.number = self.number.checked_add(1).ok_or_else(|| io::Error::other("a backup has at most 256 TiB"))?;
        Ok(())
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for the byte after it: only then it is known not to be the last.
        if self.chunk.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Does nothing: a chunk is written when it is full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A backup that is being read.
pub struct Opened<R> {
    file: R,
    cipher: Aes256Gcm,
    header: Header,
    /// Of all chunks as they are in the file, in bytes.
    length: u64,
    /// Of those that were read, in bytes.
    read: u64,
    number: u32,
    chunk: Zeroizing<Vec<u8>>,
    /// Of `chunk`, what was handed out.
    taken: usize,
}

impl<R: Read + Seek> Opened<R> {
    /// Looks at the head and the end of a file. Nothing in it is believed before its chunk was checked.
    pub fn new(mut file: R, passphrase: &Secret) -> Result<Self, BackupError> {
        let whole = file.seek(SeekFrom::End(0))?;
        file.rewind()?;
        let mut start = Vec::new();
        file.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut start)?;
        if !header::is_ours(&start) {
            return Err(BackupError::Foreign);
        }
        let header: Header = start.try_into().map_err(|_| BackupError::CutOff)?;
        let cipher = header::open(&header, passphrase)?;
        let around = (HEADER_BYTES + END.len()) as u64;
        let length = whole.checked_sub(around).ok_or(BackupError::CutOff)?;
        let mut end = [0; END.len()];
        file.seek(SeekFrom::Start(whole - END.len() as u64))?;
        file.read_exact(&mut end)?;
        if end != END {
            return Err(BackupError::CutOff);
        }
        let mut opened =
            Self { file, cipher, header, length, read: 0, number: 0, chunk: Zeroizing::default(), taken: 0 };
        opened.rewind()?;
        Ok(opened)
    }

    /// Goes back to the first entry.
    pub fn rewind(&mut self) -> Result<(), BackupError> {
        self.file.seek(SeekFrom::Start(HEADER_BYTES as u64))?;
        (self.read, self.number, self.taken) = (0, 0, 0);
        self.chunk = Zeroizing::default();
        Ok(())
    }

    /// Fills `into`; fewer bytes only at the end of the payload. Gives how many.
    pub(super) fn fill(&mut self, into: &mut [u8]) -> Result<usize, BackupError> {
        let mut filled = 0;
        while filled < into.len() {
            if self.taken == self.chunk.len() && !self.next_chunk()? {
                break;
            }
            let count = (into.len() - filled).min(self.chunk.len() - self.taken);
            into[filled..filled + count].copy_from_slice(&self.chunk[self.taken..self.taken + count]);
            (filled, self.taken) = (filled + count, self.taken + count);
        }
        Ok(filled)
    }

    /// `false`: the last one was read.
    fn next_chunk(&mut self) -> Result<bool, BackupError> {
        if self.number > 0 && self.read == self.length {
            return Ok(false);
        }
        let left = self.length - self.read;
        let size = left.min((CHUNK_BYTES + TAG_BYTES) as u64);
        let from = HEADER_BYTES as u64 + self.read;
        let mut sealed = vec![0; usize::try_from(size).expect("at most a chunk")];
        self.file.read_exact(&mut sealed)?;
        let payload = Payload { msg: &sealed, aad: &self.header };
        let opened = self.cipher.decrypt(&nonce(self.number, size == left), payload);
        self.chunk = Zeroizing::new(opened.map_err(|_| BackupError::Damaged { from, to: from + size })?);
        (self.read, self.number, self.taken) = (self.read + size, self.number.wrapping_add(1), 0);
        Ok(true)
    }
}

/// Seven bytes of nothing (the key is the file's own), the chunk's number, and whether it is the last.
fn nonce(number: u32, last: bool) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut nonce = [0; 12];
    nonce[7..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce.into()
}
