//! Rotations of the master key: cut off between any two steps, with others writing at the same time, and over records
//! that do not open.

use std::path::Path;

use cartwright_core::id::StoreId;
use cartwright_storage::{Expect, Record, RecordWrite, Table};
use cartwright_woo::{KeySource, NamedSecret, Secret, Store, StoreSettings};
use tempfile::TempDir;

use super::*;
use crate::{KeyError, needed_key};

/// More than one page of each.
const STORES: usize = 130;
const SECRETS: usize = 110;
const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

async fn vault(data: &Path) -> Vault {
    Vault::open_or_create(KeySource::File(data.to_owned())).await.expect("a vault")
}

/// A process that begins on what is there.
async fn engine(data: &Path, storage: &Arc<MemoryStorage>) -> Engine {
    let marks = SecretMarks::new([7; 32]);
    let parts = Parts {
        storage: Arc::clone(storage) as Arc<dyn Storage>,
        clock: Arc::new(TestClock { start: Instant::now() }),
        entropy: Arc::new(Counter::default()),
        outbound: Arc::<World>::default(),
        stores: Arc::new(crate::outbound::NoTransport),
        sandbox: Sandbox::new(Limits::default(), marks.clone()),
        marks,
        vault: Arc::new(vault(data).await),
        options: Options::default(),
    };
    Engine::start(parts, Vec::new()).await.expect("it starts")
}

fn settings(number: usize) -> StoreSettings {
    StoreSettings {
        url: Some("https://shop.example".into()),
        webhook_secrets: vec![Secret::new(format!("webhook {number}"))],
        rest_key: Some(Secret::new(format!("ck_{number}"))),
        rest_secret: Some(Secret::new(format!("cs_{number}"))),
        ..StoreSettings::default()
    }
}

fn store_id(number: usize) -> StoreId {
    format!("store-{number:03}").parse().expect("an id")
}

async fn fill(data: &Path) -> Arc<MemoryStorage> {
    let (storage, vault) = (MemoryStorage::new(), vault(data).await);
    let mut writes = Vec::new();
    let mut add = |table, key: String, value| {
        writes.push(RecordWrite { table, key, expect: Expect::Absent, value: Some(value) });
    };
    for number in 0..STORES {
        let store = Store::new(&vault, store_id(number), &settings(number), NOW).expect("valid");
        add(Table::Stores, store.id.to_string(), store.to_bytes());
    }
    for number in 0..SECRETS {
        let value = Secret::new(format!("value {number}"));
        let secret = NamedSecret::new(&vault, &format!("s_{number:03}"), &value, 3, NOW).expect("valid");
        add(Table::Secrets, secret.name.clone(), secret.to_bytes());
    }
    storage.write_records(writes).await.expect("written");
    storage
}

async fn all(storage: &Arc<MemoryStorage>, table: Table) -> Vec<Record> {
    storage.records(table, "", None, 10_000).await.expect("read")
}

/// Everything opens with the keys that are on disk, and has the value and version it had.
async fn everything_opens(data: &Path, storage: &Arc<MemoryStorage>) {
    let vault = vault(data).await;
    let stores = all(storage, Table::Stores).await;
    assert_eq!(stores.len(), STORES);
    for (number, record) in stores.iter().enumerate() {
        let store = Store::from_bytes(&record.value).expect("reads");
        assert_eq!(store.webhook_secrets(&vault).expect("opens"), settings(number).webhook_secrets);
        let (key, secret) = store.rest_keys(&vault).expect("opens").expect("there");
        assert_eq!((Some(key), Some(secret)), (settings(number).rest_key, settings(number).rest_secret));
    }
    let secrets = all(storage, Table::Secrets).await;
    assert_eq!(secrets.len(), SECRETS);
    for (number, record) in secrets.iter().enumerate() {
        let secret = NamedSecret::from_bytes(&record.value).expect("reads");
        assert_eq!(secret.open(&vault).expect("opens"), Secret::new(format!("value {number}")));
        assert_eq!(secret.version(), 3);
    }
}

