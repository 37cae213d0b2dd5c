//! The first 120 bytes of a backup: what it is, and how its key is made from the passphrase.
//!
//! | bytes | what |
//! |---|---|
//! | 0–7 | `CWBACKUP` |
//! | 8–9 | format |
//! | 10–11 | nothing yet |
//! | 12–23 | argon2id: memory in KiB, passes, lanes |
//! | 24–55 | salt |
//! | 56–87 | SHA-256 of all before: damage is told apart from a wrong passphrase. So far every format has these 88 |
//! | 88–119 | HMAC-SHA256 of all before, under a key from the passphrase: a wrong one is told apart from damage below |

use aes_gcm::{Aes256Gcm, KeyInit as _};
use argon2::{Algorithm, Argon2, Params, Version};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::BackupError;
use crate::seal::Secret;

pub(super) const HEADER_BYTES: usize = 120;
const MAGIC: &[u8; 8] = b"CWBACKUP";
/// What is written. 1 had records of stores and secrets only; it is still read.
const FORMAT: u16 = 2;
const READ_FORMATS: std::ops::RangeInclusive<u16> = 1..=FORMAT;
const SALT: std::ops::Range<usize> = 24..56;
const CHECKED: usize = 56;
const SIGNED: usize = 88;
/// A made-up file must not eat the machine before its passphrase is checked.
const MAX_COST: Cost = Cost { memory_kib: 256 * 1024, passes: 16, lanes: 8 };

/// What one guess of the passphrase costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Times it is gone over.
    pub passes: u32,
    /// Threads that could share the work.
    pub lanes: u32,
}

impl Default for Cost {
    /// RFC 9106's choice for where 2 GiB are too much, with one lane: about a quarter of a second and 64 MiB.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }
}

pub(super) type Header = [u8; HEADER_BYTES];

/// A header with a salt of its own, and the cipher that goes with it.
pub(super) fn make(passphrase: &Secret, cost: Cost) -> Result<(Header, Aes256Gcm), BackupError> {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&FORMAT.to_be_bytes());
    for (place, number) in [(12, cost.memory_kib), (16, cost.passes), (20, cost.lanes)] {
        header[place..place + 4].copy_from_slice(&number.to_be_bytes());
    }
    getrandom::fill(&mut header[SALT]).map_err(|error| BackupError::Key(error.to_string()))?;
    let check = Sha256::digest(&header[..CHECKED]);
    header[CHECKED..SIGNED].copy_from_slice(&check);
    let (cipher, mac) = keys(&header, passphrase, cost)?;
    header[SIGNED..].copy_from_slice(&mac.finalize().into_bytes());
    Ok((header, cipher))
}

/// The cipher that goes with a header and this passphrase.
pub(super) fn open(header: &Header, passphrase: &Secret) -> Result<Aes256Gcm, BackupError> {
    let number = |place: usize| {
        let bytes = header[place..place + 4].try_into().expect("four bytes");
        u32::from_be_bytes(bytes)
    };
    if !is_ours(header) {
        return Err(BackupError::Foreign);
    }
    if Sha256::digest(&header[..CHECKED])[..] != header[CHECKED..SIGNED] {
        return Err(BackupError::Head);
    }
    let format = u16::from_be_bytes([header[8], header[9]]);
    if !READ_FORMATS.contains(&format) {
        return Err(BackupError::Newer { format });
    }
    let cost = Cost { memory_kib: number(12), passes: number(16), lanes: number(20) };
    if cost.memory_kib > MAX_COST.memory_kib || cost.passes > MAX_COST.passes || cost.lanes > MAX_COST.lanes {
        return Err(BackupError::Head);
    }
    let (cipher, mac) = keys(header, passphrase, cost)?;
    mac.verify_slice(&header[SIGNED..]).map_err(|_| BackupError::Passphrase)?;
    Ok(cipher)
}

/// Whether a file begins as a backup does.
pub(super) fn is_ours(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

fn keys(header: &Header, passphrase: &Secret, cost: Cost) -> Result<(Aes256Gcm, Hmac<Sha256>), BackupError> {
    let failed = |error: argon2::Error| BackupError::Key(error.to_string());
    let mut made = Zeroizing::new([0; 64]);
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(made.len())).map_err(failed)?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_into(passphrase.expose(), &header[SALT], made.as_mut()).map_err(failed)?;
    let (cipher, mac) = made.split_at(32);
    let cipher = Aes256Gcm::new_from_slice(cipher).expect("32 bytes");
    let mut mac = Hmac::<Sha256>::new_from_slice(mac).expect("HMAC takes keys of every length");
    mac.update(&header[..SIGNED]);
    Ok((cipher, mac))
}
