//! The contract over the log and sled: with a process that dies before each reopening, with one that closes, and with
//! tables so small that nearly everything is read back from sled.

mod contract;

use std::sync::Arc;

use cartwright_storage::{Options, SledStorage, Storage};
use contract::Fixture;

struct InFolder {
    storage: Option<Arc<SledStorage>>,
    folder: tempfile::TempDir,
    memtable_bytes: usize,
    close: bool,
}

impl InFolder {
    fn new(memtable_bytes: usize, close: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut new = Self { storage: None, folder, memtable_bytes, close };
        new.open();
        new
    }

    fn open(&mut self) {
        let options = Options { memtable_bytes: self.memtable_bytes };
        self.storage = Some(SledStorage::open(self.folder.path(), options).expect("it opens"));
    }
}

#[async_trait::async_trait]
impl Fixture for InFolder {
    fn storage(&self) -> Arc<dyn Storage> {
        self.storage.clone().expect("open")
    }
    async fn reopen(&mut self) {
        let storage = self.storage.take().expect("open");
        if self.close {
            storage.close().await.expect("closed");
        }
        drop(storage);
        self.open();
    }
}

mod dropped {
    use super::*;
    contract!(async { InFolder::new(16 << 20, false) });
}

mod closed {
    use super::*;
    contract!(async { InFolder::new(16 << 20, true) });
}

mod tiny_tables {
    use super::*;
    contract!(async { InFolder::new(1, false) });
}

#[tokio::test]
async fn one_process_at_a_time() {
    let one = InFolder::new(1 << 20, true);
    let two = SledStorage::open(one.folder.path(), Options::default());
    let message = two.err().expect("refused").to_string();
    assert!(message.contains("another process"), "{message}");
}
