//! What a process that starts takes up: everything that was accepted and has not ended. Runs after the door is open;
//! the queues bound how much of it is in memory at once.

use std::sync::Arc;

use cartwright_core::shard::ShardId;
use cartwright_storage::StorageError;

use crate::{
    commit::deliver,
    inner::{Inner, Message},
};

/// Records read at once.
const PAGE: usize = 128;

/// Takes up all shards.
pub(crate) async fn recover(inner: Arc<Inner>) {
    for shard in ShardId::all() {
        if inner.is_stopping() {
            return;
        }
        if let Err(error) = recover_shard(&inner, shard).await {
            tracing::error!(%error, shard = shard.number(), "a shard cannot be taken up; restart the engine when storage is well");
        }
    }
}

async fn recover_shard(inner: &Arc<Inner>, shard: ShardId) -> Result<(), StorageError> {
    if let Some(due) = inner.storage.next_timer(shard).await? {
        inner.timers.set(shard, due);
    }
    inner.queue.look_at(shard);
    let mut oldest = None;
    loop {
        let outbox = inner.storage.outbox(shard, PAGE).await?;
        let next = outbox.first().map(|new| new.event.id.clone());
        // One that is still there could not be dropped; the next start sees it again.
        if next.is_none() || next == oldest {
            break;
        }
        oldest = next;
        deliver(Arc::clone(inner), shard, outbox).await;
    }
    let mut after = None;
    loop {
        let page = inner.storage.active_runs(shard, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        for row in &page {
            inner.tell(&row.id, Message::Resume);
        }
        // Memory stays bounded however many runs there are: wait until most of these have a slot.
        while inner.live_count() > inner.options.runs_in_memory_max * 2 && !inner.is_stopping() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let mut after = None;
    loop {
        let page = inner.storage.mail(shard, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.key.clone());
        for mail in page {
            inner.tell(&mail.key.run, Message::Mail);
        }
    }
}
