//! What was committed while a backup was read: the log's records from the segment that was written to when it began up
//! to where the log ended when its keys were through. One record is in memory at a time.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::PathBuf,
    sync::Arc,
};

use crate::{
    StorageError,
    embedded::copy::Redo,
    log::{
        keep::{Keep, Pin, Place},
        queue::Queue,
        segment::{self, HEADER_BYTES, MAX_RECORD_BYTES, RECORD_HEADER_BYTES},
    },
};

/// Reads the log from a pin on.
pub(crate) struct LogRedo {
    queue: Arc<Queue>,
    keep: Arc<Keep>,
    pin: Pin,
    folder: PathBuf,
    end: Place,
    open: Option<Segment>,
    /// The next segment.
    next: u64,
}

struct Segment {
    number: u64,
    file: BufReader<File>,
    /// Bytes read.
    at: u64,
    /// Bytes to read.
    length: u64,
}

impl LogRedo {
    /// From here on nothing is missed.
    pub(crate) fn begin(queue: &Arc<Queue>, keep: &Arc<Keep>, folder: PathBuf) -> Self {
        let pin = Pin::new(keep);
        let next = pin.first;
        Self { queue: Arc::clone(queue), keep: Arc::clone(keep), pin, folder, end: Place::default(), open: None, next }
    }

    fn open(&self, number: u64) -> Result<Segment, StorageError> {
        let path = segment::path(&self.folder, number);
        let open = || {
            let mut file = File::open(&path)?;
            let whole = file.metadata()?.len();
            let length = if number == self.end.segment { self.end.length } else { whole };
            io::copy(&mut file.by_ref().take(HEADER_BYTES as u64), &mut io::sink())?;
            Ok(Segment { number, file: BufReader::new(file), at: HEADER_BYTES as u64, length })
        };
        open().map_err(|error: io::Error| StorageError::Unavailable {
            reason: format!("the log cannot be read for the backup ({error}); make it again"),
            source: Some(Box::new(error)),
        })
    }
}

impl Segment {
    fn next(&mut self) -> Result<Option<Vec<u8>>, StorageError> {
        if self.at >= self.length {
            return Ok(None);
        }
        let damaged = |_| segment::damaged(self.number, usize::try_from(self.at).unwrap_or(usize::MAX));
        let mut record = vec![0; RECORD_HEADER_BYTES];
        self.file.read_exact(&mut record).map_err(damaged)?;
        let length = record.first_chunk().map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes)) as usize;
        if length > MAX_RECORD_BYTES {
            return Err(segment::damaged(self.number, usize::try_from(self.at).unwrap_or(usize::MAX)));
        }
        record.resize(RECORD_HEADER_BYTES + length, 0);
        self.file.read_exact(&mut record[RECORD_HEADER_BYTES..]).map_err(damaged)?;
        if !segment::is_whole(&record) {
            return Err(segment::damaged(self.number, usize::try_from(self.at).unwrap_or(usize::MAX)));
        }
        self.at += record.len() as u64;
        record.drain(..RECORD_HEADER_BYTES);
        Ok(Some(record))
    }
}

impl Redo for LogRedo {
    fn check(&self) -> Result<(), StorageError> {
        self.queue.check()?;
        if self.pin.holds() {
            return Ok(());
        }
        let reason = "the backup took too long: what was written meanwhile is some gigabytes, and keeping it longer could \
                      fill the disk; make it again, to a faster disk or at a quieter time";
        Err(StorageError::Unavailable { reason: reason.to_owned(), source: None })
    }

    fn end(&mut self) -> Result<(), StorageError> {
        self.end = self.keep.end();
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>, StorageError> {
        loop {
            if let Some(open) = &mut self.open
                && let Some(record) = open.next()?
            {
                return Ok(Some(record));
            }
            if self.next > self.end.segment {
                return Ok(None);
            }
            self.open = Some(self.open(self.next)?);
            self.next += 1;
        }
    }
}
