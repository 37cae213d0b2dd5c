//! People: invited with a link that works once, signed in with a password, each with roles that hold everywhere or at some
//! stores. The first start makes an invitation for the owner.

use std::{sync::Arc, time::Duration};

use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};
use cartwright_core::{
    access::{Assignment, Principal, Role},
    time::Timestamp,
    workflow::StoreSelector,
};
use cartwright_storage::{Expect, RecordWrite, Table};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Access, AccessError, AuditEntry, By, Hash, check_name, hash_of};

/// Where people are kept.
pub(super) const PREFIX: &str = "user/";
/// Where invitations are kept.
pub(super) const INVITATION_PREFIX: &str = "invitation/";
/// Who invites the first owner.
const FIRST_START: &str = "setup";
/// Links that work at once.
const INVITATIONS_MAX: usize = 1_000;
/// How long a link works.
pub const INVITATION_LIFE: Duration = Duration::from_secs(24 * 3600);
/// A password, in bytes. Length is what counts (NIST SP 800-63B), so nothing else is asked for.
pub const PASSWORD_BYTES_MIN: usize = 12;
/// Longer ones would only cost time.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// A hash of nobody's password, so that an unknown name takes as long as a wrong password.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$0000000000000000000000000000000000000000000";

/// A role that holds at some stores, or everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RoleAt {
    /// Which.
    pub role: Role,
    /// Where; `None`: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stores: Option<Vec<StoreSelector>>,
}

/// A person.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// How they sign in: an e-mail address or any name; unique.
    pub name: String,
    /// argon2id in PHC form.
    password: String,
    /// What they are.
    pub roles: Vec<RoleAt>,
    /// Since when.
    pub created: Timestamp,
}

/// A link that makes somebody a person, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    pub(super) hash: Hash,
    /// What they will be.
    pub roles: Vec<RoleAt>,
    /// Who invited.
    pub by: String,
    /// When the link stops working.
    pub expires: Timestamp,
}

impl Person {
    /// Whether nothing changed the password since.
    pub(super) fn has_password_of(&self, other: &Self) -> bool {
        self.password == other.password
    }

    /// Who they are to the API.
    pub fn principal(&self) -> Principal {
        let assign = |at: &RoleAt| Assignment { scopes: at.role.scopes(), stores: at.stores.clone() };
        Principal { name: format!("user:{}", self.name), assignments: self.roles.iter().map(assign).collect() }
    }
}

impl Access {
    /// Whether somebody can sign in.
    pub fn has_people(&self) -> bool {
        !self.known.read().people.is_empty()
    }

    /// All people by name.
    pub fn people(&self) -> Vec<Arc<Person>> {
        self.known.read().people.values().cloned().collect()
    }

    /// One person.
    pub fn person(&self, name: &str) -> Option<Arc<Person>> {
        self.known.read().people.get(name).cloned()
    }

    /// The link of a start that finds nobody who could sign in; those of earlier starts stop working. On stable storage
    /// when it resolves.
    pub async fn invite_first_owner(&self, now: Timestamp) -> Result<String, AccessError> {
        self.invite(vec![RoleAt { role: Role::Owner, stores: None }], FIRST_START, now).await
    }

    /// Makes a link's secret part that lets one person choose a name and a password within a day. On stable storage when
    /// it resolves.
    pub async fn invite(
        &self,
        roles: Vec<RoleAt>,
        by: impl Into<By<'_>>,
        now: Timestamp,
    ) -> Result<String, AccessError> {
        let by = by.into();
        if roles.is_empty() {
            return Err(AccessError::Invalid("an invitation needs a role: viewer, operator or owner".into()));
        }
        let text = self.random_text();
        let invitation =
            Invitation { hash: hash_of(&text), roles, by: by.name.to_owned(), expires: now.plus(INVITATION_LIFE) };
        let stale: Vec<Hash> = {
            let known = self.known.read();
            let replaced = |old: &Invitation| by.name == FIRST_START && old.by == FIRST_START;
            let stale = known.invitations.values().filter(|old| replaced(old) || now >= old.expires);
            let stale: Vec<Hash> = stale.map(|old| old.hash).collect();
            if known.invitations.len() - stale.len() >= INVITATIONS_MAX {
                return Err(AccessError::Invalid(format!(
                    "{INVITATIONS_MAX} invitations are open; wait until some end"
                )));
            }
            stale
        };
        let mut writes: Vec<RecordWrite> = stale.iter().map(|hash| gone(invitation_key(hash))).collect();
        writes.push(RecordWrite {
            table: Table::Access,
            key: invitation_key(&invitation.hash),
            expect: Expect::Absent,
            value: Some(serde_json::to_vec(&invitation).expect("texts and numbers always become JSON")),
        });
        let about = AuditEntry::by(now, by, "user.invite", "-").after(json!({ "roles": invitation.roles }));
        self.write(writes, about).await?;
        let mut known = self.known.write();
        for hash in stale {
            known.invitations.remove(&hash);
        }
        known.invitations.insert(invitation.hash, Arc::new(invitation));
        Ok(text)
    }

