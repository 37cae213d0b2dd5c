//! A connected store: made by `cartwright store add` or the API, kept as a record, read when a webhook arrives or a
//! workflow names it. Its secrets are sealed under its own data key.

use std::collections::BTreeSet;

use cartwright_core::{id::StoreId, time::Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    client::Connection,
    seal::{DataKey, Scope, Sealed, Secret, WrappedKey},
    vault::{Vault, VaultError},
};

/// Webhook secrets that are valid at once while one is being replaced.
pub const MAX_WEBHOOK_SECRETS: usize = 4;
/// Of one webhook secret or REST key, in bytes.
pub const MAX_SECRET_BYTES: usize = 1024;
/// Of tags a store carries.
pub const MAX_TAGS: usize = 32;
/// Of one tag, in bytes.
const MAX_TAG_BYTES: usize = 63;
/// Of a store's address, in bytes.
const MAX_URL_BYTES: usize = 2048;

const WEBHOOK_SECRET: &str = "webhook secret";
const REST_KEY: &str = "rest key";
const REST_SECRET: &str = "rest secret";

/// Why a store cannot be as asked.
#[derive(Debug, thiserror::Error)]
pub enum InvalidStore {
    /// Its address.
    #[error("`{shown}` is not a store's address: {reason}")]
    Url {
        /// The address without what may be a password.
        shown: String,
        /// What is wrong and what to write.
        reason: String,
    },
    /// A tag.
    #[error("`{0}` is not a tag: use 1 to 63 of a-z, 0-9, `-` and `_`")]
    Tag(String),
    /// Too many tags.
    #[error("a store has at most {MAX_TAGS} tags")]
    TooManyTags,
    /// A secret that is empty or far too long.
    #[error("the {what} has 1 to {MAX_SECRET_BYTES} bytes, this one has {length}")]
    SecretLength {
        /// Which one.
        what: &'static str,
        /// How long it is.
        length: usize,
    },
    /// Too many webhook secrets.
    #[error("a store has at most {MAX_WEBHOOK_SECRETS} webhook secrets at once. Remove one that is no longer used")]
    TooManySecrets,
    /// Only half of a pair.
    #[error("a REST key and its secret belong together: give both (--key ck_… --secret cs_…) or neither")]
    HalfAPair,
    /// A key without an address to use it at.
    #[error("REST keys need the store's address: give --url https://…")]
    KeyWithoutUrl,
    /// The stored record is not what this engine writes.
    #[error("the stored store is damaged ({0}). Remove it and add it again")]
    Damaged(#[from] serde_json::Error),
    /// Sealing or opening failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// What a person says about a store.
#[derive(Debug, Clone, Default)]
pub struct StoreSettings {
    /// `https://shop.example`, with a path where WordPress lives in a folder.
    pub url: Option<String>,
    /// Groups it belongs to.
    pub tags: Vec<String>,
    /// Secrets its webhooks may be signed with.
    pub webhook_secrets: Vec<Secret>,
    /// `ck_…`
    pub rest_key: Option<Secret>,
    /// `cs_…`
    pub rest_secret: Option<Secret>,
}

/// A connected store as kept in storage. Holds no plaintext secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Its name.
    pub id: StoreId,
    /// Its address without a slash at the end.
    pub url: Option<String>,
    /// Groups it belongs to.
    pub tags: BTreeSet<String>,
    /// When it was added.
    pub created: Timestamp,
    key: WrappedKey,
    webhook_secrets: Vec<Sealed>,
    rest: Option<(Sealed, Sealed)>,
}

impl Store {
    /// A store as a person described it; seals its secrets.
    pub fn new(vault: &Vault, id: StoreId, settings: &StoreSettings, now: Timestamp) -> Result<Self, InvalidStore> {
        let url = settings.url.as_deref().map(parse_url).transpose()?;
        let tags = parse_tags(&settings.tags)?;
        let scope = Scope::Store(id.clone());
        let key = vault.new_key(&scope)?;
        let data_key = vault.unwrap_key(&scope, &key)?;
        let rest = match (&settings.rest_key, &settings.rest_secret) {
            (None, None) => None,
            (Some(_), Some(_)) if url.is_none() => return Err(InvalidStore::KeyWithoutUrl),
            (Some(key), Some(secret)) => {
                Some((seal(&data_key, REST_KEY, 1, key)?, seal(&data_key, REST_SECRET, 1, secret)?))
            }
            _ => return Err(InvalidStore::HalfAPair),
        };
        let mut store = Self { id, url, tags, created: now, key, webhook_secrets: Vec::new(), rest };
        for secret in &settings.webhook_secrets {
            store.add_webhook_secret(vault, secret)?;
        }
        Ok(store)
    }

