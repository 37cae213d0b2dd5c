//! Recorded webhook deliveries of a real WooCommerce. They are not part of the repository: `CARTWRIGHT_CORPUS` names
//! the folder, and where it is missing the tests that need it say so and hold nothing.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

/// One delivery as it was received.
#[derive(Debug, Deserialize)]
pub struct Delivery {
    /// File name.
    #[serde(skip)]
    pub name: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The raw body in base 64.
    body_b64: String,
    /// What it was signed with, where that is known.
    pub secret: Option<String>,
}

impl Delivery {
    /// The raw body.
    ///
    /// # Panics
    /// When the recording is damaged.
    pub fn body(&self) -> Vec<u8> {
        STANDARD.decode(&self.body_b64).expect("base 64")
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Every delivery below `corpus/deliveries`, by name.
///
/// # Panics
/// When a file cannot be read: a corpus that is named must be whole.
pub fn deliveries(corpus: &Path) -> Vec<Delivery> {
    let folder = corpus.join("deliveries");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<Delivery> = entries
        .map(|entry| {
            let path = entry.expect("a folder entry").path();
            let text = fs::read(&path).expect("a recorded delivery");
            let mut delivery: Delivery = serde_json::from_slice(&text).expect("a recorded delivery is JSON");
            delivery.name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            delivery
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}
