//! Sessions: what a browser's cookie stands for. A sign-in always opens a new one, so a cookie planted before is worth
//! nothing; it ends when unused for half a day, after a month, by signing out, or when the person's password changes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use cartwright_core::time::Timestamp;
use cartwright_storage::{Expect, RecordWrite, Table};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Access, AccessError, AuditEntry, By, Hash, Person, hash_of, people::gone};

/// Where sessions are kept.
pub(super) const PREFIX: &str = "session/";
/// Unused for longer, a session ends.
pub const IDLE_LIFE: Duration = Duration::from_secs(12 * 3600);
/// Older, a session ends.
pub const WHOLE_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// The time of use is written at most this often.
const KEEP_EVERY: Duration = Duration::from_secs(600);
/// Of one person; the oldest ends when there is another.
const SESSIONS_PER_PERSON_MAX: usize = 20;

/// A session, without its cookie.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub(super) hash: Hash,
    /// Whose.
    pub person: String,
    /// Since when.
    pub opened: Timestamp,
    /// Milliseconds since the epoch.
    last_used: AtomicI64,
    /// What storage knows of `last_used`.
    #[serde(skip)]
    kept: AtomicI64,
}

/// A session that was just opened, or recognised.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// Whose.
    pub person: Arc<Person>,
    /// Must come with every change, as a header or a form's field: a page of somebody else's cannot know it.
    pub csrf: String,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OwnSession {
    /// Names it in addresses; tells nothing about the cookie.
    pub id: String,
    /// Since when.
    pub opened: Timestamp,
    /// When it was last used.
    pub last_used: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl Session {
    /// Names it in addresses.
    fn id(&self) -> String {
        hex::encode(&self.hash[..8])
    }

    pub(super) fn key(&self) -> String {
        format!("{PREFIX}{}", hex::encode(self.hash))
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now.since(time(&self.last_used)) >= IDLE_LIFE || now.since(self.opened) >= WHOLE_LIFE
    }

    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers always become JSON")
    }
}

impl Access {
    /// Opens a session for somebody who proved who they are; the text is the cookie. On stable storage when it resolves.
    pub async fn open_session(
        &self,
        person: &Arc<Person>,
        from: &str,
        now: Timestamp,
    ) -> Result<(OpenSession, String), AccessError> {
        let _changing = self.changing.lock().await;
        // Removed or given another password since they proved who they are.
        if !self.person(&person.name).is_some_and(|there| there.has_password_of(person)) {
            return Err(AccessError::NotFound(format!("person called `{}` with that password", person.name)));
        }
        let cookie = self.random_text();
        let session = Session {
            hash: hash_of(&cookie),
            person: person.name.clone(),
            opened: now,
            last_used: AtomicI64::new(now.as_millis()),
            kept: AtomicI64::new(now.as_millis()),
        };
        let over = self.sessions_to_end(&person.name, now);
        let mut writes: Vec<RecordWrite> = over.iter().map(|old| gone(old.key())).collect();
        writes.push(RecordWrite {
            table: Table::Access,
            key: session.key(),
            expect: Expect::Absent,
            value: Some(session.to_bytes()),
        });
        let who = format!("user:{}", person.name);
        self.write(writes, AuditEntry::new(now, &who, "session.open", &person.name).from(&from)).await?;
        let mut known = self.known.write();
        for old in over {
            known.sessions.remove(&old.hash);
        }
        known.sessions.insert(session.hash, Arc::new(session));
        Ok((OpenSession { person: Arc::clone(person), csrf: csrf_of(&cookie) }, cookie))
    }

    /// Whose session a cookie stands for, while it lasts. The use is written now and then.
    pub async fn recognise_session(&self, cookie: &str, now: Timestamp) -> Option<OpenSession> {
        let session = self.known.read().sessions.get(&hash_of(cookie)).cloned()?;
        if session.is_over(now) {
            return None;
        }
        let person = self.person(&session.person)?;
        session.last_used.store(now.as_millis(), Relaxed);
        if now.since(time(&session.kept)) >= KEEP_EVERY {
            session.kept.store(now.as_millis(), Relaxed);
            if let Err(error) = self.keep_last_use(&session).await {
                tracing::warn!(%error, "a session's last use could not be written");
            }
        }
        Some(OpenSession { person, csrf: csrf_of(cookie) })
    }

