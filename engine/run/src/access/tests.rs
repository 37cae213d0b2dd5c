//! Who is let in, over storage in memory; reopened where what is durable matters.

use std::{sync::Arc, time::Duration};

use cartwright_core::{
    access::{Area, Assignment, Right, Role, Scope},
    time::Timestamp,
};
use cartwright_storage::{MemoryStorage, Storage, Table};

use super::*;
use crate::clock::SystemEntropy;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const PASSWORD: &str = "correct horse battery";

async fn reload(storage: &Arc<MemoryStorage>) -> Access {
    let storage: Arc<dyn Storage> = storage.clone();
    Access::load(storage, Arc::new(SystemEntropy)).await.expect("loads")
}

fn owner() -> Vec<RoleAt> {
    vec![RoleAt { role: Role::Owner, stores: None }]
}

fn token(name: &str, scope: &str) -> NewToken {
    let assignment = Assignment { scopes: vec![scope.parse::<Scope>().expect("a scope")], stores: None };
    NewToken { name: name.into(), assignment, expires: None, requests_per_second: None }
}

#[tokio::test]
async fn a_token_is_recognised_until_it_is_revoked_or_over_and_nothing_of_it_is_kept() {
    let storage = MemoryStorage::new();
    let access = reload(&storage).await;
    let (made, text) = access.create_token(token("ci", "runs:read"), "admin", NOW).await.expect("made");
    let access = reload(&storage).await;
    let found = access.recognise_token(&text, NOW).expect("known after a restart");
    assert_eq!((found.id.as_str(), found.principal().name.as_str()), (made.id.as_str(), "token:ci"));
    assert!(found.principal().may(Area::Runs, Right::Read).is_ok());
    for wrong in ["", "cwt_", "ci", &text[..text.len() - 1], &format!("{text}x"), &text.to_uppercase()] {
        assert!(access.recognise_token(wrong, NOW).is_none(), "{wrong}");
    }
    for record in storage.records(Table::Access, "", None, 10).await.expect("read") {
        assert!(!String::from_utf8_lossy(&record.value).contains(&text[4..]), "the plaintext is kept");
    }
    assert!(matches!(access.create_token(token("ci", "admin"), "admin", NOW).await, Err(AccessError::Exists(_))));
    access.revoke_token(&made.id, "admin", NOW).await.expect("revoked");
    assert!(access.recognise_token(&text, NOW).is_none());
    assert!(reload(&storage).await.recognise_token(&text, NOW).is_none(), "for good");
    let short = NewToken { expires: Some(NOW.plus(Duration::from_secs(60))), ..token("short", "admin") };
    let (_, text) = access.create_token(short, "admin", NOW).await.expect("made");
    assert!(access.recognise_token(&text, NOW.plus(Duration::from_secs(59))).is_some());
    assert!(access.recognise_token(&text, NOW.plus(Duration::from_secs(60))).is_none());
}

#[tokio::test]
async fn use_is_counted_and_kept() {
    let storage = MemoryStorage::new();
    let access = reload(&storage).await;
    let (_, text) = access.create_token(token("ci", "runs:read"), "admin", NOW).await.expect("made");
    for _ in 0..3 {
        access.recognise_token(&text, NOW.plus(Duration::from_secs(5)));
    }
    access.keep_usage().await.expect("kept");
    let again = reload(&storage).await.tokens();
    assert_eq!(again[0].usage.requests(), 3);
    assert_eq!(again[0].usage.last_used(), Some(NOW.plus(Duration::from_secs(5))));
}

