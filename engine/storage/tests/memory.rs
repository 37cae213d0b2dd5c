//! The contract over storage in memory, and what only it has: faults and handles.

mod contract;

use std::sync::Arc;

use cartwright_storage::{
    MemoryStorage, Storage, StorageError,
    memory::{Fault, Write},
};
use contract::{Fixture, make::*};

struct InMemory(Arc<MemoryStorage>);

#[async_trait::async_trait]
impl Fixture for InMemory {
    fn storage(&self) -> Arc<dyn Storage> {
        self.0.clone()
    }
    async fn reopen(&mut self) {
        self.0 = self.0.reopen();
    }
}

contract!(async { InMemory(MemoryStorage::new()) });

#[tokio::test]
async fn faults_strike_before_or_after_and_a_dead_handle_answers_nothing() {
    for (fault, kept, alive) in
        [(Fault::Refuse, false, true), (Fault::Crash, false, false), (Fault::ApplyThenCrash, true, false)]
    {
        let storage = MemoryStorage::new();
        storage.set_faults(Some(Arc::new(move |write| if write == Write::Accept { fault } else { Fault::None })));
        let result = storage.accept(vec![new(event(1))]).await;
        assert!(matches!(result, Err(StorageError::Unavailable { .. })), "{fault:?}");
        assert_eq!(storage.event(&event(1).id).await.is_ok(), alive, "{fault:?}");
        let again = storage.reopen();
        assert_eq!(again.event(&event(1).id).await.expect("works").is_some(), kept, "{fault:?}");
        assert!(storage.counts().await.is_err(), "the old handle is dead");
    }
}

#[tokio::test]
async fn handles_share_data_and_leases() {
    let one = MemoryStorage::new();
    let two = one.share();
    one.acquire(shard(), "one", at(0), at(10)).await.expect("works").expect("free");
    assert_eq!(two.acquire(shard(), "two", at(5), at(15)).await.expect("works"), None);
    let reopened = one.reopen();
    assert_eq!(reopened.acquire(shard(), "two", at(5), at(15)).await.expect("works"), None, "leases outlive a process");
    two.close().await.expect("closed");
    assert!(reopened.counts().await.is_ok());
}
