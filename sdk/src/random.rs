//! Randomness that replays: the same in every execution of a call. Not for keys or passwords, the run's journal holds it.
//! Needs no grant.

use crate::{Failure, host};

/// Most bytes that the host gives at once.
pub(crate) const MOST_BYTES_AT_ONCE: usize = 1_024;

/// Random bytes.
pub fn bytes(length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(length);
    while out.len() < length {
        let ask = (length - out.len()).min(MOST_BYTES_AT_ONCE);
        out.extend(host::random(ask as u32));
    }
    out.truncate(length);
    out
}

/// A whole number between two others, both included.
pub fn int(from: i64, to: i64) -> Result<i64, Failure> {
    if from > to {
        return Err(Failure::Invalid(format!("a random number cannot lie between {from} and {to}")));
    }
    let span = to.abs_diff(from);
    // 16 bytes for a range of at most 8: the bias of the remainder is below 2^-64.
    let mut wide = [0; 16];
    wide.copy_from_slice(&bytes(16));
    let below = u128::from_be_bytes(wide) % (u128::from(span) + 1);
    Ok(from.wrapping_add(below as i64))
}

/// A random UUID: version 4 of RFC 9562.
pub fn uuid() -> String {
    let mut wide = [0; 16];
    wide.copy_from_slice(&bytes(16));
    wide[6] = wide[6] & 0x0f | 0x40;
    wide[8] = wide[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(wide));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
