//! Events and journals are JSON with the same keys over and over: LZ4 with a dictionary of those keys makes them five
//! to seven times smaller, for about two microseconds, and the disk is what acceptance waits for.
//!
//! A packed text is its length, the length of what follows, and an LZ4 block whose dictionary is one of the constants
//! below. The dictionaries are part of the format: a new one gets a new tag, the old ones stay for what is on disk.

use lz4_flex::block::{compress_with_dict, decompress_with_dict};

use crate::{StorageError, embedded::key::damaged};

/// Texts shorter than this are left as they are.
const PACK_MIN_BYTES: usize = 200;

/// The largest text that unpacking believes in: a batch holds no more.
const UNPACKED_MAX_BYTES: usize = 64 * 1024 * 1024;

/// What texts are likely to repeat.
#[derive(Clone, Copy)]
pub(crate) struct Dictionary(&'static [u8]);

/// For events: an event around a WooCommerce order, product or customer with the keys of the REST API, version 3.
pub(crate) const EVENTS: Dictionary = Dictionary(include_bytes!("events.dictionary"));

/// For journals: entries of a run.
pub(crate) const ENTRIES: Dictionary = Dictionary(include_bytes!("entries.dictionary"));

/// The packed form; `None` where it would not be smaller.
pub(crate) fn pack(text: &[u8], dictionary: Dictionary) -> Option<Vec<u8>> {
    if text.len() < PACK_MIN_BYTES {
        return None;
    }
    let block = compress_with_dict(text, dictionary.0);
    let (length, packed) = (u32::try_from(text.len()).ok()?, u32::try_from(block.len()).ok()?);
    if block.len() + 8 >= text.len() {
        return None;
    }
    let mut out = Vec::with_capacity(8 + block.len());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&packed.to_le_bytes());
    out.extend_from_slice(&block);
    Some(out)
}

/// The text of a packed form at the beginning of `bytes`, and what follows it.
pub(crate) fn unpack(bytes: &[u8], dictionary: Dictionary) -> Result<(Vec<u8>, &[u8]), StorageError> {
    let read = || {
        let (length, rest) = bytes.split_first_chunk()?;
        let (packed, rest) = rest.split_first_chunk()?;
        let length =
            usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length <= UNPACKED_MAX_BYTES)?;
        let (block, rest) = rest.split_at_checked(u32::from_le_bytes(*packed) as usize)?;
        let text = decompress_with_dict(block, length, dictionary.0).ok()?;
        (text.len() == length).then_some((text, rest))
    };
    read().ok_or_else(|| damaged("a packed text"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_order_gets_much_smaller_and_comes_back() {
        let text = include_bytes!("events.dictionary").repeat(2);
        let packed = pack(&text, EVENTS).expect("smaller");
        assert!(packed.len() * 5 < text.len(), "{} of {}", packed.len(), text.len());
        assert_eq!(unpack(&packed, EVENTS).expect("whole"), (text, &[][..]));
    }

    #[test]
    fn short_and_random_texts_stay_as_they_are() {
        assert!(pack(b"{}", EVENTS).is_none());
        let mut state = 7u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .take(400)
        .collect();
        assert!(pack(&noise, ENTRIES).is_none());
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(text in "\\PC{0,900}", tail in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Some(mut packed) = pack(text.as_bytes(), ENTRIES) {
                packed.extend_from_slice(&tail);
                prop_assert_eq!(unpack(&packed, ENTRIES).expect("whole"), (text.into_bytes(), &tail[..]));
            }
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes, EVENTS);
        }
    }
}
