//! What the status page shows, as HTML: rows of storage come in, a page goes out.

use std::time::Duration;

use cartwright_core::{
    event::MatchOutcome,
    run::row::{RunRow, RunStatus},
    time::Timestamp,
};
use cartwright_run::storage::{Counts, StoredEvent};

use super::html::Html;

/// Of an error shown in a row, in characters; `cartwright runs show` has all of it.
const MAX_ERROR_CHARS: usize = 300;

/// What is shown.
pub(super) struct View {
    pub(super) now: Timestamp,
    pub(super) counts: Counts,
    pub(super) stores: usize,
    pub(super) workflows: usize,
    /// Files that are not used as they stand, with the reason.
    pub(super) broken: Vec<(String, String)>,
    /// The newest parked runs, then the newest failed ones.
    pub(super) stuck: Vec<RunRow>,
    pub(super) runs: Vec<RunRow>,
    pub(super) events: Vec<StoredEvent>,
}

impl View {
    pub(super) fn render(&self, style: &'static str, script: &'static str) -> String {
        let mut html = Html::default();
        html.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        html.raw("<title>Cartwright</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>").raw(style);
        html.raw("</style>\n</head>\n<body>\n<main>\n");
        self.head(&mut html);
        self.tiles(&mut html);
        self.broken(&mut html);
        self.stuck(&mut html);
        self.runs(&mut html);
        self.events(&mut html);
        html.raw("</main>\n<footer>A run in full: <code>cartwright runs show RUN</code> · <a href=\"/account\">Your account</a></footer>\n<script>")
            .raw(script);
        html.raw("</script>\n</body>\n</html>\n");
        html.into_page()
    }

    fn head(&self, html: &mut Html) {
        html.raw("<header><h1>Cartwright</h1><span class=\"quiet\">");
        let Counts { events, inbox, timers, disk_bytes, .. } = &self.counts;
        html.text(count(self.workflows as u64, "workflow")).raw(" · ").text(count(self.stores as u64, "store"));
        html.raw(" · ").text(count(*events, "event"));
        if *inbox > 0 {
            html.raw(" (").text(grouped(*inbox)).raw(" to be matched)");
        }
        html.raw(" · ").text(count(*timers, "timer"));
        if *disk_bytes > 0 {
            html.raw(" · ").text(bytes(*disk_bytes));
        }
        html.raw("</span><span class=\"quiet\" id=\"state\" title=\"").text(self.now).raw("\">as of ");
        html.text(&self.now.to_string()[11..19]).raw(" UTC</span></header>\n");
    }

    fn tiles(&self, html: &mut Html) {
        html.raw("<ul class=\"tiles\" aria-label=\"Runs by status\">\n");
        for (status, number) in RunStatus::ALL.iter().zip(self.counts.runs) {
            html.raw("<li class=\"").text(status.as_str()).raw(if number == 0 { " zero\"><b>" } else { "\"><b>" });
            html.text(grouped(number)).raw("</b><span class=\"dot\">").text(status.as_str()).raw("</span></li>\n");
        }
        html.raw("</ul>\n");
    }

    fn broken(&self, html: &mut Html) {
        if self.broken.is_empty() {
            return;
        }
        html.raw("<h2>Workflow files with problems</h2>\n<div class=\"sheet broken\"><table><tbody>\n");
        for (file, why) in &self.broken {
            html.raw("<tr><td class=\"wide\"><span class=\"name\">").text(file).raw("</span><span class=\"why\">");
            html.text(why).raw("</span></td></tr>\n");
        }
        html.raw("</tbody></table></div>\n");
    }

    fn stuck(&self, html: &mut Html) {
        if self.stuck.is_empty() {
            return;
        }
        html.raw("<h2>Parked and failed</h2>\n<p class=\"quiet\">A parked run waits for a person. Go on with ");
        html.raw("<code>cartwright runs retry RUN</code>; the run's id shows when you point at its workflow.</p>\n");
        self.table(html, &self.stuck);
    }

