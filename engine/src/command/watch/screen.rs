//! The screen: drawn in place at most ten times a second, at once after a resize, and given back as it was at the end.

use std::{
    io::{self, Read as _, Write as _},
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};

use super::{Board, Context, Heard, end_of, ended, now, tell_end};
use crate::{cli::Watch, command::field, failure::Result, terminal::Tone};

/// Between two drawings while things happen.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// Between two drawings while nothing happens: ages go on.
const AGE_EVERY: Duration = Duration::from_secs(1);

/// Draws what happens until somebody presses q, or the run that is watched ends: its status.
pub(super) async fn show(watch: &Watch, context: &Context, told: &mut mpsc::Receiver<Heard>) -> Result<Option<String>> {
    let (mut board, mut state) = (Board::default(), "");
    let Some(Heard::Open { .. }) = told.recv().await else { return Ok(None) };
    for row in now(watch, context).await?.iter().rev() {
        board.put(row);
    }
    let mut over = ended(watch, context).await?;
    let (taken, mut keys) = (Taken::take(), keys());
    let mut resized = resizes();
    let mut draw_at = Instant::now();
    while over.is_none() {
        tokio::select! {
            heard = told.recv() => {
                match heard {
                    None => break,
                    Some(Heard::Lost) => state = "the engine is gone; waiting for it",
                    Some(Heard::Open { .. }) => state = "",
                    Some(Heard::Item(item, _)) => {
                        state = "";
                        if field(&item, "kind") == "gap" {
                            // What was missed is asked for; an engine that goes away again is noticed above.
                            now(watch, context).await.iter().flatten().for_each(|row| board.put(row));
                            over = ended(watch, context).await.unwrap_or_default();
                        }
                        board.take(&item);
                        over = over.or_else(|| end_of(watch, &item));
                    }
                }
                draw_at = draw_at.min(Instant::now() + DRAW_EVERY);
            }
            key = keys.recv() => if matches!(key, Some(b'q' | b'Q' | 3)) { return Ok(None) },
            Some(()) = resized.recv() => draw_at = Instant::now(),
            () = tokio::time::sleep_until(draw_at) => {
                draw(&board, watch, context, state);
                draw_at = Instant::now() + AGE_EVERY;
            }
        }
    }
    drop(taken);
    if let Some(status) = &over {
        tell_end(watch, status, &context.terminal);
    }
    Ok(over)
}

/// One write: the cursor goes home, each line is drawn over the old one, and what is below is cleared.
fn draw(board: &Board, watch: &Watch, context: &Context, state: &str) {
    let (terminal, height) = context.terminal.resized();
    let mut lines = board.lines(watch.status, height.saturating_sub(1), context.now(), &terminal);
    let foot = if state.is_empty() { "q ends" } else { state };
    lines.resize(height.saturating_sub(1), String::new());
    lines.push(terminal.paint(if state.is_empty() { Tone::Quiet } else { Tone::Wait }, foot));
    let body = lines.join("\x1b[K\r\n");
    let mut out = io::stdout().lock();
    let frame = format!("\x1b[?2026h\x1b[H{body}\x1b[K\x1b[J\x1b[?2026l");
    if out.write_all(frame.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Keys as they are pressed, without waiting for the end of a line.
fn keys() -> mpsc::Receiver<u8> {
    let (sender, keys) = mpsc::channel(16);
    // A thread of its own, left behind at the end: reading a terminal cannot be called off.
    std::thread::spawn(move || {
        for byte in io::stdin().lock().bytes().map_while(Result::ok) {
            if sender.blocking_send(byte).is_err() {
                return;
            }
        }
        // Without keys the screen goes on: the sender stays.
        std::thread::park();
    });
    keys
}

#[cfg(unix)]
fn resizes() -> mpsc::Receiver<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, resized) = mpsc::channel(1);
    if let Ok(mut changes) = signal(SignalKind::window_change()) {
        tokio::spawn(async move { while changes.recv().await.is_some() && sender.send(()).await.is_ok() {} });
    }
    resized
}

#[cfg(not(unix))]
fn resizes() -> mpsc::Receiver<()> {
    mpsc::channel(1).1
}

/// The terminal while the screen is ours; given back when dropped.
struct Taken {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Taken {
    fn take() -> Self {
        write("\x1b[?1049h\x1b[?25l\x1b[2J");
        #[cfg(unix)]
        {
            use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
            let before = tcgetattr(io::stdin()).ok();
            if let Some(mut modes) = before.clone() {
                // Ctrl-C stays a signal.
                modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
                tcsetattr(io::stdin(), OptionalActions::Now, &modes).ok();
            }
            Self { before }
        }
        #[cfg(not(unix))]
        Self {}
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        write("\x1b[?25h\x1b[?1049l");
        #[cfg(unix)]
        if let Some(before) = &self.before {
            rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, before).ok();
        }
    }
}

fn write(text: &str) {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}
