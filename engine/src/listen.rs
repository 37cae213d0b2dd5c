//! The live stream as commands read it: server-sent events of a running engine come in, items go out; a stream that ends
//! is opened again after the last id.

use std::time::Duration;

use cartwright_core::Json;
use tokio::sync::mpsc;

use crate::{
    client::{Client, Unheard},
    command::Context,
    failure::{Failure, Result},
};

/// Between two tries to come back.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// The engine gives a sign of life every 15 seconds; after so long without one the connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(50);
/// Of one line of the stream, in bytes.
const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// What happens to a stream.
pub(crate) enum Heard {
    /// It is open; `again`: it was lost before.
    Open { again: bool },
    /// An item with its text.
    Item(Json, String),
    /// It ended; it is tried again every second.
    Lost,
}

/// Follows `target` for ever, coming back when the engine does. Ends when it is refused, when the first try fails, or
/// when nobody listens to `told` any more.
pub(crate) async fn follow(context: &Context, target: &str, told: &mpsc::Sender<Heard>) -> Result<()> {
    let (mut last, mut again) = (String::new(), false);
    loop {
        match open(context, target, &last).await {
            Ok(answer) => {
                if told.send(Heard::Open { again }).await.is_err() {
                    return Ok(());
                }
                let mut lines = Lines { answer, buffer: Vec::new() };
                if read(&mut lines, &mut last, told).await.is_none() {
                    return Ok(());
                }
            }
            Err(Unheard::Refused(failure)) => return Err(failure),
            Err(Unheard::Away(failure)) if !again => return Err(failure),
            Err(Unheard::Away(_)) => {}
        }
        if told.send(Heard::Lost).await.is_err() {
            return Ok(());
        }
        again = true;
        tokio::time::sleep(RETRY_EVERY).await;
    }
}

async fn open(context: &Context, target: &str, last: &str) -> Result<reqwest::Response, Unheard> {
    // Looked for each time: a restarted engine may have another address.
    let client: Client = context.running().await.map_err(|failure: Failure| Unheard::Away(failure))?;
    client.listen(target, last).await
}

/// Passes items on until the stream ends; `None`: nobody listens any more.
async fn read(lines: &mut Lines, last: &mut String, told: &mpsc::Sender<Heard>) -> Option<()> {
    while let Some(line) = lines.next().await {
        if let Some(id) = line.strip_prefix("id: ") {
            id.clone_into(last);
        }
        let Some(data) = line.strip_prefix("data: ") else { continue };
        if let Ok(item) = serde_json::from_str(data) {
            told.send(Heard::Item(item, data.to_owned())).await.ok()?;
        }
    }
    Some(())
}

/// The lines of an answer that comes piece by piece.
struct Lines {
    answer: reqwest::Response,
    buffer: Vec<u8>,
}

impl Lines {
    async fn next(&mut self) -> Option<String> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=searched + at).collect();
                return Some(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
            }
            searched = self.buffer.len();
            if searched > MAX_LINE_BYTES {
                return None;
            }
            let piece = tokio::time::timeout(SILENCE_MAX, self.answer.chunk()).await.ok()?.ok()??;
            self.buffer.extend_from_slice(&piece);
        }
    }
}