    /// Adds a secret that webhooks may be signed with; older ones stay valid until they are dropped. Adding one that
    /// is there already changes nothing.
    pub fn add_webhook_secret(&mut self, vault: &Vault, secret: &Secret) -> Result<(), InvalidStore> {
        if self.webhook_secrets(vault)?.contains(secret) {
            return Ok(());
        }
        if self.webhook_secrets.len() >= MAX_WEBHOOK_SECRETS {
            return Err(InvalidStore::TooManySecrets);
        }
        let version = self.webhook_secrets.iter().map(Sealed::version).max().unwrap_or(0) + 1;
        let sealed = seal(&self.data_key(vault)?, WEBHOOK_SECRET, version, secret)?;
        self.webhook_secrets.push(sealed);
        Ok(())
    }

    /// Ends a rotation: only the newest webhook secret stays.
    pub fn drop_older_webhook_secrets(&mut self) {
        let newest = self.webhook_secrets.iter().map(Sealed::version).max();
        self.webhook_secrets.retain(|sealed| Some(sealed.version()) == newest);
    }

    /// How many webhook secrets are valid now.
    pub fn webhook_secret_count(&self) -> usize {
        self.webhook_secrets.len()
    }

    /// The secrets that webhooks may be signed with.
    pub fn webhook_secrets(&self, vault: &Vault) -> Result<Vec<Secret>, VaultError> {
        let key = self.data_key(vault)?;
        self.webhook_secrets.iter().map(|sealed| key.open(WEBHOOK_SECRET, sealed)).collect()
    }

    /// Whether REST keys are known.
    pub fn has_rest_keys(&self) -> bool {
        self.rest.is_some()
    }

    /// The REST key and its secret.
    pub fn rest_keys(&self, vault: &Vault) -> Result<Option<(Secret, Secret)>, VaultError> {
        let Some((key, secret)) = &self.rest else { return Ok(None) };
        let data_key = self.data_key(vault)?;
        Ok(Some((data_key.open(REST_KEY, key)?, data_key.open(REST_SECRET, secret)?)))
    }

    /// Which master key wraps its data key.
    pub fn master(&self) -> &str {
        self.key.master()
    }

    /// Wraps its data key by the current master key; `false`: it is already.
    pub fn rewrap(&mut self, vault: &Vault) -> Result<bool, VaultError> {
        let rewrapped = vault.rewrap(&Scope::Store(self.id.clone()), &self.key)?;
        Ok(rewrapped.map(|key| self.key = key).is_some())
    }

    /// Seals everything anew under a new data key. Versions stay.
    pub fn reseal(&mut self, vault: &Vault) -> Result<(), VaultError> {
        let scope = Scope::Store(self.id.clone());
        let (old, wrapped) = (self.data_key(vault)?, vault.new_key(&scope)?);
        let new = vault.unwrap_key(&scope, &wrapped)?;
        let anew = |field, sealed: &Sealed| new.seal(field, sealed.version(), &old.open(field, sealed)?);
        let webhook = self.webhook_secrets.iter().map(|sealed| anew(WEBHOOK_SECRET, sealed));
        let webhook = webhook.collect::<Result<_, VaultError>>()?;
        let rest = match &self.rest {
            Some((key, secret)) => Some((anew(REST_KEY, key)?, anew(REST_SECRET, secret)?)),
            None => None,
        };
        (self.webhook_secrets, self.rest, self.key) = (webhook, rest, wrapped);
        Ok(())
    }

    /// What calls to it need; `None`: its address or its REST keys are not known.
    pub fn connection(&self, vault: &Vault) -> Result<Option<Connection>, InvalidStore> {
        let Some((url, (key, secret))) = self.url.as_deref().zip(self.rest_keys(vault)?) else { return Ok(None) };
        let url =
            Url::parse(url).map_err(|error| InvalidStore::Url { shown: url.to_owned(), reason: format!("{error}") })?;
        Ok(Some(Connection { id: self.id.clone(), url, key, secret }))
    }

    fn data_key(&self, vault: &Vault) -> Result<DataKey, VaultError> {
        vault.unwrap_key(&Scope::Store(self.id.clone()), &self.key)
    }

