//! What the screen shows: runs with where they are, newest first, and how many ended how. Items come in, lines go out.

use std::collections::BTreeMap;

use cartwright_core::{Json, run::row::RunStatus, time::Timestamp};

use super::field;
use crate::{
    command::time_of,
    terminal::{Table, Terminal, Tone, ago, tone_of},
};

/// Runs remembered; ended ones go first.
const RUNS_MAX: usize = 500;

/// Everything that was heard about runs.
#[derive(Default)]
pub(super) struct Board {
    runs: BTreeMap<String, Line>,
    /// How many ended how since the watch began.
    ended: BTreeMap<String, u64>,
}

struct Line {
    workflow: String,
    store: String,
    status: String,
    step: String,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
}

impl Board {
    /// A run as the API has it.
    pub(super) fn put(&mut self, row: &Json) {
        let (id, step) = (field(row, "id"), row.pointer("/error/step").and_then(Json::as_str).unwrap_or_default());
        let known = self.runs.get(&id).map(|line| line.step.clone()).unwrap_or_default();
        let line = Line {
            workflow: field(row, "workflow"),
            store: field(row, "store"),
            status: field(row, "status"),
            step: if step.is_empty() { known } else { step.to_owned() },
            started: time_of(row, "started"),
            finished: time_of(row, "finished"),
        };
        self.runs.insert(id, line);
    }

    /// An item of the live stream.
    pub(super) fn take(&mut self, item: &Json) {
        let (id, status) = (field(item, "run"), field(item, "status"));
        let data = item.get("data").unwrap_or(&Json::Null);
        match field(item, "kind").as_str() {
            "run" => {
                let before = self.runs.get(&id).map(|line| line.status.clone());
                if is_ended(&status) && before.as_deref() != Some(&status) {
                    *self.ended.entry(status.clone()).or_default() += 1;
                }
                let step = self.runs.get(&id).map(|line| line.step.clone()).unwrap_or_default();
                let line = Line {
                    workflow: field(item, "workflow"),
                    store: field(item, "store"),
                    status,
                    step,
                    started: time_of(data, "started"),
                    finished: time_of(data, "finished"),
                };
                self.runs.insert(id, line);
                self.forget();
            }
            "step" => {
                if let Some(line) = self.runs.get_mut(&id) {
                    line.step = field(data, "step");
                }
            }
            _ => {}
        }
    }

    fn forget(&mut self) {
        while self.runs.len() > RUNS_MAX {
            let oldest = self.runs.iter().find(|(_, line)| is_ended(&line.status)).or_else(|| self.runs.iter().next());
            let Some(id) = oldest.map(|(id, _)| id.clone()) else { return };
            self.runs.remove(&id);
        }
    }

    /// At most `height` lines.
    pub(super) fn lines(
        &self,
        status: Option<RunStatus>,
        height: usize,
        now: Timestamp,
        terminal: &Terminal,
    ) -> Vec<String> {
        let wanted = |line: &Line| status.is_none_or(|status| line.status == status.as_str());
        let mut table = Table::new(&["RUN", "STATUS", "AGE", "WORKFLOW~", "STEP~", "STORE~"]);
        // Ids begin with the time, so their order is that of the beginning.
        let newest = self.runs.iter().rev().filter(|(_, line)| wanted(line));
        for (id, line) in newest.take(height.saturating_sub(2)) {
            let age = line.finished.or(line.started).map(|time| ago(time, now)).unwrap_or_default();
            table.row(vec![
                (Tone::Plain, id.clone()),
                (tone_of(&line.status), line.status.clone()),
                (Tone::Plain, age.trim_end_matches(" ago").replace("just now", "now")),
                (Tone::Plain, line.workflow.clone()),
                (Tone::Plain, line.step.clone()),
                (Tone::Plain, line.store.clone()),
            ]);
        }
        let mut lines = vec![self.counts(terminal)];
        lines.extend(table.lines(terminal));
        lines
    }

    /// `3 running  1 parked  |  240 succeeded  2 failed`
    fn counts(&self, terminal: &Terminal) -> String {
        let mut words = Vec::new();
        for status in RunStatus::ALL.map(RunStatus::as_str) {
            let count = match is_ended(status) {
                true => self.ended.get(status).copied().unwrap_or_default(),
                false => self.runs.values().filter(|line| line.status == status).count() as u64,
            };
            if count > 0 {
                words.push(terminal.paint(tone_of(status), format_args!("{count} {status}")));
            }
        }
        if words.is_empty() { "nothing moves".to_owned() } else { words.join("  ") }
    }
}

fn is_ended(status: &str) -> bool {
    RunStatus::ALL.iter().any(|one| one.is_ended() && one.as_str() == status)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(kind: &str, run: &str, status: &str, data: &Json) -> Json {
        json!({ "kind": kind, "run": run, "status": status, "workflow": "a/b", "store": "kiel", "data": data })
    }

    fn text(board: &Board, status: Option<RunStatus>, height: usize, width: usize) -> Vec<String> {
        board.lines(status, height, Timestamp::from_millis(1_795_000_000_000), &Terminal::plain(Some(width)))
    }

    #[test]
    fn runs_are_shown_newest_first_with_where_they_are() {
        let mut board = Board::default();
        assert_eq!(text(&board, None, 10, 80)[0], "nothing moves");
        board.put(&json!({ "id": "run_1", "status": "parked", "workflow": "a/b", "error": { "step": "tell" } }));
        board.take(&item("run", "run_2", "running", &json!({ "started": "2026-11-18T06:26:00.000Z" })));
        board.take(&item("step", "run_2", "running", &json!({ "step": "make" })));
        board.take(&item("step", "run_9", "running", &json!({ "step": "of a run that nobody knows" })));
        let lines = text(&board, None, 10, 80);
        assert_eq!(lines[0], "1 running  1 parked");
        assert!(lines[2].starts_with("run_2  running") && lines[2].contains("make"), "{lines:#?}");
        assert!(lines[3].starts_with("run_1  parked") && lines[3].contains("tell"), "{lines:#?}");
        assert_eq!(text(&board, Some(RunStatus::Parked), 10, 80).len(), 3);
        board.take(&item("run", "run_2", "succeeded", &json!({})));
        board.take(&item("run", "run_2", "succeeded", &json!({})));
        assert_eq!(text(&board, None, 10, 80)[0], "1 parked  1 succeeded", "an end that is told twice is one");
    }

    #[test]
    fn the_screen_is_never_too_small_for_it_and_memory_is_bounded() {
        let mut board = Board::default();
        for number in 0..2 * RUNS_MAX {
            let status = if number % 2 == 0 { "running" } else { "failed" };
            let id = format!("run_{number:026}");
            board.take(&item("run", &id, status, &json!({})));
            board.take(&item("step", &id, status, &json!({ "step": "a step with a long name" })));
        }
        assert_eq!(board.runs.len(), RUNS_MAX);
        for (width, height) in [(60, 3), (80, 24), (200, 60)] {
            let lines = text(&board, None, height, width);
            assert_eq!(lines.len(), height);
            assert!(width < 80 || lines.iter().all(|line| line.chars().count() <= width), "{lines:#?}");
        }
    }
}
