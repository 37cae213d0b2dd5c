//! Secrets of the operator. Grant: `secrets: [name]`.
//!
//! ```no_run
//! use cartwright_plugin::{Failure, http, secrets};
//!
//! # fn ask() -> Result<(), Failure> {
//! let answer = http::get("https://api.example.com/me").bearer(secrets::get("example-key")?).send()?;
//! # Ok(()) }
//! ```

use crate::{Failure, host};

/// The plaintext. Where it stands in outputs, lines and failures the engine blots it out.
pub fn get(name: &str) -> Result<String, Failure> {
    host::secret(name)
}