    /// For storage; holds no plaintext secrets.
    pub fn to_bytes(&self) -> Vec<u8> {
        let record = Record {
            id: self.id.clone(),
            url: self.url.clone(),
            tags: self.tags.iter().cloned().collect(),
            created: self.created,
            key: self.key.clone(),
            webhook_secrets: self.webhook_secrets.clone(),
            rest_key: self.rest.as_ref().map(|(key, _)| key.clone()),
            rest_secret: self.rest.as_ref().map(|(_, secret)| secret.clone()),
        };
        serde_json::to_vec(&record).expect("texts and numbers always become JSON")
    }

    /// From storage.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidStore> {
        let record: Record = serde_json::from_slice(bytes)?;
        Ok(Self {
            id: record.id,
            url: record.url.as_deref().map(parse_url).transpose()?,
            tags: parse_tags(&record.tags)?,
            created: record.created,
            key: record.key,
            webhook_secrets: record.webhook_secrets,
            rest: record.rest_key.zip(record.rest_secret),
        })
    }
}

/// A store on disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    id: StoreId,
    url: Option<String>,
    tags: Vec<String>,
    created: Timestamp,
    key: WrappedKey,
    webhook_secrets: Vec<Sealed>,
    rest_key: Option<Sealed>,
    rest_secret: Option<Sealed>,
}

fn seal(key: &DataKey, field: &'static str, version: u64, secret: &Secret) -> Result<Sealed, InvalidStore> {
    let length = secret.expose().len();
    if !(1..=MAX_SECRET_BYTES).contains(&length) {
        return Err(InvalidStore::SecretLength { what: field, length });
    }
    Ok(key.seal(field, version, secret)?)
}

fn parse_tags(tags: &[String]) -> Result<BTreeSet<String>, InvalidStore> {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    for tag in tags {
        if !((1..=MAX_TAG_BYTES).contains(&tag.len()) && tag.bytes().all(ok)) {
            return Err(InvalidStore::Tag(tag.chars().take(80).collect()));
        }
    }
    let tags: BTreeSet<_> = tags.iter().cloned().collect();
    if tags.len() > MAX_TAGS { Err(InvalidStore::TooManyTags) } else { Ok(tags) }
}

