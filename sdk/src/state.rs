//! Values that the workflow keeps between its runs, shared with its scripts. Needs no grant. Keys have 1 to 200 bytes,
//! values at most 65,536 bytes of JSON.
//!
//! ```no_run
//! use cartwright_plugin::{Failure, state};
//!
//! # fn count() -> Result<(), Failure> {
//! let seen: Option<Vec<u64>> = state::get("seen")?;
//! state::set("seen", &[61, 62])?;
//! let sum = state::increment("orders", 1)?;
//! state::change("recent", |recent: Option<Vec<u64>>| {
//!     let mut recent = recent.unwrap_or_default();
//!     recent.push(63);
//!     recent
//! })?;
//! # Ok(()) }
//! ```

use serde::{Serialize, de::DeserializeOwned};

use crate::{Failure, host};

/// How often [`change`] tries when others write the same key.
const CHANGE_ATTEMPTS: usize = 20;

/// The value under a key.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Failure> {
    host::state_get(key)?.map(|text| read(key, &text)).transpose()
}

/// Keeps a value.
pub fn set<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<(), Failure> {
    host::state_set(key, &text(key, value)?)
}

/// Keeps `value` if `expected` is what is there now (`None`: nothing); says whether it did.
pub fn compare_and_set<T: Serialize + ?Sized>(key: &str, expected: Option<&T>, value: &T) -> Result<bool, Failure> {
    let expected = expected.map(|expected| text(key, expected)).transpose()?;
    host::state_compare_and_set(key, expected.as_deref(), &text(key, value)?)
}

/// Adds to the whole number under a key, 0 when there is none; gives the sum.
pub fn increment(key: &str, by: i64) -> Result<i64, Failure> {
    host::state_increment(key, by)
}

/// Forgets a value; says whether there was one.
pub fn delete(key: &str) -> Result<bool, Failure> {
    host::state_delete(key)
}

/// Changes a value without losing what other runs write meanwhile: reads, changes, and starts again when it was written
/// in between. Gives what is kept now.
pub fn change<T: Serialize + DeserializeOwned>(
    key: &str,
    mut change: impl FnMut(Option<T>) -> T,
) -> Result<T, Failure> {
    for _ in 0..CHANGE_ATTEMPTS {
        let before = host::state_get(key)?;
        let value = change(before.as_deref().map(|text| read(key, text)).transpose()?);
        // What was read is compared as it was read: a type of ours may write it in other words.
        if host::state_compare_and_set(key, before.as_deref(), &text(key, &value)?)? {
            return Ok(value);
        }
    }
    Err(Failure::Other(format!("`{key}` was changed by others {CHANGE_ATTEMPTS} times in a row")))
}

fn read<T: DeserializeOwned>(key: &str, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::Other(format!("what is kept under `{key}` does not fit: {error}")))
}

fn text<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::Invalid(format!("the value for `{key}` cannot become JSON: {error}")))
}
