//! Sums: every quarter of a minute in a few lines, in the end in full, or as JSON.

use std::collections::BTreeMap;

use cartwright_core::run::row::RunStatus;
use cartwright_run::Engine;
use serde::Serialize;

use super::{
    shops::{Deliveries, Shops},
    sink::{Served, Sink},
    tally::Tally,
    watch,
};
use crate::{
    client::Client,
    command::field,
    terminal::{Table, Terminal, Tone, one_line},
};

/// Stores shown one by one; more are only in the sum.
const MAX_STORES: usize = 6;
/// Unfinished runs looked at for the reason.
const MAX_OPEN: usize = 500;

/// Where things stand.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    stores: Vec<Tally>,
    all: Tally,
    webhooks: Deliveries,
    runs: BTreeMap<&'static str, u64>,
    services: BTreeMap<String, Served>,
    open: Vec<Open>,
}

/// Unfinished runs of one workflow with one reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Open {
    workflow: String,
    status: String,
    why: String,
    runs: usize,
}

impl Summary {
    /// Asks stores, engine and services.
    pub(super) async fn new(shops: &Shops, engine: &Engine, sink: &Sink) -> Self {
        let stores: Vec<Tally> = shops.stores.iter().map(Tally::of).collect();
        Self {
            all: Tally::sum(&stores),
            stores,
            webhooks: shops.deliveries(engine.metrics()),
            runs: by_status(engine).await,
            services: sink.tallies().into_iter().collect(),
            open: Vec::new(),
        }
    }

    /// And why what is not finished waits.
    pub(super) async fn with_open(mut self, client: &Client) -> Self {
        let mut groups: BTreeMap<(String, String, String), usize> = BTreeMap::new();
        for status in ["parked", "waiting"] {
            let query = [("status", status.to_owned())];
            for run in client.list("/api/v1/runs", &query, MAX_OPEN).await.unwrap_or_default() {
                let why = match run.get("error").filter(|error| !error.is_null()) {
                    Some(error) => error.get("message").map(one_line).unwrap_or_default(),
                    None => watch::cause(client, &field(&run, "id")).await,
                };
                *groups.entry((status.to_owned(), field(&run, "workflow"), why)).or_default() += 1;
            }
        }
        let open = |((status, workflow, why), runs)| Open { workflow, status, why, runs };
        self.open = groups.into_iter().map(open).collect();
        self
    }

    /// With the stores as they are now, when nothing changes any more.
    pub(super) fn counted_again(mut self, shops: &Shops) -> Self {
        self.stores = shops.stores.iter().map(Tally::of).collect();
        self.all = Tally::sum(&self.stores);
        self
    }

    /// The lines that are printed from time to time.
    pub(super) fn brief(&self, terminal: &Terminal) -> Vec<String> {
        let mut lines = vec![String::new()];
        for tally in self.stores.iter().take(if self.stores.len() > MAX_STORES { 0 } else { MAX_STORES }) {
            let made = format!("{}, {}", counted(tally.coupons, "coupon"), counted(tally.notes, "note"));
            let line = format!(
                "  {:8}  {:>10}  {:>11} EUR   {made}",
                tally.store,
                counted(tally.orders, "order"),
                tally.revenue
            );
            lines.push(terminal.paint(Tone::Strong, line));
        }
        if self.stores.len() > MAX_STORES {
            let all = format!("  {} stores, {}", self.stores.len(), counted(self.all.orders, "order"));
            lines.push(terminal.paint(Tone::Strong, format!("{all}, {} EUR", self.all.revenue)));
        }
        let webhooks = format!("  webhooks  {}", self.webhook_words());
        lines.push(terminal.paint(Tone::Strong, webhooks));
        lines.push(terminal.paint(Tone::Strong, format!("  runs      {}", self.run_words())));
        lines.push(String::new());
        lines
    }

    /// What is printed in the end.
    pub(super) fn full(&self, terminal: &Terminal) -> Vec<String> {
        let mut lines = vec![terminal.paint(Tone::Strong, "What the stores say"), String::new()];
        let mut table =
            Table::new(&["STORE", "ORDERS", "SENT", "ON HOLD", "CANCELLED", "REFUNDS", "REVENUE", "COUPONS", "NOTES"]);
        let shown = if self.stores.len() > 2 * MAX_STORES { &[][..] } else { &self.stores };
        for (tally, tone) in shown.iter().map(|tally| (tally, Tone::Plain)).chain([(&self.all, Tone::Strong)]) {
            let numbers =
                [tally.orders, tally.completed, tally.on_hold, tally.cancelled, tally.refunds].map(|n| n.to_string());
            let made = [tally.coupons, tally.notes].map(|n| n.to_string());
            let cells = [tally.store.clone()].into_iter().chain(numbers).chain([tally.revenue.to_string()]).chain(made);
            table.row(cells.map(|cell| (tone, cell)).collect());
        }
        lines.extend(table.lines(terminal).into_iter().map(|line| format!("  {line}")));
        let tone = if self.all.made_twice == 0 { Tone::Good } else { Tone::Bad };
        lines.push(String::new());
        lines.push(format!("  {}", terminal.paint(tone, format_args!("objects made twice: {}", self.all.made_twice))));
        lines.push(String::new());
        lines.push(format!("webhooks     {}", self.webhook_words()));
        lines.push(format!("runs         {}", self.run_words()));
        for (name, served) in &self.services {
            let Served { requests, refused, effects, .. } = served;
            lines.push(format!("{name:13}{requests} requests: refused {refused}, did {effects}"));
        }
        for open in &self.open {
            let tone = if open.status == "parked" { Tone::Bad } else { Tone::Wait };
            let what = format!("{} × {}: ", open.runs, open.workflow);
            let rest = terminal.width().map_or(400, |width| width.saturating_sub(13 + what.chars().count()));
            let why = crate::terminal::shorten(&open.why, rest);
            lines.push(format!("{}{what}{why}", terminal.paint(tone, format_args!("{:13}", open.status))));
        }
        lines
    }

    fn webhook_words(&self) -> String {
        let Deliveries { sent, refused, duplicates } = self.webhooks;
        format!("{sent} delivered, {duplicates} of them twice and recognised, {refused} refused")
    }

    fn run_words(&self) -> String {
        let parts: Vec<String> = self.runs.iter().map(|(status, count)| format!("{count} {status}")).collect();
        if parts.is_empty() { "none yet".into() } else { parts.join(", ") }
    }
}

fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

async fn by_status(engine: &Engine) -> BTreeMap<&'static str, u64> {
    let Ok(counts) = engine.counts().await else { return BTreeMap::new() };
    let all = RunStatus::ALL.iter().zip(counts.runs).filter(|(_, count)| *count > 0);
    all.map(|(status, count)| (status.as_str(), count)).collect()
}
