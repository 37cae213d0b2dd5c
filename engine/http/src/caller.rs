//! Who asks, once they are recognised: what they may do, at which stores, and how their changes are written down.
//!
//! What belongs to a store that somebody does not see does not exist for them: lists leave it out, addresses answer 404.
//! What they see and may not change is 403, and the answer names the scope that is missing.

use std::net::IpAddr;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use cartwright_core::{
    access::{Area, Principal, Right, Scope},
    id::StoreId,
};
use cartwright_run::{
    access::{AuditEntry, By},
    storage::{CommitError, RecordWrite},
};

use crate::{door::Door, ingest::STOPPING_SECONDS, problem::Problem};

/// What an address asks for before its handler is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: whoever comes proves who they are with the request itself.
    Open,
    /// To be recognised.
    Anyone,
    /// A scope; the handler looks at stores.
    Area(Area, Right),
    /// To read in one of these areas; the handler looks at the rest.
    AnyOf(&'static [Area]),
    /// Everything, everywhere.
    Admin,
}

/// Somebody who was recognised.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// What they may do.
    pub(crate) principal: Principal,
    /// From which address they come.
    pub(crate) from: String,
    /// Where they came with a session's cookie.
    pub(crate) session: Option<SessionCookie>,
    /// The id of the API token they came with.
    pub(crate) token: Option<String>,
}

/// A session's cookie that was recognised.
#[derive(Clone)]
pub(crate) struct SessionCookie {
    pub(crate) cookie: String,
    pub(crate) csrf: String,
}

impl std::fmt::Debug for SessionCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionCookie")
    }
}

impl Caller {
    /// Somebody without a session.
    pub(crate) fn new(principal: Principal, from: IpAddr) -> Self {
        Self { principal, from: from.to_string(), session: None, token: None }
    }

    /// Who they are by now, for whoever stays: `None` when their token or session is over. Counts as no use of either.
    pub(crate) fn still(&self, door: &Door) -> Option<Principal> {
        let (access, now) = (door.engine.access(), door.engine.now());
        match (&self.token, &self.session) {
            (Some(token), _) => {
                access.token(token).filter(|token| !token.is_expired(now)).map(|token| token.principal())
            }
            (_, Some(session)) => access.session_of(&session.cookie, now).map(|person| person.principal()),
            // The local administrator's token lasts as long as the process.
            (None, None) => Some(self.principal.clone()),
        }
    }

    /// As journals name them.
    pub(crate) fn name(&self) -> &str {
        &self.principal.name
    }

    /// As the audit log names them.
    pub(crate) fn by(&self) -> By<'_> {
        By { name: self.name(), from: Some(&self.from) }
    }

    /// Whether they may do at all what an address is for.
    pub(crate) fn meets(&self, need: Need) -> Result<(), Problem> {
        match need {
            Need::Open | Need::Anyone => Ok(()),
            Need::Area(area, right) => self.principal.may(area, right).map_err(lacks),
            Need::AnyOf(areas) if areas.iter().any(|area| self.principal.may(*area, Right::Read).is_ok()) => Ok(()),
            Need::AnyOf(areas) => Err(lacks_all(areas)),
            Need::Admin if self.principal.is_admin() => Ok(()),
            Need::Admin => Err(lacks(Scope::Admin)),
        }
    }

    /// Whether something that belongs to this store, or to none, is theirs to look at or to change.
    pub(crate) fn reaches(&self, door: &Door, area: Area, right: Right, store: Option<&StoreId>) -> bool {
        let Some(store) = store else { return self.principal.may_everywhere(area, right) };
        match door.engine.stores().get(store) {
            Some(open) => self.principal.may_at(area, right, store, &open.tags),
            // It was removed, and its tags with it; its events and runs stay.
            None => self.principal.may_at(area, right, store, &[]),
        }
    }

    /// Lets through who may change what belongs to this store, or to none. For others it is not there, or not theirs.
    pub(crate) fn change(
        &self,
        door: &Door,
        area: Area,
        store: Option<&StoreId>,
        not_there: impl FnOnce() -> Problem,
    ) -> Result<(), Problem> {
        if self.reaches(door, area, Right::Write, store) {
            return Ok(());
        }
        let sees = self.reaches(door, area, Right::Read, store);
        Err(if sees { lacks(Scope::Area(area, Right::Write)) } else { not_there() })
    }

    /// Lets through who may do this with what belongs to no store.
    pub(crate) fn everywhere(&self, area: Area, right: Right) -> Result<(), Problem> {
        if self.principal.may_everywhere(area, right) {
            return Ok(());
        }
        Err(limited(Scope::Area(area, right)))
    }

    /// The stores whose things they see in an area, where that is not all and everything.
    pub(crate) fn only_stores(&self, door: &Door, area: Area) -> Option<Vec<StoreId>> {
        if self.principal.may_everywhere(area, Right::Read) {
            return None;
        }
        let stores = door.engine.stores().list();
        let seen = stores.iter().filter(|open| self.principal.may_at(area, Right::Read, &open.store.id, &open.tags));
        Some(seen.map(|open| open.store.id.clone()).collect())
    }

    /// An entry about something they did.
    pub(crate) fn did(&self, door: &Door, what: &str, target: &str) -> AuditEntry {
        AuditEntry::by(door.engine.now(), self.by(), what, target)
    }
}

impl Door {
    /// The write that says what is done, for the commit that does it.
    pub(crate) fn audit_write(&self, entry: &AuditEntry) -> RecordWrite {
        self.engine.access().audit.write_of(entry)
    }

    /// Adds to the audit log what was done in a commit, or in several, that could not take it along. On stable storage
    /// when it resolves, so ask before the answer goes out.
    pub(crate) async fn audit(&self, entry: AuditEntry) -> Result<(), Problem> {
        self.engine.access().audit.add(&entry).await.map_err(|error: CommitError| {
            tracing::error!(%error, what = entry.what, target = entry.target, "a change is not in the audit log");
            let detail = format!("the change was made, but the audit log could not be written: {error}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable", detail)
                .help("Look whether the change is there before sending it again.")
                .retry_after(STOPPING_SECONDS)
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(nobody)
    }
}

/// 401 for who shows nothing, or something that is not known.
pub(crate) fn nobody() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "token_wrong", "the API token is missing, wrong, revoked or expired").help(
        "Send `Authorization: Bearer …` with a token from `cartwright token create`, or the one from admin.token in \
         the data folder.",
    )
}

/// 403 for who lacks a scope.
pub(crate) fn lacks(scope: Scope) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "scope_missing", "this token or person may not do that")
        .help(format!("It takes the scope `{scope}`."))
}

/// 403 for who lacks each of several scopes.
fn lacks_all(areas: &[Area]) -> Problem {
    let scopes: Vec<String> = areas.iter().map(|area| format!("`{}`", Scope::Area(*area, Right::Read))).collect();
    let problem = Problem::new(StatusCode::FORBIDDEN, "scope_missing", "this token or person may not do that");
    problem.help(format!("It takes one of the scopes {}.", scopes.join(", ")))
}

/// 403 for who has a scope only at some stores.
pub(crate) fn limited(scope: Scope) -> Problem {
    let detail = "this token or person may do that at some stores only, and this belongs to none";
    Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail)
        .help(format!("It takes the scope `{scope}` without a limit to stores."))
}