/// Wraps the first records anew, as a rotation that was cut off there left them.
async fn rewrap_first(storage: &Arc<MemoryStorage>, vault: &Vault, count: usize) {
    let stores = all(storage, Table::Stores).await.into_iter().map(|record| {
        let mut store = Store::from_bytes(&record.value).expect("reads");
        assert!(store.rewrap(vault).expect("opens"));
        (Table::Stores, record.key, store.to_bytes())
    });
    let secrets = all(storage, Table::Secrets).await.into_iter().map(|record| {
        let mut secret = NamedSecret::from_bytes(&record.value).expect("reads");
        assert!(secret.rewrap(vault).expect("opens"));
        (Table::Secrets, record.key, secret.to_bytes())
    });
    let write = |(table, key, value)| RecordWrite { table, key, expect: Expect::Any, value: Some(value) };
    storage.write_records(stores.chain(secrets).take(count).map(write).collect()).await.expect("written");
}

fn keys_on_disk(data: &Path) -> usize {
    std::fs::read_to_string(data.join("master.key")).expect("read").lines().count()
}

#[tokio::test]
async fn a_rotation_wraps_everything_anew_and_retires_the_old_key() {
    let data = TempDir::new().expect("a folder");
    let storage = fill(data.path()).await;
    let engine = engine(data.path(), &storage).await;
    let old = engine.key_list().await.expect("listed").keys;
    let (before, secrets) = (all(&storage, Table::Stores).await, all(&storage, Table::Secrets).await);
    let rotated = engine.rotate_keys(false).await.expect("rotated");
    assert_eq!((rotated.stores, rotated.secrets, rotated.keys.made), (STORES, SECRETS, true));
    assert_eq!(rotated.keys.previous, old);
    let list = engine.key_list().await.expect("listed");
    assert_eq!(list.wraps, [(rotated.keys.current.clone(), (STORES, SECRETS))].into());
    assert_eq!(list.keys, [rotated.keys.current]);
    assert_eq!(keys_on_disk(data.path()), 1);
    everything_opens(data.path(), &storage).await;
    for (before, after) in before
        .iter()
        .zip(all(&storage, Table::Stores).await)
        .chain(secrets.iter().zip(all(&storage, Table::Secrets).await))
    {
        assert_ne!(before.value, after.value, "{}", before.key);
    }
    // What the engine holds in memory is as new as what is in storage.
    let open = engine.stores().get(&store_id(7)).expect("there");
    open.store.rest_keys(&vault(data.path()).await).expect("opens with the new key alone");
}

#[tokio::test]
async fn new_data_keys_leave_no_sealed_value_as_it_was() {
    let data = TempDir::new().expect("a folder");
    let storage = fill(data.path()).await;
    let sealed = |record: &Record| serde_json::from_slice::<Json>(&record.value).expect("JSON")["value"].clone();
    let before: Vec<_> = all(&storage, Table::Secrets).await.iter().map(sealed).collect();
    let engine = engine(data.path(), &storage).await;
    engine.rotate_keys(false).await.expect("rotated");
    let wrapped: Vec<_> = all(&storage, Table::Secrets).await.iter().map(sealed).collect();
    assert_eq!(wrapped, before, "without new data keys the values stay as they are");
    engine.rotate_keys(true).await.expect("rotated");
    let after: Vec<_> = all(&storage, Table::Secrets).await.iter().map(sealed).collect();
    assert!(before.iter().zip(&after).all(|(before, after)| before["data"] != after["data"]));
    everything_opens(data.path(), &storage).await;
}