fn parse_url(text: &str) -> Result<String, InvalidStore> {
    // What stands before an `@` may be a password, so an address with one is never shown.
    let shown = if text.contains('@') { "…@…".to_owned() } else { text.chars().take(80).collect() };
    let refuse = |reason: &str| InvalidStore::Url { shown: shown.clone(), reason: reason.to_owned() };
    if text.len() > MAX_URL_BYTES {
        return Err(refuse("it is longer than 2048 bytes"));
    }
    let url = Url::parse(text)
        .map_err(|error| refuse(&format!("{error}. Write it as in a browser: https://shop.example")))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(refuse("it starts with https:// (or http:// for a shop on your own machine)"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("leave out the user name and password before the `@`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("leave out what follows `?` or `#`"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn id() -> StoreId {
        "my-shop".parse().expect("a store id")
    }

    fn full() -> StoreSettings {
        StoreSettings {
            url: Some("https://Shop.example/de/".to_owned()),
            tags: vec!["eu".to_owned(), "b2b".to_owned(), "eu".to_owned()],
            webhook_secrets: vec![Secret::new("hook-one"), Secret::new("hook-two")],
            rest_key: Some(Secret::new("ck_1")),
            rest_secret: Some(Secret::new("cs_2")),
        }
    }

    #[test]
    fn a_store_survives_storage_and_shows_nothing_there() {
        let vault = Vault::in_memory().expect("made");
        let store = Store::new(&vault, id(), &full(), NOW).expect("valid");
        let bytes = store.to_bytes();
        let text = String::from_utf8_lossy(&bytes);
        for secret in ["hook-one", "hook-two", "ck_1", "cs_2"] {
            assert!(!text.contains(secret) && !format!("{store:?}").contains(secret), "{secret}");
        }
        let read = Store::from_bytes(&bytes).expect("read");
        assert_eq!(read, store);
        assert_eq!(read.url.as_deref(), Some("https://shop.example/de"));
        assert_eq!(read.tags.iter().collect::<Vec<_>>(), ["b2b", "eu"]);
        assert_eq!(read.webhook_secrets(&vault).expect("opened"), [Secret::new("hook-one"), Secret::new("hook-two")]);
        assert_eq!(read.rest_keys(&vault).expect("opened"), Some((Secret::new("ck_1"), Secret::new("cs_2"))));
    }

    #[test]
    fn a_webhook_secret_is_replaced_in_two_steps() {
        let vault = Vault::in_memory().expect("made");
        let settings = StoreSettings { webhook_secrets: vec![Secret::new("old")], ..StoreSettings::default() };
        let mut store = Store::new(&vault, id(), &settings, NOW).expect("valid");
        store.add_webhook_secret(&vault, &Secret::new("new")).expect("added");
        store.add_webhook_secret(&vault, &Secret::new("new")).expect("nothing new");
        assert_eq!(store.webhook_secret_count(), 2);
        store.drop_older_webhook_secrets();
        assert_eq!(store.webhook_secrets(&vault).expect("opened"), [Secret::new("new")]);
        for more in ["a", "b", "c"] {
            store.add_webhook_secret(&vault, &Secret::new(more)).expect("added");
        }
        let refused = store.add_webhook_secret(&vault, &Secret::new("d"));
        assert!(matches!(refused, Err(InvalidStore::TooManySecrets)));
    }

    #[tokio::test]
    async fn a_rotation_changes_the_wrapping_and_resealing_everything_but_the_values() {
        let vault = Vault::in_memory().expect("made");
        let mut store = Store::new(&vault, id(), &full(), NOW).expect("valid");
        assert!(!store.rewrap(&vault).expect("opened"), "there is nothing to do");
        let (before, old) = (store.clone(), vault.key_id());
        vault.begin_rotation().await.expect("begun");
        assert!(store.rewrap(&vault).expect("opened"));
        assert_ne!((store.master(), &store.key), (old.as_str(), &before.key));
        assert_eq!((&store.webhook_secrets, &store.rest), (&before.webhook_secrets, &before.rest));
        store.reseal(&vault).expect("opened");
        let versions = |store: &Store| store.webhook_secrets.iter().map(Sealed::version).collect::<Vec<_>>();
        assert_eq!(versions(&store), versions(&before));
        assert_ne!(store.webhook_secrets, before.webhook_secrets);
        assert_eq!(store.webhook_secrets(&vault).expect("opened"), before.webhook_secrets(&vault).expect("opened"));
        assert_eq!(store.rest_keys(&vault).expect("opened"), before.rest_keys(&vault).expect("opened"));
    }

    #[test]
    fn addresses_that_cannot_be_a_store_are_refused() {
        for (url, word) in [
            ("shop.example", "https://"),
            ("ftp://shop.example", "https://"),
            ("file:///etc/passwd", "https://"),
            ("https://user:hunter2@shop.example", "user name"),
            ("https://shop.example/?a=1", "`?`"),
            ("https://shop.example/#x", "`#`"),
            ("https://", "https://"),
            ("", "https://"),
            (&format!("https://shop.example/{}", "a".repeat(3000)), "2048"),
        ] {
            let error = parse_url(url).expect_err(url).to_string();
            assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let vault = Vault::in_memory().expect("made");
        let refuse = |settings: StoreSettings| Store::new(&vault, id(), &settings, NOW).expect_err("refused");
        assert!(matches!(refuse(StoreSettings { rest_secret: None, ..full() }), InvalidStore::HalfAPair));
        assert!(matches!(refuse(StoreSettings { url: None, ..full() }), InvalidStore::KeyWithoutUrl));
        for tag in ["", "EU", "a b", "tag:eu", &"a".repeat(64)] {
            assert!(matches!(refuse(StoreSettings { tags: vec![tag.to_owned()], ..full() }), InvalidStore::Tag(_)));
        }
        let many = (0..=MAX_TAGS).map(|n| n.to_string()).collect();
        assert!(matches!(refuse(StoreSettings { tags: many, ..full() }), InvalidStore::TooManyTags));
        for length in [0, MAX_SECRET_BYTES + 1] {
            let settings = StoreSettings { webhook_secrets: vec![Secret::new(vec![b'x'; length])], ..full() };
            assert!(matches!(refuse(settings), InvalidStore::SecretLength { .. }));
        }
    }

    #[test]
    fn records_that_no_engine_wrote_are_refused() {
        let vault = Vault::in_memory().expect("made");
        let good = String::from_utf8(Store::new(&vault, id(), &full(), NOW).expect("valid").to_bytes()).expect("text");
        let cases = [
            "",
            "{}",
            "[]",
            &good.replace("my-shop", "../x"),
            &good.replace("\"tags\"", "\"tagz\""),
            &good[..good.len() - 1],
        ];
        for text in cases {
            assert!(Store::from_bytes(text.as_bytes()).is_err(), "{text}");
        }
        let moved = Store::from_bytes(good.replace("my-shop", "other").as_bytes()).expect("reads");
        assert!(
            matches!(moved.webhook_secrets(&vault), Err(VaultError::Tampered { .. })),
            "secrets stay with their store"
        );
    }
}
