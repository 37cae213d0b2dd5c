//! How far long work is: counts come in, and on a terminal a bar stands on the last line, elsewhere a plain line is written
//! now and then; nothing with `--json`. All of it goes to standard error, so that output stays data.
//!
//! ```ignore
//! let mut progress = context.terminal.progress("saving", "records", Some(total));
//! progress.add(1);                                     // for each piece
//! let answer = progress.during(client.post(…)).await;  // while nothing says how far it is, time moves on
//! progress.hide();                                      // before anything else is printed
//! ```

use std::{
    future::Future,
    io::{self, Write as _},
    pin::pin,
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Terminal, Tone, shorten, text::coarse};

/// Work that ends before this shows nothing: a bar that flashes up tells nobody anything.
const QUIET_FOR: Duration = Duration::from_millis(300);
/// Between two pictures of the bar.
const REDRAW_EVERY: Duration = Duration::from_millis(100);
/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Of the bar itself.
const BAR_CHARS: usize = 24;
/// An estimate before this would jump about.
const ESTIMATE_AFTER: Duration = Duration::from_secs(2);
/// Puts the cursor back and clears the line.
const CLEAR: &str = "\r\x1b[2K";

/// Where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Nowhere,
    Lines,
    /// A bar on a terminal of this width.
    Bar(usize),
}

/// Work under way. The bar goes when this is dropped.
pub(crate) struct Progress {
    terminal: Terminal,
    way: Way,
    doing: &'static str,
    unit: &'static str,
    total: Option<u64>,
    done: u64,
    began: Instant,
    shown: Option<Instant>,
}

impl Terminal {
    /// Work that does `doing` ("saving") to `unit` ("records"); without a total only counts and time are shown.
    pub(crate) fn progress(&self, doing: &'static str, unit: &'static str, total: Option<u64>) -> Progress {
        let way = match (self.json, self.error_width) {
            (true, _) => Way::Nowhere,
            (false, Some(width)) => Way::Bar(width),
            (false, None) => Way::Lines,
        };
        Progress { terminal: self.clone(), way, doing, unit, total, done: 0, began: Instant::now(), shown: None }
    }
}

impl Progress {
    /// So many more are done.
    pub(crate) fn add(&mut self, number: u64) {
        self.done = self.done.saturating_add(number);
        self.show();
    }

