//! Rotations that are cut off at every point, and keys that are not the ones.

use super::*;
use crate::{key_file::MASTER_KEY_FILE, master, seal::Secret};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn scope() -> Scope {
    Scope::Secret("slack".to_owned())
}

async fn open(data: &Path) -> Vault {
    Vault::open_or_create(KeySource::File(data.to_owned())).await.expect("opened")
}

fn environment(keys: &[&MasterKey]) -> KeySource {
    let text: Vec<_> = keys.iter().map(|key| key.to_text().to_string()).collect();
    KeySource::Environment(Secret::new(text.join(",")))
}

#[tokio::test]
async fn the_first_start_makes_a_key_and_the_next_one_finds_it() {
    let data = folder();
    let first = open(data.path()).await;
    let wrapped = first.new_key(&scope()).expect("wrapped");
    let key = first.unwrap_key(&scope(), &wrapped).expect("unwrapped");
    let sealed = key.seal("value", 1, &Secret::new("x")).expect("sealed");
    let second = open(data.path()).await;
    assert_eq!(first.key_id(), second.key_id());
    let opened = second.unwrap_key(&scope(), &wrapped).and_then(|key| key.open("value", &sealed));
    assert_eq!(opened.expect("opened"), Secret::new("x"));
}

#[tokio::test]
async fn a_damaged_key_file_is_an_error_and_is_never_replaced() {
    let data = folder();
    open(data.path()).await;
    let path = data.path().join(MASTER_KEY_FILE);
    for content in [&b""[..], b"abc", &[b'f'; 63], &[b'g'; 64], &[0xff; 64], &[b'f'; 2000]] {
        std::fs::write(&path, content).expect("written");
        let refused = Vault::open_or_create(KeySource::File(data.path().to_owned())).await;
        assert!(matches!(refused, Err(VaultError::Malformed { .. })), "{content:?}");
        assert_eq!(std::fs::read(&path).expect("read"), content);
    }
}

#[test]
fn another_master_key_is_told_apart_from_a_changed_record() {
    let (here, there) = (Vault::in_memory().expect("made"), Vault::in_memory().expect("made"));
    let wrapped = here.new_key(&scope()).expect("wrapped");
    let error = there.unwrap_key(&scope(), &wrapped).expect_err("another key");
    assert!(error.to_string().contains(&here.key_id()) && error.to_string().contains(&there.key_id()), "{error}");
    let renamed = WrappedKey { master: there.key_id(), ..wrapped.clone() };
    assert!(matches!(there.unwrap_key(&scope(), &renamed), Err(VaultError::Tampered { .. })));
    let other = Scope::Secret("other".to_owned());
    assert!(matches!(here.unwrap_key(&other, &wrapped), Err(VaultError::Tampered { .. })));
}

#[tokio::test]
async fn both_keys_are_on_disk_from_before_the_first_record_changes_until_after_the_last_has() {
    let data = folder();
    let vault = open(data.path()).await;
    let old = vault.new_key(&scope()).expect("wrapped");
    let begun = vault.begin_rotation().await.expect("begun");
    assert_eq!((begun.previous.as_slice(), begun.made), (&[old.master().to_owned()][..], true));
    assert_eq!(vault.new_key(&scope()).expect("wrapped").master(), begun.current);

    // The process dies here; the next one opens what either key wraps, and goes on instead of making a third.
    let next = open(data.path()).await;
    assert_eq!(next.key_ids(), [begun.current.clone(), begun.previous[0].clone()]);
    next.unwrap_key(&scope(), &old).expect("the old key is there");
    assert_eq!(next.begin_rotation().await.expect("gone on with"), Rotation { made: false, ..begun.clone() });
    let new = next.rewrap(&scope(), &old).expect("opened").expect("under the old key");
    assert_eq!(next.rewrap(&scope(), &new).expect("opened"), None);
    next.end_rotation().await.expect("ended");
    next.unwrap_key(&scope(), &old).expect("whoever read it just before still opens it");

    let last = open(data.path()).await;
    assert_eq!(last.key_ids(), [begun.current]);
    last.unwrap_key(&scope(), &new).expect("opened");
    assert!(matches!(last.unwrap_key(&scope(), &old), Err(VaultError::WrongKey { .. })));
}

#[tokio::test]
async fn keys_of_the_environment_are_replaced_by_whoever_sets_it() {
    let (new, old) = (MasterKey::random().expect("made"), MasterKey::random().expect("made"));
    let before = Vault::open(environment(&[&old])).await.expect("opened");
    let wrapped = before.new_key(&scope()).expect("wrapped");
    let during = Vault::open(environment(&[&new, &old])).await.expect("opened");
    let begun = during.begin_rotation().await.expect("begun");
    assert_eq!((begun.current.as_str(), begun.previous, begun.made), (new.id(), vec![old.id().to_owned()], false));
    let rewrapped = during.rewrap(&scope(), &wrapped).expect("opened").expect("under the old key");
    during.end_rotation().await.expect("ended");
    let after = Vault::open(environment(&[&new])).await.expect("opened");
    after.unwrap_key(&scope(), &rewrapped).expect("opened");
    for text in ["", "hunter2"] {
        let refused = Vault::open(KeySource::Environment(Secret::new(text))).await.expect_err("refused");
        assert!(refused.to_string().contains("openssl rand -hex 32") && !refused.to_string().contains("hunter2"));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_is_asked_again_and_must_not_forget_the_old_key_at_once() {
    use crate::key_source::KeyCommand;

    let data = folder();
    let file = data.path().join("keys");
    let (new, old) = (MasterKey::random().expect("made"), MasterKey::random().expect("made"));
    let say = |keys: &[&MasterKey]| {
        let text: String = keys.iter().map(|key| key.to_text().to_string() + "\n").collect();
        std::fs::write(&file, text).expect("written");
    };
    say(&[&old]);
    let arguments = vec![file.clone().into_os_string()];
    let source = KeySource::Command(KeyCommand { program: "cat".into(), arguments, hidden_variables: Vec::new() });
    let vault = Vault::open(source).await.expect("opened");
    let wrapped = vault.new_key(&scope()).expect("wrapped");
    say(&[&new]);
    assert!(matches!(vault.begin_rotation().await, Err(VaultError::Dropped { .. })));
    assert_eq!(vault.key_id(), old.id(), "nothing changed");
    say(&[&new, &old]);
    vault.begin_rotation().await.expect("begun");
    assert_eq!(vault.key_ids(), [new.id(), old.id()]);
    assert_eq!(vault.rewrap(&scope(), &wrapped).expect("opened").expect("rewrapped").master(), new.id());
}

#[tokio::test]
async fn unfinished_rotations_do_not_pile_up() {
    let keys: Vec<_> = (0..3).map(|_| MasterKey::random().expect("made")).collect();
    let vault = Vault::with_keys(keys).expect("made");
    let begun = vault.begin_rotation().await.expect("begun");
    assert_eq!((begun.previous.len(), begun.made), (2, false));
    vault.end_rotation().await.expect("ended");
    assert_eq!(vault.key_ids(), [begun.current]);
    assert_eq!(master::parse(b"").expect_err("none"), NotKeys::None);
}