    /// Whose session a cookie stands for, while it lasts; looking does not make it last longer.
    pub fn session_of(&self, cookie: &str, now: Timestamp) -> Option<Arc<Person>> {
        let session = self.known.read().sessions.get(&hash_of(cookie)).cloned()?;
        if session.is_over(now) { None } else { self.person(&session.person) }
    }

    /// Never brings back a session that was ended meanwhile.
    async fn keep_last_use(&self, session: &Session) -> Result<(), AccessError> {
        let Some(record) = self.storage.record(Table::Access, &session.key()).await? else { return Ok(()) };
        let (key, expect) = (session.key(), Expect::Version(record.version));
        let write = RecordWrite { table: Table::Access, key, expect, value: Some(session.to_bytes()) };
        Ok(self.storage.write_records(vec![write]).await?)
    }

    /// Ends a session. On stable storage when it resolves.
    pub async fn close_session(&self, cookie: &str, now: Timestamp) -> Result<(), AccessError> {
        let hash = hash_of(cookie);
        let Some(session) = self.known.read().sessions.get(&hash).cloned() else { return Ok(()) };
        let who = format!("user:{}", session.person);
        self.write(vec![gone(session.key())], AuditEntry::new(now, &who, "session.close", &session.person)).await?;
        self.known.write().sessions.remove(&hash);
        Ok(())
    }

    /// The sessions of whoever has this cookie, the one last used first.
    pub fn own_sessions(&self, cookie: &str, now: Timestamp) -> Vec<OwnSession> {
        let known = self.known.read();
        let Some(current) = known.sessions.get(&hash_of(cookie)) else { return Vec::new() };
        let theirs = known.sessions.values().filter(|one| one.person == current.person && !one.is_over(now));
        let mut own: Vec<OwnSession> = theirs
            .map(|one| OwnSession {
                id: one.id(),
                opened: one.opened,
                last_used: time(&one.last_used),
                current: one.hash == current.hash,
            })
            .collect();
        own.sort_by_key(|one| std::cmp::Reverse((one.last_used, one.opened)));
        own
    }

    /// Ends one of the sessions of whoever has this cookie. On stable storage when it resolves.
    pub async fn close_own_session(
        &self,
        cookie: &str,
        id: &str,
        by: impl Into<By<'_>>,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let found = {
            let known = self.known.read();
            let current = known.sessions.get(&hash_of(cookie));
            let is_it = |current: &Arc<Session>, one: &Session| one.person == current.person && one.id() == id;
            current.and_then(|current| known.sessions.values().find(|one| is_it(current, one)).cloned())
        };
        let session = found.ok_or_else(|| AccessError::NotFound("such session".into()))?;
        let about = AuditEntry::by(now, by.into(), "session.close", &session.person);
        self.write(vec![gone(session.key())], about).await?;
        self.forget_sessions(&[session]);
        Ok(())
    }

    /// A person's sessions but this one.
    pub(super) fn sessions_of(&self, person: &str, stays: Option<Hash>) -> Vec<Arc<Session>> {
        let known = self.known.read();
        let theirs = known.sessions.values().filter(|one| one.person == person && Some(one.hash) != stays);
        theirs.cloned().collect()
    }

    pub(super) fn forget_sessions(&self, over: &[Arc<Session>]) {
        let mut known = self.known.write();
        for session in over {
            known.sessions.remove(&session.hash);
        }
    }

    /// Sessions that are over, and this person's oldest beyond the limit.
    fn sessions_to_end(&self, person: &str, now: Timestamp) -> Vec<Arc<Session>> {
        let known = self.known.read();
        let (over, lasting): (Vec<_>, Vec<_>) =
            known.sessions.values().cloned().partition(|session| session.is_over(now));
        let mut theirs: Vec<_> = lasting.into_iter().filter(|session| session.person == person).collect();
        theirs.sort_by_key(|session| session.opened);
        let too_many = (theirs.len() + 1).saturating_sub(SESSIONS_PER_PERSON_MAX);
        over.into_iter().chain(theirs.into_iter().take(too_many)).collect()
    }
}

fn time(millis: &AtomicI64) -> Timestamp {
    Timestamp::from_millis(millis.load(Relaxed))
}

/// Follows from the cookie, so that nothing more is kept; tells nothing about it.
fn csrf_of(cookie: &str) -> String {
    let hash = Sha256::new().chain_update(b"cartwright csrf").chain_update(cookie).finalize();
    hex::encode(&hash[..20])
}