    /// Waits for something that does not say how far it is.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut ticks = interval(REDRAW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                outcome = &mut work => return outcome,
                _ = ticks.tick() => self.show(),
            }
        }
    }

    fn show(&mut self) {
        let now = Instant::now();
        if let Some(text) = self.next(now) {
            match self.way {
                Way::Bar(_) => write!(io::stderr().lock(), "{CLEAR}{text}").ok(),
                _ => writeln!(io::stderr().lock(), "{text}").ok(),
            };
        }
    }

    /// What is to be shown now, if it is time for anything.
    fn next(&mut self, now: Instant) -> Option<String> {
        let (first, every) = match self.way {
            Way::Nowhere => return None,
            Way::Lines => (LINE_EVERY, LINE_EVERY),
            Way::Bar(_) => (QUIET_FOR, REDRAW_EVERY),
        };
        let due = self.shown.map_or(self.began + first, |shown| shown + every);
        if now < due {
            return None;
        }
        self.shown = Some(now);
        Some(match self.way {
            Way::Bar(width) => self.bar(now - self.began, width),
            _ => format!("{}: {}", self.doing, self.words(now - self.began)),
        })
    }

    fn words(&self, elapsed: Duration) -> String {
        let time = coarse(elapsed);
        match self.total {
            Some(total) => {
                let left = self.left(elapsed).map(|left| format!(", about {} left", coarse(left))).unwrap_or_default();
                format!("{} of {total} {}, {time}{left}", self.done, self.unit)
            }
            None if self.done > 0 => format!("{} {}, {time}", self.done, self.unit),
            None => time,
        }
    }

    fn left(&self, elapsed: Duration) -> Option<Duration> {
        let total = self.total.filter(|_| self.done > 0 && elapsed >= ESTIMATE_AFTER)?;
        let left = total.saturating_sub(self.done);
        Some(Duration::from_secs_f64(elapsed.as_secs_f64() / self.done as f64 * left as f64))
    }

    fn bar(&self, elapsed: Duration, width: usize) -> String {
        let words = self.words(elapsed);
        let Some(total) = self.total.filter(|total| *total > 0) else {
            return shorten(&format!("{}  {words}", self.doing), width.saturating_sub(1));
        };
        let part = self.done.min(total);
        let full = usize::try_from(u128::from(part) * BAR_CHARS as u128 / u128::from(total)).unwrap_or(BAR_CHARS);
        let percent = u128::from(part) * 100 / u128::from(total);
        let head = self.doing.chars().count() + 2 + BAR_CHARS + 8;
        let words = shorten(&words, width.saturating_sub(head + 1));
        let (done, open) = ("━".repeat(full), "─".repeat(BAR_CHARS - full));
        let (done, open) = (self.terminal.paint_error(Tone::Move, done), self.terminal.paint_error(Tone::Quiet, open));
        format!("{}  {done}{open} {percent:>3} %  {words}", self.doing)
    }

    /// Takes the bar away before something else is printed; the next count brings it back.
    pub(crate) fn hide(&mut self) {
        if matches!(self.way, Way::Bar(_)) && self.shown.take().is_some() {
            // It was shown, so it is shown again at once.
            self.began = self.began.min(Instant::now() - QUIET_FOR);
            io::stderr().lock().write_all(CLEAR.as_bytes()).ok();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.hide();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn progress(way: Way, total: Option<u64>) -> Progress {
        let mut progress = Terminal::plain(None).progress("saving", "records", total);
        progress.way = way;
        progress
    }

    #[test]
    fn a_bar_shows_what_is_done_and_about_how_long_it_takes() {
        let mut bar = progress(Way::Bar(80), Some(200));
        let began = bar.began;
        assert_eq!(bar.next(began + QUIET_FOR / 2), None, "short work shows nothing");
        bar.done = 50;
        let shown = bar.next(began + 10 * SECOND).expect("it is time");
        assert_eq!(shown, "saving  ━━━━━━──────────────────  25 %  50 of 200 records, 10s, about 30s left");
        assert_eq!(bar.next(began + 10 * SECOND), None, "not twice at once");
        bar.done = 300;
        let shown = bar.next(began + 11 * SECOND).expect("it is time");
        assert!(shown.contains("100 %"), "{shown}");
        for width in [60, 62, 80] {
            assert!(bar.bar(3600 * SECOND, width).chars().count() < width);
        }
    }

    #[test]
    fn elsewhere_a_line_is_written_now_and_then() {
        let mut lines = progress(Way::Lines, None);
        let began = lines.began;
        assert_eq!(lines.next(began + 9 * SECOND), None);
        assert_eq!(lines.next(began + 10 * SECOND).as_deref(), Some("saving: 10s"));
        lines.done = 7;
        assert_eq!(lines.next(began + 11 * SECOND), None);
        assert_eq!(lines.next(began + 20 * SECOND).as_deref(), Some("saving: 7 records, 20s"));
        lines.total = Some(14);
        assert_eq!(lines.next(began + 30 * SECOND).as_deref(), Some("saving: 7 of 14 records, 30s, about 30s left"));
    }

    #[tokio::test]
    async fn nothing_is_shown_with_json_and_waiting_gives_the_outcome() {
        let json = Terminal { json: true, ..Terminal::plain(None) };
        let mut progress = json.progress("saving", "records", Some(0));
        assert_eq!(progress.next(progress.began + 60 * SECOND), None);
        let waited = progress.during(async {
            tokio::task::yield_now().await;
            7
        });
        assert_eq!(waited.await, 7);
    }
}