    fn runs(&self, html: &mut Html) {
        html.raw("<h2>Recent runs</h2>\n");
        if self.runs.is_empty() {
            html.raw("<div class=\"sheet none\">No runs yet. A run starts when an event matches a workflow.</div>\n");
            return;
        }
        self.table(html, &self.runs);
    }

    fn table(&self, html: &mut Html, runs: &[RunRow]) {
        html.raw(
            "<div class=\"sheet\"><table><thead><tr><th>Workflow</th><th>Status</th><th>Store</th><th>Started</th>",
        );
        html.raw("<th class=\"number\">Took</th><th class=\"reason\">Error</th></tr></thead><tbody>\n");
        for run in runs {
            self.run(html, run);
        }
        html.raw("</tbody></table></div>\n");
    }

    fn run(&self, html: &mut Html, run: &RunRow) {
        let status = run.status.as_str();
        html.raw("<tr><td class=\"name\" title=\"").text(&run.id).raw("\">").text(&run.workflow);
        html.raw("</td><td class=\"state dot ").text(status).raw("\">").text(status);
        if run.retries > 0 {
            html.raw(" <span class=\"quiet\">retried ").text(run.retries).raw("×</span>");
        }
        html.raw("</td><td class=\"store\">");
        if let Some(store) = &run.store {
            html.text(store);
        }
        html.raw("</td><td class=\"when quiet\" title=\"").text(run.started).raw("\">").text(self.ago(run.started));
        html.raw("</td><td class=\"number\">");
        match run.finished {
            Some(end) => html.text(span(end.since(run.started))),
            None if run.status == RunStatus::Queued => html,
            None => html.raw("<span class=\"quiet\">").text(span(self.now.since(run.started))).raw(" so far</span>"),
        };
        html.raw("</td><td class=\"why wide\">");
        if let Some(error) = &run.error {
            if let Some(step) = &error.step {
                html.text(step).raw(": ");
            }
            html.text(cut(&error.message)).raw(" <span class=\"quiet\">(").text(&error.code).raw(")</span>");
        }
        html.raw("</td></tr>\n");
    }

    fn events(&self, html: &mut Html) {
        html.raw("<h2>Recent events</h2>\n<div class=\"sheet\">");
        if self.events.is_empty() {
            html.raw("<div class=\"none\">No events yet. Stores send theirs to /webhooks/ and their id.</div></div>\n");
            return;
        }
        html.raw(
            "<table><thead><tr><th>Topic</th><th>Store</th><th>Accepted</th><th>Came to</th></tr></thead><tbody>\n",
        );
        for StoredEvent { event, matches } in &self.events {
            html.raw("<tr><td class=\"name\" title=\"")
                .text(&event.id)
                .raw("\">")
                .text(&event.topic)
                .raw("</td><td class=\"store\">");
            if let Some(store) = &event.store {
                html.text(store);
            }
            html.raw("</td><td class=\"when quiet\" title=\"").text(event.time).raw("\">").text(self.ago(event.time));
            html.raw("</td><td class=\"wide\">");
            match matches {
                None => html.raw("<span class=\"quiet\">waits to be matched</span>"),
                Some(matches) => {
                    let started = matches.iter().filter(|one| one.outcome.started().is_some()).count();
                    let taken = matches.iter().find(|one| one.outcome.is_taken()).map(|one| in_words(&one.outcome));
                    match (started, taken) {
                        (0, _) if matches.is_empty() => html.raw("<span class=\"quiet\">no workflow listens</span>"),
                        (0, Some(words)) => html.raw("<span class=\"quiet\">").raw(words).raw("</span>"),
                        (0, None) => html.raw("<span class=\"quiet\">no condition held</span>"),
                        (started, _) => html.text(count(started as u64, "run")),
                    }
                }
            };
            html.raw("</td></tr>\n");
        }
        html.raw("</tbody></table></div>\n");
    }