#[tokio::test]
async fn a_rotation_that_was_cut_off_anywhere_is_finished_by_the_next() {
    for done in [0, 1, 99, 100, 101, STORES, STORES + 1, STORES + SECRETS - 1, STORES + SECRETS] {
        let data = TempDir::new().expect("a folder");
        let storage = fill(data.path()).await;
        let dying = vault(data.path()).await;
        let begun = dying.begin_rotation().await.expect("begun");
        rewrap_first(&storage, &dying, done).await;
        drop(dying);

        everything_opens(data.path(), &storage).await;
        let engine = engine(data.path(), &storage).await;
        let rotated = engine.rotate_keys(false).await.expect("finished");
        assert_eq!((rotated.keys.current, rotated.keys.made), (begun.current, false), "after {done}");
        assert_eq!(rotated.stores + rotated.secrets, STORES + SECRETS - done);
        assert_eq!(keys_on_disk(data.path()), 1);
        everything_opens(data.path(), &storage).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_added_and_changed_meanwhile_is_under_the_new_key_too() {
    let data = TempDir::new().expect("a folder");
    let storage = fill(data.path()).await;
    let engine = engine(data.path(), &storage).await;
    let other = engine.clone();
    let adding = tokio::spawn(async move {
        for number in 0..60 {
            let id: StoreId = format!("{}new-{number}", ["a", "z"][number % 2]).parse().expect("an id");
            other.stores().add(id.clone(), &settings(number), NOW, |_| None).await.expect("added");
            let more = Secret::new("another");
            other
                .stores()
                .add_webhook_secrets(&id, std::slice::from_ref(&more), |_, _| None)
                .await
                .expect("changed")
                .expect("there");
            other
                .stores()
                .add_webhook_secrets(&store_id(number), std::slice::from_ref(&more), |_, _| None)
                .await
                .expect("changed")
                .expect("there");
            let name = format!("s_{number:03}");
            assert_eq!(other.secrets().set(&name, &more, NOW, |_| None).await.expect("set").version, 4);
        }
    });
    let mut rotations = 0;
    while !adding.is_finished() || rotations < 3 {
        engine.rotate_keys(rotations % 2 == 1).await.expect("rotated");
        rotations += 1;
    }
    adding.await.expect("all were added");
    let list = engine.key_list().await.expect("listed");
    assert_eq!(list.wraps.keys().collect::<Vec<_>>(), list.keys.iter().collect::<Vec<_>>());
    let fresh = vault(data.path()).await;
    assert_eq!(engine.stores().list().len(), STORES + 60);
    for open in engine.stores().list() {
        open.store.rest_keys(&fresh).expect("what is in memory opens with the newest key alone");
    }
}

#[tokio::test]
async fn a_record_that_does_not_open_keeps_the_old_key_until_it_is_mended() {
    let data = TempDir::new().expect("a folder");
    let storage = fill(data.path()).await;
    let stranger = NamedSecret::new(&Vault::in_memory().expect("made"), "s_050", &Secret::new("x"), 9, NOW);
    let value = Some(stranger.expect("valid").to_bytes());
    let write = RecordWrite { table: Table::Secrets, key: "s_050".into(), expect: Expect::Any, value };
    storage.write_records(vec![write]).await.expect("written");
    let engine = engine(data.path(), &storage).await;
    let error = engine.rotate_keys(false).await.expect_err("one does not open");
    assert!(matches!(&error, KeyError::Unreadable { count: 1, named } if named[0].contains("s_050")), "{error}");
    assert_eq!(keys_on_disk(data.path()), 2);
    assert_eq!(engine.key_list().await.expect("listed").wraps.len(), 2, "the stranger's key and the new one");
    engine.secrets().remove("s_050", None).await.expect("removed");
    let rotated = engine.rotate_keys(false).await.expect("finished");
    assert_eq!((rotated.keys.made, rotated.stores, rotated.secrets), (false, 0, 0));
    assert_eq!(keys_on_disk(data.path()), 1);
}

#[tokio::test]
async fn a_storage_says_whether_it_needs_a_key() {
    let data = TempDir::new().expect("a folder");
    let filled: Arc<dyn Storage> = fill(data.path()).await;
    assert_eq!(needed_key(&filled).await.expect("read"), Some(vault(data.path()).await.key_id()));
    let empty: Arc<dyn Storage> = MemoryStorage::new();
    assert_eq!(needed_key(&empty).await.expect("read"), None);
}