#[tokio::test]
async fn an_invitation_works_once_and_for_a_day() {
    let storage = MemoryStorage::new();
    let access = reload(&storage).await;
    let old = access.invite_first_owner(NOW).await.expect("invited");
    let link = access.invite_first_owner(NOW).await.expect("invited");
    assert!(access.invitation(&old, NOW).is_none(), "the next start's link replaces it");
    let late = NOW.plus(Duration::from_secs(24 * 3600));
    assert!(matches!(access.join(&link, "ada", PASSWORD, late).await, Err(AccessError::NotFound(_))));
    for (name, password) in [("", PASSWORD), (" ada", PASSWORD), ("a/b", PASSWORD), ("ada", "short"), ("ada", "")] {
        assert!(matches!(access.join(&link, name, password, NOW).await, Err(AccessError::Invalid(_))), "{name}");
    }
    let access = reload(&storage).await;
    access.join(&link, "ada", PASSWORD, NOW).await.expect("joined");
    assert!(matches!(access.join(&link, "eve", PASSWORD, NOW).await, Err(AccessError::NotFound(_))));
    let access = reload(&storage).await;
    assert!(access.has_people() && access.invitation(&link, NOW).is_none());
    assert!(access.check_password("ada", PASSWORD).await.is_some());
    for (name, password) in [("ada", "wrong password!"), ("ada", ""), ("bob", PASSWORD), ("", "")] {
        assert!(access.check_password(name, password).await.is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_session_ends_when_unused_old_closed_or_the_password_changes() {
    let storage = MemoryStorage::new();
    let access = reload(&storage).await;
    let link = access.invite(owner(), "admin", NOW).await.expect("invited");
    let ada = access.join(&link, "ada", PASSWORD, NOW).await.expect("joined");
    let (first, cookie) = access.open_session(&ada, "127.0.0.1", NOW).await.expect("opened");
    let (second, other) = access.open_session(&ada, "127.0.0.1", NOW).await.expect("opened");
    assert!(first.csrf != second.csrf && !first.csrf.contains(&cookie));
    let access = reload(&storage).await;
    let hours = |hours: u64| NOW.plus(Duration::from_secs(hours * 3600));
    assert!(access.recognise_session(&cookie, hours(11)).await.is_some());
    assert!(access.recognise_session(&cookie, hours(22)).await.is_some(), "use keeps it");
    assert!(access.recognise_session(&other, hours(22)).await.is_none(), "unused");
    assert!(reload(&storage).await.recognise_session(&cookie, hours(30)).await.is_some(), "the use was written");
    let mut at = 22;
    while at < 30 * 24 {
        at += 10;
        let there = access.recognise_session(&cookie, hours(at)).await.is_some();
        assert_eq!(there, at < 30 * 24, "a month is the end");
    }
    let (_, third) = access.open_session(&ada, "127.0.0.1", NOW).await.expect("opened");
    access.close_session(&third, NOW).await.expect("closed");
    assert!(access.recognise_session(&third, NOW).await.is_none());
    let (_, fourth) = access.open_session(&ada, "127.0.0.1", NOW).await.expect("opened");
    access.set_password("ada", "another long password", "user:ada", NOW).await.expect("set");
    assert!(access.recognise_session(&fourth, NOW).await.is_none());
    assert!(reload(&storage).await.recognise_session(&fourth, NOW).await.is_none());
    assert!(access.recognise_session("planted", NOW).await.is_none());
}

#[tokio::test]
async fn a_session_is_not_opened_with_a_password_that_was_replaced_meanwhile() {
    let storage = MemoryStorage::new();
    let access = reload(&storage).await;
    let link = access.invite(owner(), "admin", NOW).await.expect("invited");
    access.join(&link, "ada", PASSWORD, NOW).await.expect("joined");
    let proved = access.check_password("ada", PASSWORD).await.expect("right");
    access.set_password("ada", "another long password", "admin", NOW).await.expect("set");
    assert!(matches!(access.open_session(&proved, "127.0.0.1", NOW).await, Err(AccessError::NotFound(_))));
    let proved = access.check_password("ada", "another long password").await.expect("right");
    access.open_session(&proved, "127.0.0.1", NOW).await.expect("opened");
}

#[tokio::test]
async fn of_two_owners_who_remove_each_other_at_once_one_stays() {
    let storage = MemoryStorage::new();
    let access = reload(&storage).await;
    for name in ["ada", "bob"] {
        let link = access.invite(owner(), "admin", NOW).await.expect("invited");
        access.join(&link, name, PASSWORD, NOW).await.expect("joined");
    }
    let (first, second) =
        tokio::join!(access.remove_person("ada", "user:bob", NOW), access.remove_person("bob", "user:ada", NOW));
    assert!(first.is_ok() != second.is_ok());
    assert_eq!(reload(&storage).await.people().len(), 1);
}

#[tokio::test]
async fn sessions_of_somebody_who_was_removed_are_nobodys() {
    let storage = MemoryStorage::new();
    let access = reload(&storage).await;
    let join = async |name: &str| {
        let link = access.invite(owner(), "admin", NOW).await.expect("invited");
        access.join(&link, name, PASSWORD, NOW).await.expect("joined")
    };
    join("bob").await;
    let ada = join("ada").await;
    let (_, cookie) = access.open_session(&ada, "127.0.0.1", NOW).await.expect("opened");
    access.remove_person("ada", "admin", NOW).await.expect("removed");
    join("ada").await;
    assert!(access.recognise_session(&cookie, NOW).await.is_none());
    assert!(reload(&storage).await.recognise_session(&cookie, NOW).await.is_none(), "nor after a start");
}

#[tokio::test]
async fn the_last_owner_stays() {
    let storage = MemoryStorage::new();
    let access = reload(&storage).await;
    let link = access.invite(owner(), "admin", NOW).await.expect("invited");
    access.join(&link, "ada", PASSWORD, NOW).await.expect("joined");
    let viewer = || vec![RoleAt { role: Role::Viewer, stores: None }];
    assert!(matches!(access.set_roles("ada", viewer(), "admin", NOW).await, Err(AccessError::Invalid(_))));
    assert!(matches!(access.remove_person("ada", "admin", NOW).await, Err(AccessError::Invalid(_))));
    let link = access.invite(owner(), "admin", NOW).await.expect("invited");
    access.join(&link, "bob", PASSWORD, NOW).await.expect("joined");
    access.set_roles("ada", viewer(), "admin", NOW).await.expect("there is another owner");
    assert!(access.person("ada").expect("there").principal().may(Area::Runs, Right::Write).is_err());
    access.remove_person("ada", "user:bob", NOW).await.expect("removed");
    assert!(access.check_password("ada", PASSWORD).await.is_none());
}

#[tokio::test]
async fn every_change_is_in_the_audit_log_newest_first_and_without_secrets() {
    let storage = MemoryStorage::new();
    let access = reload(&storage).await;
    let (made, text) = access.create_token(token("ci", "runs:read"), "user:ada", NOW).await.expect("made");
    let later = NOW.plus(Duration::from_secs(1));
    access.revoke_token(&made.id, "admin", later).await.expect("revoked");
    let (entries, next) = access.audit.page(&AuditFilter::default(), None, 10).await.expect("read");
    let told: Vec<_> = entries.iter().map(|entry| (entry.who.as_str(), entry.what.as_str(), entry.at)).collect();
    assert_eq!(told, [("admin", "token.revoke", later), ("user:ada", "token.create", NOW)]);
    assert_eq!(entries[1].after["scopes"][0], "runs:read");
    assert!(next.is_none() && !serde_json::to_string(&entries).expect("JSON").contains(&text));
    let (first, next) = access.audit.page(&AuditFilter::default(), None, 1).await.expect("read");
    let (second, _) = access.audit.page(&AuditFilter::default(), next.as_deref(), 1).await.expect("read");
    assert_eq!((first[0].what.as_str(), second[0].what.as_str()), ("token.revoke", "token.create"));
}
