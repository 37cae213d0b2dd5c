//! The log's form on disk. The committer writes records with a [`Writer`]; opening reads them with [`read`].
//!
//! A segment is a file `NNNNNNNNNNNN.log`: a header `magic 8 | segment u64 | first sequence u64 | crc u32`, then
//! records `length u32 | crc u32 | sequence u64 | changes`, all little-endian, checksums over what follows them (the
//! header's over what precedes it). One record is one group of commits; the next record is written only after this
//! one is on stable storage. So what is not whole at the very end of the last segment was never acknowledged and is
//! cut; anything else that is not whole is damage, and never passed over.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    StorageError,
    log::{
        files::{Files, Growing},
        keep::Place,
    },
};

const MAGIC: &[u8; 8] = b"CWLOG\0\0\x01";
pub(crate) const HEADER_BYTES: usize = 28;
pub(crate) const RECORD_HEADER_BYTES: usize = 16;

/// The longest record; a longer length is damage.
pub(crate) const MAX_RECORD_BYTES: usize = 256 * 1024 * 1024;

/// A segment's file.
pub(crate) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.log"))
}

/// The number of a segment's file.
pub(crate) fn number(path: &Path) -> Option<u64> {
    if path.extension()? != "log" {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

/// The segment that is written to.
pub(crate) struct Writer {
    file: Box<dyn Growing>,
    pub(crate) number: u64,
    /// Bytes that are durable.
    pub(crate) length: u64,
    next_sequence: u64,
}

/// What a failed append means.
pub(crate) enum Failed {
    /// Nothing was written; the next append may work.
    Nothing(io::Error),
    /// Nobody knows what is on the disk.
    Unknown(io::Error),
}

impl Writer {
    /// Begins a segment; it exists durably when this returns.
    pub(crate) fn create(files: &dyn Files, folder: &Path, number: u64, first_sequence: u64) -> io::Result<Self> {
        let path = path(folder, number);
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&number.to_le_bytes());
        header.extend_from_slice(&first_sequence.to_le_bytes());
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        let mut file = files.create(&path)?;
        let written = file.append(&header).and_then(|()| file.sync()).and_then(|()| files.sync_dir(folder));
        if let Err(error) = written {
            drop(file);
            files.remove(&path).ok(); // what stays is recognised as an unfinished segment
            return Err(error);
        }
        Ok(Self { file, number, length: HEADER_BYTES as u64, next_sequence: first_sequence })
    }

    /// Appends a record and returns once it is on stable storage. `record` has [`RECORD_HEADER_BYTES`] free in front.
    pub(crate) fn append(&mut self, record: &mut [u8]) -> Result<(), Failed> {
        seal(record, self.next_sequence);
        if let Err(error) = self.file.append(record) {
            return Err(match self.file.cut(self.length) {
                Ok(()) => Failed::Nothing(error),
                Err(_) => Failed::Unknown(error),
            });
        }
        self.file.sync().map_err(Failed::Unknown)?;
        self.length += record.len() as u64;
        self.next_sequence += 1;
        Ok(())
    }

    /// The end of what is durable.
    pub(crate) fn place(&self) -> Place {
        Place { segment: self.number, length: self.length }
    }

    /// The sequence that the next segment begins with.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }
}

fn seal(record: &mut [u8], sequence: u64) {
    let length = record.len() - RECORD_HEADER_BYTES;
    record[8..16].copy_from_slice(&sequence.to_le_bytes());
    let crc = crc32fast::hash(&record[8..]);
    record[..4].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    record[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// What a segment's bytes say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read<'a> {
    pub(crate) records: Vec<&'a [u8]>,
    /// Bytes up to the end of the last whole record.
    pub(crate) good: usize,
    pub(crate) next_sequence: u64,
}

/// Reads a segment. `sequence`: what it must begin with, when known. `last`: whether it may end in the middle of a
/// record.
pub(crate) fn read<'a>(
    bytes: &'a [u8],
    number: u64,
    sequence: Option<u64>,
    last: bool,
) -> Result<Option<Read<'a>>, StorageError> {
    let Some(first) = header(bytes, number) else {
        if last && bytes.len() <= HEADER_BYTES {
            return Ok(None); // the crash came while it was created; no record can have followed
        }
        return Err(damaged(number, 0));
    };
    if sequence.is_some_and(|sequence| sequence != first) {
        return Err(damaged(number, 0));
    }
    let mut read = Read { records: Vec::new(), good: HEADER_BYTES, next_sequence: first };
    while read.good < bytes.len() {
        let Some((sequence, record)) =
            record(&bytes[read.good..]).filter(|(sequence, _)| *sequence == read.next_sequence)
        else {
            if !last || followed(&bytes[read.good..], read.next_sequence) {
                return Err(damaged(number, read.good));
            }
            return Ok(Some(read));
        };
        read.records.push(record);
        read.good += RECORD_HEADER_BYTES + record.len();
        read.next_sequence = sequence + 1;
    }
    Ok(Some(read))
}

fn header(bytes: &[u8], number: u64) -> Option<u64> {
    let (header, crc) = bytes.get(..HEADER_BYTES)?.split_last_chunk::<4>()?;
    let whole = crc32fast::hash(header) == u32::from_le_bytes(*crc) && header.starts_with(MAGIC);
    let (found, first) = header.get(8..)?.split_first_chunk::<8>()?;
    (whole && u64::from_le_bytes(*found) == number).then(|| first.first_chunk().map(|b| u64::from_le_bytes(*b)))?
}

/// The record at the begin of these bytes.
fn record(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let sealed = rest.get(..length.checked_add(8).filter(|length| *length <= MAX_RECORD_BYTES)?)?;
    let (sequence, changes) = sealed.split_first_chunk::<8>()?;
    (crc32fast::hash(sealed) == u32::from_le_bytes(*crc)).then(|| (u64::from_le_bytes(*sequence), changes))
}

/// Whether these bytes are one record as it was written.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    record(bytes).is_some_and(|(_, changes)| changes.len() + RECORD_HEADER_BYTES == bytes.len())
}

/// Whether a whole later record follows somewhere: then what does not read was acknowledged once, and is damaged.
fn followed(bytes: &[u8], sequence: u64) -> bool {
    const LATER: u64 = 1 << 32;
    (1..bytes.len()).any(|at| {
        let Some(found) = bytes[at..].get(8..16).and_then(|b| b.first_chunk::<8>()) else { return false };
        let found = u64::from_le_bytes(*found);
        (sequence..sequence.saturating_add(LATER)).contains(&found) && record(&bytes[at..]).is_some()
    })
}

/// What to say about damage.
pub(crate) fn damaged(number: u64, at: usize) -> StorageError {
    StorageError::Corrupt {
        reason: format!(
            "log segment {number:012}.log does not read at byte {at}, and what was acknowledged after it would be lost; \
             check the disk and restore the data folder from a backup"
        ),
    }
}