    /// The invitation of a link, while it works.
    pub fn invitation(&self, text: &str, now: Timestamp) -> Option<Arc<Invitation>> {
        let found = self.known.read().invitations.get(&hash_of(text)).cloned()?;
        (now < found.expires).then_some(found)
    }

    /// Makes a person of whoever holds the link, which works no more afterwards. On stable storage when it resolves.
    pub async fn join(
        &self,
        link: &str,
        name: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<Arc<Person>, AccessError> {
        check_name(name, "a name")?;
        check_password(password)?;
        let gone_link =
            || AccessError::NotFound("such invitation, or it was used or is too old; ask for a new one".into());
        let invitation = self.invitation(link, now).ok_or_else(gone_link)?;
        if self.person(name).is_some() {
            return Err(AccessError::Exists(format!("somebody called `{name}`")));
        }
        let password = self.hash_password(password).await?;
        let person = Person { name: name.to_owned(), password, roles: invitation.roles.clone(), created: now };
        let add = RecordWrite {
            table: Table::Access,
            key: format!("{PREFIX}{name}"),
            expect: Expect::Absent,
            value: Some(person.to_bytes()),
        };
        // The link's record must still be there: of two who use it at once, one wins.
        let stored = self.storage.record(Table::Access, &invitation_key(&invitation.hash)).await?;
        let version = stored.ok_or_else(gone_link)?.version;
        let used = RecordWrite { expect: Expect::Version(version), ..gone(invitation_key(&invitation.hash)) };
        let about = AuditEntry::new(now, &format!("user:{name}"), "user.join", name)
            .after(json!({ "roles": person.roles, "invited_by": invitation.by }));
        // Somebody is there now: links that the start printed are for nobody else.
        let others: Vec<Hash> = {
            let known = self.known.read();
            let first = known.invitations.values().filter(|one| one.by == FIRST_START && one.hash != invitation.hash);
            first.map(|one| one.hash).collect()
        };
        let mut writes = vec![add, used];
        writes.extend(others.iter().map(|hash| gone(invitation_key(hash))));
        self.write(writes, about).await?;
        let person = Arc::new(person);
        let mut known = self.known.write();
        known.invitations.remove(&invitation.hash);
        for hash in others {
            known.invitations.remove(&hash);
        }
        known.people.insert(person.name.clone(), Arc::clone(&person));
        Ok(person)
    }

    /// The person with this name and password. Takes as long for a name that nobody has.
    pub async fn check_password(&self, name: &str, password: &str) -> Option<Arc<Person>> {
        let person = self.person(name);
        let fits = password.len() <= PASSWORD_BYTES_MAX;
        let known = person.as_ref().filter(|_| fits);
        let stored = known.map_or_else(|| NOBODY.to_owned(), |person| person.password.clone());
        // One that nobody can have is never cut to one that somebody has.
        let given = if fits { password.to_owned() } else { String::new() };
        let matches = tokio::task::spawn_blocking(move || verify(&stored, &given)).await.unwrap_or(false);
        person.filter(|_| fits && matches)
    }

    /// Gives a person another password and ends their sessions, in one commit. On stable storage when it resolves.
    pub async fn set_password(
        &self,
        name: &str,
        password: &str,
        by: impl Into<By<'_>>,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        self.replace_password(name, password, None, by.into(), now).await
    }

    /// The same for somebody who does it themselves: the session of this cookie stays.
    pub async fn set_own_password(
        &self,
        cookie: &str,
        password: &str,
        by: impl Into<By<'_>>,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let person = self.recognise_session(cookie, now).await.map(|open| open.person.name.clone());
        let person = person.ok_or_else(|| AccessError::NotFound("such session".into()))?;
        self.replace_password(&person, password, Some(hash_of(cookie)), by.into(), now).await
    }

    async fn replace_password(
        &self,
        name: &str,
        password: &str,
        stays: Option<Hash>,
        by: By<'_>,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        check_password(password)?;
        let password = self.hash_password(password).await?;
        let _changing = self.changing.lock().await;
        let person = self.person(name).ok_or_else(|| unknown(name))?;
        let person = Person { password, ..(*person).clone() };
        let over = self.sessions_of(name, stays);
        let ends = over.iter().map(|session| gone(session.key())).collect();
        self.replace(person, ends, AuditEntry::by(now, by, "user.password", name)).await?;
        self.forget_sessions(&over);
        Ok(())
    }

    /// Gives a person other roles. On stable storage when it resolves, and true for their next request.
    pub async fn set_roles(
        &self,
        name: &str,
        roles: Vec<RoleAt>,
        by: impl Into<By<'_>>,
        now: Timestamp,
    ) -> Result<Arc<Person>, AccessError> {
        let by = by.into();
        let _changing = self.changing.lock().await;
        let person = self.person(name).ok_or_else(|| unknown(name))?;
        if roles.is_empty() {
            return Err(AccessError::Invalid("a person needs a role; remove them instead".into()));
        }
        self.keep_an_owner(name, Some(&roles))?;
        let about = AuditEntry::by(now, by, "user.roles", name)
            .before(json!({ "roles": person.roles }))
            .after(json!({ "roles": roles }));
        self.replace(Person { roles, ..(*person).clone() }, Vec::new(), about).await
    }

    /// Removes a person and ends their sessions, in one commit. On stable storage when it resolves.
    pub async fn remove_person(&self, name: &str, by: impl Into<By<'_>>, now: Timestamp) -> Result<(), AccessError> {
        let by = by.into();
        let _changing = self.changing.lock().await;
        let person = self.person(name).ok_or_else(|| unknown(name))?;
        self.keep_an_owner(name, None)?;
        let about = AuditEntry::by(now, by, "user.remove", name).before(json!({ "roles": person.roles }));
        let over = self.sessions_of(name, None);
        let mut writes = vec![gone(format!("{PREFIX}{name}"))];
        writes.extend(over.iter().map(|session| gone(session.key())));
        self.write(writes, about).await?;
        self.known.write().people.remove(name);
        self.forget_sessions(&over);
        Ok(())
    }

    /// The last owner of everything stays one.
    fn keep_an_owner(&self, name: &str, roles: Option<&[RoleAt]>) -> Result<(), AccessError> {
        let owns = |roles: &[RoleAt]| roles.iter().any(|at| at.role == Role::Owner && at.stores.is_none());
        let known = self.known.read();
        let others = known.people.values().any(|person| person.name != name && owns(&person.roles));
        let was = known.people.get(name).is_some_and(|person| owns(&person.roles));
        if others || !was || roles.is_some_and(owns) {
            return Ok(());
        }
        Err(AccessError::Invalid(format!("`{name}` is the only owner; make somebody else an owner first")))
    }

    async fn replace(
        &self,
        person: Person,
        more: Vec<RecordWrite>,
        about: AuditEntry,
    ) -> Result<Arc<Person>, AccessError> {
        let key = format!("{PREFIX}{}", person.name);
        let expect = match self.storage.record(Table::Access, &key).await? {
            Some(record) => Expect::Version(record.version),
            None => return Err(unknown(&person.name)),
        };
        let write = RecordWrite { table: Table::Access, key, expect, value: Some(person.to_bytes()) };
        self.write([vec![write], more].concat(), about).await?;
        let person = Arc::new(person);
        self.known.write().people.insert(person.name.clone(), Arc::clone(&person));
        Ok(person)
    }

    async fn hash_password(&self, password: &str) -> Result<String, AccessError> {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        let password = password.to_owned();
        let hashed = tokio::task::spawn_blocking(move || {
            let salt = SaltString::encode_b64(&salt).ok()?;
            Some(Argon2::default().hash_password(password.as_bytes(), &salt).ok()?.to_string())
        });
        let failed = || AccessError::Invalid("the password could not be hashed; try another".into());
        hashed.await.ok().flatten().ok_or_else(failed)
    }
}

impl Person {
    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers always become JSON")
    }
}

