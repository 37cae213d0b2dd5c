//! Changes to the key space, and the form in which the log keeps them. `stage` makes them, `view` and the log's
//! recovery apply them.
//!
//! A value is a *head* that is replaced and a *tail* that only grows: `[head length u32][head][tail]`. A patch says
//! where in the tail its bytes belong, so applying a change twice, or to a value that already holds it, is harmless:
//! recovery may replay the log over a base that has some of it.

use std::collections::BTreeMap;

use crate::{
    StorageError,
    embedded::key::{Key, damaged},
};

/// What becomes of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// This whole value.
    Put(Vec<u8>),
    /// A new head, the tail cut at `at`, then these bytes.
    Patch { head: Vec<u8>, at: u32, tail: Vec<u8> },
    /// Nothing.
    Delete,
}

/// Changes by key.
pub(crate) type Changes = BTreeMap<Key, Change>;

/// A value from its parts.
pub(crate) fn value(head: &[u8], tail: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(4 + head.len() + tail.len());
    value.extend_from_slice(&u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
    value.extend_from_slice(head);
    value.extend_from_slice(tail);
    value
}

/// The head and tail of a value.
pub(crate) fn parts(value: &[u8]) -> Result<(&[u8], &[u8]), StorageError> {
    let split = || {
        let (length, rest) = value.split_first_chunk::<4>()?;
        rest.split_at_checked(u32::from_le_bytes(*length) as usize)
    };
    split().ok_or_else(|| damaged("a value"))
}

/// Applies a patch to a value in place. A tail that is shorter than `at` only occurs while a log is replayed over a
/// newer base, and later changes in that log put it right.
pub(crate) fn patch(value: &mut Vec<u8>, head: &[u8], at: u32, tail: &[u8]) {
    let old = parts(value).map_or(4, |(head, _)| 4 + head.len()).min(value.len());
    value.truncate((old + at as usize).min(value.len()));
    if old == 4 + head.len() {
        value[4..old].copy_from_slice(head);
    } else {
        let length = u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes();
        value.splice(..old, length.into_iter().chain(head.iter().copied()));
    }
    value.extend_from_slice(tail);
}

impl Change {
    /// Puts `later` on top of this change.
    pub(crate) fn then(&mut self, later: Self) {
        match (&mut *self, later) {
            (Self::Put(value), Self::Patch { head, at, tail }) => patch(value, &head, at, &tail),
            (Self::Patch { head, at, tail }, Self::Patch { head: head2, at: at2, tail: tail2 }) => {
                *head = head2;
                if at2 >= *at {
                    tail.truncate((at2 - *at) as usize);
                    tail.extend_from_slice(&tail2);
                } else {
                    *at = at2;
                    *tail = tail2;
                }
            }
            (this, later) => *this = later,
        }
    }
}

const PUT: u8 = 1;
const PATCH: u8 = 2;
const DELETE: u8 = 3;

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Writes changes in the log's form.
pub(crate) fn encode(changes: &Changes, out: &mut Vec<u8>) {
    for (key, change) in changes {
        encode_one(key, change, out);
    }
}

/// Writes one change in the log's form.
pub(crate) fn encode_one(key: &[u8], change: &Change, out: &mut Vec<u8>) {
    match change {
        Change::Put(value) => {
            out.push(PUT);
            bytes(out, key);
            bytes(out, value);
        }
        Change::Patch { head, at, tail } => {
            out.push(PATCH);
            bytes(out, key);
            bytes(out, head);
            out.extend_from_slice(&at.to_le_bytes());
            bytes(out, tail);
        }
        Change::Delete => {
            out.push(DELETE);
            bytes(out, key);
        }
    }
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(mut input: &[u8]) -> Option<Vec<(Key, Change)>> {
    fn number(input: &mut &[u8]) -> Option<u32> {
        let (number, rest) = input.split_first_chunk::<4>()?;
        *input = rest;
        Some(u32::from_le_bytes(*number))
    }
    fn bytes(input: &mut &[u8]) -> Option<Vec<u8>> {
        let length = number(input)? as usize;
        let (bytes, rest) = input.split_at_checked(length)?;
        *input = rest;
        Some(bytes.to_vec())
    }
    let mut changes = Vec::new();
    while let Some((&tag, rest)) = input.split_first() {
        input = rest;
        let key = bytes(&mut input)?;
        let change = match tag {
            PUT => Change::Put(bytes(&mut input)?),
            PATCH => {
                let head = bytes(&mut input)?;
                let at = number(&mut input)?;
                Change::Patch { head, at, tail: bytes(&mut input)? }
            }
            DELETE => Change::Delete,
            _ => return None,
        };
        changes.push((key, change));
    }
    Some(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(head: &[u8], at: u32, tail: &[u8]) -> Change {
        Change::Patch { head: head.to_vec(), at, tail: tail.to_vec() }
    }

    #[test]
    fn patches_combine_and_repeat_harmlessly() {
        let start = value(b"h", b"0123");
        let steps = [p(b"head2", 4, b"45"), p(b"", 6, b"6789"), p(b"xy", 10, b"")];
        let mut one_by_one = start.clone();
        let mut combined = steps[0].clone();
        for (n, step) in steps.iter().enumerate() {
            let Change::Patch { head, at, tail } = step else { unreachable!() };
            patch(&mut one_by_one, head, *at, tail);
            if n > 0 {
                combined.then(step.clone());
            }
        }
        assert_eq!(one_by_one, value(b"xy", b"0123456789"));
        let mut put = Change::Put(start);
        put.then(combined);
        assert_eq!(put, Change::Put(one_by_one.clone()));
        for step in &steps {
            let Change::Patch { head, at, tail } = step else { unreachable!() };
            patch(&mut one_by_one, head, *at, tail);
        }
        assert_eq!(put, Change::Put(one_by_one), "replayed over the result");
    }

    #[test]
    fn a_patch_of_anything_does_not_panic() {
        for old in [&b""[..], b"\x01", b"\xff\xff\xff\xff12", b"\0\0\0\0"] {
            let mut value = old.to_vec();
            patch(&mut value, b"head", 9, b"tail");
        }
    }

    #[test]
    fn the_logs_form_reads_back_and_truncation_is_noticed() {
        let changes: Changes = [
            (b"a".to_vec(), Change::Put(b"v".to_vec())),
            (b"b".to_vec(), p(b"h", 3, b"t")),
            (b"c".to_vec(), Change::Delete),
        ]
        .into();
        let mut out = Vec::new();
        encode(&changes, &mut out);
        assert_eq!(decode(&out), Some(changes.into_iter().collect()));
        let ends = (0..out.len()).filter(|&n| decode(&out[..n]).is_some()).count();
        assert_eq!(ends, 3, "only whole changes are read");
    }
}
