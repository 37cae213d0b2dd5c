//! Sends traces to a collector: spans come from the engine through a bounded channel, go out in batches, and are thrown
//! away (and counted) when the collector does not take them. No run ever waits for it. Nothing of this is started unless
//! `[telemetry]` names an endpoint.

mod otlp;

use std::{sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use cartwright_run::{Span, SpanCounts, Telemetry};
use reqwest::{Client, header::CONTENT_TYPE};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    failure::{OrFail as _, Result},
    telemetry_config::TelemetryConfig,
};

/// Spans of one request.
const BATCH_SPANS_MAX: usize = 512;
/// How long the first span of a batch waits for others.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// Of one request to the collector.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// For what is left when the engine stops.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// What sends spans.
pub(crate) struct Exporter {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Exporter {
    /// Waits a moment for what is left.
    pub(crate) async fn finish(self) {
        self.stop.send(()).ok();
        if timeout(LAST_TIMEOUT, self.task).await.is_err() {
            tracing::warn!("the last spans were not taken by the collector in time");
        }
    }
}

/// Begins to send what comes into the returned [`Telemetry`].
pub(crate) fn start(config: &TelemetryConfig) -> Result<(Telemetry, Exporter)> {
    let client = Client::builder().no_proxy().timeout(EXPORT_TIMEOUT).build();
    let client = client.or_environment("cannot make the HTTP client for traces")?;
    let (telemetry, spans) = Telemetry::new(config.sample_ratio);
    let sink = Sink { client, config: config.clone(), counts: Arc::clone(telemetry.counts()), is_away: false };
    let (stop, stopped) = oneshot::channel();
    Ok((telemetry, Exporter { task: tokio::spawn(export(sink, spans, stopped)), stop }))
}

async fn export(mut sink: Sink, mut spans: mpsc::Receiver<Span>, mut stopped: oneshot::Receiver<()>) {
    loop {
        let first = tokio::select! {
            first = spans.recv() => first,
            _ = &mut stopped, if !spans.is_closed() => {
                // What is in the channel still comes out.
                spans.close();
                continue;
            }
        };
        let Some(first) = first else { return };
        let mut batch = vec![first];
        let more = async {
            while batch.len() < BATCH_SPANS_MAX {
                let Some(span) = spans.recv().await else { return };
                batch.push(span);
            }
        };
        // Late is fine: what has come goes.
        drop(timeout(BATCH_WAIT, more).await);
        sink.send(batch).await;
    }
}

struct Sink {
    client: Client,
    config: TelemetryConfig,
    counts: Arc<SpanCounts>,
    is_away: bool,
}

impl Sink {
    async fn send(&mut self, batch: Vec<Span>) {
        let count = batch.len() as u64;
        let mut request = self.client.post(self.config.endpoint.clone()).header(CONTENT_TYPE, "application/x-protobuf");
        for (name, value) in &self.config.headers {
            let mut value = value.clone();
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let sent = request.body(otlp::encode(batch, &self.config.instance)).send().await;
        let trouble = match sent {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(error.without_url().to_string()),
        };
        match trouble {
            None => drop(self.counts.exported.fetch_add(count, Relaxed)),
            Some(trouble) => {
                self.counts.dropped.fetch_add(count, Relaxed);
                // Once for each time it goes away.
                if !self.is_away {
                    tracing::warn!(%trouble, "the collector of traces takes no spans; they are thrown away until it does");
                }
                self.is_away = true;
                return;
            }
        }
        if std::mem::take(&mut self.is_away) {
            tracing::info!("the collector of traces takes spans again");
        }
    }
}