fn verify(stored: &str, given: &str) -> bool {
    let Ok(hash) = PasswordHash::new(stored) else { return false };
    Argon2::default().verify_password(given.as_bytes(), &hash).is_ok()
}

fn check_password(password: &str) -> Result<(), AccessError> {
    if (PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&password.len()) {
        return Ok(());
    }
    let message =
        format!("a password has {PASSWORD_BYTES_MIN} to {PASSWORD_BYTES_MAX} characters; a few random words do well");
    Err(AccessError::Invalid(message))
}

fn unknown(name: &str) -> AccessError {
    AccessError::NotFound(format!("person called `{name}`"))
}

fn invitation_key(hash: &Hash) -> String {
    format!("{INVITATION_PREFIX}{}", hex::encode(hash))
}

pub(super) fn gone(key: String) -> RecordWrite {
    RecordWrite { table: Table::Access, key, expect: Expect::Any, value: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checking_nobodys_password_is_the_same_work() {
        let nobody = PasswordHash::new(NOBODY).expect("a hash that is really computed");
        let salt = SaltString::encode_b64(&[7; 16]).expect("a salt");
        let made = Argon2::default().hash_password(b"correct horse battery", &salt).expect("hashed");
        assert_eq!((nobody.algorithm, nobody.version, &nobody.params), (made.algorithm, made.version, &made.params));
        assert_eq!(nobody.hash.map(|hash| hash.len()), made.hash.map(|hash| hash.len()));
        assert!(!verify(NOBODY, "") && verify(&made.to_string(), "correct horse battery"));
    }
}
