//! Forgets what ended long ago, a little at a time.

use std::{sync::Arc, time::Duration};

use cartwright_core::time::Timestamp;
use cartwright_storage::Purge;

use tokio::time::Instant;

use crate::{access::AuditPlace, inner::Inner};

/// How long between two looks at what is old.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long between two looks at how old and how long the audit log is.
const AUDIT_INTERVAL: Duration = Duration::from_secs(3600);
/// Records looked at in one step.
const STEP_BUDGET: usize = 500;
/// Pause between two steps, so that writes are never held up for long.
const STEP_PAUSE: Duration = Duration::from_millis(5);

/// Purges until the engine stops. Looks only when something was committed since the last look.
pub(crate) async fn run_retention(inner: Arc<Inner>) {
    let mut stopping = inner.stopping.subscribe();
    let mut seen = 0;
    let mut audited: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let commits = inner.metrics.commits.load(std::sync::atomic::Ordering::Relaxed);
        if commits != seen {
            seen = commits;
            purge(&inner).await;
        }
        if audited.is_none_or(|last| last.elapsed() >= AUDIT_INTERVAL) {
            audited = Some(Instant::now());
            purge_audit(&inner).await;
        }
    }
}

async fn purge_audit(inner: &Inner) {
    let options = &inner.options;
    let age = i64::try_from(options.keep_audit_for.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp::from_millis(inner.clock.now().as_millis().saturating_sub(age));
    let mut place = AuditPlace::default();
    loop {
        match inner.access.audit.purge(before, options.keep_audit, &mut place).await {
            Ok(true) if !inner.is_stopping() => tokio::time::sleep(STEP_PAUSE).await,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "old entries of the audit log could not be removed; trying again later");
                return;
            }
        }
    }
}

async fn purge(inner: &Inner) {
    let options = &inner.options;
    let age = i64::try_from(options.keep_for.as_millis()).unwrap_or(i64::MAX);
    loop {
        let before = Timestamp::from_millis(inner.clock.now().as_millis().saturating_sub(age));
        let purge = Purge { before, keep_runs: options.keep_runs, budget: STEP_BUDGET };
        match inner.storage.purge(purge).await {
            Ok(purged) if purged.more && !inner.is_stopping() => tokio::time::sleep(STEP_PAUSE).await,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "old runs could not be purged; trying again later");
                return;
            }
        }
    }
}
