//! API tokens: made once, shown once, kept as a hash; each with its own scopes, stores, rate and figures of use.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

use cartwright_core::{
    access::{Assignment, Principal},
    time::Timestamp,
};
use cartwright_storage::{CommitError, Expect, RecordWrite, Table};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Access, AccessError, AuditEntry, By, Hash, Known, check_name, hash_of};

/// Where tokens are kept.
pub(super) const PREFIX: &str = "token/";
/// What every token begins with, so that people and secret scanners recognise one.
pub const TOKEN_MARK: &str = "cwt_";
/// Tokens of one installation.
const TOKENS_MAX: usize = 10_000;

/// A token as asked for.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// For people; unique.
    pub name: String,
    /// What it may do, and where.
    pub assignment: Assignment,
    /// When it ends; `None`: when it is revoked.
    pub expires: Option<Timestamp>,
    /// Requests a second that it may make; `None`: as many as anybody.
    pub requests_per_second: Option<u32>,
}

/// A token, without the token.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Names it in addresses: `tok_…`.
    pub id: String,
    /// For people.
    pub name: String,
    pub(super) hash: Hash,
    /// What it may do, and where.
    pub assignment: Assignment,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// Requests a second that it may make.
    pub requests_per_second: Option<u32>,
    /// How it was used, as far as this process knows or storage was told.
    #[serde(default)]
    pub usage: Usage,
}

/// How a token was used.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    requests: AtomicU64,
    /// Milliseconds since the epoch; 0: never.
    last_used: AtomicI64,
    /// Requests that storage knows of.
    #[serde(skip)]
    kept: AtomicU64,
}

impl Usage {
    /// Requests it was recognised in.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// When it was last recognised.
    pub fn last_used(&self) -> Option<Timestamp> {
        match self.last_used.load(Relaxed) {
            0 => None,
            millis => Some(Timestamp::from_millis(millis)),
        }
    }

    fn count(&self, now: Timestamp) {
        self.requests.fetch_add(1, Relaxed);
        self.last_used.store(now.as_millis(), Relaxed);
    }
}

impl Token {
    /// Who somebody with this token is.
    pub fn principal(&self) -> Principal {
        Principal { name: format!("token:{}", self.name), assignments: vec![self.assignment.clone()] }
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| now >= end)
    }

    fn key(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    /// For the audit log and for people; without the hash.
    fn shown(&self) -> serde_json::Value {
        json!({
            "id": self.id, "name": self.name, "scopes": self.assignment.scopes, "stores": self.assignment.stores,
            "expires": self.expires, "requests_per_second": self.requests_per_second,
        })
    }

    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers always become JSON")
    }
}

impl Known {
    pub(super) fn remember_token(&mut self, token: Token) -> Arc<Token> {
        token.usage.kept.store(token.usage.requests(), Relaxed);
        let token = Arc::new(token);
        self.tokens_by_hash.insert(token.hash, Arc::clone(&token));
        self.tokens.insert(token.id.clone(), Arc::clone(&token));
        token
    }
}

impl Access {
    /// Makes a token; the text is the token itself, which nobody can show again. On stable storage when it resolves.
    pub async fn create_token(
        &self,
        new: NewToken,
        by: impl Into<By<'_>>,
        now: Timestamp,
    ) -> Result<(Arc<Token>, String), AccessError> {
        let by = by.into();
        check_name(&new.name, "a token's name")?;
        if new.assignment.scopes.is_empty() {
            return Err(AccessError::Invalid("a token needs at least one scope, such as `runs:read`".into()));
        }
        if new.requests_per_second == Some(0) || new.expires.is_some_and(|end| end <= now) {
            return Err(AccessError::Invalid("such a token could never be used".into()));
        }
        {
            let known = self.known.read();
            if known.tokens.len() >= TOKENS_MAX {
                return Err(AccessError::Invalid(format!("there are {TOKENS_MAX} tokens; revoke some first")));
            }
            if known.tokens.values().any(|token| token.name == new.name) {
                return Err(AccessError::Exists(format!("a token `{}`", new.name)));
            }
        }
        let text = format!("{TOKEN_MARK}{}", self.random_text());
        let hash = hash_of(&text);
        let token = Token {
            id: format!("tok_{}", &hex::encode(hash)[..16]),
            name: new.name,
            hash,
            assignment: new.assignment,
            created: now,
            created_by: by.name.to_owned(),
            expires: new.expires,
            requests_per_second: new.requests_per_second,
            usage: Usage::default(),
        };
        let about = AuditEntry::by(now, by, "token.create", &token.id).after(token.shown());
        let write = RecordWrite {
            table: Table::Access,
            key: token.key(),
            expect: Expect::Absent,
            value: Some(token.to_bytes()),
        };
        self.write(vec![write], about).await?;
        Ok((self.known.write().remember_token(token), text))
    }

    /// Ends a token. On stable storage when it resolves, and refused from then on.
    pub async fn revoke_token(&self, id: &str, by: impl Into<By<'_>>, now: Timestamp) -> Result<(), AccessError> {
        let by = by.into();
        let token = self.known.read().tokens.get(id).cloned();
        let token = token.ok_or_else(|| AccessError::NotFound("such token".into()))?;
        let about = AuditEntry::by(now, by, "token.revoke", id).before(token.shown());
        let write = RecordWrite { table: Table::Access, key: token.key(), expect: Expect::Any, value: None };
        self.write(vec![write], about).await?;
        let mut known = self.known.write();
        known.tokens.remove(id);
        known.tokens_by_hash.remove(&token.hash);
        Ok(())
    }

    /// One token.
    pub fn token(&self, id: &str) -> Option<Arc<Token>> {
        self.known.read().tokens.get(id).cloned()
    }

    /// All tokens by id.
    pub fn tokens(&self) -> Vec<Arc<Token>> {
        self.known.read().tokens.values().cloned().collect()
    }

    /// The token that this text is, unless its time is over; counts the use.
    pub fn recognise_token(&self, text: &str, now: Timestamp) -> Option<Arc<Token>> {
        if !text.starts_with(TOKEN_MARK) {
            return None;
        }
        // Looked up by hash: how long that takes says nothing about the token.
        let token = self.known.read().tokens_by_hash.get(&hash_of(text)).cloned()?;
        if token.is_expired(now) {
            return None;
        }
        token.usage.count(now);
        Some(token)
    }

    /// Tells storage how tokens were used; what was not told yet is lost in a crash.
    pub async fn keep_usage(&self) -> Result<(), AccessError> {
        for token in self.tokens() {
            let requests = token.usage.requests();
            if requests == token.usage.kept.load(Relaxed) {
                continue;
            }
            let Some(record) = self.storage.record(Table::Access, &token.key()).await? else { continue };
            let value = token.to_bytes();
            let expect = Expect::Version(record.version);
            let write = RecordWrite { table: Table::Access, key: token.key(), expect, value: Some(value) };
            match self.storage.write_records(vec![write]).await {
                // Revoked meanwhile: there is nothing to keep.
                Ok(()) | Err(CommitError::Conflict { .. }) => token.usage.kept.store(requests, Relaxed),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