    fn ago(&self, time: Timestamp) -> String {
        let passed = self.now.since(time);
        match passed.as_secs() {
            0 | 1 => "just now".to_owned(),
            seconds @ 2..=9 => format!("{seconds} s ago"),
            _ => format!("{} ago", span(passed)),
        }
    }
}

/// `340 ms`, `4.2 s`, `3 min`, `5 h`, `2 d`
fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0 => format!("{} ms", length.as_millis()),
        1..=9 => format!("{}.{} s", seconds, length.subsec_millis() / 100),
        10..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn bytes(number: u64) -> String {
    match number {
        0..=9_999 => format!("{number} bytes"),
        10_000..=9_999_999 => format!("{} KB on disk", number / 1_000),
        10_000_000..=9_999_999_999 => format!("{} MB on disk", number / 1_000_000),
        _ => format!("{} GB on disk", number / 1_000_000_000),
    }
}

fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Thin spaces between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_ERROR_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a gate did with an event that started no run yet.
fn in_words(outcome: &MatchOutcome) -> &'static str {
    match outcome {
        MatchOutcome::Duplicate { .. } => "a duplicate",
        MatchOutcome::Merged { .. } | MatchOutcome::Collected { .. } => "waits for others",
        MatchOutcome::KeyFailed { .. } => "its key failed",
        MatchOutcome::Dropped { .. } => "held, then dropped",
        MatchOutcome::Started { .. } | MatchOutcome::Delayed { .. } => "a run",
        MatchOutcome::ConditionFalse { .. } | MatchOutcome::ConditionFailed { .. } | MatchOutcome::LoopCut => {
            "no condition held"
        }
    }
}

#[cfg(test)]
mod tests {
    use cartwright_core::run::row::RunError;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn view() -> View {
        let json = serde_json::json!({
            "id": "run_01ARZ3NDEKTSV4RRFFQ69G5FAV", "workflow": "stock/sync", "version": "0".repeat(32), "status": "failed",
            "store": "my-shop", "event": "evt_01ARZ3NDEKTSV4RRFFQ69G5FAV", "shard": 3, "retries": 2,
            "started": Timestamp::from_millis(NOW.as_millis() - 61_000), "finished": Timestamp::from_millis(NOW.as_millis() - 60_660),
        });
        let mut run: RunRow = serde_json::from_value(json).expect("a row");
        run.error = Some(RunError {
            step: Some("tell".into()),
            code: "status".into(),
            message: "<script>alert(1)</script>".into(),
        });
        View {
            now: NOW,
            counts: Counts { runs: [0, 1, 0, 0, 1_234_567, 1, 0], events: 1, ..Counts::default() },
            stores: 1,
            workflows: 2,
            broken: vec![("a<b>.yaml".into(), "E0104 & more".into())],
            stuck: vec![run.clone()],
            runs: vec![run],
            events: Vec::new(),
        }
    }

    #[test]
    fn a_page_shows_what_people_ask_first_and_runs_nothing_it_shows() {
        let page = view().render("", "");
        for part in [
            "stock/sync",
            "failed",
            "retried 2×",
            "340 ms",
            "61 s ago",
            "1\u{202f}234\u{202f}567",
            "2 workflows",
            "1 store",
            "tell: &lt;script&gt;alert(1)&lt;/script&gt;",
            "a&lt;b&gt;.yaml",
            "E0104 &amp; more",
            "No events yet",
            "runs retry",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert!(!page.contains("<script>alert"));
    }

    #[test]
    fn spans_are_short_and_honest() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (9_999, "9.9 s"),
            (10_000, "10 s"),
            (119_999, "119 s"),
            (120_000, "2 min"),
            (7_200_000, "2 h"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn long_errors_are_cut_between_characters() {
        let cut = cut(&"ü".repeat(1_000));
        assert_eq!(cut.chars().count(), MAX_ERROR_CHARS + 1);
    }
}
