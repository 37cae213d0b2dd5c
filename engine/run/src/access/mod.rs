//! Who may use the API: tokens, people with their sessions and invitations, and the audit log of what they changed.
//!
//! Everything lives in records, with the plaintext of nothing: a token, a session cookie and an invitation are 256 random
//! bits and kept as SHA-256, a password is kept as argon2id. An index in memory answers requests without a read.
//!
//! Read in this order: [`tokens`], [`people`], [`sessions`], [`audit`].

pub mod audit;
mod people;
mod sessions;
mod tokens;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cartwright_storage::{CommitError, RecordWrite, Storage, StorageError, Table};
use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::clock::Entropy;

pub use audit::{AuditEntry, AuditFilter, AuditLog, AuditPlace, By};
pub use people::{INVITATION_LIFE, Invitation, PASSWORD_BYTES_MAX, PASSWORD_BYTES_MIN, Person, RoleAt};
pub use sessions::{IDLE_LIFE, OpenSession, OwnSession, Session, WHOLE_LIFE};
pub use tokens::{NewToken, TOKEN_MARK, Token, Usage};

/// Of a name that people choose: a token's, a person's, in bytes.
pub const NAME_BYTES_MAX: usize = 100;

/// Why somebody could not be let in, or a change of who may come in was not made.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A name, password or limit is not valid; the text says what to choose.
    #[error("{0}")]
    Invalid(String),
    /// There is one of this name already.
    #[error("there is already {0}")]
    Exists(String),
    /// There is no such one.
    #[error("there is no {0}")]
    NotFound(String),
    /// A stored record is not what this engine writes.
    #[error("the stored record `{0}` is damaged; remove it and make a new one")]
    Damaged(String),
    /// Storage refused.
    #[error(transparent)]
    Storage(#[from] CommitError),
}

impl From<StorageError> for AccessError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error.into())
    }
}

/// SHA-256 of something random.
pub(crate) type Hash = [u8; 32];

/// Who may use the API.
pub struct Access {
    storage: Arc<dyn Storage>,
    entropy: Arc<dyn Entropy>,
    known: RwLock<Known>,
    /// Held while a person is changed or a session is opened: a session that is opened with the old password must not
    /// outlive it, and of two owners who demote each other at once one stays.
    changing: Mutex<()>,
    /// The audit log.
    pub audit: AuditLog,
}

/// What is in storage, held in memory.
#[derive(Default)]
struct Known {
    tokens: BTreeMap<String, Arc<Token>>,
    tokens_by_hash: HashMap<Hash, Arc<Token>>,
    people: BTreeMap<String, Arc<Person>>,
    sessions: HashMap<Hash, Arc<Session>>,
    invitations: HashMap<Hash, Arc<Invitation>>,
}

impl Access {
    /// Loads everybody who is known.
    pub async fn load(storage: Arc<dyn Storage>, entropy: Arc<dyn Entropy>) -> Result<Self, AccessError> {
        let mut known = Known::default();
        for token in all::<Token>(storage.as_ref(), tokens::PREFIX).await? {
            known.remember_token(token);
        }
        for person in all::<Person>(storage.as_ref(), people::PREFIX).await? {
            known.people.insert(person.name.clone(), Arc::new(person));
        }
        for session in all::<Session>(storage.as_ref(), sessions::PREFIX).await? {
            known.sessions.insert(session.hash, Arc::new(session));
        }
        for invitation in all::<Invitation>(storage.as_ref(), people::INVITATION_PREFIX).await? {
            known.invitations.insert(invitation.hash, Arc::new(invitation));
        }
        let audit = AuditLog::new(Arc::clone(&storage));
        Ok(Self { storage, entropy, known: RwLock::new(known), changing: Mutex::default(), audit })
    }

    /// 256 random bits as text that fits into a header, a cookie and an address.
    fn random_text(&self) -> String {
        let mut bytes = [0; 32];
        self.entropy.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Writes a change and the entry about it in one commit: on stable storage when it resolves.
    async fn write(&self, mut writes: Vec<RecordWrite>, about: AuditEntry) -> Result<(), AccessError> {
        writes.push(self.audit.write_of(&about));
        Ok(self.storage.write_records(writes).await?)
    }
}

fn hash_of(text: &str) -> Hash {
    Sha256::digest(text).into()
}

async fn all<T: DeserializeOwned>(storage: &dyn Storage, prefix: &str) -> Result<Vec<T>, AccessError> {
    const PAGE: usize = 200;
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = storage.records(Table::Access, prefix, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.key.clone());
        for record in page {
            found.push(serde_json::from_slice(&record.value).map_err(|_| AccessError::Damaged(record.key))?);
        }
    }
}

fn check_name(name: &str, what: &str) -> Result<(), AccessError> {
    let fine = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.trim() == name && !name.chars().any(char::is_control);
    if fine && !name.contains(['/', '\\']) {
        return Ok(());
    }
    Err(AccessError::Invalid(format!("{what} has 1 to {NAME_BYTES_MAX} bytes, no `/` and no spaces around it")))
}
